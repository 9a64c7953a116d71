"""What the cases of builds share: contexts written from data, images read back from what `image save` wrote, and a small
HTTP server for ADD."""

import bz2
import contextlib
import gzip
import io
import json
import lzma
import os
import re
import subprocess
import tarfile
import threading
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bed import BINARIES, Failure, expect, one_line

OLD = 1_600_000_000  # the time of what a context holds, unless it says something else


# What goes into a context

@dataclass(frozen=True)
class Put:
    """A file (text or bytes), a directory, a symbolic link or a hard link, with what is special about it."""
    kind: str = "file"
    text: object = ""
    mode: int | None = None
    mtime: int = OLD
    uid: int = 0


def put_file(text="", mode=None, mtime=OLD, uid=0):
    return Put("file", text, mode, mtime, uid)


def put_dir(mode=None, mtime=OLD):
    return Put("directory", "", mode, mtime)


def put_link(target):
    return Put("link", target)


def put_hard(other):
    return Put("hard", other)


def write_tree(directory, content):
    directory.mkdir(parents=True, exist_ok=True)
    made = []
    for name, what in content.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        put = what if isinstance(what, Put) else Put(text=what)
        if put.kind == "file":
            path.write_bytes(put.text if isinstance(put.text, bytes) else put.text.encode())
        elif put.kind == "directory":
            path.mkdir(exist_ok=True)
        elif put.kind == "link":
            path.symlink_to(put.text)
        else:
            os.link(directory / put.text, path)
        if put.kind in ("file", "directory"):
            os.chown(path, put.uid, put.uid)
            path.chmod(put.mode if put.mode is not None else 0o755 if put.kind == "directory" else 0o644)
        made.append((path, put.mtime))
    for path, mtime in reversed(made):
        os.utime(path, (mtime, mtime), follow_symlinks=False)


