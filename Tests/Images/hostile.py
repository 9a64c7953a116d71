#!/usr/bin/python3
"""Archives and registries that were made to do harm: nothing of them may get out of the image that they are for.

usage: hostile.py [--only TEXT] [--list] [--selftest]

As root, with the programs that ESCALE_BIN names or .build/release. Each case of hostile_archives.py and
hostile_manifests.py goes into one Escale by `image import`, `image load` or `pull`. It has to be refused, with the reason
told, or to be taken with nothing outside of the layer changed. After each: the canary tree beside the root and what the
host has are as before, the daemon lives, `image fsck` finds nothing, no image appeared, nothing of it was left behind, and
the daemon's memory stayed below 200 MB. Good archives go first, so that nothing is refused for a wrong reason.

One line a case; exit code 1 if any failed. --selftest only makes all of them and looks at what was made.
"""

import argparse
import hashlib
import os
import re
import shutil
import stat
import sys
import tarfile
import time
from collections import Counter
from pathlib import Path

import hostile_archives
import hostile_manifests
from bed import Bed, Failure, expect, one_line
from hostile_archives import CONTAINED, EITHER, REFUSED, Case
from registry import Registry, Site
from tars import GOOD_LAYER, IMAGE, Oci, docker_files, files_tar, write_files_tar, zipped

MEMORY = 200 << 20
LEFT = 64 << 20  # what a refused case may leave in the store, in bytes: parts of a download that can go on
MARK = "esc-"  # how all names begin that must not be found outside
HOST_FILES = ("/", "/etc", "/etc/passwd", "/etc/shadow", "/etc/group", "/etc/hosts", "/usr/local", "/usr/local/bin", "/bin/sh",
              "/dev/null", "/root")
HOST_LISTS = ("/", "/etc", "/usr/local", "/usr/local/bin", "/root", "/bin", "/dev")
MARK_LISTS = ("/tmp", "/var/tmp", "/var", "/home", "/proc/self/cwd")


class Skip(Exception):
    pass


def look_at(path):
    """All about one file that an archive could change."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    content = None
    if stat.S_ISREG(status.st_mode) and status.st_size < 1 << 20:
        content = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    elif stat.S_ISLNK(status.st_mode):
        content = os.readlink(path)
    marks = {name: os.getxattr(path, name, follow_symlinks=False) for name in os.listxattr(path, follow_symlinks=False)}
    return (oct(status.st_mode), status.st_uid, status.st_gid, status.st_ino, status.st_nlink, status.st_rdev,
            None if stat.S_ISDIR(status.st_mode) else status.st_size, status.st_mtime_ns, content, repr(marks))


class Store:
    """What is in the daemon's directory, as far as a case has to look at it."""

    def __init__(self, engine):
        self._root = engine.root

    def find(self, name):
        return [path for path in self._walk() if path.name == name]

    def marked(self):
        return [path for path in self._walk() if path.name.startswith(MARK)]

    def _walk(self):
        for where, directories, files in os.walk(self._root / "state"):
            for name in directories + files:
                yield Path(where) / name

    def parents(self, path):
        """From the root down to the file, both with them; what is above belongs to this test."""
        return [parent for parent in reversed(path.parents) if parent == self._root or self._root in parent.parents] + [path]

    def bytes(self):
        total = 0
        for where, _, files in os.walk(self._root / "state"):
            for name in files:
                try:
                    total += os.lstat(os.path.join(where, name)).st_blocks * 512
                except OSError:
                    pass
        return total


