#!/usr/bin/python3
"""Whether a canary gets the share of the traffic that the file asks for.

usage: weights.py [--weights 10,50] [--requests N] [--layers http,tcp] [--tolerance POINTS] [--json FILE]

For each weight, a canary release of nginx is stopped at its first step; then 20,000 requests are made and counted by the
version that answered: through the gateway over kept and over new connections, and through a plain published port over
new ones, where a connection is the unit. Each share must be within 1.5 percentage points. Exit code 0 if all are.
"""

import argparse
import json
import sys
import time
import urllib.request
from pathlib import Path

from bed import PORT, Bed, Load, compose_file, wait_until

PROJECT = "escale-weights"


def version():
    """Who answers a new connection now; None if nobody does."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=5) as answer:
            return answer.headers["X-Version"]
    except OSError:
        return None


def measure(bed, layer, weight, requests):
    def file(name):
        return compose_file(PROJECT, "nginx", name, "canary", layer=layer, steps=[{"weight": weight, "pause": "10m"}])

    bed.write(file("v1"))
    bed.escale("up", "-d", "--wait")
    bed.write(file("v2"))
    release = bed.spawn("up", "-d")
    try:
        wait_until(lambda: version() == "v2", 60, "the canary's first answer")
        time.sleep(2)  # so that every part has heard of the weight
        results = []
        for mode in ("keepalive", "newconn") if layer == "http" else ("newconn",):
            load = Load(mode, requests=requests, rate=2000, connections=32).end(stop=False)
            share = 100 * load["versions"].get("v2", 0) / max(1, load["requests"] - load["failed"])
            results.append({"layer": layer, "mode": mode, "weight": weight, "share": round(share, 2), "load": load})
        return results
    finally:
        bed.escale("down", "--timeout", "1", check=False)
        if release.poll() is None:
            release.terminate()
        release.communicate()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default="10,50")
    parser.add_argument("--requests", type=int, default=20000)
    parser.add_argument("--layers", default="http,tcp")
    parser.add_argument("--tolerance", type=float, default=1.5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results, bad = [], 0
    with Bed() as bed:
        print(f"{'layer':5} {'load':10} {'asked':>6} {'got':>7} {'requests':>9} {'failed':>7}", flush=True)
        for layer in options.layers.split(","):
            for weight in map(int, options.weights.split(",")):
                for result in measure(bed, layer, weight, options.requests):
                    load = result["load"]
                    wrong = abs(result["share"] - weight) > options.tolerance or load["failed"] > 0
                    bad += wrong
                    results.append(result)
                    print(f"{layer:5} {result['mode']:10} {weight:>5}% {result['share']:>6.2f}% {load['requests']:>9} "
                          f"{load['failed']:>7}{'  BAD' if wrong else ''}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    return 1 if bad or not results else 0


if __name__ == "__main__":
    sys.exit(main())
