#!/usr/bin/python3
"""Releases under load: every strategy × service × kind of load, forwards and back, and not one request may fail.

usage: matrix.py [--rounds N] [--strategies A,B] [--services A,B] [--modes A,B] [--together RATE] [--layers http,tcp]
                 [--back rollback|up] [--json FILE]

For each, a project with 4 replicas is brought up, load is started, `escale up -d` makes the other version run, then
`escale rollback` (or `up` with the former file) the first one again, so many rounds. A round is good if both commands
ended with 0, all replicas are of the version asked for after each, the load was as heavy as it should be, and the load
generator counted no failure. --layers tcp publishes the port without the gateway; there only new connections are tried,
because a kept one can't be moved. --together runs all kinds of load of a service side by side through the same
releases, each that many requests a second where it has a rate; they must make 500 together. 20 rounds for the record, 1
in CI. Exit code 0 if all rounds were good.

Uses ESCALE_BIN; ESCALE_ROOT, or else a root of its own that is removed. Needs root and scripts/setup.sh test.
"""

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

from bed import FLOORS, SERVICES, STRATEGIES, Bed, Load, compose_file

PROJECT = "escale-matrix"


def release(bed, command, version):
    """The seconds that it took, and what is wrong with how it ended."""
    began = time.monotonic()
    done = bed.escale(*command, check=False)
    seconds = time.monotonic() - began
    wrong = []
    if done.returncode != 0:
        wrong.append(f"escale {' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-600:]}")
    # A former version that is kept warm is still there, and gets nothing.
    deadline = time.monotonic() + 20
    while True:
        images = [entry["image"].rpartition(":")[2] for entry in bed.replicas()]
        if images == [version] * 4 or time.monotonic() > deadline:
            break
        time.sleep(0.1)
    if images != [version] * 4:
        wrong.append(f"after {' '.join(command)}, these versions run: {', '.join(sorted(images))}")
    return seconds, wrong


def play_round(bed, cell, options):
    strategy, service, layer, modes = cell

    def file(version):
        return compose_file(PROJECT, service, version, strategy, layer=layer)

    together = options.together if len(modes) > 1 else 0
    rate = {"rate": together} if together else {}
    loads = [Load(mode, **({} if mode in FLOORS else rate)) for mode in modes]
    try:
        time.sleep(1)
        bed.write(file("v2"))
        forward, wrong = release(bed, ["up", "-d"], "v2")
        time.sleep(0.5)
        bed.write(file("v1"))
        backward, more = release(bed, ["rollback"] if options.back == "rollback" else ["up", "-d"], "v1")
        time.sleep(1)
    except BaseException:
        for load in loads:
            load.kill()
        raise
    results = [load.end() for load in loads]
    wrong += more
    for result in results:
        wrong += what_is_wrong(result, 0 if together else FLOORS.get(result["mode"], 400))
    if together and (rps := sum(result["rps"] for result in results)) < 500:
        wrong.append(f"only {rps:.0f} requests a second, of 500 at least: this proves nothing")
    return {"forward": round(forward, 2), "back": round(backward, 2), "wrong": wrong, "loads": results}


def what_is_wrong(result, floor):
    if result["failed"]:
        yield f"{result['mode']}: {result['failed']} of {result['requests']} requests failed: {result['kinds']}"
    if result["rps"] < floor:
        yield f"{result['mode']}: only {result['rps']} requests a second, of {floor} at least: this proves nothing"
    seen = set(result["versions"])
    if seen and seen != {"v1", "v2"}:
        yield f"{result['mode']}: the answers were of {', '.join(sorted(seen))} only"


def cells(options):
    for layer in options.layers:
        for strategy in options.strategies:
            for service in options.services:
                modes = SERVICES[service]["modes"] if layer == "http" else ("newconn",)
                if layer == "tcp" and service == "websocket":
                    continue
                modes = tuple(mode for mode in modes if mode in options.modes)
                for chosen in [modes] if options.together and modes else [(mode,) for mode in modes]:
                    yield strategy, service, layer, chosen


def play(bed, options):
    results = []
    for cell in cells(options):
        strategy, service, layer, modes = cell
        bed.write(compose_file(PROJECT, service, "v1", strategy, layer=layer))
        bed.escale("up", "-d", "--wait")
        try:
            for number in range(1, options.rounds + 1):
                result = play_round(bed, cell, options)
                results.append({"strategy": strategy, "service": service, "layer": layer, "modes": modes, "round": number,
                                **result})
                for line in result["wrong"]:
                    print(f"  {' '.join(cell[:3])}, round {number}: {line}", flush=True)
                if result["wrong"]:  # from a known state again
                    bed.write(compose_file(PROJECT, service, "v1", strategy, layer=layer))
                    bed.escale("up", "-d", "--wait", check=False)
        finally:
            bed.down()
        print(row(cell, [result for result in results if key(result) == cell]), flush=True)
    return results


def key(result):
    return result["strategy"], result["service"], result["layer"], result["modes"]


HEADER = (f"{'strategy':11} {'service':10} {'layer':5} {'load':10} {'rounds':>6} {'good':>5} {'requests':>9} {'failed':>7} "
          f"{'rps':>6} {'p50 ms':>7} {'p99 ms':>8} {'forward s':>9} {'back s':>7}")


def row(cell, results):
    loads = [load for result in results for load in result["loads"]]

    def median(values):
        values = [value for value in values if value is not None]
        return statistics.median(values) if values else float("nan")

    return (f"{cell[0]:11} {cell[1]:10} {cell[2]:5} {cell[3][0] if len(cell[3]) == 1 else 'together':10} {len(results):>6} "
            f"{sum(not result['wrong'] for result in results):>5} {sum(load['requests'] for load in loads):>9} "
            f"{sum(load['failed'] for load in loads):>7} {median([load['rps'] for load in loads]):>6.0f} "
            f"{median([load['p50'] for load in loads]):>7.2f} {median([load['p99'] for load in loads]):>8.2f} "
            f"{median([result['forward'] for result in results]):>9.2f} "
            f"{median([result['back'] for result in results]):>7.2f}")


def words(known):
    def parse(text):
        chosen = text.split(",")
        if unknown := [word for word in chosen if word not in known]:
            raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(known)}")
        return chosen
    return parse


def main():
    modes = list(dict.fromkeys(mode for service in SERVICES.values() for mode in service["modes"]))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--strategies", type=words(STRATEGIES), default=list(STRATEGIES))
    parser.add_argument("--services", type=words(SERVICES), default=list(SERVICES))
    parser.add_argument("--modes", type=words(modes), default=modes)
    parser.add_argument("--together", type=int, metavar="RATE", default=0)
    parser.add_argument("--layers", type=words(("http", "tcp")), default=["http", "tcp"])
    parser.add_argument("--back", choices=["rollback", "up"], help="the way back; rollback, if escale has it")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with Bed() as bed:
        options.back = options.back or ("rollback" if bed.can("rollback") else "up")
        print(HEADER, flush=True)
        results = play(bed, options)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    bad = sum(bool(result["wrong"]) for result in results)
    loads = [load for result in results for load in result["loads"]]
    failed = sum(load["failed"] for load in loads)
    print(f"{len(results)} rounds, {2 * len(results)} releases, {sum(load['requests'] for load in loads)} requests, "
          f"{failed} failed, {bad} rounds not good")
    return 1 if bad or not results else 0


if __name__ == "__main__":
    sys.exit(main())
