#!/usr/bin/python3
"""What `escale build` makes of Dockerfiles, against what Docker's documentation says.

usage: dockerfiles.py [--only PATTERN] [--list] [--jobs N]

As root, with the programs that ESCALE_BIN names or .build/release, and .build/images/busybox.tar. The cases are in
build_cases.py, as data, and, those that are more than one build or more than one daemon, in build_scenarios.py; what they
share is in build_bench.py. Most run side by side on one daemon; `only` is a regular expression for GROUP/NAME.

Exit code 1 if any failed.
"""

import argparse
import itertools
import platform
import re
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

import build_cases
import build_compose  # noqa: F401, its scenarios are among the others
import build_scenarios
from bed import BUSYBOX, Bed, Failure, expect, one_line
from build_bench import Bench, Is, Put, build, check_config, site, write_tree

MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


class Words:
    """What stands for something of the case in its texts."""

    def __init__(self, bench, place, number):
        own = MACHINES.get(platform.machine(), platform.machine())
        other = "arm64" if own != "arm64" else "amd64"
        self.known = {"@URL@": bench.url, "@ID@": f"case{number}", "@CTX@": str(place / "context"), "@PLACE@": str(place),
                      "@HOST@": f"linux/{own}", "@HOSTARCH@": own, "@OTHER@": f"linux/{other}", "@OTHERARCH@": other}

    def __call__(self, thing):
        if isinstance(thing, str):
            for word, text in self.known.items():
                thing = thing.replace(word, text)
            return thing
        if isinstance(thing, dict):
            return {self(key): self(value) for key, value in thing.items()}
        if isinstance(thing, (tuple, list, set)):
            return type(thing)(self(part) for part in thing)
        if isinstance(thing, (Is, Put, build_cases.Case)):
            return replace(thing, **{part.name: self(getattr(thing, part.name)) for part in fields(thing)})
        return thing


def take(bench, case, number):
    place = bench.place()
    case = Words(bench, place, number)(case)
    context = place / "context"
    write_tree(context, case.context)
    write_tree(place, case.beside)
    if case.dockerfile is not None:
        (context / "Dockerfile").write_bytes(case.dockerfile.encode())
    for step, (dockerfile, options) in enumerate(case.before):
        words = ["-t", f"before-{number}-{step}"]
        if dockerfile is not None:
            (place / f"before{step}").write_bytes(dockerfile.encode())
            words += ["-f", place / f"before{step}"]
        done = build(bench.engine, *words, *options, context, env=case.env)
        expect(done.code == 0, f"the build before it failed: {one_line(done.err[-800:], 800)}")
    name = f"t/{number}:1"
    done = build(bench.engine, "-t", name, *case.options, context, env=case.env, stdin=case.stdin)
    for pattern in case.says:
        expect(re.search(pattern, done.err), f"{pattern!r} is not told: {one_line(done.err, 1200)}")
    for pattern in case.silent:
        expect(not re.search(pattern, done.err), f"{pattern!r} is told: {one_line(done.err, 1200)}")
    if case.error is not None:
        expect_error(case, done)
        return
    expect(done.code == 0, f"it ended with {done.code}: {one_line(done.err[-1200:], 1200)}")
    if "--check" in case.options:
        return
    check_image(bench, case, name)


def expect_error(case, done):
    told = done.err + done.out
    expect(done.code == case.code, f"it ended with {done.code}, not with {case.code}: {one_line(told[-600:], 600)}")
    expect(re.search(case.error, told), f"no {case.error!r} in the error: {one_line(told[-900:], 900)}")
    if case.line is not None:
        lines = [int(line) for line in re.findall(r"(?:Dockerfile|\.df):(\d+):\d+: (?:error|warning)", told)]
        expect(case.line in lines, f"the error is not of line {case.line}, but of {lines}: {one_line(told[-600:], 600)}")


