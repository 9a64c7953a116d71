"""The API server, as its administrator."""

import json
import ssl
import urllib.request


class API:
    def __init__(self, url, certificate, token):
        self._url = url
        self._context = ssl.create_default_context(cafile=certificate)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def ask(self, path, body=None, method=None):
        """The answer as text; raises OSError where there is none, or no good one."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, self._headers, method=method)
        with urllib.request.urlopen(request, timeout=10, context=self._context) as answer:
            return answer.read().decode()

    def items(self, path):
        return json.loads(self.ask(path))["items"]
