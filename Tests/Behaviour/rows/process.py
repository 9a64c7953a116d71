"""The process itself: what runs, as whom, where, with which environment."""

from bed import expect, wait_until
from probes import log, oci, proc, ps
from table import Area

area = Area("process")
ARGS = "cat /proc/1/cmdline | tr '\\0' '|'"
LIVES = "command: [sh, -c, 'trap \"echo got %s; exit 9\" %s; while true; do sleep 0.1; done']\nstop_signal: %s"

area.row("command is a list", "command: [sleep, '1234']", inside={ARGS: r"sleep\|1234\|"})
area.row("command is a text", "command: sh -c 'echo \"a  b\"; sleep 1000'", outside=[(log(), "a  b")])
area.row("command with a dollar sign", "command: [sh, -c, 'X=1; echo $$X; sleep 1000']", outside=[(log(), "1")])
area.row("entrypoint and command", "entrypoint: [sh, -c]\ncommand: ['echo $$0 $$1; sleep 1000', x, y]", outside=[(log(), "x y")])
area.row("entrypoint is a text", "entrypoint: sh -c 'echo said; sleep 1000'", outside=[(log(), "said")])
area.row("entrypoint clears the image's command", "entrypoint: [sleep, '1000']", inside={ARGS: r"sleep\|1000\|"})
area.refused("no command at all", "entrypoint: []", "neither it nor its image base:1 has a command")
area.refused("a program that isn't there", "command: [/bin/none]", "can't be started.*/bin/none", "check `command` and `entrypoint`")
area.refused("a program that is none", "command: [/etc/passwd]", "can't be started")

area.row("user by name", "user: www-data", inside={"id -u; id -g": "33\n33"}, outside=[(oci("process.user.uid"), "33")])
area.row("user by number", "user: '1234'", inside={"id -u; id -g": "1234\n0"})
area.row("user and group", "user: 'nobody:33'", inside={"id -u; id -g": "65534\n33"})
area.row("user and group by number", "user: '7:8'", inside={"id -u; id -g": "7\n8"}, outside=[(proc("status"), ".*Uid:\t7\t7.*Gid:\t8\t8.*")])
area.refused("a user that isn't there", "user: nobody-here", 'service a-user-that-isn-t-there: user: user "nobody-here"')
area.refused("a user's group that isn't there", "user: 'root:nowhere'", 'group "nowhere"')

area.row("working_dir", "working_dir: /var/log", inside={"pwd": "/var/log", "readlink /proc/1/cwd": "/var/log"})
area.row("working_dir that isn't there", "working_dir: /made/up", inside={"readlink /proc/1/cwd": "/made/up"})
area.refused("a relative working_dir", "working_dir: some/where", "must be absolute|absolute")

area.row("environment as a mapping", "environment: {A: one, B: '2'}", inside={"echo $A $B": "one 2"})
area.row("environment as a list", "environment: [A=one, 'B=x=y']", inside={"echo $A $B": "one x=y"})
area.row("environment with blanks", "environment: {A: ' a  b '}", inside={'echo "[$A]"': r"\[ a  b \]"})
area.row("environment of the shell", "environment: [HOME]", inside={"echo $HOME": "/root"})
area.row("environment that is empty", "environment: {A: ''}", inside={"env | grep '^A='": "A="})
area.row("env_file", "env_file: web.env", files={"web.env": "A=1\n# no\nB='two words'\n"}, inside={"echo $A $B": "1 two words"})
area.row("env_file gives way to environment", "env_file: [one.env]\nenvironment: {A: own}", files={"one.env": "A=file\nB=file\n"},
         inside={"echo $A $B": "own file"})
