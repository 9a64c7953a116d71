#!/usr/bin/env python3
"""How long builds, loads and pulls take with Escale, Docker's classic builder and Buildah, in one run on the same inputs.

usage: images.py [--runs N] [--only escale|docker|buildah|build|load|pull]... [--json FILE]

A multi-stage Dockerfile (a layer of its own for what seldom changes, 500 files of source, a RUN that puts them together,
a last stage that copies the result) is built again with nothing changed, and with one line changed. An image of 500 MB,
5 layers of files that are random to the half, is loaded from the archive that `docker save` wrote, and pulled from
Debian's docker-registry, where Docker pushed it (layers with gzip), each time into an empty store. Also what memory
escaled had at most (VmHWM). --only takes engines and measures, several if given several times.

Needs root, ESCALE_BIN (or .build/release), .build/images/busybox.tar (scripts/busybox-image.sh), docker.io,
docker-registry, buildah, runc. Nothing is left behind: Escale's root is a scratch one, dockerd lives in namespaces of its
own as in replicas.py, and the registry is started in the namespace of whoever pulls.
"""

import argparse
import contextlib
import http.client
import json
import os
import platform
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from replicas import BUSYBOX, ROOT, Docker as DockerDaemon, run, seconds

BASE = "localhost/escale-bench/base:1"
APPLICATION = "localhost/escale-bench/application:1"
LARGE = "localhost/escale-bench/large:1"
LAYERS, LAYER_SIZE, FILE_SIZE = 5, 100_000_000, 1_000_000
SOURCES = 500
ENGINES, KINDS = ("escale", "docker", "buildah"), ("build", "load", "pull")
MEASURES = {
    "unchanged": "build again, nothing changed", "changed": "build again, one line changed",
    "load": "load 500 MB", "pull": "pull 500 MB"}
# Of another engine's median, what Escale may take; megabytes for its memory.
LIMITS = [("unchanged", "docker", 1.0), ("unchanged", "buildah", 0.25), ("changed", "docker", 0.5), ("load", "docker", 0.7),
          ("pull", "docker", 0.7)]
MEMORY_LIMIT = 100

DOCKERFILE = f"""\
FROM {BASE} AS build
WORKDIR /work
COPY dependencies ./
RUN for number in $(seq 50); do sha256sum dependencies; done > dependencies.lock
COPY src/ src/
RUN find src -type f | sort | xargs cat > program && sha256sum program > program.sum

FROM {BASE}
LABEL org.example.title="the benchmark's application"
ENV MODE=production
COPY --from=build /work/program /work/program.sum /work/dependencies.lock /app/
WORKDIR /app
CMD ["cat", "program.sum"]
"""


class Source:
    """A directory to build in, one line of which can be changed."""

    def __init__(self, directory):
        self.directory = directory
        generator = random.Random(1)
        for number in range(SOURCES):
            file = directory / f"src/part-{number % 20:02}/file-{number:03}.c"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("".join(f"int value_{generator.randrange(10**9)} = {line};\n" for line in range(200)), "ascii")
        (directory / "dependencies").write_text("".join(f"package-{number}\n" for number in range(1000)), "ascii")
        (directory / "Dockerfile").write_text(DOCKERFILE, "utf-8")
        self._turn = 0

    def change(self):
        self._turn += 1
        file = self.directory / "src/part-07/file-247.c"
        lines = file.read_text("ascii").splitlines()
        lines[100] = f"int changed = {self._turn}; /* {time.time_ns()} */"
        file.write_text("\n".join(lines) + "\n", "ascii")


