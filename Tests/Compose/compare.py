#!/usr/bin/env python3
"""Compares what `escale config` and docker-compose 1.29 make of the compose files in files/.

usage: compare.py [NAME…]          only these files, with both outputs shown where they differ

A file NAME.override.yaml is merged into NAME.yaml. Where the two differ, the place must stand in differences.txt with the
reason; an entry there that no file needs any more fails too. Needs ESCALE_BIN (or .build/release) and docker-compose.
"""

import concurrent.futures
import os
import subprocess
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

import normal

HERE = Path(__file__).resolve().parent
FILES = HERE / "files"
ESCALE = Path(os.environ.get("ESCALE_BIN", HERE.parent.parent / ".build/release")) / "escale"
PROJECT = "shop"
# The shell that both see.
SHELL = {"PORT": "8080", "NAME": "shop", "FLAG": "true", "TAG": "1.27", "EMPTY": "", "NUMBER": "5", "FROM_SHELL": "here"}
LEAST = 60


class Failure(Exception):
    pass


class Difference:
    """A line of differences.txt: which side says something at which places, and why."""

    def __init__(self, line, number):
        fields = line.split(None, 2)
        if len(fields) != 3 or fields[0] not in ("escale", "compose", "both"):
            raise Failure(f"differences.txt:{number}: a line reads `escale|compose|both PLACE reason`")
        self.side, self.pattern, self.reason = fields
        self.line = f"differences.txt:{number}: {line}"
        self.used = False

    def covers(self, side, place):
        return self.side == side and fnmatchcase(place, self.pattern)


def table():
    lines = (HERE / "differences.txt").read_text(encoding="utf-8").splitlines()
    return [Difference(line, number) for number, line in enumerate(lines, 1) if line and not line.startswith("#")]


def output(command):
    environment = {"PATH": os.environ["PATH"], "HOME": "/root", "LANG": "C.UTF-8", **SHELL}
    done = subprocess.run(command, cwd=FILES, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{Path(command[0]).name} ended with {done.returncode}:\n{done.stderr}{done.stdout}")
    return done.stdout


def configs(name):
    """Both programs' output for a file."""
    arguments = ["-p", PROJECT, "-f", f"{name}.yaml"]
    if (FILES / f"{name}.override.yaml").exists():
        arguments += ["-f", f"{name}.override.yaml"]
    return output([str(ESCALE), *arguments, "config"]), output(["docker-compose", *arguments, "config"])


def differences(ours, theirs, place=""):
    """(side, place, ours, theirs) of each place where the two trees differ."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(set(ours) | set(theirs), key=str):
            inner = f"{place}.{key}" if place else str(key)
            if key not in theirs:
                yield "escale", inner, ours[key], None
            elif key not in ours:
                yield "compose", inner, None, theirs[key]
            else:
                yield from differences(ours[key], theirs[key], inner)
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for index, (left, right) in enumerate(zip(ours, theirs)):
            yield from differences(left, right, f"{place}.{index}")
    elif ours != theirs:
        yield "both", place, ours, theirs


def check(name, known):
    """What is wrong with a file, line by line."""
    try:
        ours, theirs = configs(name)
    except Failure as failure:
        return [str(failure)]
    found = []
    for side, place, left, right in differences(*(normal.project(yaml.safe_load(text)) for text in (ours, theirs))):
        entries = [entry for entry in known if entry.covers(side, f"{name}:{place}")]
        for entry in entries:
            entry.used = True
        if not entries:
            found.append(f"{side} {place}: escale {left!r}, docker-compose {right!r}")
    if found and len(sys.argv) > 1:
        found += ["--- escale", ours, "--- docker-compose", theirs]
    return found


def main():
    known = table()
    names = sys.argv[1:] or sorted(path.stem for path in FILES.glob("*.yaml") if not path.stem.endswith(".override"))
    failed = 0
    # docker-compose takes half a second for each: one for each core.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, found in zip(names, pool.map(lambda name: check(name, known), names)):
            failed += bool(found)
            for line in found:
                print(f"{name}: {line}", file=sys.stderr)
    if len(sys.argv) == 1:
        for entry in known:
            if not entry.used:
                failed += 1
                print(f"no file needs this any more: {entry.line}", file=sys.stderr)
        if len(names) < LEAST:
            raise Failure(f"there are only {len(names)} files in {FILES}, and there should be {LEAST}")
    if failed:
        raise Failure(f"{failed} of {len(names)} compose files mean something else to docker-compose")
    print(f"    {len(names)} compose files mean the same to docker-compose 1.29; {len(known)} intended differences")


if __name__ == "__main__":
    try:
        main()
    except Failure as error:
        sys.exit(f"error: {error}")
