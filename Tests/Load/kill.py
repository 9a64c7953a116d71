#!/usr/bin/python3
"""Replicas are killed under load: how many requests does each killed one cost?

usage: kill.py [--kills N] [--services A,B] [--modes A,B] [--layer http|tcp] [--json FILE]

4 replicas; `kill -9` of one container's first process while load runs, so many times for each kind of load, each time
with a load of its own until Escale has replaced the replica. Requests that may be tried again (GET) must not fail at all
behind the gateway; a POST that had been sent may, and so may WebSockets of the killed replica: these are told, not judged.
With --layer tcp, without the gateway, nothing is judged. Exit code 0 if what is judged was good.
"""

import argparse
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from bed import FLOORS, SERVICES, Bed, Load, compose_file, wait_until

PROJECT = "escale-kill"
REPEATABLE = {"keepalive", "newconn", "slow", "wrk", "hey", "h2"}


def kill_one(bed, mode):
    load = Load(mode)
    try:
        time.sleep(1.5)
        victim = random.choice(bed.replicas())
        killed = time.monotonic()
        os.kill(victim["pid"], signal.SIGKILL)

        def replaced():
            running = bed.replicas()
            return len(running) == 4 and victim["pid"] not in [entry["pid"] for entry in running]

        wait_until(replaced, what="the killed replica to be replaced")
        seconds = time.monotonic() - killed
        time.sleep(2)
    except BaseException:
        load.kill()
        raise
    return {"mode": mode, "seconds": round(seconds, 2), "load": load.end()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--services", default="nginx,flask,websocket")
    parser.add_argument("--modes", default=",".join(sorted({mode for s in SERVICES.values() for mode in s["modes"]})))
    parser.add_argument("--layer", choices=["http", "tcp"], default="http")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results, bad = [], 0
    with Bed() as bed:
        print(f"{'service':10} {'load':10} {'kills':>5} {'requests':>9} {'failed':>7} {'a kill':>7} {'worst':>6} "
              f"{'back after s':>12}  how", flush=True)
        for service in options.services.split(","):
            document = compose_file(PROJECT, service, "v1", layer=options.layer)
            document["services"][service]["restart"] = "always"
            bed.write(document)
            bed.escale("up", "-d", "--wait")
            try:
                for mode in [mode for mode in SERVICES[service]["modes"] if mode in options.modes.split(",")]:
                    kills = [kill_one(bed, mode) for _ in range(options.kills)]
                    results += [{"service": service, **kill} for kill in kills]
                    failed = [kill["load"]["failed"] for kill in kills]
                    idle = any(kill["load"]["rps"] < FLOORS.get(mode, 400) for kill in kills)
                    wrong = mode in REPEATABLE and options.layer == "http" and (sum(failed) > 0 or idle)
                    bad += wrong
                    kinds = sorted({kind for kill in kills for kind in kill["load"]["kinds"]})
                    print(f"{service:10} {mode:10} {len(kills):>5} {sum(k['load']['requests'] for k in kills):>9} "
                          f"{sum(failed):>7} {sum(failed) / len(kills):>7.1f} {max(failed):>6} "
                          f"{max(kill['seconds'] for kill in kills):>12.2f}  {'BAD ' if wrong else ''}"
                          f"{'; '.join(kinds)[:80]}{' (too little load)' if idle else ''}", flush=True)
            finally:
                bed.down()
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 1 if bad or not results else 0


if __name__ == "__main__":
    sys.exit(main())
