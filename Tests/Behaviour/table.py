"""What a row of the behaviour table is made of. A module of `rows` calls these, once for each row:

    area = Area("process")
    area.row("command is a list", "command: [sleep, '9999']", inside={"cat /proc/1/cmdline": "sleep.9999."})
    area.row("cpus", "cpus: 0.5", outside=[(oci("linux.resources.cpu.quota"), "50000")])
    area.refused("a word that isn't one", "ipc: foo", r'"foo" is not possible here')

A service without `image` or `command` gets busybox, and a command that sleeps. What is wanted is a regular expression that
the whole answer, stripped, has to match; `.` matches line ends too. An answer that does not match is asked for again for a
while, so that nothing depends on how fast the machine is.
"""

import re
import textwrap
from dataclasses import dataclass, field

ROWS = []


@dataclass
class Row:
    area: str
    name: str

    @property
    def title(self):
        return f"{self.area}/{self.slug}"

    @property
    def slug(self):
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


@dataclass
class ServiceRow(Row):
    service: str
    #: command in the container → what it prints
    inside: dict = field(default_factory=dict)
    #: (probe, what it answers); probes are functions of probes.py
    outside: list = field(default_factory=list)
    #: what `up` tells
    says: tuple = ()
    #: top-level key → its members' text
    top: dict = field(default_factory=dict)
    #: other services of the row, by name; names are the whole project's, so begin them with the row's
    beside: dict = field(default_factory=dict)
    #: files beside the compose file
    files: dict = field(default_factory=dict)

    def whole_service(self):
        return with_defaults(self.service)


@dataclass
class ErrorRow(ServiceRow):
    #: regular expressions for what is told
    words: tuple = ()
    #: whether it is a warning, and no error
    warns: bool = False


@dataclass
class Scenario(Row):
    """Something that takes more than one service that is up: a function that gets the Bench and raises Failure."""
    work: object = None
    #: whether no other row runs meanwhile, since it kills the daemon of all
    alone: bool = False


class Area:
    def __init__(self, name):
        self.name = name

    def row(self, name, service, **more):
        """A service that comes up, with what is to be seen."""
        ROWS.append(ServiceRow(self.name, name, service, **more))

    def refused(self, name, service, *words, **more):
        """A service that `up` refuses, or fails to start, with these words."""
        ROWS.append(ErrorRow(self.name, name, service, words=words, **more))

    def warned(self, name, service, *words, **more):
        """A service that `config` warns of."""
        ROWS.append(ErrorRow(self.name, name, service, words=words, warns=True, **more))

    def scenario(self, name, alone=False):
        """Decorates a function of the Bench: a row with projects and steps of its own; `alone` for one that kills the daemon."""
        def add(work):
            ROWS.append(Scenario(self.name, name, work, alone))
            return work
        return add


def with_defaults(service):
    """The service's text as the members of a mapping, with an image and a command where it has none."""
    text = textwrap.dedent(service).strip("\n")
    keys = set(re.findall(r"^([a-z_-]+):", text, re.MULTILINE))
    if not keys & {"image", "build"}:
        text += "\nimage: base:1"
    if not keys & {"command", "entrypoint", "build"}:
        text += "\ncommand: [sleep, '9999']"
    if "stop_signal" not in keys:
        text += "\nstop_signal: SIGKILL"
    return text.strip("\n") + "\n"
