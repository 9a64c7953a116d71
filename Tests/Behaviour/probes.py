"""What can be seen of a container from outside. Each function makes a probe for a row's `outside`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Callable


@dataclass
class Probe:
    name: str
    #: given the Subject, answers with a text
    read: Callable


def log():
    """All that the container wrote."""
    return Probe("its log", lambda subject: subject.project.logs(subject.row.slug))


def ps(field):
    """A member of what `ps --format json` has of it, such as `state` or `exitCode`."""
    return Probe(f"{field} of ps", lambda subject: (subject.project.container(subject.row.slug) or {}).get(field))


def oci(path):
    """A member of the OCI runtime's configuration, such as `process.user.uid`; JSON where it isn't a plain text."""
    def read(subject):
        value = json.loads((subject.bundle / "config.json").read_text())
        for part in path.split("."):
            if isinstance(value, list):
                value = value[int(part)] if int(part) < len(value) else None
            else:
                value = (value or {}).get(part)
        return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return Probe(f"{path} of config.json", read)


def mount(target):
    """The OCI runtime's mount at the target: type, source and options, in a line; the last one where there are more."""
    def read(subject):
        mounts = json.loads((subject.bundle / "config.json").read_text())["mounts"]
        found = [one for one in mounts if one["destination"] == target]
        return f"{found[-1]['type']} {found[-1]['source']} {','.join(found[-1]['options'])}" if found else "none"
    return Probe(f"the mount at {target}", read)


def proc(file):
    """A file of /proc of the container's first process."""
    return Probe(f"/proc/PID/{file}", lambda subject: Path(f"/proc/{subject.pid}/{file}").read_text())


def namespace(kind):
    """Whether the first process is in the host's namespace: `host` or `own`."""
    def read(subject):
        own, host = (Path(f"/proc/{pid}/ns/{kind}").readlink() for pid in (subject.pid, "self"))
        return "host" if own == host else "own"
    return Probe(f"the {kind} namespace", read)


def cgroup(v1, v2=None):
    """A file of the container's control group: `memory/memory.limit_in_bytes`, and what it is called with v2."""
    def read(subject):
        if Path("/sys/fs/cgroup/cgroup.controllers").exists():
            base, name = Path("/sys/fs/cgroup"), v2
        else:
            controller, name = v1.split("/")
            base = Path("/sys/fs/cgroup") / controller
        # The hierarchy's line in /proc says where the process is.
        for line in Path(f"/proc/{subject.pid}/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if base.name in controllers.split(",") or (controllers == "" and base.name == "cgroup"):
                return (base / path.lstrip("/") / name).read_text()
        return "no such control group"
    return Probe(v1, read)


def host(what, function):
    """Anything else: a function of the Subject."""
    return Probe(what, function)
