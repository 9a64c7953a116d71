"""What rows work with: projects in directories of their own, and one container as it is seen from inside and outside."""

import json
import re
import subprocess
import time

from bed import BINARIES, Failure, expect, one_line

#: for how long an answer that isn't the wanted one is asked for again
PATIENCE = 10


class Bench:
    """One daemon, and the projects on it."""

    def __init__(self, bed, engine):
        self.bed = bed
        self.engine = engine

    def project(self, name, compose=None):
        """A project in a directory of its own; whoever made it calls `end`, or uses it in `with`."""
        directory = self.bed.scratch / name
        directory.mkdir()
        project = Project(self.engine, name, directory)
        if compose is not None:
            project.write("compose.yaml", compose)
        return project


class Project:
    def __init__(self, engine, name, directory):
        self.engine = engine
        self.name = name
        self.directory = directory

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def write(self, path, content, mode=0o644):
        file = self.directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        file.chmod(mode)
        return file

    def escale(self, *words, check=True, timeout=120, **more):
        """Runs a command on the project; `more` is for subprocess.run, such as `input`."""
        environment = {"ESCALE_ROOT": str(self.engine.root), "ESCALE_BIN": str(BINARIES), "HOME": "/root",
                       "PWD": str(self.directory),
                       "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **more.pop("env", {})}
        words = [str(word) for word in words]
        if "input" not in more:
            more["stdin"] = subprocess.DEVNULL
        try:
            done = subprocess.run([BINARIES / "escale", "-p", self.name, *words], cwd=self.directory, env=environment,
                                  capture_output=True, text=True, errors="replace", timeout=timeout, check=False, **more)
        except subprocess.TimeoutExpired as error:
            raise Failure(f"escale {' '.join(words)} did not end within {timeout} s") from error
        if check:
            expect(done.returncode == 0, f"escale {' '.join(words)} ended with {done.returncode}: "
                                         f"{one_line(done.stdout, 600)} {one_line(done.stderr, 1200)}")
        return done

    def up(self, *words, **more):
        return self.escale("up", "-d", *words, **more)

    def ps(self):
        """The project's containers, those that ended among them."""
        done = self.escale("ps", "-a", "--format", "json", check=False)
        return json.loads(done.stdout) if done.returncode == 0 else []

    def container(self, service, slot=1):
        return next((one for one in self.ps() if one["service"] == service and one["slot"] == slot), None)

    def inside(self, service, command):
        """What a shell's command in the service's first container prints."""
        done = self.escale("exec", "-T", service, "sh", "-c", command, check=False)
        return (done.stdout + done.stderr).strip()

    def logs(self, service):
        return self.escale("logs", "--no-log-prefix", "--no-color", service).stdout

    def end(self):
        self.escale("down", "-v", "-t", "0", "--remove-orphans", check=False)


class Subject:
    """A row's container."""

    def __init__(self, project, row, container):
        self.project = project
        self.row = row
        self.container = container

    @property
    def bundle(self):
        return self.project.engine.root / "run/containers" / self.container["id"]

    @property
    def pid(self):
        return int((self.bundle / "pid").read_text())

    def has_started(self):
        """Whether it has; one that is just being restarted looks as if not."""
        deadline = time.monotonic() + (PATIENCE if self.container and self.container.get("startedAt") else 0)
        while self.container is None or self.container["state"] == "created":
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
            self.container = self.project.container(self.row.slug)
        return True

    def inside(self, command):
        return self.project.inside(self.row.slug, command)

    def check(self, what, ask, wanted):
        """Asks until the answer is as wanted, for some seconds; a regular expression for all of it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                answer = str(ask()).strip()
            except OSError as error:  # a file of /proc or of a control group that isn't there yet
                answer = f"{error}"
            if re.fullmatch(wanted, answer, re.DOTALL):
                return
            expect(time.monotonic() < deadline, f"{what}: {one_line(answer, 600)!r} instead of {wanted!r}")
            time.sleep(0.1)