class Large:
    """The image of 500 MB: Docker builds it, saves it to a file and pushes it to a registry's store."""

    def __init__(self, scratch):
        self._scratch = scratch
        self.archive = scratch / "large.tar"
        self._store = scratch / "registry"
        self.port = free_port()
        self.name = f"127.0.0.1:{self.port}/escale-bench/large:1"
        self.identity = None

    def make(self, docker, wants_pull):
        context = self._scratch / "large"
        for layer in range(LAYERS):
            (context / f"layer-{layer}").mkdir(parents=True)
            for number in range(LAYER_SIZE // FILE_SIZE):
                # What compresses to nothing and what does not, in turns as in a program with its data.
                data = b"".join(os.urandom(4096) + b"%04096d" % number for _ in range(FILE_SIZE // 8192))
                (context / f"layer-{layer}/file-{number:03}").write_bytes(data)
        (context / "Dockerfile").write_text("FROM scratch\n" + "".join(
            f"COPY layer-{layer} /layer-{layer}\n" for layer in range(LAYERS)) + 'CMD ["/none"]\n', "ascii")
        docker.command("build", "--quiet", "--tag", LARGE, context)
        docker.command("save", "--output", self.archive, LARGE)
        self.identity = docker.command("image", "inspect", "--format", "{{.Id}}", LARGE).strip()
        if wants_pull:
            with self.served(docker.namespace):
                docker.command("tag", LARGE, self.name)
                docker.command("push", "--quiet", self.name)
        shutil.rmtree(context)

    @contextlib.contextmanager
    def served(self, namespace=()):
        """Debian's docker-registry with it."""
        settings = self._scratch / "registry.yml"
        settings.write_text(json.dumps({
            "version": "0.1", "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": str(self._store)}},
            "http": {"addr": f"127.0.0.1:{self.port}", "secret": "benchmark"}}), "utf-8")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
        with open(self._scratch / "registry.log", "wb") as log:
            process = subprocess.Popen([*namespace, "docker-registry", "serve", str(settings)], env=environment,
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 20
            while not self._answers(namespace):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("error: docker-registry did not start\n"
                                     + (self._scratch / "registry.log").read_text("utf-8", "replace")[-1000:])
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait()

    def _answers(self, namespace):
        if namespace:
            look = f"import socket; socket.create_connection(('127.0.0.1', {self.port}), 1)"
            command = [*namespace, sys.executable, "-c", look]
            return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
            connection.request("GET", "/v2/")
            return connection.getresponse().status == 200
        return False


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def peak_memory(process):
    """The most that it had of memory so far, in megabytes."""
    for line in Path(f"/proc/{process}/status").read_text("ascii", "replace").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


class Escale:
    name = "escale"
    namespace = ()
    kinds = KINDS

    def __init__(self, scratch):
        self._program = Path(os.environ.get("ESCALE_BIN", ROOT / ".build/release")).resolve() / "escale"
        self._root = scratch / "escale-root"
        self._environment = {**os.environ, "ESCALE_ROOT": str(self._root)}

    def command(self, *words):
        return run([self._program, *words], env=self._environment)

    def __enter__(self):
        if not self._program.exists():
            raise SystemExit(f"error: {self._program} is not built\n  hint: make run, or set ESCALE_BIN")
        return self

    def __exit__(self, *_):
        self.command("system", "reset", "--yes")

    def prepare_builds(self):
        self.command("image", "import", BUSYBOX, BASE)

    def build(self, source):
        self.command("build", "-t", APPLICATION, source)

    def identity(self, name):
        return json.loads(self.command("image", "inspect", name))[0]["Id"]

    def empty(self):
        """A new store, and a daemon that has done nothing yet."""
        self.command("system", "reset", "--yes")
        self.command("image", "ls")

    def load(self, file):
        self.command("image", "load", "-i", file)

    def pull(self, name):
        self.command("pull", name)

    def memory(self):
        mark = str(self._root).encode()
        peaks = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if int(entry.name) and os.path.basename(words[0]) == b"escaled" and mark in words:
                    peaks.append(peak_memory(entry.name))
        if not peaks:
            raise SystemExit("error: escaled does not run, so its memory cannot be read")
        return max(peaks)

    def version(self):
        return self.command("version").splitlines()[0]


class Docker(DockerDaemon):
    name = "docker"
    cgroup = "escale-bench-images"
    kinds = KINDS

    def __init__(self, scratch):
        super().__init__(scratch, scratch)
        self._environment["DOCKER_CONFIG"] = str(scratch / "docker-config")
        self._environment["DOCKER_BUILDKIT"] = "0"

    def command(self, *words):
        return self._docker(*words)

    def __enter__(self):
        if shutil.which(self._client) is None or shutil.which("dockerd") is None:
            raise SystemExit("error: dockerd is not installed\n  hint: scripts/setup.sh bench")
        self._start_daemon()
        return self

    def __exit__(self, *_):
        self._stop_daemon()
        for group in list(Path("/sys/fs/cgroup").glob(f"**/{self.cgroup}")):  # some are below this process's own
            for directory, _, _ in os.walk(group, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(directory)

    @property
    def namespace(self):
        """What runs a command where its loopback interface is."""
        return ("nsenter", f"--net=/proc/{self._daemon.pid}/ns/net")

    def prepare_builds(self):
        self.command("import", BUSYBOX, BASE)

    def build(self, source):
        self.command("build", "--tag", APPLICATION, source)

    def identity(self, name):
        return self.command("image", "inspect", "--format", "{{.Id}}", name).strip()

    def empty(self):
        self.command("system", "prune", "--all", "--force")
        if self.command("image", "ls", "--all", "--quiet").strip():
            raise SystemExit("error: Docker's store is not empty after `system prune`")

    def load(self, file):
        self.command("load", "--quiet", "--input", file)

    def pull(self, name):
        self.command("pull", "--quiet", name)

    def memory(self):
        return peak_memory(self._daemon.pid)

    def version(self):
        return f"Docker {self.command('version', '--format', '{{.Server.Version}}').strip()}, classic builder"


class Buildah:
    name = "buildah"
    kinds = ("build",)

    def __init__(self, scratch):
        self._place = scratch / "buildah"

    def command(self, *words):
        return run(["buildah", "--root", self._place / "root", "--runroot", self._place / "run", "--storage-driver", "overlay",
                    *words], env={**os.environ, "TMPDIR": str(self._place)})

    def __enter__(self):
        if shutil.which("buildah") is None:
            raise SystemExit("error: buildah is not installed\n  hint: scripts/setup.sh bench")
        self._place.mkdir()
        return self

    def __exit__(self, *_):
        # The store mounts itself over itself.
        for mount in (self._place / "root/overlay", self._place / "run/overlay"):
            subprocess.run(["umount", "--lazy", mount], stderr=subprocess.DEVNULL, check=False)

    def prepare_builds(self):
        context = self._place / "base"
        context.mkdir()
        shutil.copy(BUSYBOX, context / "base.tar")
        (context / "Dockerfile").write_text("FROM scratch\nADD base.tar /\n", "ascii")
        self.command("bud", "--quiet", "--tag", BASE, context)

    def build(self, source):
        # runc, as Docker has it, since crun does not take every arrangement of cgroups; the host's network, which costs
        # nothing; layers are not kept without being told.
        self.command("bud", "--layers", "--runtime", "runc", "--network", "host", "--tag", APPLICATION, source)

    def identity(self, name):
        return self.command("images", "--quiet", "--no-trunc", name).strip()

    def version(self):
        return " ".join(run(["buildah", "--version"]).split()[:3]) + ", runc"


def measure(engine, kinds, source, large, runs):
    """Times of each measure, and the peak memory in megabytes."""
    times, memory = {}, {}

    def note(measure, action, number):
        os.sync()  # what is still to be written of what was before costs nobody
        times.setdefault(measure, []).append(seconds(action))
        print(f"  {engine.name}, {MEASURES[measure]}, run {number} of {runs}: {times[measure][-1]:.2f} s", flush=True)
        if hasattr(engine, "memory"):
            memory[measure] = max(memory.get(measure, 0), engine.memory())

    if "build" in kinds and "build" in engine.kinds:
        engine.prepare_builds()
        engine.build(source.directory)
        last = engine.identity(APPLICATION)
        for number in range(1, runs + 1):
            note("unchanged", lambda: engine.build(source.directory), number)
            if engine.identity(APPLICATION) != last:
                raise SystemExit(f"error: {engine.name} built another image although nothing changed")
        for number in range(1, runs + 1):
            source.change()
            note("changed", lambda: engine.build(source.directory), number)
            former, last = last, engine.identity(APPLICATION)
            if last == former:
                raise SystemExit(f"error: {engine.name} built the same image although a line changed")
    for kind, action, name in (("load", lambda: engine.load(large.archive), LARGE),
                               ("pull", lambda: engine.pull(large.name), large.name)):
        if kind not in kinds or kind not in engine.kinds:
            continue
        with large.served(engine.namespace) if kind == "pull" else contextlib.nullcontext():
            for number in range(1, runs + 1):
                engine.empty()
                note(kind, action, number)
                if (found := engine.identity(name)) != large.identity:
                    raise SystemExit(f"error: after the {kind} {engine.name} has the image {found}, not {large.identity}")
    return {"version": engine.version(), "times": times, "memory": memory}


def table(results, runs):
    lines = [f"medians of {runs} runs (fastest – slowest)", "",
             f"{'':30}" + "".join(f"{name:>24}" for name in results)]
    medians = {name: {key: statistics.median(values) for key, values in result["times"].items()}
               for name, result in results.items()}
    for key, text in MEASURES.items():
        cells = []
        for result in results.values():
            values = result["times"].get(key)
            cells.append(f"{statistics.median(values):.2f} s ({min(values):.2f} – {max(values):.2f})" if values else "–")
        if any(cell != "–" for cell in cells):
            lines.append(f"{text:30}" + "".join(f"{cell:>24}" for cell in cells))
    cells = [f"{max(result['memory'].values()):.0f} MB" if result["memory"] else "–" for result in results.values()]
    lines += [f"{'the daemon had at most':30}" + "".join(f"{cell:>24}" for cell in cells), ""]
    for key, other, limit in LIMITS:
        if key in medians.get("escale", {}) and key in medians.get(other, {}):
            ratio = medians["escale"][key] / medians[other][key]
            lines.append(f"{MEASURES[key]:30} {ratio:6.2f} of {other}'s time, limit {limit}: {verdict(ratio <= limit)}")
    peaks = results.get("escale", {}).get("memory")
    if peaks:
        peak = max(peaks.values())
        each = ", ".join(f"{key} {value:.0f}" for key, value in peaks.items())
        lines.append(f"{'escaled had at most':30} {peak:6.0f} MB ({each}), "
                     f"limit {MEMORY_LIMIT}: {verdict(peak <= MEMORY_LIMIT)}")
    return "\n".join(lines)


def verdict(holds):
    return "within" if holds else "OVER"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", action="append", choices=[*ENGINES, *KINDS], help="an engine or a measure (repeatable)")
    parser.add_argument("--json", type=Path, help="also write every time measured to this file")
    options = parser.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("error: containers need root")
    if not BUSYBOX.exists():
        raise SystemExit(f"error: {BUSYBOX} is not there\n  hint: scripts/busybox-image.sh")
    if options.runs < 1:
        raise SystemExit("error: --runs is at least 1")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    only = options.only or []
    engines = [name for name in ENGINES if name in only] or list(ENGINES)
    kinds = [name for name in KINDS if name in only] or list(KINDS)
    wants_large = {"load", "pull"} & set(kinds) and {"escale", "docker"} & set(engines)
    if "pull" in kinds and wants_large and shutil.which("docker-registry") is None:
        raise SystemExit("error: docker-registry is not installed\n  hint: scripts/setup.sh bench")

    results = {}
    # Not in /tmp, which may be memory: layers belong on the disk that users have them on.
    with tempfile.TemporaryDirectory(prefix="escale-bench.", dir="/var/tmp") as directory:
        scratch = Path(directory)
        (scratch / "source").mkdir()
        source, large = Source(scratch / "source"), Large(scratch)
        if "docker" in engines or wants_large:
            with Docker(scratch) as engine:
                if wants_large:
                    print("docker makes the image of 500 MB", flush=True)
                    large.make(engine, "pull" in kinds)
                if "docker" in engines:
                    results[engine.name] = measure(engine, kinds, source, large, options.runs)
        if "buildah" in engines and "build" in kinds:
            with Buildah(scratch) as engine:
                results[engine.name] = measure(engine, kinds, source, large, options.runs)
        if "escale" in engines:
            with Escale(scratch) as engine:
                results[engine.name] = measure(engine, kinds, source, large, options.runs)

    results = {name: results[name] for name in ENGINES if name in results}
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}"
    print(f"\n{machine}; " + ", ".join(result["version"] for result in results.values()) + ": " + table(results, options.runs))
    if options.json:
        options.json.write_text(json.dumps({"machine": machine, "runs": options.runs, "results": results}, indent=2) + "\n",
                                encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
