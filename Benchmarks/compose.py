#!/usr/bin/env python3
"""How long a large compose file takes to load and print, with `escale config` and with docker-compose 1.29.

usage: compose.py [--services N] [--runs N] [--without extends] [--only escale|docker] [--json FILE]

The file has 1,000 services: each extends one of ten bases, merges an anchor, has a build or an image, ports, volumes,
networks, a health check and dependencies. Then `escale config` alone on an ordinary file of 20 such services, start of the
program included. Both times are printed for each: on the clock, and of the processor, which a busy machine does not change.

Needs ESCALE_BIN (or .build/release) and docker-compose (scripts/setup.sh bench). Needs neither root nor a daemon.
"""

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ESCALE = Path(os.environ.get("ESCALE_BIN", ROOT / ".build/release")) / "escale"
BASES = 10
SMALL = 20
# What the figures are to be within: seconds, and the large file's share of docker-compose's time.
LARGE_LIMIT, SMALL_LIMIT, SHARE_LIMIT = 0.5, 0.040, 1 / 20


def service(number, extends):
    base = f"base{number % BASES}"
    lines = [f"  service{number}:", "    <<: *common"]
    lines += [f"    extends: {{service: {base}}}"] if extends else ["    image: registry.example.org/shop/app:1.2"]
    lines += [
        f"    hostname: host{number}",
        "    environment:",
        "      <<: *environment",
        f"      SERVICE: \"{number}\"",
        "      GREETING: ${GREETING:-hello}",
        f"    ports: [\"127.0.0.1:{10000 + number}:8080\"]",
        f"    volumes: [\"data{number % 50}:/data\", \"./conf/{number}:/etc/app:ro\"]",
        f"    networks: [net{number % 8}, default]",
        "    healthcheck: {test: [CMD, curl, -f, \"http://localhost:8080/\"], interval: 30s, timeout: 5s, retries: 3}",
    ]
    if number > 0:
        lines.append(f"    depends_on: [service{number // 2}]")
    return lines


def compose_file(services, extends):
    lines = [
        "x-common: &common",
        "  restart: unless-stopped",
        "  stop_grace_period: 20s",
        "  labels: {com.example.team: shop, com.example.tier: app}",
        "x-environment: &environment",
        "  LOG_LEVEL: info",
        "  DATABASE_URL: postgres://shop@db/shop",
        "services:",
    ]
    for base in range(BASES) if extends else []:
        lines += [
            f"  base{base}:", "    image: registry.example.org/shop/app:1.2", "    user: \"1000:1000\"",
            f"    command: [\"serve\", \"--kind\", \"{base}\"]", "    cap_drop: [ALL]", "    environment: {BASE: \"yes\"}",
        ]
    for number in range(services):
        lines += service(number, extends)
    lines += ["networks:"] + [f"  net{number}:" for number in range(min(services, 8))]
    lines += ["volumes:"] + [f"  data{number}:" for number in range(min(services, 50))]
    return "\n".join(lines) + "\n"


def measured(command, directory):
    """Seconds on the clock and of the processor until the command has printed a project."""
    with tempfile.TemporaryFile(dir=directory) as output:
        began = time.monotonic()
        process = subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        clock = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode != 0:
        shown = "\n".join(text.decode(errors="replace").splitlines()[-20:])
        raise SystemExit(f"error: {shlex.join(map(str, command))} ended with {process.returncode}\n{shown}")
    if b"service19:" not in text:
        raise SystemExit(f"error: {shlex.join(map(str, command))} did not print the project")
    return clock, usage.ru_utime + usage.ru_stime


def measure(label, command, directory, runs):
    measured(command, directory)
    times = [measured(command, directory) for _ in range(runs)]
    result = {"clock": [clock for clock, _ in times], "processor": [processor for _, processor in times]}
    print(f"  {label}: {spoken(result)}", flush=True)
    return result


def spoken(result):
    clock, processor = (statistics.median(result[key]) for key in ("clock", "processor"))
    fastest, slowest = min(result["clock"]), max(result["clock"])
    return f"{clock * 1000:.0f} ms ({fastest * 1000:.0f} – {slowest * 1000:.0f}), processor {processor * 1000:.0f} ms"


def verdicts(results):
    def median(name, key="clock"):
        return statistics.median(results[name][key])

    if "escale" in results:
        yield f"large file: {median('escale'):.3f} s, to be below {LARGE_LIMIT} s"
        yield f"{SMALL} services: {median('small') * 1000:.0f} ms, to be below {SMALL_LIMIT * 1000:.0f} ms"
    if "escale" in results and "docker-compose" in results:
        share = median("escale", "processor") / median("docker-compose", "processor")
        yield f"a {1 / share:.0f}th of docker-compose's processor time, to be less than a {1 / SHARE_LIMIT:.0f}th"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--without", choices=["extends"], help="leave this out of the file")
    parser.add_argument("--only", choices=["escale", "docker"])
    parser.add_argument("--json", type=Path, help="also write every time measured to this file")
    options = parser.parse_args()
    extends = options.without != "extends"
    results = {}
    with tempfile.TemporaryDirectory(prefix="escale-bench.") as name:
        directory = Path(name)
        (directory / "compose.yaml").write_text(compose_file(options.services, extends), encoding="utf-8")
        (directory / "small.yaml").write_text(compose_file(SMALL, False), encoding="utf-8")
        # docker-compose reads compose.yaml too, and both get the same command line.
        if options.only != "docker":
            results["escale"] = measure("escale", [ESCALE, "-f", "compose.yaml", "config"], directory, options.runs)
            results["small"] = measure(f"escale, {SMALL} services", [ESCALE, "-f", "small.yaml", "config"], directory,
                                       options.runs * 4)
        if options.only != "escale":
            results["docker-compose"] = measure("docker-compose", ["docker-compose", "-f", "compose.yaml", "config"],
                                                directory, options.runs)
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}"
    print(f"\n{machine}: {options.services} services, medians of {options.runs} runs (fastest – slowest)")
    for verdict in verdicts(results):
        print(verdict)
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "results": results}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
