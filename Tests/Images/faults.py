#!/usr/bin/python3
"""What is left of the image store when the disk is full, fails, or the daemon is killed at any moment of its work.

usage: faults.py [--moments N] [--kinds kill,enospc,eio,time] [--works build,pull,push,push-from,load,import,prune]
                 [--seed S] [--at CALL [--forever]]

As root, with gcc, with the programs that ESCALE_BIN names or .build/release, and .build/images/busybox.tar. For each work
and kind, N times (5; 100 for the long run): from a copy of a prepared root, the daemon starts with a library that lets one
of its calls on the state directory fail (fault.c), or kills it there. Then it starts again without: `image fsck` has to
find nothing, the same work has to go well, and its image has to be the one that it is without a fault. A daemon has to
survive a disk that is full or fails. `time` kills it at a random time instead, wherever it is then.

push: the fault is in the daemon whose registry takes the image; push-from: in the one that sends it.

Exit code 1 if any failed, with the call's number: --seed and --at repeat it.
"""

import argparse
import gzip
import hashlib
import json
import random
import shutil
import struct
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path

from bed import BUSYBOX, Bed, Failure, expect, free_port, one_line, processes_of, unmount_below, wait_until
from tars import directory, docker_files, entry, files_tar, symlink, tar

HERE = Path(__file__).resolve().parent
BASE = "escale-test/busybox:1"
NAME = "escale-test/faults:1"
DOCKERFILE = f"""\
FROM {BASE} AS one
RUN mkdir /made && for number in 1 2 3 4 5 6 7 8 9 10; do echo $number >/made/$number; done
COPY files /files

FROM {BASE} AS two
COPY --from=one /made /made
RUN rm /made/1 && cat /made/* >/all && ln /all /linked

FROM {BASE}
WORKDIR /app
COPY --from=two /all /linked ./
COPY --from=one /files ./files
RUN ls -l /app >/app/list && test "$(wc -l </app/all)" = 9
ENV STAGES=3
CMD ["cat", "/app/list"]
"""


def image_archive():
    """An image of three layers, always the same: a root file system, many small files, some that compress badly."""
    small = tar(directory("small"), *[entry(f"small/{number}", b"%d\n" % number) for number in range(300)],
                symlink("small/link", "1"), directory("bin"), entry("bin/.wh.vi"))
    large = tar(directory("large"), *[entry(f"large/{number}", random.Random(number).randbytes(1 << 20))
                                      for number in range(4)])
    return files_tar(docker_files([BUSYBOX.read_bytes(), small, gzip.compress(large, 1, mtime=0)], tags=[NAME]))


class Work:
    """Something that changes the store. `other` is a second Escale, with the registry; it takes no part in most."""

    needs_other = False
    victim = "root"

    def __init__(self, bench):
        self.bench = bench

    def prepare(self, root, other):
        raise NotImplementedError

    def run(self, root, other):
        """The command of it, ended."""
        raise NotImplementedError

    def facts(self, root, other):
        """What has to be the same with a fault and without."""
        return {"id": root.inspect(self.bench.name)["Id"]}

    def use(self, root, other):
        """All of the image is there: it can be written out."""
        target = self.bench.bed.scratch / "use.tar"
        root.escale("image", "save", self.bench.name, "-o", target)
        expect(target.stat().st_size > 100_000, f"the saved image has only {target.stat().st_size} bytes")
        target.unlink()


class Import(Work):
    def prepare(self, root, other):
        pass

    def run(self, root, other):
        return root.escale("image", "import", BUSYBOX, NAME, check=False)

    def facts(self, root, other):
        # When it was made is in an imported image's configuration.
        return {"layers": root.inspect(NAME)["RootFS"]["Layers"]}


class Load(Work):
    def prepare(self, root, other):
        # What Escale itself saved.
        root.escale("image", "load", "-i", self.bench.archive)
        self.bench.saved.unlink(missing_ok=True)
        root.escale("image", "save", NAME, "-o", self.bench.saved)
        root.escale("image", "prune", "-a", "-f")

    def run(self, root, other):
        return root.escale("image", "load", "-i", self.bench.saved, check=False)


class Build(Work):
    def prepare(self, root, other):
        root.escale("image", "import", BUSYBOX, BASE)

    def run(self, root, other):
        return root.escale("build", "-t", NAME, self.bench.context, check=False, timeout=300)

    def facts(self, root, other):
        image = root.inspect(NAME)
        facts = {"layers": len(image["RootFS"]["Layers"]), "config": image["Config"]}
        if self.bench.same_builds:
            facts["id"] = image["Id"]
        return facts


