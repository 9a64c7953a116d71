"""Builds that are more than one Dockerfile and what comes of it: the cache, two machines, shells, compose files."""

import contextlib
import functools
import itertools
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from bed import BINARIES, BUSYBOX, expect, free_port, one_line, wait_until
from build_bench import TAR, build, check_config, is_file, put_file, write_tree
from tars import diff_id, docker_files, files_tar

EPOCH = 1_700_000_000
B = "FROM base:1\n"
_numbers = itertools.count(1)


@dataclass
class Scenario:
    group: str
    name: str
    work: object
    #: nothing else may run on the shared daemon meanwhile
    alone: bool = False

    @property
    def title(self):
        return f"{self.group}/{self.name}"


SCENARIOS = []


def scenario(group, name, alone=False):
    def add(work):
        SCENARIOS.append(Scenario(group, name.replace(" ", "-"), work, alone))
        return work
    return add


def next_id():
    """A word that is no other's."""
    return f"s{next(_numbers)}"


class Project:
    """A context with a Dockerfile, built under a name of its own."""

    def __init__(self, bench, dockerfile, files=None, engine=None):
        self.bench = bench
        self.engine = engine or bench.engine
        self.id = next_id()
        self.name = f"s/{self.id}:1"
        self.context = bench.place() / "context"
        dockerfile = dockerfile.replace("@ID@", self.id)
        write_tree(self.context, {"Dockerfile": dockerfile, **(files or {})})

    def write(self, **files):
        write_tree(self.context, {name.replace("_", "."): text for name, text in files.items()})

    def dockerfile(self, text):
        (self.context / "Dockerfile").write_text(text.replace("@ID@", self.id), encoding="utf-8")

    def build(self, *words, **more):
        return build(self.engine, "-t", self.name, *words, self.context, **more)

    def good(self, *words, **more):
        return self.build(*words, **more).good

    def image(self):
        return self.bench.image(self.name, self.engine)

    @property
    def image_id(self):
        return self.engine.inspect(self.name)["Id"]


def second_engine(bench, name, base=True):
    engine = bench.bed.engine(name)
    engine.root.mkdir()
    engine.start()
    if base:
        bring_base(bench, engine)
    return engine


def bring_base(bench, engine):
    """The very image of the shared root: an imported one tells when it was imported."""
    saved = bench.place() / "base.tar"
    bench.engine.escale("image", "save", "base:1", "-o", saved)
    engine.escale("image", "load", "-i", saved)
    saved.unlink()


def work_areas(engine):
    """What lies about of builds: containers, and directories that steps work in."""
    left = [str(path) for path in (engine.root / "run/containers").glob("*")]
    for name in ("work", "tmp"):
        left += [str(path) for path in (engine.images / name).glob("*")]
    return left


# Git

@contextlib.contextmanager
def git_server(directory):
    """Serves files as the oldest way of fetching over HTTP needs them."""
    handler = functools.partial(QuietFiles, directory=directory)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class QuietFiles(SimpleHTTPRequestHandler):
    def log_message(self, *words):
        pass


@scenario("add", "a Git repository: a branch, a tag, a commit, a directory")
def git_repository(bench):
    place = bench.place()
    work, served = place / "work", place / "served"
    write_tree(work, {"readme": "first\n", "docs/a": "a\n"})
    served.mkdir()

    def git(*words):
        done = subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@localhost", "-c", "init.defaultBranch=main", *words], cwd=work,
            capture_output=True, text=True)
        expect(done.returncode == 0, f"git {' '.join(words)}: {done.stderr}")
        return done.stdout.strip()

    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "first")
    git("tag", "v1")
    first = git("rev-parse", "HEAD")
    write_tree(work, {"readme": "second\n"})
    git("commit", "-qam", "second")
    git("clone", "-q", "--bare", ".", str(served / "app.git"))
    subprocess.run(["git", "update-server-info"], cwd=served / "app.git", check=True)
    with git_server(served) as url:
        project = Project(
            bench, B + f"ADD {url}/app.git /head/\nADD {url}/app.git#v1 /tag/\nADD {url}/app.git#{first}:docs /docs/\n"
            f"ADD --keep-git-dir=true {url}/app.git#main /all/\nADD --checksum={first} {url}/app.git#v1 /checked/\n")
        project.good()
        image = project.image()
        image.check("/head/readme", "second\n")
        image.check("/head/.git", None)
        image.check("/tag/readme", "first\n")
        image.check("/docs/a", "a\n")
        image.check("/docs/readme", None)
        image.check("/checked/readme", "first\n")
        expect("/all/.git/HEAD" in image.files, "--keep-git-dir keeps no .git")
        for add, words in ((f"--checksum={'0' * 40} {url}/app.git", "commit"), (f"{url}/app.git#nothing", "git"),
                           (f"{url}/nothing.git", "git"), (f"{url}/app.git#v1:nowhere", "nowhere")):
            project.dockerfile(B + f"ADD {add} /x/\n")
            refused = project.build()
            expect(refused.code == 1 and words in refused.err, f"ADD {add} was not refused in words: {refused.said}")


