#!/usr/bin/python3
"""`escale system …` and what a host does to Escale: boots, full disks, state of other versions.

usage: system.py [--only PATTERN]

As root, with the programs that ESCALE_BIN names or .build/release, and .build/images/busybox.tar.
"""

import argparse
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Images"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Behaviour"))

from bed import BINARIES, BUSYBOX, Bed, expect, run_cases, wait_until  # noqa: E402, the path is set above
from bench import Bench  # noqa: E402

CASES = []


def case(work):
    CASES.append(work)
    return work


def processes_below(root):
    """Every process that names the root: conmon, and what has one for its parent."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes()
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        found[int(entry.name)] = (words, parent)
    chosen = {number for number, (words, _) in found.items() if str(root).encode() in words and number != os.getpid()}
    while more := {number for number, (_, parent) in found.items() if parent in chosen} - chosen:
        chosen |= more
    return chosen - {os.getpid()}


def pull_the_plug(engine):
    """What a boot leaves: no process, nothing in /run."""
    engine.kill()
    for _ in range(50):
        running = processes_below(engine.root)
        if not running:
            break
        for process in running:
            try:
                os.kill(process, signal.SIGKILL)
            except OSError:
                pass
        time.sleep(0.05)
    shutil.rmtree(engine.root / "run")


def states(project):
    return {one["service"]: one["state"] for one in project.ps()}


@case
def after_a_boot_what_is_always_to_run_runs_in_order(bench):
    with bench.project("boot", """
x-run: &run {image: base:1, stop_signal: SIGKILL}
services:
  db:
    <<: *run
    command: [sh, -c, "sleep 1; touch /ready; exec sleep 9999"]
    restart: always
    healthcheck: {test: [CMD, test, -e, /ready], interval: 1s, start_period: 20s}
  web: {<<: *run, command: [sleep, "9999"], restart: unless-stopped, depends_on: {db: {condition: service_healthy}}}
  once: {<<: *run, command: [sleep, "9999"]}
  failing: {<<: *run, command: [sleep, "9999"], restart: on-failure}
  job: {<<: *run, command: ["true"]}
  late: {<<: *run, command: [sleep, "9999"], restart: always, depends_on: {job: {condition: service_completed_successfully}}}
""") as project, bench.project("off", """
services:
  a: {image: base:1, command: [sleep, "9999"], restart: unless-stopped, stop_signal: SIGKILL}
