"""Exits 0 when the API says that it is well, else 1 with what it said."""

import http.client
import sys

try:
    connection = http.client.HTTPConnection("127.0.0.1", 5000, timeout=3)
    connection.request("GET", "/healthz")
    response = connection.getresponse()
    body = response.read().decode().strip()
except (OSError, http.client.HTTPException) as error:
    sys.exit(f"no answer: {error}")
if response.status != 200:
    sys.exit(f"{response.status}: {body}")