# Solver

@scenario("solver", "only what the target needs is built")
def only_needed(bench):
    stages = ["FROM base:1 AS s1\nRUN echo 1 >/f\n", "FROM base:1 AS s2\nRUN exit 9\n", "FROM s1 AS s3\nRUN echo 3 >>/f\n"]
    stages += [f"FROM base:1 AS s{number}\nRUN exit 9\n" for number in range(4, 9)]
    stages += ["FROM base:1 AS s9\nRUN echo 9 >/g\n", "FROM s2 AS s10\nRUN exit 9\n",
               "FROM base:1 AS s11\nRUN --mount=from=s9,target=/m cat /m/g >/h\nCOPY --from=s3 /f /f\n",
               "FROM s10 AS s12\nRUN exit 9\n"]
    project = Project(bench, "".join(stages))
    done = project.good("--target", "s11")
    shown = set(re.findall(r"^#\d+ \[\S+/(s\d+) ", done.err, re.MULTILINE))
    expect(shown == {"s1", "s3", "s9", "s11"}, f"these stages were built: {sorted(shown)}")
    image = project.image()
    image.check("/f", "1\n3\n")
    image.check("/h", "9\n")


@scenario("solver", "stages run at once")
def overlap(bench):
    stage = "FROM base:1 AS {0}\nRUN cut -d' ' -f1 /proc/uptime >/t; sleep 1; cut -d' ' -f1 /proc/uptime >>/t; echo {0}@ID@ >/n\n"
    project = Project(bench, stage.format("a") + stage.format("b") + "FROM scratch\nCOPY --from=a /t /a\nCOPY --from=b /t /b\n")
    project.good()
    image = project.image()
    (a0, a1), (b0, b1) = ([float(part) for part in image.files[name].data.split()] for name in ("/a", "/b"))
    span = max(a1, b1) - min(a0, b0)
    expect(span < 1.8, f"two stages of one second took {span:.2f} s")


@scenario("solver", "cached after the daemon's restart")
def restart(bench):
    engine = second_engine(bench, "restart")
    project = Project(bench, B + "RUN echo 1 >/f\nCOPY a /\nWORKDIR /w\nADD @URL@/file.txt /\n".replace("@URL@", bench.url),
                      {"a": "1"}, engine)
    first = project.good()
    first.ran("RUN echo", "COPY a", "WORKDIR", "ADD")
    known = project.image_id
    engine.escale("system", "stop")
    expect(wait_until("the daemon to end", lambda: engine.daemon.poll() is not None), "")
    engine.start()
    project.good().cached("RUN echo", "COPY a", "WORKDIR", "ADD")
    expect(project.image_id == known, "the image is another after the restart")