""") as off:
        project.up("--wait", check=False)
        wait_until("the project to run", lambda: states(project) == {
            "db": "running", "web": "running", "once": "running", "failing": "running", "job": "exited", "late": "running"})
        off.up()
        off.escale("stop", "-t", "0")
        pull_the_plug(bench.engine)
        bench.engine.start()
        wanted = {"db": "running", "web": "running", "once": "exited", "failing": "exited", "job": "exited", "late": "running"}
        wait_until(f"what is always to run, and nothing else: {wanted}", lambda: states(project) == wanted, 30)
        time.sleep(2)
        expect(states(project) == wanted, f"some seconds later it is {states(project)}")
        expect(states(off) == {"a": "exited"}, f"what was stopped is {states(off)}")
        started = {one["service"]: one["startedAt"] for one in project.ps()}
        expect(started["db"] < started["web"], f"web began before db: {started}")
        reasons = {one["service"]: one.get("reason") for one in project.ps()}
        expect("machine" in (reasons["once"] or ""), f"ps says of once: {reasons['once']}")
        # A further `up` starts what the boot left.
        project.up()
        wait_until("all services", lambda: states(project)["once"] == states(project)["failing"] == "running")


@case
def prune_removes_what_nothing_needs(bench):
    engine = bench.engine
    running = bench.project("kept", 'services: {a: {image: "base:1", command: [sleep, "9999"], stop_signal: SIGKILL}}')
    ended = bench.project("ended", 'services: {a: {image: "base:1", command: [sh, -c, "head -c 100000 /dev/zero > /big"]}}')
    with running, ended:
        running.up()
        ended.up()
        wait_until("an end", lambda: states(ended) == {"a": "exited"})
        engine.escale("image", "tag", "base:1", "other:1")
        rows = {line.split("  ")[0]: line for line in engine.escale("system", "df").stdout.splitlines()}
        expect({"Images", "Containers", "Local Volumes", "Build Cache", "Registry"} <= set(rows), f"df shows {rows}")
        expect(re.search(r"Containers +2 +1 ", rows["Containers"]), f"df shows {rows['Containers']}")
        asked = subprocess.run([BINARIES / "escale", "system", "prune"], input="n\n", capture_output=True, text=True, check=False,
                               env={**os.environ, "ESCALE_ROOT": str(engine.root)})
        expect(asked.returncode == 2 and "--force" in asked.stderr and states(ended) == {"a": "exited"}, f"prune without a yes: {asked}")
        told = engine.escale("system", "prune", "--force").stdout
        expect("ended-a-1" in told and "ended_default" in told and "Total reclaimed space" in told, f"prune says {told}")
        expect(states(ended) == {} and states(running) == {"a": "running"}, f"left are {states(ended)} and {states(running)}")
        expect("other" in engine.escale("image", "ls").stdout, "an image with a name is gone without --all")


@case
def the_daemons_log_is_shown(bench):
    engine = bench.bed.engine("own-log")
    try:
        engine.escale("system", "info")  # which starts the daemon
        expect("ready" in engine.escale("system", "logs").stdout, "the log lacks that it is ready")
        expect(engine.escale("system", "logs", "-n", "1").stdout.count("\n") == 1, "-n 1 gives more")
        follower = subprocess.Popen([BINARIES / "escale", "system", "logs", "-f", "-n", "0"], stdout=subprocess.PIPE, text=True,
                                    env={**os.environ, "ESCALE_ROOT": str(engine.root)})
        engine.escale("system", "stop")
        line = follower.stdout.readline()
        follower.kill()
        follower.wait()
        expect("ending" in line, f"following shows {line!r}")
    finally:
        engine.reset()


@case
def install_says_that_a_root_of_its_own_is_not_systemds(bench):
    done = bench.engine.escale("system", "install", check=False)
    expect(done.returncode == 2 and "ESCALE_ROOT" in done.stderr, f"it says {done.stderr}")


@case
def state_of_a_newer_version_is_refused(bench):
    engine = bench.bed.engine("newer")
    engine.start()
    engine.stop()
    with sqlite3.connect(engine.root / "state/escale.db") as database:
        database.execute("PRAGMA user_version = 999")
    expect(not engine.start(must=False), "a daemon starts on state of a newer version")
    words = engine.last_words(20)
    expect("newer" in words and "999" in words, f"it says {words}")
    done = engine.escale("ls", check=False)
    expect(done.returncode == 1 and "newer" in done.stderr, f"escale says {done.stderr}")
    with sqlite3.connect(engine.root / "state/escale.db") as database:
        database.execute("PRAGMA user_version = 0")
        expect(database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] > 0, "the state was changed")
    shutil.rmtree(engine.root)


@case
def state_of_an_older_version_is_taken_up(bench):
    """The first version had no releases; its records had fewer fields."""
    engine = bench.bed.engine("older")
    engine.start()
    engine.escale("image", "import", BUSYBOX, "base:1")
    own = Bench(bench.bed, engine)
    project = own.project("old", 'services: {a: {image: "base:1", command: [sleep, "9999"], stop_signal: SIGKILL}}')
    project.up()
    before = project.ps()[0]["id"]
    engine.stop()
    path = engine.root / "state/escale.db"
    with sqlite3.connect(path) as database:
        version = database.execute("PRAGMA user_version").fetchone()[0]
        expect(version >= 2, f"the state's version is {version}")
        tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table in tables - {"project", "network", "volume", "container", "journal", "event", "sqlite_sequence"}:
            database.execute(f"DROP TABLE {table}")
        # Fields that came later.
        database.execute("UPDATE container SET record = json_remove(record, '$.lastWords', '$.isListening', '$.blueprint.logging', "
                         "'$.endedWithHost', '$.readySince', '$.names', '$.namespaces')")
        database.execute("PRAGMA user_version = 1")
    engine.start()
    found = project.ps()
    expect(len(found) == 1 and found[0]["id"] == before and found[0]["state"] == "running", f"after it there is {found}")
    with sqlite3.connect(path) as database:
        expect(database.execute("PRAGMA user_version").fetchone()[0] == version, "the state was not brought up to date")
    project.end()
    engine.reset()


@case
def a_full_disk_is_named_and_loses_no_state(bench):
    engine = bench.bed.engine("full")
    engine.root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", engine.root], check=True)
    filler = engine.root / "filler"

    def fill():
        with filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 4096)
            except OSError:
                pass
    try:
        # At the start.
        fill()
        done = engine.escale("system", "info", check=False)
        expect(done.returncode == 1 and re.search("(?i)no space left|disk", done.stderr), f"a start says {done.stderr}")
        filler.unlink()
        engine.start()
        engine.escale("image", "import", BUSYBOX, "base:1")
        own = Bench(bench.bed, engine)
        writing = own.project("writing", """
services:
  a: {image: "base:1", command: [sh, -c, "n=0; while :; do n=$$((n+1)); echo line $$n; sleep 0.01; done"], stop_signal: SIGKILL}
""")
        writing.up()
        wait_until("lines", lambda: writing.logs("a").count("\n") > 20)
        fill()
        # A project that can't be made is said to lack room; what runs goes on.
        more = own.project("more", 'services: {a: {image: "base:1", command: [sleep, "9999"], stop_signal: SIGKILL}}')
        told = more.up(check=False)
        expect(told.returncode == 1 and re.search("(?i)no space left|disk", told.stderr), f"up says {told.stderr}")
        expect(states(writing) == {"a": "running"}, f"what ran is {states(writing)}")
        engine.kill()
        engine.start(must=False)
        filler.unlink()
        if not engine.lives:
            engine.start()
        expect(states(writing) == {"a": "running"}, f"with room again, what ran is {states(writing)}")
        count = writing.logs("a").count("\n")
        wait_until("more lines", lambda: writing.logs("a").count("\n") > count + 20)
        more.up()
        expect(states(more) == {"a": "running"}, f"with room again, up makes {states(more)}")
        more.end()
        writing.end()
    finally:
        if filler.exists():
            filler.unlink()
        engine.reset()
        engine.end_all()
        subprocess.run(["umount", "--lazy", engine.root], check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="PATTERN", default="", help="a regular expression for a case's name")
    options = parser.parse_args()
    cases = [one for one in CASES if re.search(options.only, one.__name__)]
    if not cases:
        raise SystemExit(f"error: no case's name is like \"{options.only}\"")
    with Bed("escale-system-") as bed:
        engine = bed.engine("root")
        engine.start()
        engine.escale("image", "import", BUSYBOX, "base:1")
        return run_cases(bed, cases, "the host and `escale system`", lambda one: one(Bench(bed, engine)))


if __name__ == "__main__":
    sys.exit(main())