def check_image(bench, case, name):
    if case.config:
        check_config(bench.engine, name, case.config)
    if not (case.files or case.below or case.nowhere or case.layers is not None):
        return
    image = bench.image(name)
    for text in case.nowhere:
        expect(text.encode() not in image.raw, f"{text} is in the saved archive; the history: {image.history}")
    for path, wanted in case.files.items():
        image.check(path, wanted)
    for directory, wanted in case.below.items():
        found = image.below(directory)
        expect(found == wanted, f"below {directory} there is too much, {sorted(found - wanted)}, or too little, {sorted(wanted - found)}")
    if case.layers is not None:
        expect(len(image.layers) - 1 == case.layers, f"there are {len(image.layers) - 1} layers, not {case.layers}")


class Run:
    def __init__(self, bench):
        self.bench = bench
        self.failures = []
        self.counts = {}
        self.seconds = {}

    def one(self, group, title, work):
        began = time.monotonic()
        problem = None
        try:
            work()
        except Failure as failure:
            problem = str(failure)
        except Exception as failure:  # a case that is wrong itself
            problem = f"{type(failure).__name__}: {failure}"
        good, bad = self.counts.get(group, (0, 0))
        self.counts[group] = (good + (problem is None), bad + (problem is not None))
        self.seconds[group] = self.seconds.get(group, 0) + time.monotonic() - began
        if problem is not None:
            self.failures.append(f"{title}: {problem}")

    def tell(self, group):
        good, bad = self.counts[group]
        print(f"{group:10} {good:3} of {good + bad:3} as expected, {self.seconds[group]:5.1f} s{'' if not bad else '   FAILED'}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="PATTERN", default="", help="a regular expression for GROUP/NAME")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--jobs", type=int, default=3)
    options = parser.parse_args()
    cases = list(enumerate(build_cases.CASES))
    titles = [case.title for _, case in cases]
    expect(len(set(titles)) == len(titles), "two cases have one title")
    cases = [(number, case) for number, case in cases if re.search(options.only, case.title)]
    scenarios = [one for one in build_scenarios.SCENARIOS if re.search(options.only, one.title)]
    if not cases and not scenarios:
        raise SystemExit(f"error: no case's name is like \"{options.only}\"")
    if options.list:
        for title in [case.title for _, case in cases] + [one.title for one in scenarios]:
            print(title)
        return 0
    began = time.monotonic()
    with Bed("escale-dockerfiles.") as bed, site() as url:
        engine = bed.engine("root")
        engine.root.mkdir()
        engine.start()
        engine.escale("image", "import", BUSYBOX, "base:1")
        bench = Bench(bed, engine, url)
        run = Run(bench)
        with ThreadPoolExecutor(options.jobs) as pool:
            for group, members in itertools.groupby(cases, lambda pair: pair[1].group):
                list(pool.map(lambda pair: run.one(pair[1].group, pair[1].title, lambda: take(bench, pair[1], pair[0])), members))
                run.tell(group)
            # Those with a daemon of their own run beside each other, and those on the shared one that disturb it alone.
            for group, members in itertools.groupby(scenarios, lambda one: one.group):
                members = list(members)
                list(pool.map(lambda one: run.one(one.group, one.title, lambda: one.work(bench)),
                              [one for one in members if not one.alone]))
                for one in members:
                    if one.alone:
                        run.one(one.group, one.title, lambda one=one: one.work(bench))
                run.tell(group)
        problem = engine.fsck()
        if problem:
            run.failures.append(f"the shared root, in the end: {problem}")
        left = list((engine.root / "run/containers").glob("*"))
        if left:
            run.failures.append(f"the shared root, in the end: containers are left: {[one.name for one in left]}")
    total = sum(good + bad for good, bad in run.counts.values())
    print(f"\n{total} cases in {time.monotonic() - began:.0f} s: {total - len(run.failures)} as expected, {len(run.failures)} failed")
    for failure in run.failures:
        print(f"FAILED {failure}")
    return 1 if run.failures else 0


if __name__ == "__main__":
    sys.exit(main())