class Pull(Work):
    needs_other = True

    def prepare(self, root, other):
        other.escale("image", "load", "-i", self.bench.archive)
        other.escale("tag", NAME, self.bench.remote)
        self.bench.serve(other)
        other.escale("push", self.bench.remote)

    def run(self, root, other):
        return root.escale("pull", self.bench.remote, check=False)

    def facts(self, root, other):
        return {"id": root.inspect(self.bench.remote)["Id"]}

    def use(self, root, other):
        root.escale("tag", self.bench.remote, NAME)
        super().use(root, other)


class Push(Work):
    needs_other = True
    victim = "other"

    def prepare(self, root, other):
        root.escale("image", "load", "-i", self.bench.archive)
        root.escale("tag", NAME, self.bench.remote)
        self.bench.serve(other)

    def run(self, root, other):
        return root.escale("push", self.bench.remote, check=False)

    def facts(self, root, other):
        """What the registry has, each blob with the right digest."""
        name, _, tag = self.bench.remote.partition("/")[2].rpartition(":")
        manifest = json.loads(self._get(f"{name}/manifests/{tag}"))
        for one in [manifest["config"], *manifest["layers"]]:
            digest = "sha256:" + hashlib.sha256(self._get(f"{name}/blobs/{one['digest']}")).hexdigest()
            expect(digest == one["digest"], f"the registry's blob {one['digest']} has the digest {digest}")
        return {"config": manifest["config"]["digest"], "layers": len(manifest["layers"]),
                "id": root.inspect(self.bench.remote)["Id"]}

    def _get(self, path):
        asked = urllib.request.Request(f"http://127.0.0.1:{self.bench.port}/v2/{path}", headers={"Accept": ", ".join((
            "application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json", "*/*"))})
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return answer.read()
        except OSError as error:
            raise Failure(f"the registry doesn't give {path}: {error}") from error


class PushFrom(Push):
    victim = "root"


class Prune(Work):
    def prepare(self, root, other):
        root.escale("image", "load", "-i", self.bench.archive)
        root.escale("image", "import", BUSYBOX, BASE)
        root.escale("tag", NAME, "escale-test/again:1")

    def run(self, root, other):
        return root.escale("image", "prune", "-a", "-f", check=False)

    def facts(self, root, other):
        return {"images": root.ids()}

    def use(self, root, other):
        """What was taken away can come again."""
        root.escale("image", "load", "-i", self.bench.archive)
        super().use(root, other)
        root.escale("image", "prune", "-a", "-f")
        expect(not root.ids(), "images are left after they were pruned")


WORKS = {"build": Build, "pull": Pull, "push": Push, "push-from": PushFrom, "load": Load, "import": Import, "prune": Prune}


