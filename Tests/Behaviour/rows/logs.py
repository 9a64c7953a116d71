"""Where output goes, and what of it is kept."""

from bed import expect, wait_until
from probes import host, log
from table import Area

area = Area("logs")
SAYS = "command: [sh, -c, 'echo out; echo err >&2; exec sleep 9999']\n"


def files(subject):
    """The names and the number of bytes of the log's files."""
    state = subject.project.engine.root / "state/containers" / subject.container["id"]
    found = sorted(path for path in state.glob("log*") if path.name != "log.start")
    return f"{len(found)} {sum(path.stat().st_size for path in found)}"


def lines_kept(subject):
    """How many lines are kept, and whether they are the last ones without a gap."""
    numbers = [int(line) for line in subject.project.logs(subject.row.slug).split()]
    return f"{len(numbers)} {numbers == list(range(5001 - len(numbers), 5001))}"


area.row("both streams are kept", SAYS, outside=[(log(), "out\nerr")])
area.row("driver json-file", SAYS + "logging: {driver: json-file}", outside=[(log(), "out\nerr")])
area.row("driver local", SAYS + "logging: {driver: local, options: {max-size: 5m, max-file: '2'}}", outside=[(log(), "out\nerr")])
area.row("driver none keeps nothing", SAYS + "logging: {driver: none}",
         outside=[(log(), ""), (host("files of the log", files), "0 0")])
area.row("driver syslog keeps a copy", SAYS + "logging: {driver: syslog, options: {syslog-address: 'udp://127.0.0.1:9'}}",
         outside=[(log(), "out\nerr")])
area.row("a last line without a break", "command: [printf, 'a\\nb']", outside=[(log(), "a\nb")])
area.row("bytes that are no text", "command: [sh, -c, \"printf 'a\\\\377b\\\\n'; exec sleep 9999\"]", outside=[(log(), "a\ufffdb")])
area.row("a line of 100000 bytes stays whole", "command: [sh, -c, \"head -c 100000 /dev/zero | tr '\\\\0' x; echo; exec sleep 9999\"]",
         outside=[(host("its length", lambda subject: len(subject.project.logs(subject.row.slug))), "100001")])
area.row("a terminal's lines", "tty: true\ncommand: [sh, -c, 'echo one; echo two; exec sleep 9999']", outside=[(log(), "one\r?\ntwo")])
area.row("max-size and max-file bound what is kept",
         "command: [sh, -c, 'for i in `seq 5000`; do echo $$i; done; exec sleep 9999']\n"
         "logging: {options: {max-size: 20k, max-file: '3'}}",
         outside=[(host("the lines that are kept", lines_kept), r"\d+ True"), (host("files", files), r"[123] \d{5,6}")])
area.refused("an unknown driver", "logging: {driver: jsonfile}", 'no logging driver "jsonfile"', "did you mean json-file")
area.refused("a driver that only Docker has", "logging: {driver: gelf}", "doesn't send output by the driver gelf", "syslog")
area.refused("an unknown option", "logging: {options: {maxsize: 1m}}", 'no option "maxsize"', "did you mean max-size")
area.refused("a size that is none", "logging: {options: {max-size: big}}", '"big" is not a size')
area.refused("a number of files that is none", "logging: {options: {max-file: '0'}}", '"0" is not a number from 1')
area.refused("an address that is none", "logging: {driver: syslog, options: {syslog-address: here}}", '"here" is not an address')
area.refused("an option of another driver", "logging: {driver: syslog, options: {max-size: 1m}}", 'syslog has no option "max-size"')
area.warned("an option that changes nothing", "logging: {options: {tag: x}}", "tag changes nothing")
area.warned("compress changes nothing", "logging: {driver: local, options: {compress: 'true'}}", "compress changes nothing")


@area.scenario("logs of one replica, a part of the time, the last lines")
def selections(bench):
    with bench.project("selections", """
services:
  web:
    image: base:1
    command: [sh, -c, "echo $$HOSTNAME; sleep 1.5; echo late; exec sleep 9999"]
    stop_signal: SIGKILL
    deploy: {replicas: 2}
  other: {image: base:1, command: [sh, -c, "echo other; exec sleep 9999"], stop_signal: SIGKILL}
""") as project:
        project.up()
        wait_until("late lines", lambda: project.escale("logs").stdout.count("late") == 2)
        first, second = (project.escale("logs", "--no-log-prefix", "--index", index, "web").stdout.split() for index in (1, 2))
        expect(first[1:] == second[1:] == ["late"] and first[0] != second[0], f"--index gives {first} and {second}")
        expect("other" not in project.escale("logs", "web").stdout, "a service that was not named is shown")
        last = project.escale("logs", "--no-log-prefix", "-n", 1, "web").stdout
        expect(last == "late\nlate\n", f"-n 1 gives {last!r}")
        stamped = project.escale("logs", "-t", "--no-log-prefix", "--index", 1, "web").stdout.splitlines()
        late = stamped[1].split()[0]
        until = project.escale("logs", "--no-log-prefix", "--until", stamped[0].split()[0], "--index", 1, "web").stdout.split()
        since = project.escale("logs", "--no-log-prefix", "--since", late, "--index", 1, "web").stdout.split()
        expect(until == first[:1] and since == ["late"], f"--until and --since give {until} and {since}")
        refused = project.escale("logs", "--index", 1, check=False)
        expect(refused.returncode == 2 and "needs one service" in refused.stderr, f"--index without a service: {refused.stderr}")
