"""A registry that says what a case wants it to say, and notes who asked for what."""

import http.server
import json
import threading

from tars import Oci, sha256


class Site:
    """A repository. Without anything given it is a good one, with one image under every tag.

    `manifest`, `blob` and `other` are called as f(request, site, rest of the path) and answer in place of it.
    """

    def __init__(self, oci=None, manifest=None, blob=None, other=None, reference=":latest", check=None):
        self.oci = oci or Oci()
        self._manifest, self._blob, self._other = manifest, blob, other
        self.reference = reference
        self.check = check  # (world, site), after the pull: says what is wrong
        self.seen = []  # (host, method, path, headers)
        self.notes = {}

    def answer(self, request, path):
        kind, _, rest = path.partition("/")
        if kind == "manifests":
            (self._manifest or give_manifest)(request, self, rest)
        elif kind == "blobs":
            (self._blob or give_blob)(request, self, rest)
        elif self._other:
            self._other(request, self, path)
        else:
            request.give(404, b"{}")

    def asked(self, host):
        return [one for one in self.seen if one[0] == host]


def give_manifest(request, site, reference):
    body = site.oci.raw_manifest
    if reference.startswith("sha256:"):
        body = site.oci.blobs.get(reference)
        if body is None:
            return request.give(404, b'{"errors": [{"code": "MANIFEST_UNKNOWN"}]}')
    kind = site.oci.manifest["mediaType"]
    try:
        kind = json.loads(body).get("mediaType", kind)
    except (ValueError, AttributeError, RecursionError):
        pass
    request.give(200, body, {"Content-Type": str(kind), "Docker-Content-Digest": sha256(body)})


def give_blob(request, site, digest):
    body = site.oci.blobs.get(digest)
    if body is None:
        return request.give(404, b'{"errors": [{"code": "BLOB_UNKNOWN"}]}')
    request.give(200, body, {"Content-Type": "application/octet-stream"})


class Request(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *_):
        pass

    def _serve(self):
        registry = self.server.registry
        length = int(self.headers.get("Content-Length") or 0)
        if length:
            self.rfile.read(length)
        path = self.path.partition("?")[0]
        try:
            if path in ("/v2/", "/v2"):
                return self.give(200, b"{}", {"Docker-Distribution-Api-Version": "registry/2.0"})
            words = path.removeprefix("/v2").lstrip("/").split("/", 1)
            site = registry.sites.get(words[0])
            if site is None:
                return self.give(404, b"{}")
            site.seen.append((self.server.host, self.command, self.path, dict(self.headers.items())))
            site.answer(self, words[1] if len(words) > 1 else "")
        except OSError:
            self.close_connection = True  # it has had enough

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = _serve

    def give(self, status, body=b"", headers=None, length=None, close=False):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        if close:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def endless(self, start, piece, headers=None, most=4 << 30):
        """Without a length, for as long as the other side takes it; nobody should take this much."""
        self.send_response(200)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.close_connection = True
        self.end_headers()
        if self.command == "HEAD":
            return
        self.wfile.write(start)
        sent = 0
        while sent < most:
            self.wfile.write(piece)
            sent += len(piece)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # a client that goes away


class Registry:
    """Two hosts, 127.0.0.1 and 127.0.0.2: the registry itself, and one that has no part in it."""

    def __init__(self):
        self.sites = {}
        self.servers = []
        for host in ("127.0.0.1", "127.0.0.2"):
            server = Server((host, 0), Request)
            server.registry, server.host = self, host
            threading.Thread(target=server.serve_forever, daemon=True).start()
            self.servers.append(server)
        self.host, self.other = (f"{server.host}:{server.server_address[1]}" for server in self.servers)

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()