class World:
    """Where the cases happen: the canary tree, the root beside it, the registry."""

    def __init__(self, scratch, engine, registry):
        self.scratch, self.engine, self.registry = scratch, engine, registry
        self.canary = scratch / "canary"
        self.before, self.site = [], "r0"
        self._work, self._cache = scratch / "work", scratch / "made"
        self._cache.mkdir()
        (self.canary / "dir").mkdir(parents=True)
        for name, data, mode in (("secret", b"the host's secret\n", 0o600), ("dir/kept", b"kept\n", 0o644),
                                 ("layer.tar", GOOD_LAYER, 0o600)):
            (self.canary / name).write_bytes(data)
            (self.canary / name).chmod(mode)
        good = dict(docker_files())
        for name, data in good.items():
            if name.endswith(".json"):
                (self.canary / ("manifest.json" if name == "manifest.json" else "config.json")).write_bytes(data)
        self.neighbour = Path(f"/tmp/escale-neighbour.{os.getpid()}")
        self.neighbour.write_text("a file of somebody else\n", encoding="utf-8")

    def close(self):
        self.neighbour.unlink(missing_ok=True)

    # For the cases

    def file(self):
        self._work.mkdir(exist_ok=True)
        path = self._work / f"part{len(list(self._work.iterdir()))}"
        path.touch()
        return path

    def cached(self, name):
        return self._cache / name

    def skip(self, reason):
        raise Skip(reason)

    def clear(self):
        shutil.rmtree(self._work, ignore_errors=True)

    # What must stay as it is

    def snapshot(self):
        seen = {}
        for where, directories, files in os.walk(self.canary):
            for name in ["", *directories, *files]:
                path = os.path.join(where, name).rstrip("/")
                seen[path] = look_at(path)
        for path in (*HOST_FILES, str(self.neighbour), str(self.scratch)):
            about = look_at(path)
            # Others on the host may add and remove files; owner and permissions are nobody's to change.
            seen[path] = about and (about[:4] if path in HOST_LISTS or path == str(self.scratch) else about)
        for path in HOST_LISTS:
            seen[f"names in {path}"] = sorted(os.listdir(path))
        for path in (*MARK_LISTS, str(self.scratch), str(self.engine.root), *map(str, self.scratch.parents)):
            if os.path.isdir(path):
                seen[f"marks in {path}"] = sorted(name for name in os.listdir(path) if name.startswith(MARK))
        return seen


def changed(before, after):
    for key in sorted(set(before) | set(after)):
        old, new = before.get(key), after.get(key)
        if old != new:
            if isinstance(old, list) and isinstance(new, list):
                return f"{key}: came {sorted(set(new) - set(old))}, went {sorted(set(old) - set(new))}"
            return f"{key} was {old}, is {new}"
    return None


# From a case to a command

def as_layer(world, case, made):
    """The archive of an image with what was made as its layer."""
    target = world.file()
    if isinstance(made, Path):
        if case.way == "layer-docker":
            files = docker_files([made], names=["0/layer.tar"])
        else:
            # The blob's digest is right, so that only what is in it can be wrong.
            hasher = hashlib.sha256()
            with made.open("rb") as file:
                while piece := file.read(1 << 20):
                    hasher.update(piece)
            digest = "sha256:" + hasher.hexdigest()
            layer = {"mediaType": hostile_manifests.LAYER_TYPE + "+gzip", "digest": digest, "size": made.stat().st_size}
            oci = Oci(layers=[], image_config=hostile_manifests.config([hostile_manifests.sha256(b"unknown")]),
                      change=lambda manifest: manifest.update(layers=[layer]))
            files = oci.files() + [("blobs/" + digest.replace(":", "/"), made)]
    else:
        files = docker_files([made]) if case.way == "layer-docker" else Oci(made).files()
    with target.open("wb") as file:
        write_files_tar(file, files)
    return target


def command(world, case, number):
    """The words for `escale`, and the registry's site where there is one."""
    world.site = f"r{number}"
    made = case.make(world)
    if case.way == "pull":
        world.registry.sites[world.site] = made
        return ["pull", f"{world.registry.host}/{world.site}{made.reference}"], made
    if case.way.startswith("layer-"):
        made = as_layer(world, case, made)
    if isinstance(made, bytes):
        data, made = made, world.file()
        made.write_bytes(data)
    # A neutral name: the reason has to be told by Escale's words, not by the file's.
    archive = world.file().with_name("a.tar")
    made.rename(archive) if made.parent == archive.parent else os.link(made, archive)
    return (["image", "import", archive, IMAGE] if case.way == "import" else ["image", "load", "-i", archive]), None


def reason_of(stderr):
    """Without the hints, which may speak of anything."""
    lines = [line for line in stderr.splitlines() if not line.lstrip().startswith("hint")]
    start = next((number for number, line in enumerate(lines) if line.startswith("error")), 0)
    return "\n".join(lines[start:])


def tidy(world):
    """Removes what a case brought; everything is as before then."""
    for image in world.engine.ids():
        if image not in world.before:
            world.engine.escale("image", "rm", "-f", image, check=False)
    world.engine.escale("image", "prune", "-a", "-f", check=False, timeout=300)


