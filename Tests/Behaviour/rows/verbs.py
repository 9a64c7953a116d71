"""What commands and their flags do."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path

from bed import BINARIES, Failure, expect, one_line, processes_of
from table import Area

area = Area("verbs")

#: a program that ends at once when it is asked to
LOOP = """sh -c 'trap "exit 0" TERM; echo began; while :; do sleep 0.1; done'"""

SHOP = f"""
services:
  db:
    image: base:1
    command: {LOOP}
    healthcheck: {{test: "true", interval: 1s}}
  api:
    image: base:1
    command: {LOOP}
    depends_on: {{db: {{condition: service_healthy, restart: true}}}}
    environment: {{MODE: "${{MODE:-a}}"}}
  web:
    image: base:1
    command: {LOOP}
    depends_on: [api]
    deploy: {{replicas: 2}}
"""


def states(project, key="state"):
    return {one["name"].removeprefix(project.name + "-"): one.get(key) for one in project.ps()}


def ids(project):
    return states(project, "id")


def kill_daemon(project):
    """Kills whichever daemon runs; the next command starts another one."""
    for process in processes_of(project.engine.root, "escaled"):
        os.kill(process, signal.SIGKILL)


def same(what, answer, wanted):
    expect(answer == wanted, f"{what}: {answer!r} instead of {wanted!r}")


def says(done, *patterns):
    text = done.stdout + done.stderr
    for pattern in patterns:
        expect(re.search(pattern, text), f"nothing like {pattern!r} in {one_line(text, 900)!r}")
    return text


def eventually(what, ask, wanted, patience=15):
    deadline = time.monotonic() + patience
    while (answer := ask()) != wanted:
        expect(time.monotonic() < deadline, f"{what}: {answer!r} instead of {wanted!r}")
        time.sleep(0.1)


ALL_RUN = {"db-1": "running", "api-1": "running", "web-1": "running", "web-2": "running"}


# ---- create, start, stop, restart -----------------------------------------------------------------------------------


@area.scenario("create makes containers and starts none; start starts them in order")
def _(bench):
    with bench.project("v-create", SHOP) as project:
        project.escale("create")
        same("after create", set(states(project).values()), {"created"})
        before = ids(project)
        done = project.escale("start")
        same("after start", states(project), ALL_RUN)
        same("containers of start", ids(project), before)
        text = done.stdout + done.stderr
        expect(text.index("db-1  Healthy") < text.index("api-1  Started") < text.index("web-1  Started"), text)


@area.scenario("create leaves alone what runs as its file says")
def _(bench):
    with bench.project("v-create-running", SHOP) as project:
        project.up()
        before = ids(project)
        project.escale("create")
        same("containers", ids(project), before)
        same("states", states(project), ALL_RUN)


@area.scenario("a project that was created and started has a release to go back to")
def _(bench):
    with bench.project("v-create-release", SHOP) as project:
        project.escale("create")
        project.escale("start")
        eventually("releases", lambda: [one["state"] for one in json.loads(
            project.escale("release", "ls", "--format", "json").stdout)], ["succeeded"])


@area.scenario("stop SERVICE stops that one, and it stays stopped when the daemon is killed", alone=True)
def _(bench):
    with bench.project("v-stop", SHOP.replace("image:", "restart: always\n    image:")) as project:
        project.up()
        project.escale("stop", "web")
        wanted = {**ALL_RUN, "web-1": "exited", "web-2": "exited"}
        same("after stop", states(project), wanted)
        kill_daemon(project)
        same("after the daemon was killed", states(project), wanted)
        project.escale("start", "web")
        same("after start", states(project), ALL_RUN)


@area.scenario("stop with --timeout 0 kills what ignores its stop signal")
def _(bench):
    stubborn = "services: {web: {image: base:1, command: \"sh -c 'trap \\\"\\\" TERM; echo began; while :; do sleep 1; done'\"}}"
    with bench.project("v-stop-timeout", stubborn) as project:
        project.up()
        eventually("it began", lambda: "began" in project.logs("web"), True)
        began = time.monotonic()
        project.escale("stop", "-t", "0")
        expect(time.monotonic() - began < 8, "stop -t 0 took as long as the usual grace period")
        same("exit code", states(project, "exitCode"), {"web-1": 137})


@area.scenario("stop stops what depends on others first")
def _(bench):
    with bench.project("v-stop-order", SHOP) as project:
        project.up()
        project.escale("stop")
        ends = re.findall(r"container.exited v-stop-order-(\w+)", project.escale("events").stdout)
        same("the order of their ends", ends, ["web", "web", "api", "db"])


@area.scenario("start of a service that has no container says what to do")
def _(bench):
    with bench.project("v-start-none", SHOP) as project:
        project.up("db")
        done = project.escale("start", "web", check=False)
        same("exit code", done.returncode, 1)
        says(done, "service web has no container", "escale up -d web")


@area.scenario("restart restarts the same containers")
def _(bench):
    with bench.project("v-restart", SHOP) as project:
        project.up()
        before, pids = ids(project), states(project, "pid")
        project.escale("restart", "web")
        same("containers", ids(project), before)
        after = states(project, "pid")
        expect(after["web-1"] != pids["web-1"] and after["web-2"] != pids["web-2"], "web was not restarted")
        same("api's process", after["api-1"], pids["api-1"])


@area.scenario("restart takes along what depends on it with restart: true; --no-deps does not")
def _(bench):
    with bench.project("v-restart-deps", SHOP) as project:
        project.up()
        pids = states(project, "pid")
        project.escale("restart", "--no-deps", "db")
        after = states(project, "pid")
        expect(after["db-1"] != pids["db-1"], "db was not restarted")
        same("api's process", after["api-1"], pids["api-1"])
        project.escale("restart", "db")
        eventually("all runs", lambda: states(project), ALL_RUN)
        expect(states(project, "pid")["api-1"] != pids["api-1"], "api was not restarted along with db")
        same("web's process", states(project, "pid")["web-1"], pids["web-1"])


@area.scenario("an up that replaces a service restarts what depends on it with restart: true, once")
def _(bench):
    with bench.project("v-companion", SHOP) as project:
        project.up()
        pid = states(project, "pid")["api-1"]
        project.write("compose.yaml", SHOP.replace("db:\n    image", "db:\n    environment: {NEW: '1'}\n    image"))
        project.up()
        eventually("api was restarted", lambda: states(project, "pid").get("api-1") not in (pid, None), True)
        eventually("all runs", lambda: states(project), ALL_RUN)
        pid = states(project, "pid")["api-1"]
        time.sleep(0.5)
        same("api's process a moment later", states(project, "pid")["api-1"], pid)


# ---- kill, pause, rm ------------------------------------------------------------------------------------------------


@area.scenario("kill ends for good, whatever the restart policy")
def _(bench):
    with bench.project("v-kill", SHOP.replace("image:", "restart: always\n    image:")) as project:
        project.up()
        project.escale("kill", "web")
        same("exit codes", {states(project, "exitCode")[name] for name in ("web-1", "web-2")}, {137})
        time.sleep(0.5)
        same("states", states(project), {**ALL_RUN, "web-1": "exited", "web-2": "exited"})


@area.scenario("kill -s of another signal only sends it")
def _(bench):
    compose = """services: {web: {image: base:1, command: "sh -c 'trap \\"echo got it\\" USR1; echo began; while :; do sleep 0.1; done'"}}"""
    with bench.project("v-kill-signal", compose) as project:
        project.up("--wait")
        eventually("it began", lambda: "began" in project.logs("web"), True)
        project.escale("kill", "-s", "SIGUSR1", "web")
        eventually("its log", lambda: "got it" in project.logs("web"), True)
        same("state", states(project), {"web-1": "running"})
        says(project.escale("kill", "-s", "NOPE", "web", check=False), '"NOPE" is no signal')


@area.scenario("pause freezes, unpause goes on, and stop gets through to a paused container")
def _(bench):
    with bench.project("v-pause", SHOP) as project:
        project.up()
        project.escale("pause", "web")
        same("states", states(project), {**ALL_RUN, "web-1": "paused", "web-2": "paused"})
        says(project.escale("ps"), r"\(Paused\)")
        project.escale("unpause", "web")
        same("after unpause", states(project), ALL_RUN)
        project.escale("pause", "web")
        project.escale("stop", "web")
        same("after stop", states(project), {**ALL_RUN, "web-1": "exited", "web-2": "exited"})


@area.scenario("a paused container stays paused when the daemon is killed, and up lets it go on", alone=True)
def _(bench):
    with bench.project("v-pause-daemon", SHOP) as project:
        project.up()
        project.escale("pause", "api")
        kill_daemon(project)
        same("states", states(project), {**ALL_RUN, "api-1": "paused"})
        project.up()
        same("after up", states(project), ALL_RUN)


def set_frozen(project, name, frozen):
    """Freezes a container past the daemon, or lets it go on, as a pause that was cut short leaves it."""
    pid = states(project, "pid")[name]
    kill_daemon(project)
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "freezer":
            Path(f"/sys/fs/cgroup/freezer{path}/freezer.state").write_text("FROZEN" if frozen else "THAWED")
            return
    Path(f"/sys/fs/cgroup{path}/cgroup.freeze").write_text("1" if frozen else "0")


@area.scenario("a daemon believes the kernel: what was frozen before it began is paused, and what goes on is not", alone=True)
def _(bench):
    with bench.project("v-frozen", SHOP) as project:
        project.up()
        set_frozen(project, "api-1", True)
        same("frozen", states(project), {**ALL_RUN, "api-1": "paused"})
        project.escale("unpause", "api")
        same("after unpause", states(project), ALL_RUN)
        same("a command in it", project.escale("exec", "-T", "api", "echo", "awake").stdout.strip(), "awake")
        set_frozen(project, "api-1", True)
        project.up()
        same("after up", states(project), ALL_RUN)
        set_frozen(project, "api-1", True)
        project.escale("stop", "api")
        same("after stop", states(project), {**ALL_RUN, "api-1": "exited"})
        project.up()
        project.escale("pause", "api")
        set_frozen(project, "api-1", False)
        same("let go on", states(project), ALL_RUN)


@area.scenario("rm removes what is stopped, and asks first")
def _(bench):
    with bench.project("v-rm", SHOP) as project:
        project.up()
        says(project.escale("rm", "-f", "web"), "No stopped containers")
        project.escale("stop", "web")
        says(project.escale("rm", "web", check=False), "Going to remove .*web-1.*: nobody is there to confirm it", "--force")
        project.escale("rm", "-f", "web")
        same("containers", states(project), {"db-1": "running", "api-1": "running"})
        project.escale("create", "web")
        project.escale("rm", "-f", "web")
        same("after create and rm", states(project), {"db-1": "running", "api-1": "running"})
        project.up()
        same("after up", states(project), ALL_RUN)


@area.scenario("rm --stop stops first, and -v takes anonymous volumes")
def _(bench):
    compose = "services: {web: {image: base:1, command: sleep 9999, stop_signal: KILL, volumes: [/data]}}"
    with bench.project("v-rm-stop", compose) as project:
        project.up()
        same("volumes", len(project.escale("volumes", "-q").stdout.split()), 1)
        project.escale("rm", "-fsv", "web")
        same("containers", states(project), {})
        same("volumes", project.escale("volumes", "-q").stdout.split(), [])


# ---- up and its flags -----------------------------------------------------------------------------------------------


@area.scenario("up says which key made a container another one, and replaces that one only")
def _(bench):
    with bench.project("v-changed", SHOP) as project:
        project.up()
        before = ids(project)
        done = project.up(env={"MODE": "b"})
        says(done, r"Service api +Changed \(environment.MODE\)")
        after = ids(project)
        same("changed containers", {name for name in before if before[name] != after.get(name)}, {"api-1"})


@area.scenario("up --dry-run tells the steps with their reasons, and does nothing")
def _(bench):
    with bench.project("v-dry-run", SHOP) as project:
        done = project.up("--dry-run")
        text = says(done, r"Network v-dry-run_default +Would create", r"web-2 +Would start")
        expect(text.index("db-1  Would start") < text.index("api-1  Would start") < text.index("web-1  Would start"), text)
        same("containers", states(project), {})
        project.up()
        says(project.up("--dry-run"), "Up to date")
        says(project.up("--dry-run", env={"MODE": "b"}), r"Would begin \(api: rolling\)", r"api-1 +Would create")


@area.scenario("up --no-deps brings up one service alone")
def _(bench):
    with bench.project("v-no-deps", SHOP) as project:
        project.up("--no-deps", "web")
        same("states", states(project), {"web-1": "running", "web-2": "running"})


@area.scenario("up --no-recreate leaves containers as they are; the next up does not", alone=True)
def _(bench):
    with bench.project("v-no-recreate", SHOP) as project:
        project.up()
        before = ids(project)
        project.up("--no-recreate", env={"MODE": "b"})
        same("containers", ids(project), before)
        kill_daemon(project)
        project.up(env={"MODE": "b"})
        expect(ids(project)["api-1"] != before["api-1"], "api was not replaced")


@area.scenario("up --force-recreate SERVICE recreates that one; with --always-recreate-deps also what it depends on")
def _(bench):
    with bench.project("v-force", SHOP) as project:
        project.up()
        first = ids(project)
        project.up("--force-recreate", "api")
        second = ids(project)
        same("replaced", {name for name in first if first[name] != second.get(name)}, {"api-1"})
        project.up("--force-recreate", "--always-recreate-deps", "api")
        third = ids(project)
        same("replaced", {name for name in second if second[name] != third.get(name)}, {"api-1", "db-1"})


@area.scenario("up keeps anonymous volumes; -V renews those of recreated containers")
def _(bench):
    compose = "services: {web: {image: base:1, command: sleep 9999, stop_signal: KILL, volumes: [/data], environment: {N: \"$N\"}}}"
    with bench.project("v-anon", compose) as project:
        project.up(env={"N": "1"})
        project.inside("web", "echo kept > /data/file")
        project.up(env={"N": "2"})
        same("its file", project.inside("web", "cat /data/file"), "kept")
        project.up("-V", env={"N": "3"})
        same("its files", project.inside("web", "ls /data"), "")


@area.scenario("up --scale and scale change how many there are; the next up goes by the file")
def _(bench):
    with bench.project("v-scale", SHOP) as project:
        project.up("--scale", "web=1")
        same("web's", sum(name.startswith("web") for name in states(project)), 1)
        project.escale("scale", "web=3", "api=2")
        same("after scale", sorted(states(project)), ["api-1", "api-2", "db-1", "web-1", "web-2", "web-3"])
        project.up()
        eventually("after up", lambda: states(project), ALL_RUN)
        says(project.escale("scale", "nope=2", check=False), "nope")


@area.scenario("up --no-start makes containers only")
def _(bench):
    with bench.project("v-no-start", SHOP) as project:
        project.escale("up", "--no-start")
        same("states", set(states(project).values()), {"created"})


@area.scenario("up --no-build fails where an image is missing")
def _(bench):
    compose = "services: {web: {build: {dockerfile_inline: 'FROM base:1'}, command: sleep 9999, stop_signal: KILL}}"
    with bench.project("v-no-build", compose) as project:
        says(project.escale("up", "-d", "--no-build", check=False), "the image of service web is not built")
        project.up()
        project.up("--no-build")


@area.scenario("attached up with --abort-on-container-exit stops all, with the exit code of the one that ended")
def _(bench):
    compose = f"""
