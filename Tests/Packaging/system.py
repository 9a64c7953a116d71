#!/usr/bin/python3
"""`escale system …` and what a host does to Escale: boots, full disks, state of other versions.

usage: system.py [--only PATTERN]

As root, with the programs that ESCALE_BIN names or .build/release, and .build/images/busybox.tar.
"""

import argparse
import contextlib
import json
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
def a_record_that_cannot_be_read_keeps_its_own_project_alone(bench):
    """Its containers run on and nothing is deleted, until somebody puts it right or gives the project up."""
    engine = bench.bed.engine("damaged")
    engine.start()
    engine.escale("image", "import", BUSYBOX, "base:1")
    own = Bench(bench.bed, engine)
    compose = 'services: {a: {image: "base:1", command: [sleep, "9999"], stop_signal: SIGKILL}}'
    kinds = ("project", "container", "network", "release")
    bad = {kind: own.project(f"bad-{kind}", compose) for kind in kinds}
    well = own.project("well", compose)
    for project in (*bad.values(), well):
        project.up()
    before = {kind: project.ps()[0] for kind, project in bad.items()}
    path = engine.root / "state/escale.db"

    def record(kind, text=None):
        """The stored record of the kind of thing that its project is named for; writes it where there is a text."""
        place = f"{kind} WHERE {'name' if kind == 'project' else 'project'} = 'bad-{kind}'"
        with contextlib.closing(sqlite3.connect(path, timeout=10)) as database, database:
            if text is not None:
                database.execute(f"UPDATE {place.replace(' WHERE', ' SET record = ? WHERE')}", (text,))
            return database.execute(f"SELECT record FROM {place}").fetchone()

    def damage():
        """Half of the records end too early, the others lack something."""
        engine.end_all()
        whole = {kind: record(kind)[0] for kind in kinds}
        damaged = {kind: whole[kind][:len(whole[kind]) // 2] if number % 2 else "{}" for number, kind in enumerate(kinds)}
        for kind in kinds:
            record(kind, damaged[kind])
        engine.start()
        return whole, damaged

    def failures():
        rows = json.loads(engine.escale("ls", "-a", "--format", "json").stdout)
        return {row["name"]: row.get("failure") for row in rows}

    def runs(kind):
        """Whether its process is there, and not only waits for somebody to ask how it ended."""
        try:
            return Path(f"/proc/{before[kind]['pid']}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    whole, damaged = damage()
    told = failures()
    for kind, project in bad.items():
        expect(f"the record of {kind} " in (told.get(project.name) or ""), f"{project.name} is shown as {told.get(project.name)!r}")
        expect(runs(kind), f"the container of {project.name} has ended")
        for words in (("up", "-d"), ("stop",), ("restart", "a")):
            done = project.escale(*words, check=False)
            expect(done.returncode == 1 and "can't be read" in done.stderr and f"escale -p {project.name} down" in done.stderr,
                   f"{words[0]} says {done.stderr}")
    expect(told.get("well", "") is None and states(well) == {"a": "running"}, f"the other project is {told.get('well', '')}")
    well.up("--force-recreate")
    beside = own.project("beside", compose)
    beside.up()
    places = [address for project in (well, beside) for address in project.ps()[0]["addresses"].values()]
    expect(not set(places) & {address for one in before.values() for address in one["addresses"].values()}, f"taken twice: {places}")
    beside.end()
    done = engine.escale("image", "prune", "-a", "-f", check=False)
    expect(done.returncode == 1 and "can't be read" in done.stderr, f"images that may be needed are pruned: {done.stderr}")
    engine.escale("system", "prune", "-f", check=False)
    for kind in kinds:
        expect(record(kind) == (damaged[kind],), f"the record of {kind} was changed")

    # Put right while the daemon runs.
    for kind in kinds:
        record(kind, whole[kind])
    wait_until("what was put right to be taken up", lambda: not any(failures().values()), 20)
    for kind, project in bad.items():
        now = project.ps()
        expect([one["id"] for one in now] == [before[kind]["id"]] and now[0]["state"] == "running", f"{project.name} has {now}")
        done = project.up()
        expect("Container" not in done.stderr, f"up of {project.name} does something: {done.stderr}")

    # Given up.
    _, damaged = damage()
    for kind, project in bad.items():
        engine.escale("-p", project.name, "down", "-t", "1")
        wait_until(f"the container of {project.name} to end", lambda kind=kind: not runs(kind), 5)
        expect(record(kind) is None, f"there is {record(kind)}")
        kept = list((engine.root / "state").glob(f"escale.db.unreadable/bad-{kind}-{kind}-*"))
        expect([one.read_text() for one in kept] == [damaged[kind]], f"kept of {kind} is {kept}")
    expect(set(failures()) == {"well"}, f"left is {failures()}")
    left = {one.name for one in (engine.root / "state/containers").iterdir()}
    expect(left == {one["id"] for one in well.ps()}, f"files of {left} are there")
    for project in bad.values():
        project.up()
        expect(states(project) == {"a": "running"}, f"made anew, {project.name} is {states(project)}")
        project.end()
    well.end()
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
