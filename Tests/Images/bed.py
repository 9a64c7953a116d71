"""A scratch directory with Escales of its own, each started here so that its process is known, and all gone at the end."""

import contextlib
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BINARIES = Path(os.environ.get("ESCALE_BIN", ROOT / ".build/release"))
BUSYBOX = ROOT / ".build/images/busybox.tar"


class Failure(Exception):
    pass


def expect(condition, message):
    if not condition:
        raise Failure(message)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def wait_until(what, condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        expect(time.monotonic() < deadline, f"waited {seconds} s for {what}")
        time.sleep(0.02)
    return value


def one_line(text, most=300):
    return " ".join(text.split())[:most]


class Bed:
    def __init__(self, prefix):
        for program in ("escale", "escaled"):
            if not (BINARIES / program).exists():
                raise SystemExit(f"error: {BINARIES / program} is not built")
        if os.geteuid() != 0:
            raise SystemExit("error: layers and containers need root")
        self.scratch = Path(tempfile.mkdtemp(prefix=prefix, dir="/var/tmp")).resolve()
        self.engines = []
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is open is closed

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for engine in self.engines:
            with contextlib.suppress(Exception):
                engine.reset()
        self._end_processes()
        self._unmount()
        shutil.rmtree(self.scratch, ignore_errors=True)
        if self.scratch.exists():  # something odd is left, such as an immutable file
            print(f"warning: {self.scratch} could not be removed", file=sys.stderr)

    def engine(self, name):
        engine = Engine(self, self.scratch / name)
        self.engines.append(engine)
        return engine

    def _end_processes(self):
        for process in processes_of(self.scratch):
            with contextlib.suppress(OSError):
                os.kill(process, signal.SIGKILL)

    def _unmount(self):
        unmount_below(self.scratch)


def processes_of(directory, name="escale"):
    """The numbers of Escale's processes on a root at or below the directory, and of no others."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            program = os.readlink(entry / "exe").removesuffix(" (deleted)")
        except OSError:
            continue
        own = any(word == str(directory) or word.startswith(f"{directory}/") for word in words)
        if own and Path(program).name.startswith(name):
            found.append(int(entry.name))
    return found


def run_cases(bed, cases, what, work):
    """Does the work with each case, a function that is named for what it shows, and prints what came of it. The exit code."""
    failures = 0
    for one in cases:
        began = time.monotonic()
        name = one.__name__.replace("_", " ")
        try:
            work(one)
            print(f"ok    {name} ({time.monotonic() - began:.0f} s)", flush=True)
        except Exception as error:
            failures += 1
            words = str(error) if isinstance(error, Failure) else traceback.format_exc()
            print(f"FAIL  {name}: {words}", flush=True)
            for engine in bed.engines:
                if not engine.lives:
                    engine.start()
    print(f"{len(cases) - failures} of {len(cases)} cases of {what} hold")
    return 1 if failures else 0


def end_process(process, seconds=60):
    """Asks a process that may be nobody's child here to end, kills it where it doesn't, and waits until it is gone with
    all its files and locks, which is later than /proc shows. Whether it ended by itself."""
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
            if select.select([handle], [], [], seconds)[0]:
                return number == signal.SIGTERM
        raise Failure(f"process {process} does not end")
    finally:
        os.close(handle)


def unmount_below(directory):
    for _ in range(3):
        points = [line.split()[4].encode().decode("unicode_escape")
                  for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()]
        points = [point for point in points if point.startswith(f"{directory}/")]
        if not points:
            return
        for point in reversed(points):
            subprocess.run(["umount", "-l", point], capture_output=True, check=False)


class Engine:
    """One root with its daemon."""

    def __init__(self, bed, root):
        self.bed = bed
        self.root = root
        self.daemon = None
        self.output = bed.scratch / f"{root.name}.escaled.log"

    @property
    def images(self):
        return self.root / "state/images"

    def start(self, environment=None, must=True):
        """Whether it answers then."""
        socket_path = self.root / "run/escaled.sock"
        with self.output.open("ab") as log:
            self.daemon = subprocess.Popen(
                [BINARIES / "escaled", "--root", self.root], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                env={"PATH": os.environ["PATH"], "HOME": "/root", **(environment or {})}, start_new_session=True)

        def is_there():
            if self.daemon.poll() is not None:
                return "ended"
            with socket.socket(socket.AF_UNIX) as client:
                try:
                    client.connect(str(socket_path))
                    return "answers"
                except OSError:
                    return None
        here = wait_until(f"escaled to answer on {self.root}", is_there) == "answers"
        expect(here or not must, f"escaled did not start: {self.last_words()}")
        return here

    def last_words(self, lines=5):
        text = self.output.read_text(encoding="utf-8", errors="replace") if self.output.exists() else ""
        return f"it ended with {self.daemon.poll()}; its log: " + " | ".join(text.splitlines()[-lines:])[-1500:]

    @property
    def lives(self):
        return self.daemon is not None and self.daemon.poll() is None

    def stop(self):
        """Asks it to end; kills it where it doesn't. Whether it ended by itself."""
        if self.daemon is None:
            return True
        if self.lives:
            self.daemon.terminate()
        try:
            self.daemon.wait(60)
            return True
        except subprocess.TimeoutExpired:
            self.kill()
            return False

    def kill(self):
        if self.daemon is not None:
            if self.lives:
                self.daemon.kill()
            self.daemon.wait()

    def end_all(self):
        """This daemon, and one that `escale` started in its place."""
        ended = self.stop()
        for process in processes_of(self.root, "escaled"):
            ended = end_process(process) and ended
        return ended

    def escale(self, *words, check=True, timeout=120, cwd=None):
        environment = {**os.environ, "ESCALE_ROOT": str(self.root), "ESCALE_BIN": str(BINARIES)}
        words = [str(word) for word in words]
        try:
            done = subprocess.run([BINARIES / "escale", *words], cwd=cwd or self.bed.scratch, env=environment,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                                  timeout=timeout, check=False)
        except subprocess.TimeoutExpired as error:
            raise Failure(f"escale {' '.join(words)} did not end within {timeout} s") from error
        if check:
            expect(done.returncode == 0, f"escale {' '.join(words)} ended with {done.returncode}: "
                                         f"{one_line(done.stdout, 600)} {one_line(done.stderr, 1200)}")
        return done

    def ids(self):
        return sorted(set(self.escale("image", "ls", "-q").stdout.split()))

    def inspect(self, name):
        shown = json.loads(self.escale("image", "inspect", name).stdout)
        return shown[0] if isinstance(shown, list) else shown

    def fsck(self):
        """What is wrong, or nothing."""
        done = self.escale("image", "fsck", check=False, timeout=300)
        if done.returncode == 0:
            return ""
        return f"fsck ended with {done.returncode}: {one_line(done.stdout + ' ' + done.stderr, 800)}"

    def reset(self):
        if self.daemon is not None or self.root.exists():
            if self.root.exists():
                self.escale("system", "reset", "--yes", check=False, timeout=60)
            self.stop()

    # Memory

    def forget_peak(self):
        """The peak starts again from what is in use now."""
        if self.lives:
            with contextlib.suppress(OSError):
                Path(f"/proc/{self.daemon.pid}/clear_refs").write_text("5", encoding="ascii")

    def peak(self):
        """The most memory that the daemon had, in bytes, since the last time that it was asked to forget."""
        try:
            status = Path(f"/proc/{self.daemon.pid}/status").read_text(encoding="ascii", errors="replace")
        except OSError:
            return 0
        found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
        return int(found[1]) * 1024 if found else 0