services:
  job: {{image: base:1, command: "sh -c 'sleep 0.5; exit 3'"}}
  other: {{image: base:1, command: {json.dumps(LOOP)}}}
"""
    with bench.project("v-abort", compose) as project:
        done = project.escale("up", "--abort-on-container-exit", check=False)
        same("exit code", done.returncode, 3)
        says(done, "Aborting: .*job-1 has ended")
        same("states", set(states(project).values()), {"exited"})


@area.scenario("attached up with --exit-code-from ends with that service's code")
def _(bench):
    compose = f"""
services:
  job: {{image: base:1, command: "sh -c 'sleep 0.5; exit 3'"}}
  other: {{image: base:1, command: "sh -c 'trap \\"exit 7\\" TERM; while :; do sleep 0.1; done'"}}
"""
    with bench.project("v-code-from", compose) as project:
        same("exit code", project.escale("up", "--exit-code-from", "other", check=False).returncode, 7)


@area.scenario("attached up with --abort-on-container-failure goes on when one ends well")
def _(bench):
    compose = """
services:
  good: {image: base:1, command: "true"}
  bad: {image: base:1, command: "sh -c 'sleep 1; exit 4'"}
"""
    with bench.project("v-abort-failure", compose) as project:
        done = project.escale("up", "--abort-on-container-failure", check=False)
        same("exit code", done.returncode, 4)
        says(done, "Aborting: .*bad-1 has ended")


@area.scenario("attached up shows what --attach and --no-attach say")
def _(bench):
    compose = """