@scenario("solver", "what of a file counts")
def touched(bench):
    project = Project(bench, B + "COPY d /d\nRUN cat /d/a >/f; echo @ID@\n", {"d/a": "1", "other": "1"})
    project.good()
    os.utime(project.context / "d/a")
    project.good().cached("COPY d", "RUN cat")
    (project.context / "other").write_text("2", encoding="ascii")
    (project.context / "new").write_text("2", encoding="ascii")
    project.good().cached("COPY d", "RUN cat")
    (project.context / "d/a").write_text("2", encoding="ascii")
    project.good().ran("COPY d", "RUN cat")
    project.image().check("/f", "2")
    (project.context / "d/a").chmod(0o755)
    project.good().ran("COPY d", "RUN cat")
    project.image().check("/d/a", is_file("2", mode=0o755))
    (project.context / "d/a").rename(project.context / "d/b")
    project.build().ran("COPY d")
    (project.context / "d/b").rename(project.context / "d/a")
    project.good().cached("COPY d", "RUN cat")
    (project.context / "d/e").mkdir()
    project.good().ran("COPY d")


@scenario("solver", "the same size and time but other content")
def same_stat(bench):
    project = Project(bench, "FROM scratch\nCOPY a /a\nLABEL l=@ID@\n", {"a": "one"})
    project.good()
    write_tree(project.context, {"a": "two"})
    project.good().ran("COPY a")
    project.image().check("/a", "two")


@scenario("solver", "--no-cache")
def no_cache(bench):
    project = Project(bench, B + "RUN echo @ID@ >/f\nCOPY a /\n", {"a": "1"})
    project.good()
    project.good().cached("RUN echo", "COPY a")
    project.good("--no-cache").ran("RUN echo", "COPY a")
    project.good().cached("RUN echo", "COPY a")


@scenario("solver", "--no-cache-filter")
def no_cache_filter(bench):
    project = Project(bench, "FROM base:1 AS One\nRUN echo 1@ID@ >/f\nFROM base:1 AS two\nRUN echo 2@ID@ >/f\nFROM base:1\n"
                             "COPY --from=one /f /1\nCOPY --from=two /f /2\n")
    project.good()
    done = project.good("--no-cache-filter", "two")
    done.cached("RUN echo 1")
    done.ran("RUN echo 2")
    done = project.good("--no-cache-filter", "One")
    done.cached("RUN echo 2")
    done.ran("RUN echo 1")
    # Docker takes several with commas too.
    project.good("--no-cache-filter", "one,two").ran("RUN echo 1", "RUN echo 2")


@scenario("solver", "a changed build argument")
def changed_argument(bench):
    project = Project(bench, B + "RUN echo before@ID@ >/b\nARG A=1\nRUN echo ${A}@ID@ >/a\nFROM base:1\nRUN echo other@ID@ >/o\n"
                                 "COPY --from=0 /a /b /\n")
    project.good()
    done = project.good("--build-arg", "A=2")
    done.cached("RUN echo before", "RUN echo other")
    done.ran("RUN echo ${A}")
    project.image().check("/a", f"2{project.id}\n")
    project.good("--build-arg", "A=1").cached("RUN echo before", "RUN echo ${A}", "RUN echo other")


@scenario("solver", "what doesn't count for RUN")
def metadata(bench):
    text = B + "LABEL l={0}\nEXPOSE {0}\nCMD [\"{0}\"]\nHEALTHCHECK CMD {0}\nSTOPSIGNAL {0}\nRUN echo @ID@ >/f\n"
    project = Project(bench, text.format(1))
    project.good()
    project.dockerfile(text.format(2))
    project.good().cached("RUN echo")
    check_config(bench.engine, project.name, {"Cmd": ["2"], "Labels": {"l": "2"}})


@scenario("solver", "what counts for RUN")
def environment_counts(bench):
    text = B + "ENV E={0}\nUSER {1}\nWORKDIR {2}\nRUN echo $E@ID@\n"
    project = Project(bench, text.format("1", "root", "/"))
    project.good()
    for values in (("2", "root", "/"), ("1", "0:1", "/"), ("1", "root", "/tmp")):
        project.dockerfile(text.format(*values))
        project.good().ran("RUN echo")
    project.dockerfile(text.format("1", "root", "/"))
    project.good().cached("RUN echo")


@scenario("solver", "two Dockerfiles with the same steps")
def shared_steps(bench):
    first = Project(bench, B + "RUN echo shared-steps >/f\nCOPY a /a\n", {"a": "shared-steps"})
    first.good()
    second = Project(bench, B + "RUN echo shared-steps >/f\nCOPY b /a\nRUN echo @ID@\n", {"b": "shared-steps"})
    second.good().cached("RUN echo shared")
    second.image().check("/a", "shared-steps")