class Run:
    def __init__(self, world):
        self.world = world
        self.results, self.failures, self.peak = Counter(), [], 0

    def take(self, case, number):
        world, engine = self.world, self.world.engine
        try:
            words, site = command(world, case, number)
        except Skip as skip:
            self._say("skipped", case, 0, str(skip))
            return
        if not engine.lives:
            engine.start()
        world.before = engine.ids()
        store = Store(engine)
        room = store.bytes()
        before = world.snapshot()
        engine.forget_peak()
        began = time.monotonic()
        wrong = []
        done = None
        try:
            done = engine.escale(*words, check=False, timeout=case.seconds)
        except Failure as failure:
            wrong.append(str(failure))
        seconds = time.monotonic() - began
        peak = engine.peak()
        self.peak = max(self.peak, peak)
        difference = changed(before, world.snapshot())
        if difference:
            wrong.insert(0, f"OUTSIDE CHANGED: {difference}")
        if not engine.lives:
            wrong.append(f"escaled died: {engine.last_words()}")
        if peak > MEMORY:
            wrong.append(f"escaled took {peak >> 20} MB of memory")
        reason = ""
        try:
            if done is not None:
                reason = reason_of(done.stderr)
                wrong += self._judge(case, done, reason, store, room)
                if site is not None and site.check and (problem := site.check(world, site)):
                    wrong.append(problem)
            if done is None:
                # It may be at it still.
                engine.end_all()
                engine.start()
            if engine.lives and done is not None and done.returncode == 0 and (problem := engine.fsck()):
                wrong.append(f"with what was taken, {problem}")
            if engine.lives:
                tidy(world)
                if problem := engine.fsck():
                    wrong.append(problem)
                    engine.escale("image", "fsck", "--repair", check=False, timeout=300)
            if peak > MEMORY:
                # What the next cases take is to be theirs.
                engine.stop()
                engine.start()
        except (Failure, OSError) as failure:
            wrong.append(str(failure))
        verdict = "FAILED" if wrong or done is None else "refused" if done.returncode else "contained"
        self._say(verdict, case, seconds, "; ".join(wrong) or one_line(reason, 110), peak)
        if wrong:
            self.failures.append(f"{case.name}: " + "\n    ".join(wrong))
            if not engine.lives:
                engine.start()
                tidy(world)
        world.clear()

    def _judge(self, case, done, reason, store, room):
        world, wrong = self.world, []
        was_refused = done.returncode != 0
        if was_refused and (done.returncode != 1 or not re.match(r"error(\[[\w.-]+\])?: ", reason)):
            wrong.append(f"it ended with {done.returncode}, not as errors do: {one_line(done.stderr)!r}")
        if case.outcome == REFUSED and not was_refused:
            wrong.append(f"it was taken: {one_line(done.stdout)!r}")
        if case.outcome == CONTAINED and was_refused:
            wrong.append(f"it was refused: {one_line(reason)!r}")
        if was_refused and case.outcome != CONTAINED and not re.search(case.reason, reason, re.IGNORECASE):
            wrong.append(f"the reason isn't told: {one_line(reason)!r} has nothing of /{case.reason}/")
        if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", done.stderr.replace("\r\n", "\n")):
            wrong.append(f"the error has control characters: {one_line(done.stderr)!r}")
        if len(done.stderr) > 20_000:
            wrong.append(f"the error has {len(done.stderr)} characters")
        if not self.world.engine.lives:
            return wrong
        if was_refused:
            new = [image for image in world.engine.ids() if image not in world.before]
            if new and not case.may_appear:
                wrong.append(f"it was refused, but an image appeared: {new}")
            if not new and (left := store.marked()):
                wrong.append(f"it was refused, but left {left[0]}")
            if not new and (more := store.bytes() - room) > LEFT:
                wrong.append(f"it was refused, but left {more >> 20} MB")
        elif case.inside and (problem := case.inside(world, store)):
            wrong.append(problem)
        return wrong

    def _say(self, verdict, case, seconds, text, peak=0):
        self.results[verdict] += 1
        print(f"{verdict:9} {case.name:52} {seconds:6.1f} s {peak >> 20:4} MB  {one_line(text, 200)}", flush=True)


def good_index():
    oci = Oci()
    top = hostile_manifests.descriptor(hostile_manifests.INDEX_TYPE, oci.put(hostile_manifests.json.dumps({
        "schemaVersion": 2, "mediaType": hostile_manifests.INDEX_TYPE, "manifests": [
            {**oci.manifest, "platform": {"os": "linux", "architecture": architecture}}
            for architecture in ("amd64", "arm64")]}).encode()))
    return Site(oci, manifest=lambda request, site, reference: hostile_manifests.give_manifest(
        request, site, reference if reference.startswith("sha256:") else top["digest"]))


