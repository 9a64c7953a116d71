#!/usr/bin/python3
"""Real faults: the daemon, conmons, containers, name servers and the gateway are killed, in turn and together, and all has to
be as desired again within ten seconds.

usage: faults.py [--rounds N] [--seed N]

As root, with the programs that ESCALE_BIN names or .build/release, and .build/images/busybox.tar. Every fifth round kills one of
each kind at once. After each round every container has to run (and be healthy where it is checked), a page has to come through
the gateway and through a plain port, and names have to be found from inside; at the end nothing may be left over.
"""

import argparse
import contextlib
import os
import random
import signal
import sys
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Images"))

from bed import BUSYBOX, Bed, Failure, expect, free_port, processes_of  # noqa: E402, the path is set above
from bench import Bench  # noqa: E402

LIMIT = 10
KINDS = ("daemon", "conmon", "container", "dns", "gateway")


def compose(web, plain):
    page = "sh -c 'mkdir /www; echo well > /www/index.html; exec httpd -f -p 8000 -h /www'"
    # So many that each is killed rarely: one that keeps ending soon waits longer every time, and is meant to.
    return f"""
services:
  web:
    image: base:1
    command: {page}
    restart: always
    stop_signal: KILL
    deploy: {{replicas: 6}}
    healthcheck: {{interval: 1s}}
    x-escale: {{probe: {{http: /, port: 8000}}}}
    ports: [{{target: 8000, published: "{web}", host_ip: 127.0.0.1, app_protocol: http}}]
  plain:
    image: base:1
    command: {page}
    restart: unless-stopped
    stop_signal: KILL
    deploy: {{replicas: 6}}
    ports: ["127.0.0.1:{plain}:8000"]
    depends_on: {{web: {{condition: service_healthy}}}}
  quiet:
    image: base:1
    command: sleep 99999
    restart: always
    stop_signal: KILL
    deploy: {{replicas: 8}}
    networks: [other]
networks: {{other: {{}}}}
"""


class Site:
    def __init__(self, project, web, plain, chance):
        self.project = project
        self.root = project.engine.root
        self.ports = {"the gateway": web, "a plain port": plain}
        self.chance = chance
        self.order = []

    def victim(self):
        """A running container, each in turn."""
        running = {one["name"]: one for one in self.project.ps() if one["state"] == "running"}
        self.order = [name for name in self.order if name in running]
        rest = [name for name in running if name not in self.order]
        self.chance.shuffle(rest)
        name = rest[0] if rest else self.order.pop(0)
        self.order.append(name)
        return running[name]

    def processes(self, kind):
        if kind == "daemon":
            return processes_of(self.root, "escaled")[:1]
        if kind in ("dns", "gateway"):
            found = processes_of(self.root, {"dns": "dnsmasq", "gateway": "haproxy"}[kind])
            return [self.chance.choice(found)] if found else []
        container = self.victim()
        if kind == "container":
            return [container["pid"]]
        return [int((self.root / "run/containers" / container["id"] / "conmon.pid").read_text())]

    def problem(self):
        """What is not as desired; nothing where all is."""
        containers = self.project.ps()
        if len(containers) != 20:
            return f"{len(containers)} containers instead of 20"
        for one in containers:
            if one["state"] != "running" or one.get("health", "healthy") != "healthy":
                return f"{one['name']} is {one['state']} {one.get('health', '')} ({one.get('reason', '')})"
            if not Path(f"/proc/{one['pid']}").exists():
                return f"{one['name']}'s process is gone"
        for way, port in self.ports.items():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=2) as answer:
                    if answer.read() != b"well\n":
                        return f"{way} answers something else"
            except OSError as error:
                return f"{way}: {error}"
        for service, name in (("plain", "web"), ("quiet", "quiet")):
            said = self.project.inside(service, f"nslookup {name} 2>&1 | tail -n +3 | grep -c Address")
            if said != "1":
                return f"{service} does not find {name}: {said}"
        return None


def traces(root):
    """What of a root is on the machine: processes, mounts, namespaces of processes."""
    found = [f"process {pid}" for name in ("escaled", "conmon", "dnsmasq", "haproxy", "crun") for pid in processes_of(root, name)]
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        return found + [line for line in mounts if str(root) in line]


def work(bed, options):
    chance = random.Random(options.seed)
    engine = bed.engine("root")
    engine.start()
    engine.escale("image", "import", BUSYBOX, "base:1")
    web, plain = free_port(), free_port()
    project = Bench(bed, engine).project("faults", compose(web, plain))
    site = Site(project, web, plain, chance)
    try:
        project.up("--wait")
        expect((problem := site.problem()) is None, f"before the first fault: {problem}")
        worst = (0, "")
        for number in range(1, options.rounds + 1):
            kinds = KINDS if number % 5 == 0 else [KINDS[number % len(KINDS)]]
            killed = [(kind, pid) for kind in kinds for pid in site.processes(kind)]
            for _, pid in killed:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            began = time.monotonic()
            while (problem := site.problem()) is not None:
                expect(time.monotonic() - began < LIMIT,
                       f"round {number} of seed {options.seed}, killed {', '.join(f'{kind} {pid}' for kind, pid in killed)}: "
                       f"after {LIMIT} s {problem}")
                time.sleep(0.1)
            worst = max(worst, (time.monotonic() - began, "+".join(kinds)))
    finally:
        project.end()
    engine.escale("system", "reset", "--yes", check=False)
    deadline = time.monotonic() + 10
    while (left := traces(engine.root)):
        expect(time.monotonic() < deadline, f"left over: {left}")
        time.sleep(0.1)
    print(f"{options.rounds} rounds, all as desired again after {worst[0]:.1f} s at most ({worst[1]}); nothing left over")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    if options.seed is None:
        options.seed = random.SystemRandom().randrange(1 << 32)
    with Bed("escale-faults.") as bed:
        try:
            work(bed, options)
        except Failure as failure:
            raise SystemExit(f"error: {failure}") from failure


if __name__ == "__main__":
    main()
