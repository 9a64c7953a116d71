#!/usr/bin/python3
"""The behaviour table: what each key of a service and each flag of a command does, seen from inside the container and from
outside of it.

usage: behaviour.py [--only PATTERN] [--list] [--jobs N]

As root, with the programs that ESCALE_BIN names or .build/release, and .build/images/busybox.tar. The rows are in `rows`, a
module for each area, as data; table.py says what a row is made of. All rows of an area that only need a service run in one
project, brought up at once; refusals and scenarios have projects of their own. `only` is a regular expression for AREA/NAME.

Exit code 1 if any failed.
"""

import argparse
import importlib
import re
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Images"))

import table  # noqa: E402, the path is set above
from bed import BUSYBOX, Bed, Failure, expect, one_line  # noqa: E402
from bench import Bench, Subject  # noqa: E402

AREAS = ("process", "resources", "security", "mounts", "namespaces", "hooks", "network", "ipv6", "firewall", "isolation", "external", "logs", "verbs")
#: services in one project; more would only wait for each other
BATCH = 40


class Run:
    """What came of the rows so far."""

    def __init__(self, bench):
        self.bench = bench
        self.failures = []
        self.counts = {}

    def one(self, row, work):
        problem = None
        try:
            work()
        except Failure as failure:
            problem = str(failure)
        except Exception as failure:  # a row that is wrong itself
            problem = f"{type(failure).__name__}: {failure}"
        good, bad = self.counts.get(row.area, (0, 0))
        self.counts[row.area] = (good + (problem is None), bad + (problem is not None))
        if problem is not None:
            self.failures.append(f"{row.title}: {problem}")


def batches(rows):
    """Rows that are services of one project, as lists."""
    for area in AREAS:
        own = [row for row in rows if row.area == area]
        for start in range(0, len(own), BATCH):
            yield own[start:start + BATCH]


def take_services(run, number, rows):
    """Brings up the services of all rows at once and looks at each."""
    name = f"b{number}-{rows[0].area}"
    project = run.bench.project(name)
    project.write("compose.yaml", compose(rows))
    for row in rows:
        for path, content in row.files.items():
            project.write(path, content)
    try:
        done = project.escale("up", "-d", check=False)
        found = {container["service"]: container for container in project.ps()}
        for row in rows:
            run.one(row, lambda row=row: look(row, Subject(project, row, found.get(row.slug)), done))
    finally:
        project.end()


def look(row, subject, up):
    told = " ".join(line.strip() for line in up.stderr.splitlines() if re.search(r" Error |^error|^hint|^compose.yaml", line))
    expect(subject.has_started(), f"it does not run; `up` ended with {up.returncode}: {told[:1500]}")
    for words in row.says:
        expect(re.search(words, up.stderr), f"`up` does not tell {words!r}: {one_line(up.stderr[:800], 800)}")
    for command, wanted in row.inside.items():
        subject.check(f"inside, `{command}`", lambda command=command: subject.inside(command), wanted)
    for probe, wanted in row.outside:
        subject.check(f"outside, {probe.name}", lambda probe=probe: probe.read(subject), wanted)


def compose(rows):
    """One compose file with a service for each row."""
    text = "services:\n"
    top = {}
    for row in rows:
        text += f"  {row.slug}:\n" + textwrap.indent(row.whole_service(), "    ")
        for name, service in row.beside.items():
            text += f"  {name}:\n" + textwrap.indent(table.with_defaults(service), "    ")
        for key, members in row.top.items():
            top.setdefault(key, []).append(textwrap.indent(textwrap.dedent(members).strip("\n"), "  "))
    for key, members in top.items():
        text += f"{key}:\n" + "\n".join(members) + "\n"
    return text


def take_error(run, number, row):
    """A service that must not come up, or that comes up with a warning: words and exit code."""
    project = run.bench.project(f"e{number}-{row.area}")
    project.write("compose.yaml", compose([row]))
    for path, content in row.files.items():
        project.write(path, content)
    try:
        words = ("config", "-q") if row.warns else ("up", "-d", "--wait")
        done = project.escale(*words, check=False)
        told = done.stdout + done.stderr
        if row.warns:
            expect(done.returncode == 0, f"it ended with {done.returncode}: {one_line(told, 800)}")
        else:
            expect(done.returncode == 1, f"it ended with {done.returncode}, not with 1: {one_line(told, 800)}")
        for pattern in row.words:
            expect(re.search(pattern, told), f"{pattern!r} is not told: {one_line(told, 1200)}")
    finally:
        project.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="PATTERN", default="", help="a regular expression for AREA/NAME")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--jobs", type=int, default=4)
    options = parser.parse_args()
    for area in AREAS:
        importlib.import_module(f"rows.{area}")
    titles = [row.title for row in table.ROWS]
    twice = {title for title in titles if titles.count(title) > 1}
    expect(not twice, f"rows with one title: {', '.join(sorted(twice))}")
    rows = [row for row in table.ROWS if re.search(options.only, row.title)]
    if not rows:
        raise SystemExit(f"error: no row's name is like \"{options.only}\"")
    if options.list:
        print("\n".join(row.title for row in rows))
        return 0
    began = time.monotonic()
    with Bed("escale-behaviour-") as bed:
        engine = bed.engine("root")
        engine.start()
        engine.escale("image", "import", BUSYBOX, "base:1")
        bench = Bench(bed, engine)
        run = Run(bench)
        works = [lambda number=number, batch=batch: take_services(run, number, batch)
                 for number, batch in enumerate(batches([row for row in rows if type(row) is table.ServiceRow]))]
        works += [lambda number=number, row=row: run.one(row, lambda: take_error(run, number, row))
                  for number, row in enumerate(rows) if isinstance(row, table.ErrorRow)]
        works += [lambda row=row: run.one(row, lambda: row.work(bench))
                  for row in rows if isinstance(row, table.Scenario) and not row.alone]
        with ThreadPoolExecutor(options.jobs) as pool:
            for one in [pool.submit(work) for work in works]:
                one.result()
        for row in rows:
            if isinstance(row, table.Scenario) and row.alone:
                run.one(row, lambda row=row: row.work(bench))
    if run.failures:
        print(f"{len(run.failures)} of {len(rows)} rows FAILED:", *sorted(run.failures), sep="\n  ")
    counts = ", ".join(f"{area} {sum(run.counts[area])}" for area in AREAS if area in run.counts)
    print(f"{len(rows) - len(run.failures)} of {len(rows)} rows as expected in {time.monotonic() - began:.0f} s ({counts})")
    return 1 if run.failures else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        raise SystemExit(f"error: {failure}") from failure
