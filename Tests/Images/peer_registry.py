"""Registries to talk to: Debian's docker-registry, a token server, a proxy that makes faults, and a plain HTTP client."""

import base64
import contextlib
import hashlib
import http.client
import http.server
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
from pathlib import Path

from peer_tools import Failure, expect, free_port, run, wait_until

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
ACCEPTED = ", ".join([MANIFEST, INDEX, "application/vnd.docker.distribution.manifest.v2+json",
                      "application/vnd.docker.distribution.manifest.list.v2+json"])
USER, PASSWORD = "alice", "correct horse: battery/staple"


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


class Authority:
    """A certificate authority of our own, and the certificate of a server at 127.0.0.1."""

    def __init__(self, directory):
        self.ca, self.certificate, self.key = (directory / name for name in ("ca.crt", "server.crt", "server.key"))
        request, extensions = directory / "server.csr", directory / "extensions"
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Escale test authority",
            "-keyout", directory / "ca.key", "-out", self.ca)
        run("openssl", "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-keyout", self.key, "-out", request)
        extensions.write_text("subjectAltName=DNS:localhost,DNS:registry.test,DNS:stranger.test,IP:127.0.0.1\n"
                              "extendedKeyUsage=serverAuth\n", "ascii")
        run("openssl", "x509", "-req", "-days", "2", "-in", request, "-CA", self.ca, "-CAkey", directory / "ca.key",
            "-CAcreateserial", "-extfile", extensions, "-out", self.certificate)
        self.certificates = directory / "certs.d"  # as skopeo and podman want it: with nothing but authorities
        self.certificates.mkdir()
        shutil.copy(self.ca, self.certificates / "ca.crt")


def htpasswd_file(path):
    """One user, bcrypt, by Apache's own tool."""
    path.write_text(run("htpasswd", "-B", "-b", "-n", USER, PASSWORD).stdout, "ascii")
    return path


class Place:
    """Where a registry answers, and what it takes to be let in."""

    def __init__(self, port, authority=None, user=None, password=None):
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self.ca = authority and authority.ca
        self.certificates = authority and authority.certificates
        self.user, self.password = user, password
        self.is_logged_in = False
        self.api = Api(port, self.ca, user, password)

    def name(self, repository, tag="latest"):
        return f"{self.address}/{repository}:{tag}"

    @contextlib.contextmanager
    def trusted(self):
        """Escale finds the authority's certificate meanwhile."""
        directory = Path("/etc/escale/certs.d") / self.address
        made = [path for path in (directory.parent.parent, directory.parent, directory) if not path.exists()]
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.ca, directory / "ca.crt")
        try:
            yield
        finally:
            shutil.rmtree(directory, ignore_errors=True)
            for path in reversed(made):
                with contextlib.suppress(OSError):
                    path.rmdir()


class Answer:
    def __init__(self, response, body):
        self.status, self.headers, self.body = response.status, response.headers, body

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise Failure(f"not JSON: {self.body[:300]!r}") from error

    @property
    def code(self):
        """The first error's code, as the specification has errors."""
        errors = self.json().get("errors") or []
        expect(errors and all(isinstance(one.get("message", ""), str) for one in errors), f"no errors: {self.body[:300]!r}")
        return errors[0]["code"]


