#!/usr/bin/env python3
"""How long 50 replicas take, with Escale and with docker-compose, on this machine, one after the other in one run.

usage: replicas.py [--replicas N] [--runs N] [--only escale|docker] [--json FILE]

For each: from nothing to all replicas running (`up -d`), `up -d` again with nothing changed, and `down`. Both are given
the same compose file and the same busybox image. Needs root, ESCALE_BIN (or .build/release), .build/images/busybox.tar
(scripts/busybox-image.sh), docker.io and docker-compose (scripts/setup.sh bench).

Nothing is left behind: Escale runs with a root directory of its own; a Docker daemon, where none is running, is started
in mount and network namespaces of its own, so its bridge, firewall rules and mounts end with it.
"""

import argparse
import contextlib
import json
import os
import platform
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUSYBOX = ROOT / ".build/images/busybox.tar"
IMAGE = "escale-bench/busybox:1"
MEASURES = {"up": "from nothing to running", "unchanged": "up again, nothing changed", "down": "down"}


def compose_file(replicas):
    # sleep, as process 1, ignores SIGTERM: without the stop signal, `down` would measure the grace period.
    return f"""\
services:
  sleeper:
    image: {IMAGE}
    command: ["sleep", "86400"]
    stop_signal: SIGKILL
    deploy:
      replicas: {replicas}
"""