def good_cases():
    """What has to be taken. Else nothing that was refused says anything."""
    archive = files_tar(docker_files())
    return [Case(name, way, make, CONTAINED, ".", hostile_archives.has("esc-good")) for name, way, make in (
        ("good-import", "import", lambda world: GOOD_LAYER),
        ("good-import-gzip", "import", lambda world: zipped(GOOD_LAYER)),
        ("good-docker-archive", "docker", lambda world: archive),
        ("good-docker-archive-gzip", "docker", lambda world: zipped(archive)),
        ("good-docker-layer", "layer-docker", lambda world: GOOD_LAYER),
        ("good-oci-archive", "oci", lambda world: files_tar(Oci().files())),
        ("good-oci-layer-gzip", "layer-oci", lambda world: zipped(GOOD_LAYER)),
        ("good-pull", "pull", lambda world: Site()),
        ("good-pull-gzip", "pull", lambda world: Site(Oci(zipped(GOOD_LAYER)))),
        ("good-pull-with-token", "pull", lambda world: hostile_manifests.with_token(
            world, hostile_manifests.give_blob, hostile_manifests.no_secret)),
        ("good-pull-of-an-index", "pull", lambda world: good_index()),
    )]


def every_case():
    return good_cases() + hostile_archives.CASES + hostile_manifests.CASES


def selftest(cases, world):
    """Makes everything without an Escale; the good ones have to be good for Python too."""
    began = time.monotonic()
    names = Counter(case.name for case in cases)
    expect(max(names.values()) == 1, f"names twice: {[name for name, count in names.items() if count > 1]}")
    slow = []
    for number, case in enumerate(cases):
        re.compile(case.reason)
        expect(case.outcome in (REFUSED, CONTAINED, EITHER), f"{case.name} has no outcome")
        start = time.monotonic()
        try:
            words, site = command(world, case, number)
        except Skip as skip:
            print(f"skipped {case.name}: {skip}")
            continue
        if time.monotonic() - start > 1:
            slow.append(f"{case.name} {time.monotonic() - start:.1f} s")
        if site is None:
            archive = next(word for word in words if isinstance(word, Path))
            expect(archive.stat().st_size < 300 << 20, f"{case.name} has {archive.stat().st_size} bytes")
            if case.name.startswith("good-"):
                with tarfile.open(archive) as content:
                    expect(content.getnames(), f"{case.name} is empty")
        world.clear()
    print(f"{len(cases)} cases made in {time.monotonic() - began:.1f} s; slow ones: {', '.join(slow) or 'none'}")


# One of each kind, for --quick.
QUICK_BOMBS = ("bomb-zstd", "bomb-gzip-of-gzip")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="cases whose name has this text")
    parser.add_argument("--quick", action="store_true", help="without those that take longer than seconds")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--selftest", action="store_true")
    options = parser.parse_args()
    cases = every_case()
    if options.only:
        exact = [case for case in cases if options.only == case.name]
        cases = exact or [case for case in cases if options.only in case.name]
        if not cases:
            raise SystemExit(f"error: no case's name has \"{options.only}\"")
    if options.quick:
        cases = [case for case in cases if not case.name.startswith(("bomb-", "many-")) or case.name in QUICK_BOMBS]
    if options.list:
        for case in cases:
            print(f"{case.name:52} {case.way:13} {case.outcome:9} /{case.reason}/")
        return 0
    began = time.monotonic()
    with Bed("escale-corpus.") as bed:
        engine = bed.engine("root")
        registry = Registry()
        world = World(bed.scratch, engine, registry)
        try:
            if options.selftest:
                selftest(cases, world)
                return 0
            engine.root.mkdir()
            engine.start()
            run = Run(world)
            for number, case in enumerate(cases):
                run.take(case, number)
        finally:
            world.close()
            registry.close()
    counts = ", ".join(f"{count} {name}" for name, count in sorted(run.results.items()))
    print(f"\n{len(cases)} cases in {time.monotonic() - began:.0f} s: {counts}; "
          f"escaled took at most {run.peak >> 20} MB of memory")
    for failure in run.failures:
        print(f"FAILED {failure}")
    return 1 if run.failures else 0


if __name__ == "__main__":
    sys.exit(main())
