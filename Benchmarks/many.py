#!/usr/bin/env python3
"""What 200 containers cost, with Escale, with docker-compose and with Podman, on this machine, in one run.

usage: many.py [--services N] [--replicas N] [--idle SECONDS] [--only escale|docker|podman] [--json FILE]

20 services of 10 replicas of `sleep` each: from nothing to all running, a listing of them (median of 10), the engine's own
memory and what each container takes besides its program (proportional set size), the processor time of everything but the
programs while nothing happens, stop, and down. Podman has no `up` of its own: it runs the containers one after the other, as a
script would. Needs what replicas.py needs, and podman.

Nothing is left behind: each engine has directories of its own, and its containers are removed.
"""

import argparse
import json
import os
import platform
import re
import shutil
import signal
import statistics

import sys
import tempfile
import time
from pathlib import Path

from replicas import BUSYBOX, IMAGE, Docker, Escale, run, seconds

MEASURES = {
    "up": ("from nothing to running", "s"), "ps": ("listed", "s"), "daemon": ("the daemon's memory", "MB"),
    "each": ("memory for each container besides its program", "MB"), "idle": ("processor while idle, of one core", "%"),
    "stop": ("stopped", "s"), "down": ("removed", "s"),
}
TICK = os.sysconf("SC_CLK_TCK")


def compose_file(services, count):
    text = "services:\n"
    for number in range(services):
        text += f"""\
  s{number}:
    image: {IMAGE}
    command: ["sleep", "86400"]
    stop_signal: SIGKILL
    deploy:
      replicas: {count}
"""
    return text


def processes(*names):
    """Numbers of the processes of these programs."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            name = Path(os.readlink(entry / "exe")).name.removesuffix(" (deleted)")
        except OSError:
            continue
        if name in names:
            found.append(int(entry.name))
    return found


def proportional(pids):
    """Bytes of memory, shared pages divided among those who share them."""
    total = 0
    for pid in pids:
        try:
            found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii"), re.MULTILINE)
        except OSError:
            continue
        total += int(found[1]) * 1024 if found else 0
    return total


def processor(pids):
    """Seconds of processor time so far."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / TICK


class ManyEscale(Escale):
    daemons = ("escaled",)
    helpers = ("conmon", "dnsmasq")

    def ps(self):
        self._escale("ps")

    def stop(self):
        self._escale("stop", "-t", "0")


class ManyDocker(Docker):
    daemons = ("dockerd", "containerd")
    helpers = ("containerd-shim-runc-v2", "docker-proxy")

    def ps(self):
        self._docker("ps")

    def stop(self):
        self._compose("stop", "--timeout", "0")

    def up(self):
        self._compose("up", "--detach")

    def running(self):
        return len(self._docker("ps", "--quiet").split())


class ManyPodman:
    name = "podman"
    daemons = ()
    helpers = ("conmon",)

    def __init__(self, _, scratch):
        self._scratch = scratch
        self.containers = 0

    def _podman(self, *arguments):
        place = self._scratch / "podman"
        # runc runs wherever the others do; crun refuses some hosts as podman calls it.
        return run(["podman", "--root", place / "data", "--runroot", place / "run", "--cgroup-manager", "cgroupfs",
                    "--runtime", "runc", "--events-backend", "none", *arguments])

    def __enter__(self):
        if shutil.which("podman") is None:
            raise SystemExit("error: podman is not installed")
        self._podman("import", BUSYBOX, IMAGE)
        return self

    def __exit__(self, *_):
        self._podman("rm", "--all", "--force", "--time", "0")
        self._podman("system", "reset", "--force")

    def up(self):
        for number in range(self.containers):
            # Without a network, which podman would make by a bridge and rules on the host, and with limits that any host allows.
            self._podman("run", "--detach", "--network", "none", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024", "--name", f"m{number}", "--stop-signal", "KILL", IMAGE,
                         "sleep", "86400")

    def ps(self):
        self._podman("ps")

    def stop(self):
        self._podman("stop", "--all", "--time", "0")

    def down(self):
        self._podman("rm", "--all", "--force", "--time", "0")

    def running(self):
        return len(self._podman("ps", "--quiet").split())

    def version(self):
        return self._podman("--version").strip() + ", runc, no network, one after the other"


def measure(engine, count, idle, before):
    result = {"up": seconds(engine.up)}
    expect(engine, count, "up")
    result["ps"] = statistics.median(seconds(engine.ps) for _ in range(10))
    daemons = [pid for pid in processes(*engine.daemons) if pid not in before]
    helpers = [pid for pid in processes(*engine.helpers) if pid not in before]
    result["daemon"] = proportional(daemons) / 1e6
    result["each"] = proportional(helpers) / count / 1e6
    time.sleep(5)
    began = processor(daemons + helpers)
    time.sleep(idle)
    result["idle"] = (processor(daemons + helpers) - began) / idle * 100
    result["stop"] = seconds(engine.stop)
    expect(engine, 0, "stop")
    result["down"] = seconds(engine.down)
    return result


def expect(engine, count, after):
    if (running := engine.running()) != count:
        raise SystemExit(f"error: after `{after}`, {engine.name} runs {running} containers, not {count}")


def table(results):
    width = max(len(text) for text, _ in MEASURES.values())
    lines = [f"{'':{width}}  " + "  ".join(f"{name:>16}" for name in results)]
    for key, (text, unit) in MEASURES.items():
        cells = [f"{result[key]:.{3 if key == 'ps' else 2}f} {unit}" for result in results.values()]
        lines.append(f"{text:{width}}  " + "  ".join(f"{cell:>16}" for cell in cells))
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--services", type=int, default=20)
    parser.add_argument("--replicas", type=int, default=10)
    parser.add_argument("--idle", type=int, default=30)
    parser.add_argument("--only", choices=["escale", "docker", "podman"])
    parser.add_argument("--json", type=Path, help="also write what was measured to this file")
    options = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("error: containers need root")
    if not BUSYBOX.exists():
        raise SystemExit(f"error: {BUSYBOX} is not there\n  hint: scripts/busybox-image.sh")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    count = options.services * options.replicas
    all_types = {"escale": ManyEscale, "docker": ManyDocker, "podman": ManyPodman}
    results = {}
    for engine_type in [all_types[options.only]] if options.only else list(all_types.values()):
        with tempfile.TemporaryDirectory(prefix="escale-bench.", dir="/var/tmp") as directory:
            project = Path(directory) / "many"
            project.mkdir()
            (project / "compose.yaml").write_text(compose_file(options.services, options.replicas), encoding="utf-8")
            engine = engine_type(project, Path(directory))
            if isinstance(engine, ManyPodman):
                engine.containers = count
            before = set(processes(*engine.daemons, *engine.helpers))
            with engine:
                print(f"{engine.name}: {engine.version()}", flush=True)
                results[engine.name] = measure(engine, count, options.idle, before)
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}"
    print(f"\n{machine}, {count} containers of `sleep`\n" + table(results))
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "containers": count, "results": results}, indent=2) + "\n",
                                encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