class Bench:
    """The two roots, their templates, and what the works need."""

    def __init__(self, bed):
        self.bed = bed
        self.root, self.other = bed.engine("root"), bed.engine("other")
        self.name = NAME
        self.port = free_port()
        self.remote = f"127.0.0.1:{self.port}/team/faults:1"
        self.archive, self.saved = bed.scratch / "image.tar", bed.scratch / "saved.tar"
        self.context = bed.scratch / "context"
        self.shim, self.count = bed.scratch / "fault.so", bed.scratch / "count"
        self.same_builds = True
        self.archive.write_bytes(image_archive())
        (self.context / "files").mkdir(parents=True)
        for number in range(50):
            (self.context / f"files/{number}").write_text(f"{number}\n" * 1000, encoding="ascii")
        (self.context / "Dockerfile").write_text(DOCKERFILE, encoding="ascii")
        made = subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-o", self.shim, HERE / "fault.c", "-ldl"],
                              capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise SystemExit(f"error: fault.c can't be compiled\n{made.stderr}")

    def serve(self, engine):
        """It may serve already, if that outlives the daemon."""
        engine.escale("registry", "serve", "--listen", f"127.0.0.1:{self.port}", "--detach", check=False)

        def answers():
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v2/", timeout=5):
                    return True
            except OSError:
                return False
        wait_until("the registry to answer", answers)

    def engines(self, work):
        return [self.root, self.other] if work.needs_other else [self.root]

    def template(self, engine):
        return self.bed.scratch / f"{engine.root.name}.template"

    def clear(self):
        for engine in (self.root, self.other):
            engine.end_all()
            for process in processes_of(engine.root):  # containers of a build whose daemon is gone
                subprocess.run(["kill", "-KILL", str(process)], capture_output=True, check=False)
            unmount_below(engine.root)
            shutil.rmtree(engine.root, ignore_errors=True)

    def make_template(self, work):
        self.clear()
        for engine in self.engines(work):
            shutil.rmtree(self.template(engine), ignore_errors=True)
            engine.root.mkdir()
            engine.start()
        work.prepare(self.root, self.other)
        for engine in self.engines(work):
            expect(engine.stop(), f"escaled on {engine.root} did not end when it was told to")
            subprocess.run(["cp", "-a", engine.root, self.template(engine)], check=True)

    def restore(self, work):
        self.clear()
        for engine in self.engines(work):
            subprocess.run(["cp", "-a", self.template(engine), engine.root], check=True)

    def calls(self):
        """How many there were, the one that failed, its name and path."""
        data = self.count.read_bytes() if self.count.exists() else b""
        if len(data) < 16:
            return 0, 0, ""
        return *struct.unpack("QQ", data[:16]), data[16:].split(b"\0")[0].decode(errors="replace")

    def start(self, work, at=0, kind="", forever=False):
        """All daemons, one with the fault. Whether that one answers."""
        self.count.unlink(missing_ok=True)
        victim = getattr(self, work.victim)
        for engine in self.engines(work):
            if engine is not victim:
                engine.start()
        environment = {"LD_PRELOAD": str(self.shim), "ESCALE_FAULT_PREFIX": f"{victim.root}/state",
                       "ESCALE_FAULT_COUNT": str(self.count), "ESCALE_FAULT_AT": str(at), "ESCALE_FAULT": kind.upper(),
                       "ESCALE_FAULT_FOREVER": "1" if forever else "0"}
        return victim.start(environment, must=False)

    def prepare_registry(self, work):
        if work.needs_other:
            self.serve(self.other)


class Reference:
    """A work without a fault: how many calls it makes, how long it takes, what comes out."""

    def __init__(self, bench, work):
        bench.make_template(work)
        bench.restore(work)
        expect(bench.start(work), "escaled did not start with the library that counts")
        bench.prepare_registry(work)
        self.before = bench.calls()[0]
        began = time.monotonic()
        done = work.run(bench.root, bench.other)
        self.seconds = time.monotonic() - began
        expect(done.returncode == 0, f"without a fault it ended with {done.returncode}: {one_line(done.stderr, 800)}")
        self.total = bench.calls()[0]
        expect(self.total > self.before, "it makes no call that could fail; is the library in the daemon?")
        self.facts = work.facts(bench.root, bench.other)
        work.use(bench.root, bench.other)
        for engine in bench.engines(work):
            problem = engine.fsck()
            expect(not problem, f"without a fault: {problem}")


def trial(bench, work, reference, kind, at, forever, seconds):
    """One fault and what comes after. What it met: hit, past the end, or at the start; raises what is wrong."""
    bench.restore(work)
    victim = getattr(bench, work.victim)
    met, done = "hit", None
    if kind == "time":
        at = 0
    answers = bench.start(work, at, kind, forever)
    if not answers:
        expect(bench.calls()[1], f"escaled did not start: {victim.last_words()}")
        met = "at the start"
    else:
        try:
            bench.prepare_registry(work)
        except Failure:
            # A registry that can't be opened on a broken disk is no reason to stop here.
            expect(bench.calls()[1], "the registry did not answer, and nothing had failed")
        timer = threading.Timer(seconds, victim.daemon.kill) if kind == "time" else None
        if timer:
            timer.start()
        try:
            done = work.run(bench.root, bench.other)
        finally:
            if timer:
                timer.cancel()
                timer.join()
        expect(done.returncode in (0, 1), f"escale ended with {done.returncode}: {one_line(done.stderr)}")
        if done.returncode == 1:
            expect("error" in done.stderr, f"escale tells no error: {one_line(done.stderr)!r}")
        if kind in ("enospc", "eio"):
            expect(victim.lives, f"escaled died of a disk error: {victim.last_words()}")
            expect(victim.stop() or forever, "escaled did not end when it was told to, after a disk error")
        if kind == "time":
            met = "hit" if victim.daemon.poll() is not None else "past the end"
        elif not bench.calls()[1]:
            met = "past the end"
            expect(done.returncode == 0, f"nothing failed, but it ended with 1: {one_line(done.stderr, 600)}")
    victim.end_all()
    victim.start()
    bench.prepare_registry(work)
    for engine in bench.engines(work):
        problem = engine.fsck()
        expect(not problem, f"after the fault: {problem}")
    if done is not None and done.returncode == 0:
        # It was said to be done.
        found = work.facts(bench.root, bench.other)
        expect(found == reference.facts, f"it was said to be done, but there is {found} instead of {reference.facts}")
    again = work.run(bench.root, bench.other)
    expect(again.returncode == 0, f"it can't be done again: {one_line(again.stderr, 800)}")
    found = work.facts(bench.root, bench.other)
    expect(found == reference.facts, f"done again, there is {found} instead of {reference.facts}")
    work.use(bench.root, bench.other)
    for engine in bench.engines(work):
        problem = engine.fsck()
        expect(not problem, f"after it was done again: {problem}")
        expect(engine.lives, f"escaled died when it was done again: {engine.last_words()}")
    return met