services:
  one: {image: base:1, command: echo first}
  two: {image: base:1, command: echo second}
  three: {image: base:1, command: echo third, attach: false}
"""
    with bench.project("v-attach-flags", compose) as project:
        def shown(*flags):
            text = project.escale("up", *flags).stdout
            return {word for word in ("first", "second", "third") if word in text}
        same("without a flag", shown(), {"first", "second"})
        same("--attach one", shown("--attach", "one"), {"first"})
        same("--no-attach one", shown("--no-attach", "one"), {"second"})


@area.scenario("flags of up that exclude each other are told apart")
def _(bench):
    with bench.project("v-exclude", SHOP) as project:
        for flags in (["--force-recreate", "--no-recreate"], ["--build", "--no-build"], ["-d", "--exit-code-from", "web"]):
            done = project.escale("up", *flags, check=False)
            same(f"exit code of {flags}", done.returncode, 2)
            says(done, "exclude each other")


# ---- run, attach, exec ----------------------------------------------------------------------------------------------


@area.scenario("run gives output, reads input, and ends with the command's exit code")
def _(bench):
    with bench.project("v-run", SHOP) as project:
        done = project.escale("run", "--rm", "-T", "-e", "FOO=bar baz", "web", "sh", "-c", "echo $FOO; echo oops >&2; exit 7",
                              check=False)
        same("exit code", done.returncode, 7)
        expect(done.stdout == "bar baz\n", f"its output is {done.stdout!r}")
        expect(done.stderr.endswith("oops\n"), f"its errors are {done.stderr!r}")
        same("what came along", states(project), {"db-1": "running", "api-1": "running"})
        same("input", project.escale("run", "--rm", "-T", "--no-deps", "web", "cat", input="some\ntext").stdout, "some\ntext")


@area.scenario("run --no-deps, --entrypoint, -u, -w, -v and -l change that one container")
def _(bench):
    with bench.project("v-run-flags", SHOP) as project:
        project.write("shared/file", "from the host")
        done = project.escale("run", "--rm", "-T", "--no-deps", "--entrypoint", "sh", "-u", "5:6", "-w", "/tmp", "-v",
                              "./shared:/mnt:ro", "web", "-c", "id -u; id -g; pwd; cat /mnt/file; touch /mnt/no 2>&1", check=False)
        expect(done.stdout.startswith("5\n6\n/tmp\nfrom the host"), f"it says {done.stdout!r}")
        says(done, "Read-only file system")
        same("containers", states(project), {})


@area.scenario("run without --rm leaves the container, with its name; ps -a and rm know it")
def _(bench):
    with bench.project("v-run-kept", SHOP) as project:
        project.escale("run", "-T", "--no-deps", "--name", "v-kept", "web", "true")
        same("states", states(project), {"v-kept": "exited"})
        says(project.escale("run", "-T", "--no-deps", "--name", "v-kept", "web", "true", check=False),
             "there is a container v-kept already")
        project.escale("rm", "-f", "web")
        same("states", states(project), {})


@area.scenario("run -d returns at once; the container is no replica and goes with down")
def _(bench):
    with bench.project("v-run-d", SHOP) as project:
        project.up()
        identity = project.escale("run", "-d", "--name", "v-job", "web", "sleep", "9999").stdout.strip()
        same("its id", ids(project)["v-job"], identity)
        project.up()
        same("after up", states(project), {**ALL_RUN, "v-job": "running"})
        project.escale("down", "-t", "0")
        same("after down", states(project), {})


@area.scenario("run publishes no ports but those asked for")
def _(bench):
    compose = "services: {web: {image: base:1, command: sleep 9999, stop_signal: KILL, ports: ['127.0.0.1::8000']}}"
    with bench.project("v-run-ports", compose) as project:
        ports = lambda: next(one["ports"] for one in project.ps() if one.get("isOneOff"))
        project.escale("run", "-d", "web", "sleep", "9999")
        same("ports", ports(), [])
        project.end()
        project.escale("run", "-d", "--service-ports", "web", "sleep", "9999")
        same("container port", [one["containerPort"] for one in ports()], [8000])
        project.end()
        project.escale("run", "-d", "-p", "127.0.0.1::81", "web", "sh", "-c", "while :; do echo hello | nc -l -p 81; done")
        port = ports()[0]["hostPort"]
        eventually("an answer at the port", lambda: answer_of(port), "hello")


def answer_of(port):
    import socket
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.settimeout(2)
            return connection.recv(100).decode().strip()
    except OSError:
        return None


@area.scenario("run --rm takes the container away also when its program can't be found")
def _(bench):
    with bench.project("v-run-bad", SHOP) as project:
        done = project.escale("run", "--rm", "-T", "--no-deps", "web", "nosuchprogram", check=False)
        expect(done.returncode != 0, "it ended well")
        says(done, "nosuchprogram")
        same("containers", states(project), {})


class Terminal:
    """escale at a terminal of its own."""

    def __init__(self, project, *words, size=(24, 80)):
        import fcntl
        import struct
        import termios
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
        environment = {"ESCALE_ROOT": str(project.engine.root), "ESCALE_BIN": str(BINARIES), "HOME": "/root", "TERM": "xterm",
                       "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        self.process = subprocess.Popen([BINARIES / "escale", "-p", project.name, *words], cwd=project.directory,
                                        env=environment, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.text = ""

    def resize(self, rows, columns):
        import fcntl
        import struct
        import termios
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode() if isinstance(text, str) else text)

    def see(self, pattern, patience=20):
        deadline = time.monotonic() + patience
        while not re.search(pattern, self.text):
            expect(time.monotonic() < deadline, f"nothing like {pattern!r} on the screen: {self.text[-800:]!r}")
            if select.select([self.master], [], [], 0.2)[0]:
                try:
                    self.text += os.read(self.master, 65536).decode(errors="replace")
                except OSError:
                    expect(re.search(pattern, self.text), f"the end came before {pattern!r}: {self.text[-800:]!r}")
        return self

    def end(self, patience=20):
        deadline = time.monotonic() + patience
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                self.process.kill()
                raise Failure(f"it did not end: {self.text[-800:]!r}")
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.master, 65536).decode(errors="replace")
                except OSError:
                    pass
        # What it said last may still be on its way.
        while select.select([self.master], [], [], 0.1)[0]:
            try:
                piece = os.read(self.master, 65536)
            except OSError:
                break
            self.text += piece.decode(errors="replace")
        os.close(self.master)
        return self.process.returncode


@area.scenario("run -it has a real terminal: size, resize, Ctrl-C, exit code")
def _(bench):
    with bench.project("v-run-tty", SHOP) as project:
        terminal = Terminal(project, "run", "--rm", "--no-deps", "web", "sh", size=(33, 99))
        terminal.see("[#$] ")
        terminal.type("test -t 0 && echo is-$((1+1))-terminal\n")
        terminal.see("is-2-terminal")
        terminal.type("stty size\n")
        terminal.see("33 99")
        terminal.resize(44, 111)
        eventually("the new size", lambda: (terminal.type("stty size\n"), time.sleep(0.2), seen(terminal, "44 111"))[2], True)
        terminal.type("sleep 100\n")
        time.sleep(0.5)
        terminal.type("\x03")
        terminal.type("echo again-$((2+2))\n")
        terminal.see("again-4")
        terminal.type("exit 9\n")
        same("exit code", terminal.end(), 9)


def seen(terminal, text):
    while select.select([terminal.master], [], [], 0.1)[0]:
        terminal.text += os.read(terminal.master, 65536).decode(errors="replace")
    return text in terminal.text


@area.scenario("exec -it has a real terminal: size, resize, Ctrl-C, exit code")
def _(bench):
    with bench.project("v-exec-tty", SHOP) as project:
        project.up("db")
        terminal = Terminal(project, "exec", "db", "sh", size=(31, 91))
        terminal.see("[#$] ")
        terminal.type("stty size\n")
        terminal.see("31 91")
        terminal.resize(41, 101)
        eventually("the new size", lambda: (terminal.type("stty size\n"), time.sleep(0.2), seen(terminal, "41 101"))[2], True)
        terminal.type("sleep 100\n")
        time.sleep(0.5)
        terminal.type("\x03")
        terminal.type("echo again-$((2+2))\n")
        terminal.see("again-4")
        terminal.type("exit 5\n")
        same("exit code", terminal.end(), 5)


@area.scenario("exec reads and writes the caller's files, and they stay the caller's")
def _(bench):
    compose = "services: {web: {image: base:1, command: sleep 9999, stop_signal: KILL, user: '4321:4322'}}"
    with bench.project("v-exec-files", compose) as project:
        project.up()
        given, taken = project.write("given", "x" * 200000 + "end"), project.directory / "taken"
        with given.open() as source, taken.open("w") as target:
            environment = {"ESCALE_ROOT": str(project.engine.root), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
            done = subprocess.run([BINARIES / "escale", "-p", project.name, "exec", "-T", "web", "sh", "-c", "cat; echo oops >&2; exit 3"],
                                  cwd=project.directory, env=environment, stdin=source, stdout=target, stderr=subprocess.PIPE, timeout=60)
        same("exit code", done.returncode, 3)
        same("errors", done.stderr, b"oops\n")
        expect(taken.read_text() == given.read_text(), f"{taken.stat().st_size} bytes came through instead of {given.stat().st_size}")
        for file in (given, taken):
            same(f"whose {file.name} is", (file.stat().st_uid, file.stat().st_gid), (0, 0))


@area.scenario("what runs in a container by another user leaves the host's /dev/null as it is")
def _(bench):
    compose = """