area.row("env_file that may be missing", "env_file: [{path: none.env, required: false}]", inside={"echo here": "here"})
area.row("env_file raw", "env_file: [{path: raw.env, format: raw}]", files={"raw.env": "A='$B'\n"}, inside={"echo $A": r"'\$B'"})
area.refused("env_file that is missing", "env_file: missing.env", "missing.env")
area.row("the usual environment", "", inside={"echo $PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "echo $HOME": "/root"})
area.row("HOME is the user's", "user: www-data", inside={"echo $HOME": "/var/www"})

area.row("hostname", "hostname: web.example", inside={"hostname": "web.example", "cat /etc/hostname": "web.example", "echo $HOSTNAME": "web.example"})
area.row("hostname is the container's id", "", inside={"hostname": "[0-9a-f]{12}"})
area.row("container_name", "container_name: named-one", outside=[(ps("name"), "named-one")])
area.row("labels", "labels: {team: blue}", outside=[(ps("state"), "running")])
area.row("annotations", "annotations: {note: x}", outside=[(ps("state"), "running")])

area.row("tty", "tty: true", inside={"readlink /proc/1/fd/0": "/dev/pts/0|/dev/console", "echo $TERM": "xterm"}, outside=[(oci("process.terminal"), "true")])
area.row("stdin_open", "stdin_open: true\ncommand: [cat]", inside={"readlink /proc/1/fd/0": "pipe:.*", "sleep 0.5; echo lives": "lives"})
area.row("stdin_open with a tty", "stdin_open: true\ntty: true\ncommand: [sh]", inside={"sleep 0.5; echo lives": "lives"})
area.row("without stdin_open reading ends", "command: [cat]", outside=[(ps("state"), "exited"), (ps("exitCode"), "0")])
area.row("without a tty", "", inside={"readlink /proc/1/fd/0": "/dev/null|pipe:.*"}, outside=[(oci("process.terminal"), "false")])
area.row("init", "init: true", inside={"cat /proc/1/cmdline | tr '\\0' ' '": "/dev/init -- sleep 9999"})
area.row("without an init", "init: false", inside={ARGS: r"sleep\|9999\|"})

area.row("exit code", "command: [sh, -c, 'exit 7']", outside=[(ps("state"), "exited"), (ps("exitCode"), "7")])
area.row("exit code of a signal", "command: [sh, -c, 'kill -9 $$$$']\ninit: true", outside=[(ps("state"), "exited"), (ps("exitCode"), "137")])
area.row("output of both streams", "command: [sh, -c, 'echo out; echo err >&2; sleep 1000']", outside=[(log(), "(out\nerr|err\nout)")])

area.row("one file descriptor more or less", "", inside={"ls /proc/1/fd | tr '\\n' ' '": "0 1 2 ?"})
area.row("umask", "", inside={"umask": "0022"})


def stopped(bench, name, service, code, said):
    """Stops a service, and looks at how it ended."""
    text = "\n    ".join(service.splitlines())
    with bench.project(name, f'services:\n  a:\n    image: "base:1"\n    {text}\n') as project:
        project.up()
        wait_until("the program to run", lambda: project.container("a")["state"] == "running")
        project.escale("exec", "-T", "a", "sleep", "0.3")
        project.escale("stop")
        ended = project.container("a")
        expect(ended["exitCode"] == code, f"it ended with {ended['exitCode']}, not with {code}")
        expect(said in project.logs("a"), f"its log is {project.logs('a')!r}")


@area.scenario("stop_signal by name")
def stop_signal(bench):
    stopped(bench, "p-signal", LIVES % ("USR1", "USR1", "SIGUSR1"), 9, "got USR1")


@area.scenario("stop_signal by number")
def stop_number(bench):
    stopped(bench, "p-number", LIVES % ("INT", "INT", "2"), 9, "got INT")


@area.scenario("stop_signal is TERM")
def stop_default(bench):
    stopped(bench, "p-term", (LIVES % ("TERM", "TERM", "")).replace("\nstop_signal: ", ""), 9, "got TERM")


@area.scenario("stop_grace_period")
def grace(bench):
    stopped(bench, "p-grace", "command: [sh, -c, 'trap \"\" TERM; while true; do sleep 0.1; done']\nstop_grace_period: 300ms", 137, "")


area.refused("a stop_signal that is none", "stop_signal: SIGFOO", "SIGFOO")
area.refused("a stop_grace_period that is none", "stop_grace_period: soon", "stop_grace_period")
area.row("replicas", "deploy: {replicas: 2}", inside={"echo here": "here"})
area.row("scale", "scale: 1", outside=[(ps("slot"), "1")])
area.refused("scale and another number of replicas", "scale: 2\ndeploy: {replicas: 3}", "scale")
area.refused("an image that isn't here", "image: nothing-like-that:1\npull_policy: never", "nothing-like-that")
area.refused("a misspelt key", "comand: [id]", "did you mean")