def tar_bytes(*entries):
    """Entries are (name, text, attributes); a name that ends with a slash is a directory."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, text, attributes in entries:
            info = tarfile.TarInfo(name.rstrip("/"))
            info.mtime = 1_500_000_000
            info.mode = 0o755 if name.endswith("/") else 0o644
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
            for key, value in attributes.items():
                setattr(info, key, value)
            data = text.encode()
            info.size = len(data) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


TAR = tar_bytes(("d/", "", {"mode": 0o750}), ("d/f", "packed", {"uid": 7, "gid": 8, "mode": 0o640}),
                ("d/l", "", {"type": tarfile.SYMTYPE, "linkname": "f"}),
                ("d/h", "", {"type": tarfile.LNKTYPE, "linkname": "d/f", "uid": 7, "gid": 8, "mode": 0o640}))
CAPABLE = tar_bytes(("f", "1", {"mode": 0o755, "pax_headers": {"SCHILY.xattr.security.capability":
                    "\x01\x00\x00\x02\x00\x04" + "\x00" * 14}}))
ARCHIVES = {"tar": TAR, "tar.gz": gzip.compress(TAR, mtime=0), "tar.bz2": bz2.compress(TAR), "tar.xz": lzma.compress(TAR)}


# What comes out

@dataclass(frozen=True)
class Is:
    """What is expected of one path; `None` in its place: that there is nothing."""
    kind: str = "file"
    text: object = None
    match: str | None = None
    target: str | None = None
    same: str | None = None
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    mtime: int | None = None
    #: the name of an extended attribute that it has
    attribute: str | None = None


def is_file(text=None, **more):
    return Is("file", text, **more)


def is_like(pattern, **more):
    return Is("file", match=pattern, **more)


def is_dir(**more):
    return Is("directory", **more)


def is_link(target):
    return Is("link", target=target)


@dataclass
class Node:
    kind: str
    mode: int
    uid: int
    gid: int
    mtime: float
    data: bytes = b""
    target: str = ""
    pax: dict = field(default_factory=dict)


KINDS = {tarfile.REGTYPE: "file", tarfile.AREGTYPE: "file", tarfile.DIRTYPE: "directory", tarfile.SYMTYPE: "link",
         tarfile.LNKTYPE: "hard", tarfile.FIFOTYPE: "fifo", tarfile.CHRTYPE: "char", tarfile.BLKTYPE: "block"}


class Layers:
    """Layers that were read already, by name."""
    known = {}
    lock = threading.Lock()

    @classmethod
    def read(cls, name, open_it):
        with cls.lock:
            if name in cls.known:
                return cls.known[name]
        entries = []
        with tarfile.open(fileobj=io.BytesIO(open_it())) as layer:
            for info in layer:
                data = layer.extractfile(info).read() if info.isreg() else b""
                path = "/" + "/".join(part for part in info.name.split("/") if part not in ("", "."))
                kind = KINDS.get(info.type, "other")
                link = info.linkname
                if kind == "hard":
                    link = "/" + "/".join(part for part in link.split("/") if part not in ("", "."))
                entries.append((path, Node(kind, info.mode & 0o7777, info.uid, info.gid, info.mtime, data, link,
                                           dict(info.pax_headers))))
        with cls.lock:
            cls.known[name] = entries
        return entries


class Image:
    """What a saved archive holds: the files as one sees them, the layers' own names, the configuration."""

    def __init__(self, archive):
        self.raw = Path(archive).read_bytes()
        self.files = {}
        self.layers = []
        with tarfile.open(fileobj=io.BytesIO(self.raw)) as outer:
            manifest = json.load(outer.extractfile("manifest.json"))[0]
            self.config = json.load(outer.extractfile(manifest["Config"]))
            for name in manifest["Layers"]:
                entries = Layers.read(name, lambda name=name: outer.extractfile(name).read())
                self.layers.append([path for path, _ in entries])
                self._apply(entries)

    def _apply(self, entries):
        for path, _ in entries:
            above, _, name = path.rpartition("/")
            if name == ".wh..wh..opq":
                self._forget(above, itself=False)
            elif name.startswith(".wh."):
                self._forget(f"{above}/{name[4:]}")
        for path, node in entries:
            if path.rpartition("/")[2].startswith(".wh."):
                continue
            if node.kind == "hard":
                expect(node.target in self.files, f"{path} is a hard link to {node.target}, which is not there")
                self.files[path] = self.files[node.target]
                continue
            if node.kind != "directory" and path in self.files:
                self._forget(path)
            self.files[path] = node

    def _forget(self, path, itself=True):
        for known in [known for known in self.files if known.startswith(f"{path}/") or (itself and known == path)]:
            del self.files[known]

    def below(self, directory):
        start = directory.rstrip("/") + "/"
        return {path[len(start):] for path in self.files if path.startswith(start) and path != start}

    def check(self, path, wanted):
        found = self.files.get(path)
        if wanted is None:
            expect(found is None, f"{path} is there")
            return
        near = sorted(name for name in self.files if not name.startswith("/bin/") and name.count("/") < 4)[-25:]
        expect(found is not None, f"there is no {path}; there are {' '.join(near)}")
        if not isinstance(wanted, Is):
            wanted = Is(text=wanted)
        if wanted.same:
            expect(self.files.get(wanted.same) is found, f"{path} is no hard link to {wanted.same}")
            return
        expect(found.kind == wanted.kind, f"{path} is a {found.kind}, not a {wanted.kind}")
        if wanted.text is not None:
            text = wanted.text if isinstance(wanted.text, bytes) else wanted.text.encode()
            expect(found.data == text, f"{path} holds {found.data[:200]!r}, not {text[:200]!r}")
        if wanted.match is not None:
            held = found.data.decode(errors="replace")
            expect(re.search(wanted.match, held), f"{path} holds {held[:300]!r}, which is not like {wanted.match!r}")
        if wanted.target is not None:
            expect(found.target == wanted.target, f"{path} leads to {found.target}, not to {wanted.target}")
        if wanted.mode is not None:
            expect(found.mode == wanted.mode, f"{path} has the mode {found.mode:o}, not {wanted.mode:o}")
        if wanted.attribute is not None:
            expect(f"SCHILY.xattr.{wanted.attribute}" in found.pax, f"{path} has no {wanted.attribute}, but {sorted(found.pax)}")
        for name in ("uid", "gid", "mtime"):
            value, want = getattr(found, name), getattr(wanted, name)
            expect(want is None or value == want, f"{path} has the {name} {value}, not {want}")

    @property
    def history(self):
        return " | ".join(one.get("created_by", "") for one in self.config.get("history", []))

    @property
    def environment(self):
        return dict(pair.split("=", 1) for pair in (self.config.get("config") or {}).get("Env") or [])