services:
  web:
    image: base:1
    command: sleep 9999
    stop_signal: KILL
    user: "4321:4322"
    healthcheck: {test: "true", interval: 200ms}
    post_start: [{command: ["true"]}]
"""
    with bench.project("v-null", compose) as project:
        project.up("--wait")
        project.escale("exec", "-d", "web", "sleep", "0.1")
        project.escale("exec", "-T", "web", "true")
        project.escale("run", "--rm", "-T", "web", "sleep", "3")  # longer than its hook
        info = os.stat("/dev/null")
        expect(4321 not in (info.st_uid,) and 4322 not in (info.st_gid,), f"it belongs to {info.st_uid}:{info.st_gid} now")


@area.scenario("attach shows output from then on, detaches by its keys, and passes Ctrl-C on")
def _(bench):
    compose = """
services:
  web:
    image: base:1
    tty: true
    stdin_open: true
    command: sh -c 'n=0; trap "echo interrupted; exit 6" INT; while :; do n=$$((n+1)); echo line-$$n; sleep 0.2; done'
"""
    with bench.project("v-attach", compose) as project:
        project.up()
        terminal = Terminal(project, "attach", "web")
        terminal.see(r"line-\d+")
        terminal.type("\x10\x11")
        same("exit code of detaching", terminal.end(), 0)
        expect("goes on" in terminal.text, f"it says {terminal.text[-300:]!r}")
        same("state", states(project), {"web-1": "running"})
        terminal = Terminal(project, "attach", "web")
        terminal.see(r"line-\d+")
        terminal.type("\x03")
        terminal.see("interrupted")
        same("exit code", terminal.end(), 6)


@area.scenario("exec -d starts something and returns")
def _(bench):
    with bench.project("v-exec-d", SHOP) as project:
        project.up("db")
        project.escale("exec", "-d", "db", "sh", "-c", "sleep 0.3; echo done > /tmp/done")
        eventually("its file", lambda: project.inside("db", "cat /tmp/done"), "done")


# ---- looking ----------------------------------------------------------------------------------------------------------


@area.scenario("wait prints exit codes and ends with one")
def _(bench):
    compose = "services: {job: {image: base:1, command: \"sh -c 'sleep 1; exit 5'\"}}"
    with bench.project("v-wait", compose) as project:
        project.up()
        done = project.escale("wait", "job", check=False)
        same("output", done.stdout.strip(), "5")
        same("exit code", done.returncode, 5)


@area.scenario("top lists the processes of containers")
def _(bench):
    with bench.project("v-top", SHOP) as project:
        project.up("db")
        says(project.escale("top"), r"v-top-db-1", r"UID +PID +PPID +TIME +CMD", r"trap .exit 0. TERM")


@area.scenario("stats shows processor, memory, network and processes")
def _(bench):
    compose = "services: {busy: {image: base:1, command: \"sh -c 'while :; do :; done'\", stop_signal: KILL, mem_limit: 64m}}"
    with bench.project("v-stats", compose) as project:
        project.up()
        says(project.escale("stats", "--no-stream"), r"NAME +CPU % +MEM USAGE / LIMIT", r"busy-1 +\d")
        row = json.loads(project.escale("stats", "--no-stream", "--format", "json").stdout)[0]
        expect(row["cpuPercent"] > 5, f"a busy loop takes {row['cpuPercent']} %")
        same("limit", row["memoryLimit"], 64 << 20)
        expect(0 < row["memory"] < 64 << 20, f"memory: {row['memory']}")
        same("processes", row["processes"], 1)


@area.scenario("cp copies files and directories both ways, with modes, and to all replicas")
def _(bench):
    with bench.project("v-cp", SHOP) as project:
        project.up()
        project.write("dir/sub/file", "content", mode=0o640)
        project.write("tool", "#!/bin/sh\n", mode=0o755)
        project.escale("cp", "dir", "web:/opt")
        same("a new directory", project.inside("web", "cat /opt/sub/file; stat -c %a:%u /opt/sub/file"), "content640:0")
        project.escale("cp", "dir", "web:/opt")
        same("into the directory", project.inside("web", "cat /opt/dir/sub/file"), "content")
        project.escale("cp", "dir/.", "web:/srv")
        project.escale("cp", "tool", "web:/opt/")
        for index in ("1", "2"):
            same(f"replica {index}", project.escale("exec", "-T", "--index", index, "web", "stat", "-c", "%a", "/opt/tool").stdout.strip(), "755")
        project.inside("web", "mkdir -p /var/out; echo result > /var/out/r; ln -s r /var/out/link")
        project.escale("cp", "web:/var/out", "back")
        same("from the container", (project.directory / "back/r").read_text(), "result\n")
        same("a link", os.readlink(project.directory / "back/link"), "r")
        project.escale("cp", "web:/var/out/r", "copy")
        same("one file", (project.directory / "copy").read_text(), "result\n")
        project.escale("cp", "-L", "web:/var/out/link", "followed")
        same("a link followed", (project.directory / "followed").read_text(), "result\n")
        says(project.escale("cp", "web:/nope", ".", check=False), "there is no /nope")
        says(project.escale("cp", "tool", "web:/etc/passwd/", check=False), "is no directory")
        says(project.escale("cp", "a", "b", check=False), "one of the two must be in a service")


@area.scenario("cp can't be led out of the container by its links")
def _(bench):
    with bench.project("v-cp-links", SHOP) as project:
        project.up("db")
        project.write("file", "mine")
        host = project.write("victim", "untouched")
        project.inside("db", f"mkdir -p /tmp/x; ln -s {host} /tmp/x/link; ln -s / /tmp/x/root; ln -s ../../../../../../../.. /tmp/x/up")
        project.escale("cp", "file", "db:/tmp/x/link", check=False)
        project.escale("cp", "file", f"db:/tmp/x/root{project.directory}/victim", check=False)
        project.escale("cp", "file", f"db:/tmp/x/up{project.directory}/victim", check=False)
        same("the host's file", host.read_text(), "untouched")
        project.inside("db", f"rm -f /tmp/x/link; ln -s {host} /tmp/x/link")
        done = project.escale("cp", "-L", "db:/tmp/x/link", "stolen", check=False)
        expect(done.returncode != 0 and not (project.directory / "stolen").exists(), "a file of the host came along")


@area.scenario("volumes lists the project's with the services that use them")
def _(bench):
    compose = """
