"""Builds that a compose file describes: each attribute of `build:`."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess

from bed import expect, one_line, wait_until
from build_bench import check_config, escale, is_like, write_tree
from build_scenarios import B, Project, next_id, scenario, second_engine


class Compose:
    def __init__(self, bench, text, files=None):
        self.bench = bench
        self.engine = bench.engine
        self.id = next_id()
        self.place = bench.place()
        self.name = f"{self.id}/web:1"
        write_tree(self.place, {"compose.yaml": self.words(text), **{name: self.words(held) for name, held in (files or {}).items()}})

    def words(self, text):
        return text.replace("@ID@", self.id).replace("@URL@", self.bench.url)

    def build(self, *words, **more):
        return escale(self.engine, "-f", self.place / "compose.yaml", "-p", self.id, "build", *words, **more)

    def good(self, *words, **more):
        return self.build(*words, **more).good

    def image(self, name=None):
        return self.bench.image(name or self.name, self.engine)


def service(text, inline=None, rest=""):
    """A compose file of one service; the text is what is below `build:`, the rest what follows."""
    lines = ["services:", "  web:", "    image: @ID@/web:1", "    build:"]
    lines += ["      " + line for line in text.splitlines()]
    if inline is not None:
        lines += ["      dockerfile_inline: |"] + ["        " + line for line in inline.splitlines()]
    return "\n".join(lines) + "\n" + rest


def compose(name, text, files=None, holds=None, config=None, words=(), env=None, error=None):
    def work(bench):
        project = Compose(bench, text, files)
        done = project.build(*words, env=env)
        if error is not None:
            expect(done.code == 1, f"it ended with {done.code}: {done.said}")
            expect(re.search(error, done.err), f"no {error!r} in {done.said}")
            return
        expect(done.code == 0, f"it ended with {done.code}: {one_line(done.err[-1200:], 1200)}")
        if holds:
            image = project.image()
            for path, wanted in holds.items():
                image.check(project.words(path), wanted)
        check_config(project.engine, project.name, json.loads(project.words(json.dumps(config or {}))))
    scenario("compose", name)(work)


APP = {"app/Dockerfile": "FROM scratch\nCOPY a /\n", "app/a": "1"}
S = "FROM scratch\n"
compose("a context and its Dockerfile", service("context: app"), APP, {"/a": "1"})
compose("a context alone", "services:\n  web:\n    image: @ID@/web:1\n    build: ./app\n", APP, {"/a": "1"})
compose("dockerfile", service("context: app\ndockerfile: sub/My.df"), {"app/sub/My.df": S + "COPY a /b\n", "app/a": "1"}, {"/b": "1"})
compose("dockerfile above the context", service("context: app\ndockerfile: ../My.df"), {"My.df": S + "COPY a /b\n", "app/a": "1"}, {"/b": "1"})
compose("dockerfile_inline", service("context: .", S + "COPY a /b\n"), {"a": "1"}, {"/b": "1"})
compose("args", service("context: .\nargs:\n  A: one\n  C:\n  N: 5", S + "ARG A\nARG B=b\nARG C=c\nARG N\nENV X=$$A-$$B-$$C-$$N\n"),
        config={"Env+": {"X": "one-b-seen-5"}}, env={"C": "seen"})
compose("args as a list, and --build-arg over them", service("context: .\nargs:\n  - A=one\n  - B=two", S + "ARG A\nARG B\nENV X=$$A-$$B\n"),
        config={"Env+": {"X": "one-cli"}}, words=("--build-arg", "B=cli"))
compose("args with the file's variables", service("context: .\nargs:\n  A: ${V:-none}$$x", S + "ARG A\nENV X=$$A\n"),
        config={"Env+": {"X": "val$x"}}, env={"V": "val"})
compose("target", service("context: .\ntarget: one", "FROM scratch AS one\nCOPY a /1\nFROM scratch\nCOPY a /2\n"), {"a": "1"}, {"/1": "1", "/2": None})
compose("labels", service("context: .\nlabels:\n  a: b\n  c: 'x y'", S + "LABEL a=0 z=1\n"), config={"Labels": {"a": "b", "c": "x y", "z": "1"}})
compose("labels as a list", service("context: .\nlabels:\n  - a=b=c\n  - d", S), config={"Labels": {"a": "b=c", "d": ""}})
compose("pull of what no registry has", service("context: .\npull: true", "FROM localhost:1/base:8\nCOPY a /\n"), {"a": "1"}, error="localhost:1/base:8")
compose("additional_contexts, a directory", service("context: .\nadditional_contexts:\n  more: ./extra", S + "COPY --from=more f /x\n"),
        {"extra/f": "1"}, {"/x": "1"})
compose("additional_contexts as a list, an image", service("context: .\nadditional_contexts:\n  - b=docker-image://base:1", "FROM b\nCOPY a /\n"),
        {"a": "1"}, {"/a": "1", "/etc/passwd": is_like("root")})
compose("additional_contexts, another service",
        service("context: .\nadditional_contexts:\n  dep: service:lib", "FROM dep\nCOPY --from=dep /lib-@ID@ /copied\n",
                "  lib:\n    image: @ID@/lib:1\n    build:\n      context: .\n      dockerfile_inline: |\n        FROM base:1\n        COPY a /lib-@ID@\n"),
        {"a": "1"}, {"/copied": "1", "/etc/passwd": is_like("root")})
compose("additional_contexts, a service whose image has no name",
        service("context: .\nadditional_contexts:\n  dep: service:lib", S + "COPY --from=dep /l /copied\n",
                "  lib:\n    build:\n      context: .\n      dockerfile_inline: |\n        FROM scratch\n        COPY a /l\n"),
        {"a": "1"}, {"/copied": "1"})
compose("additional_contexts, building the one service alone",
        service("context: .\nadditional_contexts:\n  dep: service:lib", S + "COPY --from=dep /l /copied\n",
                "  lib:\n    image: @ID@/lib:1\n    build:\n      context: .\n      dockerfile_inline: |\n        FROM scratch\n        COPY a /l\n"),
        {"a": "1"}, {"/copied": "1"}, words=("web",))
compose("additional_contexts in a circle",
        service("context: .\nadditional_contexts:\n  dep: service:lib", "FROM dep\n",
                "  lib:\n    image: @ID@/lib:1\n    build:\n      context: .\n      additional_contexts:\n        dep: service:web\n"
                "      dockerfile_inline: |\n        FROM dep\n"), error="circle|cycle")
compose("secrets of files", service("context: .\nsecrets:\n  - tok", B + "RUN --mount=type=secret,id=tok wc -c </run/secrets/tok >/f # @ID@\n",
                                    "secrets:\n  tok:\n    file: ./tok.txt\n"), {"tok.txt": "12345"}, {"/f": "5\n"})
compose("secrets of the surroundings",
        service("context: .\nsecrets:\n  - source: tok\n    target: other", B + "RUN --mount=type=secret,id=other,env=T echo $${#T} >/f # @ID@\n",
                "secrets:\n  tok:\n    environment: MY_TOKEN\n"), holds={"/f": "7\n"}, env={"MY_TOKEN": "1234567"})
compose("shm_size", service("context: .\nshm_size: 16mb", B + "RUN df -k /dev/shm | tail -1 | awk '{print $$2}' >/f # @ID@\n"), holds={"/f": "16384\n"})
compose("ulimits", service("context: .\nulimits:\n  nofile:\n    soft: 123\n    hard: 456\n  nproc: 789",
                           B + "RUN awk '/open files/ { print $$4, $$5 } /processes/ { print $$3, $$4 }' /proc/self/limits | sort >/f # @ID@\n"),
        holds={"/f": "123 456\n789 789\n"})
compose("extra_hosts", service("context: .\nextra_hosts:\n  - fancy=10.9.8.7\n  - \"other:10.9.8.6\"",
                               B + "RUN grep -o '10.9.8.*' /etc/hosts | tr '\\t' ' ' | sort >/f # @ID@\n"),
        holds={"/f": is_like(r"^10.9.8.6 +other\n10.9.8.7 +fancy\n$"), "/etc/hosts": None})
compose("network none", service("context: .\nnetwork: none", B + "RUN ip -o link | wc -l >/f # @ID@\n"), holds={"/f": "1\n"})
compose("network host", service("context: .\nnetwork: host", B + "RUN wget -qO /f @URL@/file.txt # @ID@\n"), holds={"/f": "fetched\n"})
compose("a network that can't be", service("context: .\nnetwork: front", B + "RUN true\n"), error="front")
OWN = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, "")
compose("platforms, the host's among them", service("context: .\nplatforms:\n  - linux/s390x\n  - linux/amd64\n  - linux/arm64", B + "RUN echo 1 >/f # @ID@\n"),
        holds={"/f": "1\n"}, config={"/Architecture": OWN})
compose("platforms, another is refused at RUN", service("context: .\nplatforms:\n  - linux/s390x", S + "COPY a /\nRUN [\"/a\"]\n"), {"a": "1"},
        error=r"Dockerfile:3:\d+: error[\s\S]*s390x")
compose("platforms, another without RUN", service("context: .\nplatforms:\n  - linux/s390x", S + "COPY a /\n"), {"a": "1"}, {"/a": "1"},
        config={"/Architecture": "s390x"})
compose("an error's place", service("context: app"), {"app/Dockerfile": S + "COPY nope /\n", "app/a": "1"}, error=r"Dockerfile:2:\d+: error[\s\S]*nope")
compose("privileged is not passed over", service("context: .\nprivileged: true", B + "RUN true\n"), error="privileged")


@scenario("compose", "tags")
def compose_tags(bench):
    project = Compose(bench, service("context: .\ntags:\n  - @ID@/more:2\n  - localhost:5/@ID@:3".replace("- @", "- '@").replace(":2", ":2'", 1),
                                     S + "COPY a /\n"), {"a": "1"})
    project.good()
    ids = {project.engine.inspect(name)["Id"] for name in (project.name, f"{project.id}/more:2", f"localhost:5/{project.id}:3")}
    expect(len(ids) == 1, f"the tags are of {ids}")


@scenario("compose", "no_cache")
def compose_no_cache(bench):
    project = Compose(bench, service("context: .\nno_cache: true", B + "RUN echo @ID@ >/f\n"))
    project.good()
    project.good().ran("RUN echo")


@scenario("compose", "no_cache_filter")
def compose_no_cache_filter(bench):
    project = Compose(bench, service("context: .\nno_cache_filter:\n  - two",
                                     "FROM base:1 AS one\nRUN echo 1@ID@ >/f\nFROM base:1 AS two\nRUN echo 2@ID@ >/f\n"
                                     "FROM scratch\nCOPY --from=one /f /1\nCOPY --from=two /f /2\n"))
    project.good()
    done = project.good()
    done.cached("RUN echo 1")
    done.ran("RUN echo 2")


@scenario("compose", "several services, one alone")
def compose_services(bench):
    text = service("context: .", S + "COPY a /\n", "  two:\n    image: @ID@/two:1\n    build:\n      context: .\n"
                   "      dockerfile_inline: |\n        FROM scratch\n        COPY b /\n  plain:\n    image: base:1\n")
    project = Compose(bench, text, {"a": "1", "b": "2"})
    project.good("two")
    project.image(f"{project.id}/two:1").check("/b", "2")
    expect(project.engine.escale("image", "inspect", project.name, check=False).returncode != 0, "the other was built too")
    project.good()
    project.image().check("/a", "1")


@contextlib.contextmanager
def agent(path):
    """A real one where there is one."""
    program = shutil.which("ssh-agent")
    with contextlib.ExitStack() as stack:
        if program:
            process = subprocess.Popen([program, "-D", "-a", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            wait_until("the agent", path.exists)
        else:
            taken = stack.enter_context(socket.socket(socket.AF_UNIX))
            taken.bind(str(path))
            taken.listen()
        yield


@scenario("compose", "ssh")
def compose_ssh(bench):
    project = Compose(bench, service("context: .\nssh:\n  - default\n  - own=./sock",
                                     B + "RUN --mount=type=ssh test -S \"$$SSH_AUTH_SOCK\" && echo $$SSH_AUTH_SOCK >/f # @ID@\n"
                                     "RUN --mount=type=ssh,id=own,target=/own.sock test -S /own.sock && echo fine >/g # @ID@\n"))
    with agent(project.place / "sock"):
        project.good(env={"SSH_AUTH_SOCK": str(project.place / "sock")})
    image = project.image()
    image.check("/f", "/run/buildkit/ssh_agent.0\n")
    image.check("/g", "fine\n")
    for path in ("/own.sock", "/run/buildkit", "/run/buildkit/ssh_agent.0"):
        image.check(path, None)


@scenario("compose", "owners and modes that variables don't give")
def mount_numbers(bench):
    for mount in ("cache,target=/c,uid=$NONE", "cache,target=/c,mode=${NONE}", "secret,id=s,gid=$WORD", "ssh,mode=$WORD"):
        project = Project(bench, B + f"ARG WORD=word\nRUN --mount=type={mount} true # @ID@\n", {"s": "x"})
        with agent(project.context.parent / "sock"):
            refused = project.build("--secret", f"id=s,src={project.context}/s", "--ssh", f"default={project.context.parent}/sock")
        expect(refused.code == 1 and "which is no number" in refused.err and "Dockerfile:3" in refused.err, refused.said)


@scenario("compose", "ssh from the command line")
def own_ssh(bench):
    project = Project(bench, "FROM base:1 AS other\nRUN --mount=type=ssh,uid=5 true # @ID@\n" + B
                             + "RUN --mount=type=ssh,required test -S $SSH_AUTH_SOCK && stat -c '%a %u' $SSH_AUTH_SOCK >/f # @ID@\n")
    with agent(project.context.parent / "sock"):
        project.good("--ssh", f"default={project.context.parent}/sock")
        # The socket is the agent's own: it can't be given to somebody else, and that is said.
        refused = project.build("--target", "other", "--ssh", f"default={project.context.parent}/sock")
        expect(refused.code == 1 and "uid, gid and mode" in refused.err, f"an owner of the socket was taken: {refused.said}")
    project.image().check("/f", "600 0\n")


@scenario("compose", "cache_to and cache_from")
def compose_cache(bench):
    directory = bench.place() / "cache"
    project = Compose(bench, service(f"context: .\ncache_to:\n  - type=local,dest={directory}\ncache_from:\n  - type=local,src={directory}",
                                     B + "RUN echo @ID@ >/f\nCOPY a /\n"), {"a": "composed"})
    project.good()
    project.engine = second_engine(bench, "compose-cache")
    project.good().cached("RUN echo", "COPY a")


@scenario("compose", "--check of services")
def compose_check(bench):
    project = Compose(bench, service("context: .", "FROM scratch as x\n"))
    done = project.build("--check")
    expect(done.code == 1 and "FromAsCasing" in done.out + done.err, f"it ended with {done.code}: {done.out} {done.said}")
    expect(project.engine.escale("image", "inspect", project.name, check=False).returncode != 0, "an image was built")
