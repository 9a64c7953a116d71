#!/usr/bin/python3
"""Containers' output from outside: that nothing of it is lost, torn or out of order while files are rotated, followed and
handed on, whatever dies meanwhile.

usage: logs.py [--only PATTERN] [--megabytes N]

As root, with the programs that ESCALE_BIN names or .build/release, and .build/images/busybox.tar.
"""

import argparse
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Images"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Behaviour"))

from bed import BINARIES, BUSYBOX, Bed, expect, run_cases, wait_until  # noqa: E402, the path is set above
from bench import Bench  # noqa: E402

CASES = []
#: the most memory that the daemon may have more than before, whatever containers write
MEMORY = 100 << 20


def case(work):
    CASES.append(work)
    return work


# What is written


def lines_of(stream, count, size):
    """Lines of that many bytes each, their own number in front, with any bytes but line breaks."""
    seed = hashlib.sha256(stream.encode()).digest()
    for number in range(count):
        noise = hashlib.shake_256(seed + number.to_bytes(4, "big")).digest(min(size, 65536)).replace(b"\n", b"\r")
        body = (noise * (size // len(noise) + 1))[:size - 9]
        yield b"%s%07d " % (stream[0].upper().encode(), number) + body + b"\n"


def write_lines(path, stream, count, size):
    with path.open("wb") as file:
        for line in lines_of(stream, count, size):
            file.write(line)


def check_lines(data, wanted, what, whole=True):
    """That the data has the lines of both streams, each stream's in order and byte by byte; the last ones where not whole."""
    found = {"O": [], "E": []}
    for line in data.split(b"\n")[:-1]:
        expect(line[:1] in (b"O", b"E"), f"{what}: a line begins with {line[:20]!r}")
        found[line[:1].decode()].append(line)
    for stream, lines in (("O", wanted["out"]), ("E", wanted["err"])):
        own = found[stream]
        if whole:
            expect(len(own) == len(lines), f"{what}: {len(own)} lines of stream {stream} instead of {len(lines)}")
        expect(own == lines[len(lines) - len(own):],
               f"{what}: the lines of stream {stream} are not those that were written: {difference(own, lines)}")
    return len(found["O"]), len(found["E"])


def difference(own, lines):
    for index, (one, other) in enumerate(zip(own, lines[len(lines) - len(own):])):
        if one != other:
            return f"line {index} is {one[:12]!r} with {len(one)} bytes, not {other[:12]!r} with {len(other)}"
    return "there are more than were written"


class Flood:
    """A project whose container writes known lines to both streams at full speed."""

    def __init__(self, bench, name, count, size, options, gap="", pause=0):
        directory = bench.bed.scratch / f"{name}-data"
        directory.mkdir()
        self.wanted = {}
        for stream in ("out", "err"):
            write_lines(directory / stream, stream, count, size)
            self.wanted[stream] = (directory / stream).read_bytes().split(b"\n")[:-1]
        def write(stream):
            """At full speed, or a line at a time."""
            one = f"dd if=/data/{stream} bs={size + 1} count=1 skip=$$i 2>/dev/null"
            return f"for i in `seq 0 {count - 1}`; do {one}; sleep {pause}; done" if pause else f"cat /data/{stream}"
        self.project = bench.project(name, f"""
services:
  flood:
    image: base:1
    command: [sh, -c, "({gap} {write('out')}) & ({write('err')}) >&2; wait; touch /tmp/done; exec sleep 9999"]
    stop_signal: SIGKILL
    volumes: ["{directory}:/data:ro"]
    logging: {{options: {options}}}
""")

    def files(self):
        return Logs(self.project).files()

    def wait(self):
        """Until the container has written everything."""
        def done():
            return self.project.escale("exec", "-T", "flood", "ls", "/tmp/done", check=False).returncode == 0
        wait_until("the container to have written all", done, 180)


class Logs:
    """The files of a project's first container."""

    def __init__(self, project):
        self.project = project
        self.id = wait_until("a container", lambda: next((one["id"] for one in project.ps()), None))

    @property
    def directory(self):
        return self.project.engine.root / "state/containers" / self.id

    @property
    def bundle(self):
        return self.project.engine.root / "run/containers" / self.id

    def files(self):
        """By number, the one that is being written last."""
        return sorted((path for path in self.directory.glob("log*") if re.fullmatch(r"log(\.\d+)?", path.name)),
                      key=lambda path: int(path.suffix[1:] or 10**9))


def raw_logs(project, *words):
    """What `escale logs` prints, byte by byte."""
    environment = {**os.environ, "ESCALE_ROOT": str(project.engine.root)}
    return subprocess.run([BINARIES / "escale", "-p", project.name, "logs", "--no-log-prefix", *words], env=environment,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=180, check=True)


class Follower:
    """`escale logs -f`, with what it prints in a file."""

    def __init__(self, project, path, *words):
        self.path = path
        environment = {**os.environ, "ESCALE_ROOT": str(project.engine.root)}
        with path.open("wb") as output, path.with_suffix(".err").open("wb") as errors:
            self.process = subprocess.Popen([BINARIES / "escale", "-p", project.name, "logs", "-f", "--no-log-prefix", *words],
                                            env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=errors)

    @property
    def errors(self):
        return self.path.with_suffix(".err").read_text(errors="replace")

    def read_until(self, size):
        """Until it has printed so many bytes."""
        wait_until(f"{self.path.name} to be {size} bytes long", lambda: self.path.stat().st_size >= size, 240)
        time.sleep(0.5)  # for what is too much
        return self.path.read_bytes()

    def end(self):
        self.process.terminate()
        self.process.wait(20)


# Cases


@case
def flood_is_followed_and_rotated(bench, megabytes):
    """200 MB with lines of 1 MB and binary bytes: a follower gets all of it while files of 10 MB come and go."""
    half = megabytes // 2
    flood = Flood(bench, "flood", half, 1 << 20, "{max-size: 10m, max-file: '3'}", gap="sleep 1;")
    bench.engine.forget_peak()
    before = bench.engine.peak()
    with flood.project as project:
        project.up()
        follower = Follower(project, bench.bed.scratch / "followed")
        try:
            data = follower.read_until(half * 2 << 20)
        finally:
            follower.end()
        check_lines(data, flood.wanted, "logs -f")
        expect(not follower.errors, f"logs -f warns: {follower.errors}")
        flood.wait()
        kept = wait_until("few files", lambda: (files := flood.files()) and len(files) <= 3 and files)
        for path in kept:
            with path.open("rb") as file:
                head = file.read(60)
            expect(not head or re.match(rb"\d{4}-\d\d-\d\dT\S+ std(out|err) [PF]", head), f"{path.name} begins with {head!r}")
        size = sum(path.stat().st_size for path in kept)
        expect(size >= 20 << 20, f"only {size} bytes are kept of 3 files of 10 MB")
        counts = check_lines(raw_logs(project).stdout, flood.wanted, "logs", whole=False)
        expect(sum(counts) >= 15, f"only {counts} lines of 1 MB are left")
        last = raw_logs(project, "--tail", "2").stdout
        expect(sum(check_lines(last, flood.wanted, "logs --tail 2", whole=False)) == 2, "--tail 2 gives other than 2 lines")
        more = bench.engine.peak() - before
        expect(more < MEMORY, f"the daemon took {more >> 20} MB of memory more")


@case
def many_small_lines_come_in_order(bench, megabytes):
    """Short lines at full speed, in files of 1 MB, all kept."""
    flood = Flood(bench, "small", 60000, 100, "{max-size: 1m, max-file: '100'}")
    with flood.project as project:
        project.up()
        flood.wait()
        check_lines(raw_logs(project).stdout, flood.wanted, "logs")
        expect(len(flood.files()) > 1, f"no files were rotated: {flood.files()}")
        for count in (0, 1, 7, 5000):
            got = raw_logs(project, "--tail", str(count)).stdout
            expect(got.count(b"\n") == count, f"--tail {count} gives {got.count(chr(10).encode())} lines")
        stamped = raw_logs(project, "-t").stdout.split(b"\n")[:-1]
        times = [line.split(b" ", 1)[0].decode() for line in stamped]
        expect(times == sorted(times), "lines of one container are not in the order of their times")
        middle = times[len(times) // 2]
        late = raw_logs(project, "--since", middle).stdout.count(b"\n")
        early = raw_logs(project, "--until", middle).stdout.count(b"\n")
        equal = times.count(middle)
        expect(late == len([one for one in times if one >= middle]), f"--since gives {late} lines")
        expect(early + late - equal == len(times), f"--until and --since share {early} and {late} of {len(times)} lines")


@case
def killed_daemons_lose_nothing(bench, megabytes):
    """The daemon is killed again and again while a container writes."""
    flood = Flood(bench, "kills", 30, 1 << 20, "{max-size: 2m, max-file: '200'}", pause=0.1)
    with flood.project as project:
        project.up()
        for _ in range(6):
            time.sleep(0.25)
            bench.engine.kill()
            time.sleep(0.1)
            bench.engine.start()
        flood.wait()
        check_lines(raw_logs(project).stdout, flood.wanted, "logs after kills")


@case
def a_rotation_that_was_cut_short_goes_on(bench, megabytes):
    """The daemon dies between renaming a file and telling conmon, or right after it."""
    for told in (False, True):
        name = f"cut-{'told' if told else 'untold'}"
        with bench.project(name, """
services:
  a:
    image: base:1
    command: [sh, -c, "n=0; while :; do n=$$((n+1)); echo line $$n; sleep 0.02; done"]
    stop_signal: SIGKILL
    logging: {options: {max-size: 100m, max-file: '5'}}
""") as project:
            project.up()
            logs = Logs(project)
            wait_until("lines", lambda: (logs.directory / "log").stat().st_size > 500)
            bench.engine.kill()
            (logs.directory / "log").rename(logs.directory / "log.1")
            if told:
                with (logs.bundle / "ctl").open("w") as control:
                    control.write("2 0 0\n")
            bench.engine.start()
            wait_until("a new file", (logs.directory / "log").exists)
            size = (logs.directory / "log.1").stat().st_size
            wait_until("lines in the new file", lambda: (logs.directory / "log").stat().st_size > 500)
            expect((logs.directory / "log.1").stat().st_size == size, "the former file is still written")
            numbers = [int(line.split()[1]) for line in raw_logs(project).stdout.decode().splitlines()]
            expect(numbers == list(range(1, len(numbers) + 1)), f"lines are missing or twice, {name}: {numbers[:5]}…")


@case
def a_restarted_container_goes_on_in_its_log(bench, megabytes):
    """A container that ends and starts again has one log, its unfinished last line ended."""
    with bench.project("again", """
services:
  a:
    image: base:1
    command: [sh, -c, "echo begin; head -c 30000 /dev/zero | tr '\\\\0' y; echo; printf unfinished; sleep 0.2"]
    restart: always
    stop_signal: SIGKILL
    logging: {options: {max-size: 20k, max-file: '50'}}
""") as project:
        project.up()
        wait_until("three runs", lambda: raw_logs(project).stdout.count(b"begin") >= 3, 60)
        project.escale("stop", "-t", "0")
        lines = raw_logs(project).stdout.decode().splitlines()
        for start in range(0, len(lines) - 2, 3):
            expect([line[:10] for line in lines[start:start + 3]] == ["begin", "y" * 10, "unfinished"],
                   f"a run wrote {[line[:20] for line in lines[start:start + 3]]}")


@case
def nothing_is_kept_with_none(bench, megabytes):
    with bench.project("none", """
services:
  a: {image: base:1, command: [sh, -c, "echo secret; exec sleep 9999"], stop_signal: SIGKILL, logging: {driver: none}}
""") as project:
        project.up("--wait")
        shown = raw_logs(project)
        expect(shown.stdout == b"" and b"logging driver is none" in shown.stderr, f"logs says {shown}")
        expect(not Logs(project).files(), "there is a file")


class Server:
    """A syslog server."""

    def __init__(self, kind, address, former=()):
        self.received = b""
        self.datagrams = list(former)
        self.kind = kind
        self.socket = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET,
                                    socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.bind(address)
        if kind == "tcp":
            self.socket.listen()
        self.connections = []
        self.socket.settimeout(0.1)
        self.is_over = False
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while not self.is_over:
            try:
                if self.kind == "tcp":
                    connection, _ = self.socket.accept()
                    self.connections.append(connection)
                    threading.Thread(target=self.read, args=(connection,), daemon=True).start()
                else:
                    self.datagrams.append(self.socket.recv(1 << 17))
            except TimeoutError:
                pass

    def read(self, connection):
        try:
            while data := connection.recv(1 << 16):
                self.received += data
        except OSError:
            pass  # closed

    @property
    def messages(self):
        if self.kind == "tcp":
            return self.received.split(b"\n")[:-1]
        return [message.rstrip(b"\n") for message in list(self.datagrams)]

    def close(self):
        self.is_over = True
        self.thread.join()
        for one in [*self.connections, self.socket]:
            one.close()


@case
def syslog_gets_every_line(bench, megabytes):
    """By each transport, in each format, while the daemon or the server is away, and `logs` shows them too."""
    port = 20000 + os.getpid() % 20000
    kinds = {"udp": (("127.0.0.1", port), f"udp://127.0.0.1:{port}", "rfc5424micro"),
             "tcp": (("127.0.0.1", port), f"tcp://127.0.0.1:{port}", "rfc3164"),
             "unix": (f"{bench.bed.scratch}/log.sock", f"unix://{bench.bed.scratch}/log.sock", None)}
    layouts = {"udp": rb"<(134|131)>1 \d{4}-\S+\.\d{6}Z \S+ syslog-udp-a-1 - syslog-udp-a-1 - ",
               "tcp": rb"<(134|131)>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S+ syslog-tcp-a-1: ",
               "unix": rb"<(134|131)>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d syslog-unix-a-1: "}
    for kind, (address, url, layout) in kinds.items():
        server = Server(kind, address)
        with bench.project(f"syslog-{kind}", f"""
services:
  a:
    image: base:1
    command:
    - sh
    - -c
    - |
      for n in `seq 50`; do echo line $$n; done
      touch /tmp/half
      while [ ! -e /tmp/go ]; do sleep 0.1; done
      for n in `seq 51 100`; do echo line $$n; sleep 0.02; done
      echo last >&2
      exec sleep 9999
    stop_signal: SIGKILL
    logging: {{driver: syslog, options: {{syslog-address: "{url}", syslog-facility: local0{f', syslog-format: {layout}' if layout else ''}}}}}
""") as project:
            project.up()
            wait_until(f"{kind} messages", lambda: len(server.messages) == 50)
            # What is written while the daemon or the server is away comes later.
            if kind == "unix":
                first = server.messages
                server.close()
                os.unlink(address)
            project.inside("a", "touch /tmp/go")
            if kind == "tcp":
                bench.engine.kill()
            time.sleep(0.5)
            if kind == "tcp":
                bench.engine.start()
            if kind == "unix":
                server = Server(kind, address, first)
            wait_until(f"the last {kind} message", lambda: any(one.endswith(b"last") for one in server.messages), 60)
            texts = []
            for message in server.messages:
                found = re.match(layouts[kind], message)
                expect(found, f"{kind}: a message is laid out so: {message[:100]!r}")
                texts.append(message[found.end():].decode())
                expect((found[1] == b"131") == (texts[-1] == "last"), f"{kind}: the severity is wrong: {message!r}")
            wanted = [f"line {number}" for number in range(1, 101)] + ["last"]
            # A daemon that was killed may send twice what it had not written down.
            expect(list(dict.fromkeys(texts)) == wanted, f"{kind}: lines are missing or out of order: {texts}")
            expect(kind == "tcp" or len(texts) == len(wanted), f"{kind}: lines came twice: {texts}")
            shown = raw_logs(project).stdout.decode().splitlines()
            expect(shown == wanted, f"{kind}: logs shows {shown}")
        server.close()


JOURNAL = r"""
import json, socket, subprocess, sys, os
escale, root, directory = sys.argv[1:]
subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/systemd"], check=True) if os.path.isdir("/run/systemd") else None
os.makedirs("/run/systemd/journal", exist_ok=True)
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind("/run/systemd/journal/socket")
server.settimeout(20)
subprocess.run([escale, "-p", "journal", "up", "-d"], cwd=directory, check=True, env={**os.environ, "ESCALE_ROOT": root})
found = []
while len(found) < 3:
    data, fields = server.recv(1 << 16), {}
    while data:
        line, _, data = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            size = int.from_bytes(data[:8], "little")
            value, data = data[8:8 + size], data[9 + size:]
        fields[name.decode()] = value.decode()
    found.append(fields)
print(json.dumps(found))
"""


@case
def the_journal_gets_every_line(bench, megabytes):
    """By journald's own protocol; where there is no journal, the container does not start, and says why."""
    compose = """
services:
  a:
    image: base:1
    command: [sh, -c, "echo one; echo two; sleep 0.3; echo three >&2; exec sleep 9999"]
    stop_signal: SIGKILL
    logging: {driver: journald}
"""
    if not Path("/run/systemd/journal/socket").exists():
        with bench.project("nojournal", compose) as project:
            told = project.up(check=False)
            expect(told.returncode == 1 and "this host runs none" in told.stderr, f"up says {told.stderr}")
    engine = bench.bed.engine("journal-root")
    directory = bench.bed.scratch / "journal"
    directory.mkdir()
    (directory / "compose.yaml").write_text(compose)
    # Where the daemon sees a journal of its own. `escale` starts it there.
    os.makedirs("/run/systemd", exist_ok=True)
    inside = ["unshare", "--mount", "--propagation", "slave"]
    environment = {**os.environ, "ESCALE_ROOT": str(engine.root)}
    try:
        subprocess.run([*inside, BINARIES / "escale", "image", "import", BUSYBOX, "base:1"], env=environment, check=True,
                       capture_output=True)
        engine.escale("system", "stop")
        done = subprocess.run([*inside, "python3", "-c", JOURNAL, BINARIES / "escale", engine.root, directory], env=environment,
                              capture_output=True, text=True, timeout=60, check=False)
        expect(done.returncode == 0, f"no journal entries: {done.stderr[-1500:]}")
        entries = json.loads(done.stdout)
        expect([one["MESSAGE"].strip() for one in entries] == ["one", "two", "three"], f"entries are {entries}")
        expect(all(one["CONTAINER_NAME"] == "journal-a-1" for one in entries), f"entries are {entries}")
        expect([one["PRIORITY"] for one in entries] == ["6", "6", "3"], f"entries are {entries}")
        shown = engine.escale("-p", "journal", "logs", "--no-log-prefix").stdout
        expect(shown == "one\ntwo\nthree\n", f"logs shows {shown!r}")
    finally:
        engine.reset()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="PATTERN", default="", help="a regular expression for a case's name")
    parser.add_argument("--megabytes", type=int, default=200, help="how much the flood writes")
    options = parser.parse_args()
    cases = [one for one in CASES if re.search(options.only, one.__name__)]
    if not cases:
        raise SystemExit(f"error: no case's name is like \"{options.only}\"")
    with Bed("escale-logs-") as bed:
        engine = bed.engine("root")
        engine.start()
        engine.escale("image", "import", BUSYBOX, "base:1")
        return run_cases(bed, cases, "logs", lambda one: one(Bench(bed, engine), options.megabytes))


if __name__ == "__main__":
    sys.exit(main())