services: {web: {image: base:1, command: sleep 9999, stop_signal: KILL, volumes: ['data:/data']}}
volumes: {data: {}}
"""
    with bench.project("v-volumes", compose) as project:
        project.up()
        listed = json.loads(project.escale("volumes", "--format", "json").stdout)
        same("names", [one["name"] for one in listed], ["v-volumes_data"])
        same("services", listed[0]["services"], ["web"])
        expect(os.path.isdir(listed[0]["mountpoint"]), f"{listed[0]['mountpoint']} is no directory")


@area.scenario("ps filters by state, and tells one that keeps ending")
def _(bench):
    compose = """
services:
  web: {image: base:1, command: sleep 9999, stop_signal: KILL}
  bad: {image: base:1, command: "sh -c 'exit 3'", restart: always}
  done: {image: base:1, command: "true"}
"""
    with bench.project("v-ps", compose) as project:
        project.up()
        eventually("crash loop", lambda: "crash loop: " in project.escale("ps", "-a").stdout, True)
        names = lambda *flags: sorted(one["name"].removeprefix("v-ps-") for one in json.loads(
            project.escale("ps", "--format", "json", *flags).stdout))
        same("--status running", [name for name in names("--status", "running") if name != "bad-1"], ["web-1"])
        same("--filter status=exited", names("--filter", "status=exited"), ["done-1"])
        says(project.escale("ps", "--filter", "color=red", check=False), "color")


@area.scenario("two commands on one project: the second waits, says for whom, and can be interrupted")
def _(bench):
    slow = """services: {web: {image: base:1, command: "sh -c 'trap \\"echo asked\\" TERM; echo began; while :; do sleep 0.2; done'", stop_grace_period: 15s}}"""
    with bench.project("v-two", slow) as project:
        project.up()
        eventually("it began", lambda: "began" in project.logs("web"), True)
        def begin(*verb):
            return subprocess.Popen([BINARIES / "escale", "-p", project.name, *verb], cwd=project.directory,
                                    env={"ESCALE_ROOT": str(project.engine.root), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                    # What a shell runs in the background ignores it, and its children do.
                                    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))

        first = begin("stop")
        eventually("the first is at work", lambda: "asked" in project.logs("web"), True)
        same("state meanwhile", states(project), {"web-1": "stopping"})
        says(project.escale("container", "ls"), "v-two-web-1")
        second = begin("up", "-d")
        said = second.stdout.readline()
        second.send_signal(signal.SIGINT)
        second.communicate(timeout=30)
        same("exit code of the interrupted one", second.returncode, 130)
        expect(re.search(rf"Waiting \(for `escale stop` of process {first.pid}", said), f"it says {said!r}")
        third = project.up()
        first.communicate(timeout=60)
        same("exit code of stop", first.returncode, 0)
        same("state", states(project), {"web-1": "running"})
        says(third, "Waiting", "Ready")


@area.scenario("a runtime that hangs is ended, said, and leaves nothing")
def _(bench):
    with bench.project("v-hangs", "services: {}") as project:
        for_long = f"sleep {1_000_000 + os.getpid()}"  # nobody else's
        project.write("hangs", f"#!/bin/sh\ncase \"$*\" in *create*) {for_long};; esac\nexec /usr/bin/crun \"$@\"\n", mode=0o755)
        project.write("compose.yaml", f"services: {{web: {{image: base:1, command: sleep 9999, runtime: {project.directory}/hangs}}}}")
        said = project.escale("up", "-d", check=False, timeout=60)
        says(said, "the OCI runtime did nothing for 30s", "escale system logs")
        eventually("its processes", lambda: subprocess.run(["pgrep", "-f", for_long], stdout=subprocess.PIPE, text=True).stdout, "")


@area.scenario("a project that can't be taken up keeps nobody from it, is shown with the reason, and is tried again", alone=True)
def _(bench):
    compose = "services: {web: {image: base:1, command: sleep 9999, stop_signal: KILL}}"
    with bench.project("v-stuck", compose) as stuck, bench.project("v-well", compose) as well:
        for project in (stuck, well):
            project.up()
        # One that goes with its end ends while no daemon runs, and a file of it can't be removed.
        once = stuck.escale("run", "-d", "--rm", "web", "sleep", "9999").stdout.split()[-1]
        one = next(one for one in stuck.ps() if once in (one["name"], one["id"], one["id"][:12]))
        kill_daemon(stuck)
        os.kill(one["pid"], signal.SIGKILL)
        held = next((stuck.engine.root / "state" / "containers" / one["id"]).glob("*/etc"), None)
        held = held or stuck.engine.root / "state" / "containers" / one["id"] / "hostname"
        subprocess.run(["chattr", "+i", held], check=True)
        try:
            stuck_row = lambda: next(row for row in json.loads(
                stuck.escale("ls", "-a", "--format", "json").stdout) if row["name"] == "v-stuck")
            expect(str(held.name) in stuck_row().get("failure", ""), f"no reason in {stuck_row()!r}")
            same("its replica", stuck.ps()[0]["state"], "running")
            says(stuck.escale("up", "-d", check=False), "can't take up what there is of project v-stuck", "tried again by itself")
            same("the other's up", well.up().returncode, 0)
        finally:
            subprocess.run(["chattr", "-i", held], check=True)
        eventually("it is tried again", lambda: stuck_row().get("failure"), None)
        same("what it has", states(stuck), {"web-1": "running"})
        stuck.up()


@area.scenario("a command that comes during a release of its service is refused with what to do")
def _(bench):
    compose = """services: {web: {image: base:1, command: sleep 9999, stop_signal: KILL, environment: {N: "$N"},
      deploy: {update_config: {monitor: 30s}}}}"""
    with bench.project("v-during", compose) as project:
        project.up(env={"N": "1"})
        project.up("--no-wait", env={"N": "2"})
        says(project.escale("stop", "web", check=False), "release 2 is replacing web just now", "escale release")


@area.scenario("health: a probe of the daemon's own by HTTP and by TCP, and a restart of what is unhealthy")
def _(bench):
    compose = """
