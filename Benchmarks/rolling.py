#!/usr/bin/env python3
"""A rolling update of 4 replicas: how long it takes with Escale and with Docker's Swarm mode, and what requests notice.

usage: rolling.py [--runs N] [--only escale|docker] [--json FILE]

Both exchange 4 replicas of busybox's httpd, one at a time, the new one first, each healthy at once (checked every
200 ms) and watched for a second: `escale up -d` against `docker service update --detach=false`. Then the 99th percentile
of requests through Escale's gateway to 4 nginx replicas, at 500 a second, before and during a rolling update. (Swarm's
own way in needs IPVS, which not every kernel has: it is measured without.)

Needs root, ESCALE_BIN (or .build/release), .build/images/busybox.tar, docker.io, wrk. Nothing is left behind: Escale's root
is a scratch one; dockerd, with its Swarm, lives in namespaces of its own, as in replicas.py.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from replicas import BUSYBOX, ROOT, Docker, seconds

sys.path.insert(0, str(ROOT / "Tests/Load"))
from bed import Bed, Load, compose_file  # noqa: E402

NAME = "escale-bench/rolling"
REPLICAS = 4
COMMAND = ["httpd", "-f", "-p", "80", "-h", "/"]
CHECK = ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1/version"]
PROJECT = "escale-bench-rolling"


def make_images(directory):
    """Two root file systems that differ in one file, so that to neither engine they are the same image."""
    images = {}
    for version in ("v1", "v2"):
        (directory / "version").write_text(version + "\n", encoding="ascii")
        images[version] = shutil.copy(BUSYBOX, directory / f"{version}.tar")
        subprocess.run(["tar", "--append", "--file", images[version], "--directory", directory, "version"], check=True)
    return images


class Swarm(Docker):
    name = "docker swarm"
    cgroup = "escale-bench-swarm"

    def __init__(self, images, scratch):
        super().__init__(scratch, scratch)
        self._images = images

    def __enter__(self):
        self._start_daemon()
        try:
            for version, file in self._images.items():
                self._docker("import", file, f"{NAME}:{version}")
            self._docker("swarm", "init", "--advertise-addr", "127.0.0.1")
            self._docker("service", "create", "--name", "web", "--replicas", REPLICAS, "--stop-signal", "SIGKILL",
                         "--update-parallelism", 1, "--update-order", "start-first", "--update-monitor", "1s",
                         "--update-delay", "0s", "--health-cmd", " ".join(CHECK), "--health-interval", "200ms",
                         "--no-resolve-image", "--detach=false", "--quiet", f"{NAME}:v1", *COMMAND)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        try:
            self._docker("swarm", "leave", "--force")
        finally:
            self._stop_daemon()

    def update(self, version):
        self._docker("service", "update", "--image", f"{NAME}:{version}", "--no-resolve-image", "--detach=false",
                     "--quiet", "web")

    def running(self, version):
        return self._docker("service", "ps", "web", "--filter", "desired-state=running", "--format",
                            "{{.Image}} {{.CurrentState}}").count(f"{NAME}:{version} Running")


class Escale:
    name = "escale"

    def __init__(self, images, bed):
        self._images, self._bed = images, bed

    def _write(self, version):
        self._bed.write({"name": PROJECT, "services": {"web": {
            "image": f"{NAME}:{version}", "command": COMMAND, "stop_signal": "SIGKILL",
            "healthcheck": {"test": ["CMD", *CHECK], "interval": "200ms"},
            "deploy": {"replicas": REPLICAS, "update_config": {"parallelism": 1, "order": "start-first", "monitor": "1s"}},
        }}})

    def __enter__(self):
        for version, file in self._images.items():
            self._bed.escale("image", "import", file, f"{NAME}:{version}")
        self._write("v1")
        self._bed.escale("up", "-d", "--wait")
        return self

    def __exit__(self, *_):
        self._bed.down()
        self._bed.escale("image", "rm", f"{NAME}:v1", f"{NAME}:v2", check=False)

    def update(self, version):
        self._write(version)
        self._bed.escale("up", "-d")

    def running(self, version):
        return sum(entry["image"].endswith(f"{NAME}:{version}") for entry in self._bed.replicas())


def measure(engine, runs):
    times = []
    for number in range(1, runs + 1):
        version = "v2" if number % 2 else "v1"
        times.append(seconds(lambda: engine.update(version)))
        if (running := engine.running(version)) != REPLICAS:
            raise SystemExit(f"error: after the update {engine.name} runs {running} replicas of {version}, not {REPLICAS}")
        print(f"  {engine.name}, run {number} of {runs}: {times[-1]:.2f} s", flush=True)
    return times


def latency(bed, runs):
    """99th percentiles in milliseconds, calm and during releases, and the requests that failed."""
    calm, during, failed = [], [], 0
    bed.write(compose_file(PROJECT, "nginx", "v1"))
    bed.escale("up", "-d", "--wait")
    try:
        for number in range(1, runs + 1):
            calm.append(Load("wrk", duration=6).end(stop=False)["p99"])
            bed.write(compose_file(PROJECT, "nginx", "v2" if number % 2 else "v1"))
            load = Load("wrk")
            time.sleep(0.5)
            try:
                bed.escale("up", "-d")
            except BaseException:
                load.kill()
                raise
            result = load.end()
            during.append(result["p99"])
            failed += result["failed"]
            print(f"  gateway, run {number} of {runs}: p99 {calm[-1]} ms calm, {during[-1]} ms in the release, "
                  f"{result['failed']} of {result['requests']} failed", flush=True)
    finally:
        bed.down()
    return {"calm": calm, "during": during, "failed": failed}


def summary(results):
    lines = []
    medians = {name: statistics.median(times) for name, times in results["times"].items()}
    for name, times in results["times"].items():
        lines.append(f"{name:14} {medians[name]:6.2f} s ({min(times):.2f} – {max(times):.2f})")
    if len(medians) == 2:
        lines.append(f"Escale takes {medians['escale'] / medians['docker swarm']:.2f} of Swarm's time")
    if "latency" in results:
        calm, during = (statistics.median(results["latency"][name]) for name in ("calm", "during"))
        lines.append(f"p99 through the gateway: {calm:.2f} ms calm, {during:.2f} ms in a release ({during - calm:+.2f} ms), "
                     f"{results['latency']['failed']} requests failed")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", choices=["escale", "docker"])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not BUSYBOX.exists():
        raise SystemExit(f"error: {BUSYBOX} is not there\n  hint: scripts/busybox-image.sh")
    results = {"times": {}}
    with tempfile.TemporaryDirectory(prefix="escale-bench.", dir="/var/tmp") as directory:
        images = make_images(Path(directory))
        if options.only != "docker":
            with Bed() as bed:
                with Escale(images, bed) as engine:
                    results["times"][engine.name] = measure(engine, options.runs)
                results["latency"] = latency(bed, options.runs)
        if options.only != "escale":
            with Swarm(images, Path(directory)) as engine:
                results["times"][engine.name] = measure(engine, options.runs)
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}"
    print(f"\n{machine}: rolling update of {REPLICAS} replicas, medians of {options.runs} runs (fastest – slowest)\n"
          + summary(results))
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, **results}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
