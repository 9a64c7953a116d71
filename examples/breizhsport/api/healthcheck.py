"""Whether this replica can serve: asked by the container's health check. Exit code 0 if so."""

import http.client
import sys

try:
    connection = http.client.HTTPConnection("127.0.0.1", 5000, timeout=4)
    connection.request("GET", "/healthz")
    answer = connection.getresponse()
    if answer.status != 200:
        sys.exit(f"/healthz answers {answer.status}: {answer.read(200).decode(errors='replace')}")
except OSError as error:
    sys.exit(f"/healthz does not answer: {error}")