@scenario("solver", "a step that failed is not cached")
def failed(bench):
    project = Project(bench, B + "RUN echo @ID@ >/f\nCOPY a /\nRUN test \"$(cat /a)\" = good\n", {"a": "bad"})
    for _ in range(2):
        done = project.build()
        expect(done.code == 1 and done.step("RUN test") == "ERROR", f"it ended with {done.code}: {done.steps}")
    done.cached("RUN echo", "COPY a")
    project.write(a="good")
    done = project.good()
    done.cached("RUN echo")
    done.ran("COPY a", "RUN test")


@scenario("solver", "a failure ends the other stages")
def fails_fast(bench):
    project = Project(bench, "FROM base:1 AS a\nRUN sleep 5; echo @ID@\nFROM base:1 AS b\nRUN exit 3\nFROM scratch\n"
                             "COPY --from=a / /\nCOPY --from=b / /\n")
    done = project.build()
    expect(done.code == 1 and "exit code 3" in done.err, f"it ended with {done.code}: {done.said}")
    expect(done.seconds < 4, f"it ended after {done.seconds:.1f} s only")


@scenario("solver", "the same build several times at once")
def at_once(bench):
    project = Project(bench, B + "RUN sleep 0.2; echo @ID@ >/f\nCOPY a /\n", {"a": "1"})
    words = [BINARIES / "escale", "build", "-q", "-t", project.name, project.context]
    running = [subprocess.Popen(words, env={**os.environ, "ESCALE_ROOT": str(bench.engine.root)}, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    ends = [(*one.communicate(timeout=60), one.returncode) for one in running]
    for out, err, code in ends:
        expect(code == 0 and out.startswith("sha256:"), f"one ended with {code}: {one_line(err)}")
    project.good().cached("RUN sleep", "COPY a")


@scenario("solver", "-q prints the id and nothing else")
def quiet(bench):
    project = Project(bench, B + "RUN echo noise-@ID@\n")
    done = project.good("-q")
    expect(done.out.strip() == project.image_id, f"it prints {done.out!r}, and the image is {project.image_id}")
    expect(not done.err.strip(), f"it says {done.said}")


@scenario("solver", "a directory and no name")
def without_name(bench):
    project = Project(bench, B + "RUN echo @ID@ >/f\n")
    done = build(bench.engine, "-q", project.context).good
    bench.image(done.out.strip()).check("/f", f"{project.id}\n")
    done = build(bench.engine, "-q", ".", cwd=project.context).good
    expect(done.out.strip().startswith("sha256:"), f"it prints {done.out!r}")


@scenario("solver", "--pull of what no registry has")
def pull(bench):
    bench.engine.escale("tag", "base:1", "localhost:1/base:7")
    project = Project(bench, "FROM localhost:1/base:7\nCOPY a /\n", {"a": "1"})
    project.good()
    done = project.build("--pull")
    expect(done.code == 1 and re.search(r"Dockerfile:1:\d+: error", done.err), f"it ended with {done.code}: {done.said}")


@scenario("solver", "who stops a build leaves nothing", alone=True)
def interrupted(bench):
    project = Project(bench, B + "RUN echo begun-@ID@; sleep 300\n")
    client = subprocess.Popen([BINARIES / "escale", "--progress", "plain", "build", "-t", project.name, project.context],
                              env={**os.environ, "ESCALE_ROOT": str(bench.engine.root)}, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              # A script's background job ignores Ctrl-C, and so would the client.
                              preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    try:
        text, deadline = b"", time.monotonic() + 20
        while not re.search(rb"#\d+ [0-9.]+ begun-", text):
            expect(time.monotonic() < deadline and select.select([client.stderr], [], [], 20)[0], f"it does not begin: {text!r}")
            piece = os.read(client.stderr.fileno(), 65536)
            expect(piece, f"it ended: {text!r}")
            text += piece
        client.send_signal(signal.SIGINT)
        client.communicate(timeout=20)
        expect(client.returncode not in (0, 1), f"it ended with {client.returncode}")
    finally:
        if client.poll() is None:
            client.kill()
            client.communicate()
    wait_until("the container to be gone", lambda: not work_areas(bench.engine), 15)
    expect(not bench.engine.escale("image", "inspect", project.name, check=False).returncode == 0, "the image is there")


@scenario("solver", "caches that are locked, shared and private")
def cache_sharing(bench):
    stage = ("FROM base:1 AS {0}\nRUN --mount=type=cache,id=@ID@{1},target=/c,sharing={1} cut -d' ' -f1 /proc/uptime >/t; "
             "touch /c/{0}; sleep 0.5; ls /c >/n; cut -d' ' -f1 /proc/uptime >>/t\n")
    for sharing in ("locked", "shared", "private"):
        project = Project(bench, stage.format("a", sharing) + stage.format("b", sharing)
                          + "FROM scratch\nCOPY --from=a /t /a\nCOPY --from=b /t /b\nCOPY --from=a /n /na\nCOPY --from=b /n /nb\n")
        project.good()
        image = project.image()
        (a0, a1), (b0, b1) = ([float(part) for part in image.files[name].data.split()] for name in ("/a", "/b"))
        together = a0 < b1 and b0 < a1
        seen = sorted(image.files[name].data.decode().split() for name in ("/na", "/nb"))
        if sharing == "locked":
            expect(not together, f"two had the locked cache at once: {a0}-{a1}, {b0}-{b1}")
            expect(max(map(len, seen)) == 2, f"the second doesn't see the first's files: {seen}")
        elif sharing == "shared":
            expect(together and seen == [["a", "b"], ["a", "b"]], f"they don't share it: {seen}, {a0}-{a1}, {b0}-{b1}")
        else:
            expect(together and seen == [["a"], ["b"]], f"it is not their own: {seen}, {a0}-{a1}, {b0}-{b1}")


@scenario("solver", "layers of COPY --link are the same upon another base")
def link_layers(bench):
    text = "FROM base:1\nRUN echo {0} >/r\nCOPY --link a /x/\n"
    one = Project(bench, text.format("1@ID@"), {"a": "linked"})
    two = Project(bench, text.format("2@ID@"), {"a": "linked"})
    one.good()
    two.good().cached("COPY --link")
    layers = [bench.engine.inspect(project.name)["RootFS"]["Layers"] for project in (one, two)]
    expect(layers[0][-1] == layers[1][-1] and layers[0][1] != layers[1][1], f"the layers are {layers}")


# Reproducibility

def bring_old(bench, engine):
    """A base that was made long before the epoch, the same everywhere."""
    layer = BUSYBOX.read_bytes()
    made = "2020-01-01T00:00:00Z"
    config = {"architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine), "os": "linux", "created": made,
              "config": {"Cmd": ["/bin/sh"]}, "rootfs": {"type": "layers", "diff_ids": [diff_id(layer)]},
              "history": [{"created": made, "created_by": "made"}]}
    archive = bench.place() / "old.tar"
    archive.write_bytes(files_tar(docker_files([layer], config, ["old:1"])))
    engine.escale("image", "load", "-i", archive)
    archive.unlink()


REPRODUCIBLE = """\
FROM old:1 AS make
ARG A=1
COPY d /d
RUN echo $A >/f && mkdir -p /x/y && ln /f /x/g && ln -s f /x/l && cat /d/* >/x/all && chmod 4755 /f
WORKDIR /made/here
FROM old:1
COPY --from=make /x /x
COPY --chmod=600 d/b /b
ADD a.tar /t
COPY <<E /heredoc
text
E
RUN mkdir /new && touch /new/file && rm /b
LABEL a=b
CMD ["x"]
"""


def reproduced(bench, name, mtime, words=(), env=None, engine=None):
    engine = engine or second_engine(bench, f"repro-{name}", base=False)
    bring_old(bench, engine)
    place = bench.place() / f"deep-{name}" / "context"
    write_tree(place, {"Dockerfile": put_file(REPRODUCIBLE, mtime=mtime), "d/a": put_file("A", mtime=mtime),
                       "d/b": put_file("B", mtime=mtime + 5), "a.tar": put_file(TAR, mtime=mtime)})
    expect(build(engine, "-t", "repro:1", *words, place, env=env).good, name)
    return bench.image("repro:1", engine), engine.inspect("repro:1")


@scenario("repro", "two roots, paths and times of files give one image")
def two_roots(bench):
    epoch = {"SOURCE_DATE_EPOCH": str(EPOCH)}
    first, one = reproduced(bench, "one", EPOCH + 1000, env=epoch)
    time.sleep(1.1)
    second, two = reproduced(bench, "two", int(time.time()) - 50, env=epoch)
    differ = [f"{path}: {first.files.get(path)} / {second.files.get(path)}" for path in sorted({*first.files, *second.files})
              if first.files.get(path) != second.files.get(path)]
    expect(one["Id"] == two["Id"], f"the ids differ; {' '.join(differ[:3])[:700]}")
    expect(first.raw == second.raw, "the saved archives differ")
    for text in (socket.gethostname(), time.strftime("%Y-%m-%d", time.gmtime()), "repro-one"):
        expect(len(text) < 4 or text.encode() not in first.raw, f"\"{text}\" is in the archive")


def check_times(image, base_history):
    wanted = "2023-11-14T22:13:20"
    expect(image.config["created"].startswith(wanted), f"created is {image.config['created']}")
    times = [one.get("created", "") for one in image.config["history"][base_history:]]
    expect(times and all(one.startswith(wanted) for one in times), f"the history's times are {times}")
    late = [path for path, node in image.files.items() if node.mtime > EPOCH]
    expect(not late, f"these are younger than the epoch: {late[:5]}")


@scenario("repro", "the epoch is the image's time and its history's")
def epoch_times(bench):
    bring_old(bench, bench.engine)
    project = Project(bench, "FROM old:1\nRUN echo @ID@ >/f\nCOPY a /\nLABEL a=b\n", {"a": put_file("1", mtime=EPOCH + 5000)})
    project.good("--build-arg", f"SOURCE_DATE_EPOCH={EPOCH}")
    check_times(project.image(), 1)
    first = project.image_id
    project.good(env={"SOURCE_DATE_EPOCH": str(EPOCH)})
    expect(project.image_id == first, "the epoch from the surroundings gives another image than as a build argument")
    project.good(env={"SOURCE_DATE_EPOCH": str(EPOCH + 1)})
    expect(project.image_id != first, "another epoch gives the same image")


@scenario("repro", "an epoch that is no time is refused")
def epoch_wrong(bench):
    project = Project(bench, "FROM scratch\nLABEL l=@ID@\n")
    for wrong in ("yesterday", "-1", "1.5"):
        refused = project.build("--build-arg", f"SOURCE_DATE_EPOCH={wrong}")
        expect(refused.code == 1 and wrong in refused.err and "seconds since 1970" in refused.err, refused.said)


@scenario("mount", "a tmpfs that is read-only")
def tmpfs_readonly(bench):
    project = Project(bench, B + "RUN --mount=type=tmpfs,target=/t,readonly ! touch /t/f # @ID@\n")
    expect(project.good(), "a read-only tmpfs was written to")


@scenario("repro", "the epoch counts also upon a younger base")
def epoch_younger(bench):
    project = Project(bench, B + "RUN echo @ID@ >/f\nLABEL a=b\n")
    project.good(env={"SOURCE_DATE_EPOCH": str(EPOCH)})
    image = project.image()
    check_times(image, len(bench.image("base:1").config.get("history", [])))


@scenario("repro", "the epoch with scratch")
def epoch_scratch(bench):
    project = Project(bench, "FROM scratch\nCOPY d /d\nWORKDIR /w\nLABEL l=@ID@\n", {"d/a": put_file("1", mtime=EPOCH + 5000)})
    project.good(env={"SOURCE_DATE_EPOCH": str(EPOCH)})
    check_times(project.image(), 0)


@scenario("repro", "--no-cache with an epoch gives the same image")
def no_cache_same(bench):
    engine = second_engine(bench, "repro-again", base=False)
    epoch = {"SOURCE_DATE_EPOCH": str(EPOCH)}
    first, one = reproduced(bench, "again", EPOCH + 1000, env=epoch, engine=engine)
    second, two = reproduced(bench, "again2", EPOCH + 50_000, words=("--no-cache",), env=epoch, engine=engine)
    expect(one["Id"] == two["Id"] and first.raw == second.raw, "the images differ")


@scenario("repro", "without an epoch the cache gives the same image")
def cached_same(bench):
    project = Project(bench, B + "RUN echo @ID@ >/f\nCMD x\n")
    project.good()
    first = project.image_id
    time.sleep(0.01)
    project.good()
    expect(project.image_id == first, "the image is another")


@scenario("repro", "no host name in an image")
def no_host_name(bench):
    project = Project(bench, B + "RUN echo @ID@ >/f; hostname >/h\nCOPY a /\n", {"a": "1"})
    project.good()
    host = socket.gethostname()
    expect(len(host) < 4 or host.encode() not in project.image().raw, f"the host's name {host} is in the image")


# The cache elsewhere

CACHED = "FROM base:1 AS one\nRUN echo one@ID@ >/f\nFROM base:1\nCOPY --from=one /f /f\nCOPY a /\nRUN echo two@ID@ >>/f\nCMD x\n"


def elsewhere(bench, name, export, take_in, before=None):
    """Builds here with one option, and on another root with another: the project, what the second said, the image's id here."""
    project = Project(bench, CACHED, {"a": name})
    project.good(*export).ran("RUN echo one", "RUN echo two")
    here = project.image_id
    if before:
        before(project)
    project.engine = second_engine(bench, f"cache-{name}")
    return project, project.good(*take_in), here


@contextlib.contextmanager
def registry(bench, name):
    engine = second_engine(bench, name, base=False)
    port = free_port()
    engine.escale("registry", "serve", "--listen", f"127.0.0.1:{port}", "-d")

    def answers():
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=5):
            return True
        return False
    wait_until("the registry to answer", answers)
    yield f"127.0.0.1:{port}"


@scenario("cache", "type=local")
def cache_local(bench):
    directory = bench.place() / "cache"
    project, done, here = elsewhere(bench, "local", ("--cache-to", f"type=local,dest={directory}"),
                                    ("--cache-from", f"type=local,src={directory}"))
    done.cached("RUN echo one", "COPY --from=one", "COPY a", "RUN echo two")
    expect(project.image_id == here, f"the image is {project.image_id} there and {here} here")
    project.image().check("/f", f"one{project.id}\ntwo{project.id}\n")
    problem = project.engine.fsck()
    expect(not problem, problem)


@scenario("cache", "type=local, relative to where one is")
def cache_local_relative(bench):
    directory = bench.place()
    project = Project(bench, CACHED, {"a": "rel"})
    name = f"escale-test-cache-{project.id}"
    try:
        project.good("--cache-to", f"type=local,dest={name},mode=max", cwd=directory)
        expect((directory / name).is_dir(), f"dest={name} made no {directory}/{name}")
    finally:
        shutil.rmtree(f"/{name}", ignore_errors=True)  # where a daemon would put it that takes it as it is


@scenario("cache", "in a registry")
def cache_registry(bench):
    with registry(bench, "cache-registry") as host:
        project, done, here = elsewhere(bench, "remote", ("--cache-to", f"type=registry,ref={host}/team/cache:1,mode=max"),
                                        ("--cache-from", f"{host}/team/cache:1"))
        done.cached("RUN echo one", "COPY --from=one", "COPY a", "RUN echo two")
        expect(project.image_id == here, f"the image is {project.image_id} there and {here} here")
        project.dockerfile(CACHED.replace("CMD x", "RUN echo more"))
        done = project.good("--cache-from", f"type=registry,ref={host}/team/cache:1")
        done.cached("RUN echo two")
        done.ran("RUN echo more")


@scenario("cache", "inline")
def cache_inline(bench):
    with registry(bench, "inline-registry") as host:
        def push(project):
            bench.engine.escale("tag", project.name, f"{host}/app:1")
            bench.engine.escale("push", f"{host}/app:1")
        for name, to in (("inline", ("--cache-to", "type=inline")), ("inline-arg", ("--build-arg", "BUILDKIT_INLINE_CACHE=1"))):
            _, done, _ = elsewhere(bench, name, to, ("--cache-from", f"{host}/app:1"), push)
            done.cached("COPY --from=one", "COPY a", "RUN echo two")


@scenario("cache", "one that isn't there is no error")
def cache_missing(bench):
    project = Project(bench, CACHED, {"a": "none"})
    project.good("--cache-from", "127.0.0.1:1/no/cache:1", "--cache-from", f"type=local,src={bench.place()}/none").ran("RUN echo one")


@scenario("cache", "a kind that there isn't")
def cache_unknown(bench):
    done = Project(bench, CACHED, {"a": "kind"}).build("--cache-to", "type=s3,bucket=x")
    expect(done.code == 1 and "s3" in done.err, f"it ended with {done.code}: {done.said}")


@scenario("cache", "no secrets in it, nor in the state")
def cache_secrets(bench):
    directory = bench.place() / "cache"
    project = Project(bench, B + "RUN --mount=type=secret,id=k,env=K --mount=type=secret,id=f test -n \"$K\"; echo @ID@ >/f\n")
    (project.context.parent / "file").write_text("s3cret-in-a-file", encoding="ascii")
    project.good("--secret", "id=k,env=K", "--secret", f"id=f,src={project.context.parent}/file",
                 "--cache-to", f"type=local,dest={directory}", env={"K": "s3cret-in-a-variable"})
    found = subprocess.run(["grep", "-rlF", "s3cret-in-a-", directory, bench.engine.root], capture_output=True, text=True, check=False)
    expect(not found.stdout, f"the secret is in {found.stdout}")


# --debug-shell

@scenario("debug", "a shell in what a failed step left", alone=True)
def debug_shell(bench):
    project = Project(bench, B + "ENV E=env-@ID@\nWORKDIR /w\nRUN echo left-@ID@ >left; exit 7\n")
    before = set(work_areas(bench.engine))
    done = project.build("--debug-shell", stdin="cat left; pwd; echo $E; echo more >new\nexit 0\n")
    expect(done.code == 1, f"it ended with {done.code}: {done.said}")
    expect("exit code 7" in done.err, f"the error is not told: {done.said}")
    for text in (f"left-{project.id}\n", "/w\n", f"env-{project.id}\n"):
        expect(text in done.out, f"the shell doesn't say {text!r} but {done.out!r}; {done.said}")
    wait_until("all of it to be gone", lambda: set(work_areas(bench.engine)) <= before, 10)
    expect(bench.engine.escale("image", "inspect", project.name, check=False).returncode != 0, "there is an image")
    problem = bench.engine.fsck()
    expect(not problem, problem)
    again = project.build()
    expect(again.code == 1 and again.step("RUN echo left") == "ERROR", "the failed step is cached")


@scenario("debug", "none where nothing fails", alone=True)
def debug_fine(bench):
    project = Project(bench, B + "RUN echo @ID@\n")
    before = set(work_areas(bench.engine))
    done = project.good("--debug-shell", stdin="echo never\n")
    expect("never" not in done.out, "a shell was opened")
    expect(set(work_areas(bench.engine)) <= before, "something is left")


@scenario("debug", "a failure without it leaves nothing", alone=True)
def debug_without(bench):
    project = Project(bench, B + "RUN --mount=type=cache,target=/c --mount=type=bind,target=/b --mount=type=tmpfs,target=/t exit 1\n")
    before = set(work_areas(bench.engine))
    expect(project.build().code == 1, "it did not fail")
    wait_until("all of it to be gone", lambda: set(work_areas(bench.engine)) <= before, 10)


@scenario("debug", "as the step's user, with its network", alone=True)
def debug_user(bench):
    done = Project(bench, B + "USER www-data\nRUN --network=none exit 1\n").build("--debug-shell", stdin="id -u; ip -o link | wc -l\n")
    expect(done.out.split() == ["33", "1"], f"the shell says {done.out!r}; {done.said}")