services:
  page:
    image: base:1
    command: sh -c 'mkdir /www; echo well > /www/healthz; exec httpd -f -p 8000 -h /www'
    stop_signal: KILL
    restart: always
    healthcheck: {interval: 300ms, retries: 2}
    x-escale: {probe: {http: /healthz, port: 8000}}
  port:
    image: base:1
    command: sh -c 'while :; do nc -l -p 9000 </dev/null >/dev/null; done'
    stop_signal: KILL
    healthcheck: {interval: 300ms}
    x-escale: {probe: {tcp: 9000}}
  ignored:
    image: base:1
    command: sleep 9999
    stop_signal: KILL
    restart: always
    healthcheck: {test: test ! -e /ill, interval: 300ms, retries: 1}
    x-escale: {on_unhealthy: ignore}
"""
    with bench.project("v-health", compose) as project:
        project.up("--wait")
        same("health", states(project, "health"), {"page-1": "healthy", "port-1": "healthy", "ignored-1": "healthy"})
        pid = states(project, "pid")["page-1"]
        project.inside("page", "rm /www/healthz")
        project.inside("ignored", "touch /ill")
        eventually("page was restarted and is well", lambda: (states(project, "health").get("page-1"),
                                                            states(project, "pid").get("page-1") != pid), ("healthy", True))
        same("ignored", (states(project, "health")["ignored-1"], states(project, "restarts")["ignored-1"]), ("unhealthy", 0))
        events = project.escale("events").stdout
        expect(re.search(r"container.exited .*page-1 .*unhealthy", events), f"no event says why: {events[-600:]}")


@area.scenario("health: an unhealthy container without a restart policy stays")
def _(bench):
    compose = """services: {web: {image: base:1, command: sleep 9999, stop_signal: KILL,
      healthcheck: {test: test ! -e /ill, interval: 200ms, retries: 1}}}"""
    with bench.project("v-unhealthy", compose) as project:
        project.up("--wait")
        project.inside("web", "touch /ill")
        eventually("health", lambda: states(project, "health"), {"web-1": "unhealthy"})
        time.sleep(0.5)
        same("restarts", states(project, "restarts"), {"web-1": 0})
        says(project.escale("ps"), "unhealthy")


area.refused("a probe of two kinds", "x-escale: {probe: {http: /, tcp: 80, port: 80}}", "must have either `http` or `tcp`")
area.refused("a probe without a port", "x-escale: {probe: {http: /}}", "does not say which port")
area.refused("a probe beside a test", "healthcheck: {test: 'true'}\nx-escale: {probe: {tcp: 80}}", "there can be one check")
area.refused("an unknown reaction", "x-escale: {on_unhealthy: explode}", "restart", "ignore")


# ---- containers of one's own ---------------------------------------------------------------------------------------------


def own(project, *words, **more):
    """A command on single containers; names are the whole daemon's, so begin them with the row's."""
    return project.escale("container", *words, **more)


def own_states(project):
    return {one["name"]: one["state"] for one in json.loads(own(project, "ls", "-a", "--format", "json").stdout)}


@area.scenario("container run gives output, reads input, and ends with the command's exit code")
def _(bench):
    with bench.project("v-own-run") as project:
        done = own(project, "run", "--rm", "-e", "FOO=bar", "base:1", "sh", "-c", "echo $FOO; exit 7", check=False)
        same("exit code", done.returncode, 7)
        same("output", done.stdout, "bar\n")
        same("input", own(project, "run", "--rm", "-i", "base:1", "cat", input="text").stdout, "text")


@area.scenario("container run -d is looked after, found by name from others, and inspected in Docker's shape")
def _(bench):
    with bench.project("v-own-d") as project:
        try:
            identity = own(project, "run", "-d", "--name", "v-own-web", "--restart", "always", "-p", "127.0.0.1::8000", "-l", "a=b",
                           "-m", "64m", "--stop-signal", "KILL", "base:1", "httpd", "-f", "-p", "8000").stdout.strip()
            shown = json.loads(own(project, "inspect", "v-own-web").stdout)[0]
            same("Id", shown["Id"], identity)
            same("Name", shown["Name"], "/v-own-web")
            same("State.Status", shown["State"]["Status"], "running")
            same("Memory", shown["HostConfig"]["Memory"], 64 << 20)
            same("RestartPolicy", shown["HostConfig"]["RestartPolicy"]["Name"], "always")
            same("Labels", shown["Config"]["Labels"], {"a": "b"})
            expect(shown["NetworkSettings"]["Ports"]["8000/tcp"][0]["HostIp"] == "127.0.0.1", f"{shown['NetworkSettings']}")
            same("another finds it", own(project, "run", "--rm", "base:1", "sh", "-c",
                                         "wget -q -O - http://v-own-web:8000/etc/hostname >/dev/null && echo found").stdout.strip(), "found")
            os.kill(shown["State"]["Pid"], signal.SIGKILL)
            eventually("it was restarted", lambda: json.loads(own(project, "inspect", "v-own-web").stdout)[0]["RestartCount"], 1)
            says(own(project, "run", "-d", "--name", "v-own-web", "base:1", "true", check=False), "there is a container v-own-web already")
        finally:
            own(project, "rm", "-f", "v-own-web", check=False)
        expect("v-own-web" not in own_states(project), "it is still there")


@area.scenario("container create, start, exec, pause, unpause, restart, stop, logs, wait and rm")
def _(bench):
    with bench.project("v-own-life") as project:
        name = "v-own-life"
        try:
            own(project, "create", "--name", name, "base:1", "sh", "-c", "trap 'exit 3' TERM; echo began; while :; do sleep 0.1; done")
            same("made", own_states(project)[name], "created")
            own(project, "start", name)
            same("exec", own(project, "exec", name, "echo", "inside").stdout.strip(), "inside")
            own(project, "pause", name)
            same("paused", own_states(project)[name], "paused")
            own(project, "unpause", name)
            own(project, "restart", name)
            eventually("its log", lambda: own(project, "logs", name).stdout.split(), ["began", "began"])
            says(own(project, "rm", name, check=False), f"container {name} runs", "--force")
            own(project, "stop", name)
            same("stopped", own_states(project)[name], "exited")
            same("wait", own(project, "wait", name).stdout.strip(), "3")
        finally:
            own(project, "rm", "-f", name, check=False)
        says(own(project, "inspect", name, check=False), f"there is no container {name}")
        expect("_containers" not in project.escale("ls", "-a").stdout, "they are shown as a project")


@area.scenario("container stop of a service's only container stops the service; one of several is refused with what to do")
def _(bench):
    with bench.project("v-own-service", SHOP) as project:
        project.up()
        own(project, "stop", "v-own-service-api-1")
        same("states", states(project), {**ALL_RUN, "api-1": "exited"})
        says(own(project, "stop", "v-own-service-web-1", check=False), "one of 2 replicas", "escale -p v-own-service stop web")


@area.scenario("container run refuses what can't be, in the words of compose files")
def _(bench):
    with bench.project("v-own-wrong") as project:
        says(own(project, "run", "--rm", "-m", "much", "base:1", "true", check=False), "mem_limit")
        says(own(project, "run", "--rm", "--network", "host", "--network", "none", "base:1", "true", check=False), "beside others")
        says(own(project, "run", "--rm", "v-no-such-image:1", "true", check=False), "v-no-such-image")
        says(own(project, "run", "--rm", "--restart", "always", "base:1", "true", check=False), "exclude each other")


@area.scenario("container run -v, --tmpfs, --read-only, -u, -w, --cap-drop, --ulimit and --hostname are as in a compose file")
def _(bench):
    with bench.project("v-own-flags") as project:
        project.write("data/file", "from the host")
        said = own(project, "run", "--rm", "-v", "./data:/mnt:ro", "-v", "v-own-volume:/vol", "--tmpfs", "/scratch", "--read-only",
                   "-u", "5:6", "-w", "/scratch", "--cap-drop", "ALL", "--ulimit", "nofile=100:200", "--hostname", "boat", "base:1",
                   "sh", "-c", "id -u; pwd; cat /mnt/file; echo; hostname; ulimit -n; touch /no 2>&1; grep CapBnd /proc/self/status").stdout
        expect(re.match(r"5\n/scratch\nfrom the host\nboat\n100\n.*Read-only.*\nCapBnd:\t0+\n", said), f"it says {said!r}")
        expect((project.engine.root / "state/volumes/v-own-volume").is_dir(), "no volume of that name")