class Api:
    """One request at a time, exactly as written."""

    def __init__(self, port, ca=None, user=None, password=None):
        self._port, self._ca = port, ca
        self._basic = base64.b64encode(f"{user}:{password}".encode()).decode() if user else None

    def __call__(self, method, path, body=None, headers=None, status=None, anonymous=False):
        where = urllib.parse.urlsplit(path)
        path = where.path + (f"?{where.query}" if where.query else "")
        if self._ca:
            connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=60,
                                                     context=ssl.create_default_context(cafile=self._ca))
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        sent = {"Accept": ACCEPTED, **(headers or {})}
        if self._basic and not anonymous:
            sent["Authorization"] = f"Basic {self._basic}"
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            try:
                body = response.read()
            except http.client.IncompleteRead as error:  # docker-registry's 416 has the blob's length
                if response.status < 400:
                    raise
                body = error.partial
            answer = Answer(response, body)
        finally:
            connection.close()
        if status is not None:
            statuses = status if isinstance(status, tuple) else (status,)
            expect(answer.status in statuses,
                   f"{method} {path} got {answer.status}, not {' or '.join(map(str, statuses))}: {answer.body[:300]!r}")
        return answer

    # A client's usual steps

    def upload(self, repository, data):
        """A blob by POST and PUT; returns its digest."""
        location = self("POST", f"/v2/{repository}/blobs/uploads/", b"", status=202).headers["Location"]
        self("PUT", with_query(location, digest=digest_of(data)), data, {"Content-Type": "application/octet-stream"}, 201)
        return digest_of(data)

    def put_manifest(self, repository, name, manifest, status=201):
        data = json.dumps(manifest).encode()
        answer = self("PUT", f"/v2/{repository}/manifests/{name or digest_of(data)}", data,
                      {"Content-Type": manifest["mediaType"]}, status)
        return digest_of(data), answer

    def small_image(self, repository, tag, marker="x"):
        """A manifest with a config and one layer of a few bytes, for what only looks at manifests; returns the digest."""
        layer = self.descriptor(repository, marker.encode(), "application/vnd.oci.image.layer.v1.tar")
        config = self.descriptor(repository, json.dumps({
            "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}).encode(), CONFIG)
        return self.put_manifest(repository, tag, {
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]})[0]

    def descriptor(self, repository, data, media_type):
        return {"mediaType": media_type, "digest": self.upload(repository, data), "size": len(data)}

    def manifest(self, repository, name):
        """Its bytes, checked against the headers."""
        answer = self("GET", f"/v2/{repository}/manifests/{name}", status=200)
        digest = answer.headers["Docker-Content-Digest"]
        expect(digest in (None, digest_of(answer.body)), f"{repository}: the header's digest {digest} is not the content's")
        return answer.body

    def blob(self, repository, digest):
        body = self("GET", f"/v2/{repository}/blobs/{digest}", status=200).body
        expect(digest_of(body) == digest, f"the content of {digest} is not that")
        return body


def with_query(location, **values):
    return location + ("&" if "?" in location else "?") + urllib.parse.urlencode(values)


def answers(place):
    with contextlib.suppress(OSError, http.client.HTTPException):
        return place.api("GET", "/v2/", anonymous=True).status in (200, 401)
    return False


@contextlib.contextmanager
def debian_registry(bed, htpasswd=False, authority=None, tokens=None):
    """Debian's docker-registry, with an empty store of its own."""
    directory = bed.directory("docker-registry")
    user = password = None
    if htpasswd or tokens:
        user, password = USER, PASSWORD
    place = Place(free_port(), authority, user, password)
    settings = {
        "version": "0.1", "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(directory / "store")}, "delete": {"enabled": True}},
        "http": {"addr": place.address, "secret": "a secret of the test"}}
    if authority:
        settings["http"]["tls"] = {"certificate": str(authority.certificate), "key": str(authority.key)}
    if htpasswd:
        settings["auth"] = {"htpasswd": {"realm": "test", "path": str(htpasswd_file(directory / "htpasswd"))}}
    if tokens:
        settings["auth"] = {"token": {"realm": tokens.url, "service": tokens.service, "issuer": tokens.issuer,
                                      "rootcertbundle": str(tokens.certificate)}}
    (directory / "config.yml").write_text(json.dumps(settings), "utf-8")  # JSON is YAML too
    # Its settings may also come from variables.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    with open(directory / "log", "wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", str(directory / "config.yml")], env=environment,
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_until("docker-registry to answer", lambda: process.poll() is not None or answers(place))
        expect(process.poll() is None,
               "docker-registry did not start:\n" + (directory / "log").read_text("utf-8", "replace")[-1000:])
        yield place
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def escale_registry(bed, htpasswd=False, authority=None, port=None):
    """Escale's own registry."""
    place = Place(port or free_port(), authority, *((USER, PASSWORD) if htpasswd else ()))
    words = ["--listen", place.address]
    if htpasswd:
        words += ["--htpasswd", htpasswd_file(bed.directory("served") / "htpasswd")]
    if authority:
        words += ["--tls-certificate", authority.certificate, "--tls-key", authority.key]
    bed.escale("registry", "serve", *words, "--detach")
    try:
        # `--detach` returns when it listens; no more than a moment's grace.
        wait_until("escale registry to answer", lambda: answers(place), timeout=5)
        yield place
    finally:
        bed.escale("registry", "stop", check=False)
    expect(not answers(place), f"`escale registry stop` left something that answers at {place.address}")


class _Server:
    """A server of this process, on a free port."""

    def __enter__(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def _handle(self):
                outer.handle(self)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

        class Threads(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_):
                pass  # clients may go away

        self._server = Threads(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    @staticmethod
    def send(handler, status, body=b"", headers=None):
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)


class Tokens(_Server):
    """Gives tokens as registries' authorization servers do: everything to alice, to others what is below public/ to pull."""

    service, issuer = "the test's registry", "the test's tokens"

    def __init__(self, directory):
        self.certificate, self._key = directory / "tokens.crt", directory / "tokens.key"
        run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tokens",
            "-keyout", self._key, "-out", self.certificate)
        self.requests = []  # user (or None) and the scopes asked for

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/token"

    def handle(self, handler):
        where = urllib.parse.urlsplit(handler.path)
        query = urllib.parse.parse_qs(where.query)
        handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        if where.path != "/token" or handler.command != "GET":
            return self.send(handler, 404)
        user = None
        kind, _, value = (handler.headers.get("Authorization") or "").partition(" ")
        if kind.lower() == "basic":
            user, _, password = base64.b64decode(value).decode().partition(":")
            if (user, password) != (USER, PASSWORD):
                return self.send(handler, 401, b'{"details":"incorrect username or password"}',
                                 {"Content-Type": "application/json"})
        if query.get("service") != [self.service]:
            return self.send(handler, 400, b'{"details":"unknown service"}', {"Content-Type": "application/json"})
        scopes = " ".join(query.get("scope", [])).split()
        self.requests.append((user, scopes))
        access = []
        for scope in scopes:
            kind, _, rest = scope.partition(":")
            name, _, actions = rest.rpartition(":")
            granted = [one for one in actions.split(",")
                       if user == USER or (one == "pull" and name.startswith("public/"))]
            access.append({"type": kind, "name": name, "actions": granted})
        token = self._token(user or "", access)
        body = json.dumps({"token": token, "access_token": token, "expires_in": 300}).encode()
        return self.send(handler, 200, body, {"Content-Type": "application/json"})

    def _token(self, subject, access):
        def part(data):
            return base64.urlsafe_b64encode(data).rstrip(b"=")

        der = base64.b64encode(ssl.PEM_cert_to_DER_cert(self.certificate.read_text("ascii"))).decode()
        now = int(time.time())
        signed = part(json.dumps({"typ": "JWT", "alg": "RS256", "x5c": [der]}).encode()) + b"." + part(json.dumps({
            "iss": self.issuer, "sub": subject, "aud": self.service, "exp": now + 300, "nbf": now - 10, "iat": now,
            "jti": f"{time.monotonic_ns()}", "access": access}).encode())
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", str(self._key)], input=signed,
                                   capture_output=True, check=True).stdout
        return (signed + b"." + part(signature)).decode()


class Fault:
    """What goes wrong the first times that a request matches: a status, or the connection cut after part of the body."""

    def __init__(self, method, text, status=None, headers=None, times=1, cut=False):
        self.method, self.text = method, text
        self.status, self.headers, self.cut = status, headers or {}, cut
        self.left = times

    def takes(self, method, path):
        return self.left > 0 and method == self.method and self.text in path


class Faults(_Server):
    """A proxy in front of a registry, which makes the faults that it is given and notes every request."""

    def __init__(self, place):
        self._behind = place
        self.faults = []
        self.seen = []  # dictionaries: method, path, range, status, time
        self._lock = threading.Lock()

    @property
    def place(self):
        return Place(self.port, user=self._behind.user, password=self._behind.password)

    def requests(self, method, text):
        return [one for one in self.seen if one["method"] == method and text in one["path"]]

    def handle(self, handler):
        method, path = handler.command, handler.path
        note = {"method": method, "path": path, "range": handler.headers.get("Range"), "status": None,
                "time": time.monotonic()}
        with self._lock:
            self.seen.append(note)
            fault = next((one for one in self.faults if one.takes(method, path)), None)
            if fault:
                fault.left -= 1
        body = self._body(handler)
        if fault and fault.status:
            note["status"] = fault.status
            return self.send(handler, fault.status, b"", fault.headers)
        connection = http.client.HTTPConnection("127.0.0.1", self._behind.port, timeout=60)
        try:
            # The Host header stays, so that the places that the registry names lead here; a name may come several times.
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in handler.headers.items():
                if name.lower() not in ("connection", "transfer-encoding", "content-length", "expect"):
                    connection.putheader(name, value)
            if body or method in ("POST", "PUT", "PATCH"):
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body or None)
            response = connection.getresponse()
            note["status"] = response.status
            handler.send_response(response.status)
            for name, value in response.getheaders():
                if name.lower() not in ("connection", "date", "server"):
                    handler.send_header(name, value)
            handler.end_headers()
            if method == "HEAD" or response.status in (204, 304):
                return None
            left = (response.length or 0) // 2 if fault and fault.cut else None
            while chunk := response.read(65536 if left is None else min(65536, left)):
                handler.wfile.write(chunk)
                if left is not None:
                    left -= len(chunk)
                    if left <= 0:
                        break
            if fault and fault.cut:
                handler.wfile.flush()
                handler.close_connection = True
                with contextlib.suppress(OSError):
                    handler.connection.shutdown(socket.SHUT_RDWR)
        finally:
            connection.close()
        return None

    @staticmethod
    def _body(handler):
        if "chunked" in (handler.headers.get("Transfer-Encoding") or "").lower():
            data = b""
            while size := int(handler.rfile.readline().split(b";")[0], 16):
                data += handler.rfile.read(size)
                handler.rfile.readline()
            while handler.rfile.readline().strip():
                pass
            return data
        return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