def run(command, **options):
    """Runs to the end and returns standard output; on failure, ends the benchmark with the command's own words."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False, **options)
    if done.returncode != 0:
        output = "\n".join((done.stdout + done.stderr).splitlines()[-20:])
        raise SystemExit(f"error: {shlex.join(map(str, command))} ended with {done.returncode}\n{output}")
    return done.stdout


def json_values(text):
    """The objects of a JSON array, or of one JSON value per line."""
    text = text.strip()
    if text.startswith("["):
        return json.loads(text)
    return [json.loads(line) for line in text.splitlines()]


class Escale:
    name = "escale"

    def __init__(self, project, scratch):
        self._program = Path(os.environ.get("ESCALE_BIN", ROOT / ".build/release")) / "escale"
        self._project = project
        self._environment = {**os.environ, "ESCALE_ROOT": str(scratch / "root")}

    def _escale(self, *arguments):
        return run([self._program, *arguments], cwd=self._project, env=self._environment)

    def __enter__(self):
        if not self._program.exists():
            raise SystemExit(f"error: {self._program} is not built\n  hint: make run, or set ESCALE_BIN")
        self._escale("image", "import", BUSYBOX, IMAGE)
        return self

    def __exit__(self, *_):
        self._escale("system", "reset", "--yes")

    def up(self):
        self._escale("up", "-d", "--wait")

    def down(self):
        self._escale("down")

    def running(self):
        return sum(entry["state"] == "running" for entry in json_values(self._escale("ps", "--format", "json")))

    def version(self):
        return f"{self._escale('version').splitlines()[0]}, crun"


class Docker:
    name = "docker-compose"
    cgroup = "escale-bench-docker"

    def __init__(self, project, scratch):
        self._project = project
        self._scratch = scratch
        self._daemon = None
        self._environment = dict(os.environ)
        # Debian's own client, not whichever comes first: it is of the daemon's version.
        self._client = "/usr/bin/docker"

    def _docker(self, *arguments):
        return run([self._client, *arguments], cwd=self._project, env=self._environment)

    def _compose(self, *arguments):
        return run(["docker-compose", *arguments], cwd=self._project, env=self._environment)

    def __enter__(self):
        for program in (self._client, "docker-compose"):
            if shutil.which(program) is None:
                raise SystemExit(f"error: {program} is not installed\n  hint: scripts/setup.sh bench")
        if not self._answers():
            self._start_daemon()
        try:
            self._docker("import", BUSYBOX, IMAGE)
        except BaseException:
            self._stop_daemon()
            raise
        return self

    def __exit__(self, *_):
        try:
            try:
                self._compose("down", "--timeout", "0")
            except SystemExit:  # an `up` that was interrupted may still have been at work
                time.sleep(2)
                self._compose("down", "--timeout", "0")
            self._docker("image", "rm", "--force", IMAGE)
        finally:
            self._stop_daemon()

    def _answers(self):
        probe = subprocess.run([self._client, "info"], env=self._environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return probe.returncode == 0

    def _start_daemon(self):
        place = self._scratch / "docker"
        for directory in ("data", "exec", "etc-upper", "etc-work"):
            (place / directory).mkdir(parents=True)
        (place / "daemon.json").write_text("{}", encoding="ascii")
        socket = f"unix://{place}/docker.sock"
        daemon = shlex.join([
            "dockerd", "--host", socket, "--data-root", f"{place}/data", "--exec-root", f"{place}/exec",
            "--pidfile", f"{place}/docker.pid", "--config-file", f"{place}/daemon.json",
            "--cgroup-parent", self.cgroup,
        ])
        # What Docker keeps outside of its directories (/run/containerd, /etc/docker) goes where nobody else sees it.
        script = (f"ip link set lo up && mount -t tmpfs tmpfs /run && mount -t overlay overlay"
                  f" -o lowerdir=/etc,upperdir={place}/etc-upper,workdir={place}/etc-work /etc && exec {daemon}")
        with open(place / "log", "wb") as log:
            self._daemon = subprocess.Popen(
                ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", script],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self._environment["DOCKER_HOST"] = socket
        deadline = time.monotonic() + 60
        while not self._answers():
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                tail = (place / "log").read_text(encoding="utf-8", errors="replace").splitlines()[-10:]
                self._stop_daemon()
                raise SystemExit("error: dockerd did not start\n" + "\n".join(tail))
            time.sleep(0.1)

    def _stop_daemon(self):
        if self._daemon is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._daemon.send_signal(signal.SIGTERM)
        try:
            self._daemon.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(self._daemon.pid, signal.SIGKILL)
            self._daemon.wait()
        self._daemon = None
        controllers = Path("/sys/fs/cgroup")
        for group in [controllers / self.cgroup, *controllers.glob(f"*/{self.cgroup}")]:
            for directory, _, _ in os.walk(group, topdown=False):
                with contextlib.suppress(OSError):  # a group in use: its process is about to be gone
                    os.rmdir(directory)

    def up(self):
        self._compose("up", "--detach")

    def down(self):
        try:
            self._compose("down")
        except SystemExit:  # now and then Docker finds "active endpoints" of containers that it has just removed
            time.sleep(1)
            self._compose("down")

    def running(self):
        return len(self._docker("ps", "--quiet", "--filter", "label=com.docker.compose.service=sleeper").split())

    def version(self):
        server = self._docker("version", "--format", "{{.Server.Version}}").strip()
        return f"{self._compose('version', '--short').strip()} on Docker {server}, runc"


def seconds(action):
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def measure(engine, replicas, runs):
    times = {name: [] for name in MEASURES}
    for number in range(1, runs + 1):
        for name, action in (("up", engine.up), ("unchanged", engine.up), ("down", engine.down)):
            times[name].append(seconds(action))
            expected = 0 if name == "down" else replicas
            if (running := engine.running()) != expected:
                raise SystemExit(f"error: after `{name}`, {engine.name} runs {running} replicas, not {expected}")
        print(f"  {engine.name}, run {number} of {runs}: "
              + ", ".join(f"{name} {times[name][-1]:.2f} s" for name in MEASURES), flush=True)
    return times


def table(results, replicas, runs):
    width = max(len(text) for text in MEASURES.values())
    lines = [f"{replicas} replicas of `sleep`; medians of {runs} runs (fastest – slowest)", "",
             f"{'':{width}}  " + "  ".join(f"{name:>24}" for name in results)
             + ("  Escale is" if len(results) == 2 else "")]
    for key, text in MEASURES.items():
        medians = {name: statistics.median(result["times"][key]) for name, result in results.items()}
        cells = []
        for name, result in results.items():
            values = result["times"][key]
            cells.append(f"{medians[name]:>7.2f} s ({min(values):.2f} – {max(values):.2f})".rjust(24))
        ratio = f"  {medians['docker-compose'] / medians['escale']:.1f}× as fast" if len(results) == 2 else ""
        lines.append(f"{text:{width}}  " + "  ".join(cells) + ratio)
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicas", type=int, default=50)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=["escale", "docker"])
    parser.add_argument("--json", type=Path, help="also write every time measured to this file")
    options = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("error: containers need root")
    if not BUSYBOX.exists():
        raise SystemExit(f"error: {BUSYBOX} is not there\n  hint: scripts/busybox-image.sh")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    results = {}
    for engine_type in {"escale": [Escale], "docker": [Docker], None: [Escale, Docker]}[options.only]:
        # Not in /tmp, which may be memory: layers belong on the disk that users have them on.
        with tempfile.TemporaryDirectory(prefix="escale-bench.", dir="/var/tmp") as directory:
            project = Path(directory) / "replicas"
            project.mkdir()
            (project / "compose.yaml").write_text(compose_file(options.replicas), encoding="utf-8")
            with engine_type(project, Path(directory)) as engine:
                print(f"{engine.name}: {engine.version()}", flush=True)
                times = measure(engine, options.replicas, options.runs)
                results[engine.name] = {"version": engine.version(), "times": times}

    machine = f"{os.cpu_count()} cores, Linux {platform.release()}"
    print(f"\n{machine}: " + table(results, options.replicas, options.runs))
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "replicas": options.replicas, "results": results},
                                           indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