def check_config(engine, name, wanted):
    """Keys are those of Config; `/Key` those of the whole; `Env+` a part that has to be there, `Env-` names that may not."""
    whole = engine.inspect(name)
    config = whole.get("Config") or {}
    environment = dict(pair.split("=", 1) for pair in config.get("Env") or [])
    for key, want in wanted.items():
        if key == "Env+":
            for variable, value in want.items():
                expect(environment.get(variable) == value,
                       f"the image's {variable} is {environment.get(variable)!r}, not {value!r}")
        elif key == "Env-":
            for variable in want:
                expect(variable not in environment, f"{variable} is in the image's environment")
        else:
            found = whole.get(key[1:]) if key.startswith("/") else config.get(key)
            if want in (None, "", {}, []):
                expect(not found, f"{key} is {found!r}, not empty")
            else:
                expect(found == want, f"{key} is {found!r}, not {want!r}")


# The HTTP server

MODIFIED = 1_234_567_890


class _Site(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        path = self.path.partition("?")[0]
        if path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "/file.txt")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = {"/file.txt": b"fetched\n", "/nodate": b"undated\n", "/sub/a.tar.gz": ARCHIVES["tar.gz"],
                "/": b"index\n"}.get(path)
        self.send_response(404 if body is None else 200)
        body = b"no" if body is None else body
        if path in ("/file.txt", "/sub/a.tar.gz"):
            self.send_header("Last-Modified", formatdate(MODIFIED, usegmt=True))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def site():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Site)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


# Running

class Bench:
    """The daemon that most cases share, and a directory for each."""

    def __init__(self, bed, engine, url):
        self.bed = bed
        self.engine = engine
        self.url = url
        self.counter = 0
        self.lock = threading.Lock()

    def place(self):
        with self.lock:
            self.counter += 1
            place = self.bed.scratch / f"c{self.counter}"
        place.mkdir()
        return place

    def image(self, name, engine=None):
        target = self.place() / "saved.tar"
        (engine or self.engine).escale("image", "save", name, "-o", target)
        try:
            return Image(target)
        finally:
            target.unlink()


@dataclass
class Built:
    code: int
    out: str
    err: str
    seconds: float

    @property
    def said(self):
        return one_line(self.err, 1500)

    @property
    def good(self):
        expect(self.code == 0, f"the build ended with {self.code}: {one_line(self.err[-1500:], 1500)}")
        return self

    @property
    def steps(self):
        """What each step's text came to: CACHED, DONE or ERROR. Instructions that only set something are always CACHED."""
        names, found = {}, {}
        for line in self.err.splitlines():
            if match := re.match(r"#(\d+) \[([^\]]*)\] (.*)", line):
                names[match[1]] = f"[{match[2]}] {match[3]}"
            elif match := re.match(r"#(\d+) (CACHED|DONE|ERROR)", line):
                found[names.get(match[1], match[1])] = match[2]
        return found

    def step(self, part):
        states = [state for text, state in self.steps.items() if part in text]
        expect(states, f"no step has {part!r}: {list(self.steps)}")
        return states[0]

    def ran(self, *parts):
        for part in parts:
            expect(self.step(part) == "DONE", f"{part!r} did not run, it is {self.step(part)}")

    def cached(self, *parts):
        for part in parts:
            expect(self.step(part) == "CACHED", f"{part!r} was not taken from the cache, it is {self.step(part)}")


def escale(engine, *words, env=None, stdin=None, cwd=None, timeout=60):
    environment = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    environment.update({"ESCALE_ROOT": str(engine.root), "ESCALE_BIN": str(BINARIES), **(env or {})})
    began = time.monotonic()
    try:
        done = subprocess.run([BINARIES / "escale", "--progress", "plain", *map(str, words)], env=environment,
                              input=stdin if stdin is not None else "", cwd=cwd or engine.bed.scratch, timeout=timeout,
                              capture_output=True, text=True, errors="replace", check=False)
    except subprocess.TimeoutExpired as error:
        raise Failure(f"escale {' '.join(map(str, words))} did not end within {timeout} s") from error
    return Built(done.returncode, done.stdout, done.stderr, time.monotonic() - began)


def build(engine, *words, **more):
    return escale(engine, "build", *words, **more)