def take_kind(bench, work, name, reference, kind, options):
    dice = random.Random(f"{options.seed}/{name}/{kind}")
    met, failures = Counter(), []
    for number in range(1 if options.at else options.moments):
        # One of ten at the daemon's start, while it looks at what is there.
        starts = dice.random() < 0.1 and reference.before > 1
        at = dice.randint(1, reference.before) if starts else dice.randint(reference.before + 1, reference.total)
        forever = dice.random() < 0.5 and kind in ("enospc", "eio")
        seconds = dice.uniform(0, reference.seconds * 1.1)
        if options.at:
            at, forever = options.at, options.forever
        try:
            met[trial(bench, work, reference, kind, at, forever, seconds)] += 1
        except (Failure, OSError, ValueError, KeyError) as failure:
            call = bench.calls()[2].replace(str(bench.bed.scratch), "")
            place = f"after {seconds:.3f} s" if kind == "time" else f"--at {at}{' --forever' if forever else ''} ({call})"
            failures.append(f"{name} {kind} --seed {options.seed} {place}: {type(failure).__name__} {failure}")
            print(f"    FAILED {failures[-1]}", flush=True)
    counts = ", ".join(f"{count} {word}" for word, count in sorted(met.items())) or "none went well"
    print(f"{name:10} {kind:7} {sum(met.values()) + len(failures):4} moments of {reference.total} calls: {counts}"
          f"{f', {len(failures)} FAILED' if failures else ''}", flush=True)
    return failures


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--moments", type=int, default=5)
    parser.add_argument("--kinds", default="kill,enospc,eio")
    parser.add_argument("--works", default="build,pull,push,push-from,load,prune")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 31))
    parser.add_argument("--at", type=int, default=0, help="this call instead of random ones")
    parser.add_argument("--forever", action="store_true", help="with --at: all later calls fail too")
    options = parser.parse_args()
    works, kinds = options.works.split(","), options.kinds.split(",")
    for words, known in ((works, WORKS), (kinds, ("kill", "enospc", "eio", "time"))):
        unknown = [word for word in words if word not in known]
        if unknown:
            parser.error(f"{', '.join(unknown)}: choose from {', '.join(known)}")
    if not BUSYBOX.exists():
        raise SystemExit(f"error: {BUSYBOX} is missing; scripts/busybox-image.sh makes it")
    print(f"seed {options.seed}", flush=True)
    failures = []
    with Bed("escale-faults.") as bed:
        bench = Bench(bed)
        for name in works:
            work = WORKS[name](bench)
            try:
                reference = Reference(bench, work)
                if name == "build":
                    # Whether two builds give the same image; where they don't, less can be asked for.
                    second = Reference(bench, work)
                    if second.facts != reference.facts:
                        bench.same_builds = False
                        reference.facts.pop("id")
                        second.facts.pop("id")
                    expect(second.facts == reference.facts, f"{second.facts} is not {reference.facts}")
            except (Failure, OSError, ValueError, KeyError) as failure:
                failures.append(f"{name} without a fault: {failure}")
                print(f"    FAILED {failures[-1]}", flush=True)
                continue
            for kind in kinds:
                failures += take_kind(bench, work, name, reference, kind, options)
        bench.clear()
    print(f"\n{len(failures)} failures; seed {options.seed}")
    for failure in failures:
        print(f"FAILED {failure}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
