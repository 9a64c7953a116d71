"""Escale and its peers (Docker, Podman, Buildah, Skopeo) behind the same few calls, each with stores of its own.

Python's standard library only. What is started here ends with the Bed, which also removes what was mounted and written.
"""

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "Tests/Examples"), str(ROOT / "Benchmarks")]

from replicas import BUSYBOX, Docker as OwnDocker  # noqa: E402 - directories of their own
from support import Failure, expect, free_port  # noqa: E402

__all__ = ["BUSYBOX", "Bed", "Failure", "complaint", "expect", "free_port", "run", "wait_until"]


def run(*words, check=True, typed="", timeout=300, **options):
    """Runs to the end; a failure has the command's own last words."""
    command = [str(word) for word in words]
    try:
        done = subprocess.run(command, input=typed, capture_output=True, text=True, errors="replace", timeout=timeout,
                              check=False, **options)
    except subprocess.TimeoutExpired as error:
        raise Failure(f"{shlex.join(command)} took more than {timeout} s") from error
    if check and done.returncode != 0:
        raise Failure(f"{shlex.join(command)} ended with {done.returncode}:\n{done.stdout[-1500:]}{done.stderr[-2500:]}")
    return done


def wait_until(what, condition, timeout=30):
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise Failure(f"waited {timeout} s in vain for {what}")
        time.sleep(0.05)
    return value


def complaint(done, *patterns):
    """Checks that the command failed as Escale's commands do, in words that say each of these."""
    text = done.stderr
    expect(done.returncode == 1, f"ended with {done.returncode}, not 1: {done.stdout[-800:]}{text[-800:]}")
    # The code is there where a file is wrong, not with what else happens.
    expect(re.search(r"^error(\[[\w.-]+\])?: \S", text, re.MULTILINE), f"no line `error: message`: {text[-800:]}")
    for pattern in patterns:
        expect(re.search(pattern, text, re.IGNORECASE), f"nothing like /{pattern}/ in: {text[-800:]}")
    expect(not re.search(r"Optional\(|Fatal error|\w+Error\(", text), f"not words for users: {text[-800:]}")


def remove_groups(groups):
    """Cgroups that no process is in any more, with all below them."""
    for group in list(groups):
        for directory, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(directory)


class Escale:
    name = "escale"

    def __init__(self, scratch, name="escale"):
        self._program = Path(os.environ.get("ESCALE_BIN", ROOT / ".build/release")).resolve() / "escale"
        self._directory = scratch / name
        self.root = self._directory / "root"
        self.home = self._directory / "home"
        self.home.mkdir(parents=True)
        helpers = self._directory / "bin"  # on the PATH, for credential helpers
        helpers.mkdir()
        self.helpers = helpers
        self.environment = {**os.environ, "ESCALE_ROOT": str(self.root), "HOME": str(self.home),
                            "DOCKER_CONFIG": str(self.home / ".docker"), "PATH": f"{helpers}:{os.environ['PATH']}"}
        self._turn = 0

    def __call__(self, *words, check=True, typed="", timeout=300, environment=None, cwd=None):
        return run(self._program, *words, check=check, typed=typed, timeout=timeout,
                   env={**self.environment, **(environment or {})}, cwd=cwd or self._directory)

    def close(self):
        if self._program.exists() and self.root.exists():
            self("registry", "stop", check=False)
            self("system", "reset", "--yes", check=False)

    @property
    def config(self):
        return self.home / ".docker/config.json"

    def start_with_etc(self, place, files):
        """Starts the daemon with an /etc that has these files too (and this host's), in a mount namespace of its own."""
        upper, work = place / "etc-upper", place / "etc-work"
        work.mkdir()
        for name, text in files.items():
            (upper / name).parent.mkdir(parents=True, exist_ok=True)
            (upper / name).write_text(text, "utf-8")
        script = f"mount -t overlay overlay -o lowerdir=/etc,upperdir={upper},workdir={work} /etc && exec \"$@\""
        run("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", self._program, "image", "ls",
            env=self.environment, cwd=self._directory)

    def login(self, place, password=None, check=True):
        return self("login", "-u", place.user, "--password-stdin", place.address, typed=password or place.password,
                    check=check)

    def logout(self, place):
        return self("logout", place.address)

    def pull(self, reference, place=None, check=True, timeout=300):
        with self._may_use(place, check):
            return self("pull", reference, check=check, timeout=timeout)

    def push(self, reference, place=None, check=True, timeout=300):
        with self._may_use(place, check):
            return self("push", reference, check=check, timeout=timeout)

    @contextlib.contextmanager
    def _may_use(self, place, logs_in):
        """Logged in and trusting the certificate meanwhile, if the place needs that."""
        with place.trusted() if place and place.ca else contextlib.nullcontext():
            secret = place and place.user and logs_in and not place.is_logged_in
            if secret:
                self.login(place)
            try:
                yield
            finally:
                if secret:
                    self.logout(place)

    def tag(self, old, new):
        self("tag", old, new)

    def load(self, file):
        return self("image", "load", "-i", file)

    def save(self, file, form, *names):
        self("image", "save", *names, "-o", file, "--format", form)

    def build(self, name, context, *words):
        return self("build", "-t", name, *words, context)

    def inspect(self, name):
        return json.loads(self("image", "inspect", name).stdout)[0]

    def identity(self, name):
        return self.inspect(name)["Id"]

    def has(self, name):
        return self("image", "inspect", name, check=False).returncode == 0

    def remove(self, *names):
        self("image", "rm", *names)

    def run(self, image, *command, user=None):
        """What a container of the image prints."""
        self._turn += 1
        project = self._directory / f"run-{self._turn}"
        project.mkdir()
        service = {"image": image}
        if command:
            # Compose files replace variables: a dollar sign of the command is written twice.
            service["command"] = [word.replace("$", "$$") for word in command]
        if user:
            service["user"] = user
        (project / "compose.yaml").write_text(json.dumps({"name": project.name, "services": {"x": service}}), "utf-8")
        try:
            self("up", "-d", cwd=project)
            ended = wait_until(f"a container of {image} to end", lambda: [
                one for one in json.loads(self("ps", "-a", "--format", "json", cwd=project).stdout)
                if one["state"] == "exited"])[0]
            output = self("logs", "--no-log-prefix", "--no-color", cwd=project).stdout
        finally:
            self("down", cwd=project, check=False)
        expect(ended["exitCode"] == 0, f"a container of {image} ended with {ended['exitCode']}: {output[-800:]}")
        return output


class DockerPeer(OwnDocker):
    """dockerd on this host's loopback, so that it reaches the registries, with nothing else of the network."""

    name = "docker"
    cgroup = "escale-peer-docker"

    def __init__(self, scratch):
        super().__init__(scratch, scratch)
        self._environment["DOCKER_CONFIG"] = str(scratch / "docker-config")
        self._environment["DOCKER_BUILDKIT"] = "0"
        self._start_daemon()

    def close(self):
        self._stop_daemon()
        remove_groups(Path("/sys/fs/cgroup").glob(f"**/{self.cgroup}"))  # some are below this process's own

    def _start_daemon(self):
        place = self._scratch / "docker"
        for directory in ("data", "exec", "etc-upper", "etc-work"):
            (place / directory).mkdir(parents=True)
        (place / "daemon.json").write_text("{}", encoding="ascii")
        socket = f"unix://{place}/docker.sock"
        daemon = shlex.join([
            "dockerd", "--host", socket, "--data-root", f"{place}/data", "--exec-root", f"{place}/exec",
            "--pidfile", f"{place}/docker.pid", "--config-file", f"{place}/daemon.json", "--cgroup-parent", self.cgroup,
            "--bridge", "none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"])
        script = (f"mount -t tmpfs tmpfs /run && mount -t overlay overlay"
                  f" -o lowerdir=/etc,upperdir={place}/etc-upper,workdir={place}/etc-work /etc && exec {daemon}")
        with open(place / "log", "wb") as log:
            self._daemon = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self._environment["DOCKER_HOST"] = socket
        deadline = time.monotonic() + 60
        while not self._answers():
            if self._daemon.poll() is not None or time.monotonic() > deadline:
                tail = (place / "log").read_text(encoding="utf-8", errors="replace").splitlines()[-10:]
                self._stop_daemon()
                raise Failure("dockerd did not start\n" + "\n".join(tail))
            time.sleep(0.1)

    def __call__(self, *words, check=True, typed=""):
        return run(self._client, *words, check=check, typed=typed, env=self._environment, cwd=self._project)

    @contextlib.contextmanager
    def _may_use(self, place):
        # Docker asks registries on the loopback interface over TLS without a look at the certificate.
        if place and place.user:
            self("login", "-u", place.user, "--password-stdin", place.address, typed=place.password)
        try:
            yield
        finally:
            if place and place.user:
                self("logout", place.address)

    def pull(self, reference, place=None):
        with self._may_use(place):
            self("pull", reference)

    def push(self, reference, place=None):
        """Returns the digest that Docker says it pushed."""
        with self._may_use(place):
            return re.findall(r"digest: (sha256:[0-9a-f]{64})", self("push", reference).stdout)[-1]

    def push_anyway(self, reference):
        return self("push", reference, check=False)

    def tag(self, old, new):
        self("tag", old, new)

    def load(self, file):
        self("load", "-i", file)

    def save(self, file, form, *names):
        expect(form == "docker-archive", "Docker saves archives of its own kind only")
        self("save", "-o", file, *names)

    def build(self, name, context, *words):
        self("build", "--network", "none", "-t", name, *words, context)

    def inspect(self, name):
        return json.loads(self("image", "inspect", name).stdout)[0]

    def identity(self, name):
        return self.inspect(name)["Id"]

    def remove(self, *names):
        self("image", "rm", "--force", *names)

    def run(self, image, *command, user=None):
        return self("run", "--rm", "--network", "none", *(["--user", user] if user else []), image, *command).stdout


class PodmanPeer:
    """Podman, and Buildah that shares its store."""

    name = "podman"

    def __init__(self, scratch):
        self._place = scratch / "podman"
        self._place.mkdir()
        self._had_groups = set(self._groups())
        self._store = ["--root", self._place / "root", "--runroot", self._place / "run", "--storage-driver", "overlay"]
        (self._place / "home").mkdir()
        # The defaults may be more than this host allows, and crun wants cgroups of one kind only: runc takes them as
        # they are.
        (self._place / "containers.conf").write_text(
            '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n[engine]\nruntime = "runc"\n'
            'cgroup_manager = "cgroupfs"\nevents_logger = "none"\n', "ascii")
        self._environment = {**os.environ, "HOME": str(self._place / "home"), "TMPDIR": str(self._place),
                             "CONTAINERS_CONF": str(self._place / "containers.conf")}

    def __call__(self, *words, check=True):
        return run("podman", *self._store, "--tmpdir", self._place / "tmp", *words, check=check, env=self._environment)

    def buildah(self, *words, check=True):
        return run("buildah", *self._store, *words, check=check, env=self._environment)

    def close(self):
        self("rm", "--all", "--force", "--time", "0", check=False)
        # The store mounts itself over itself.
        for mount in (self._place / "root/overlay", self._place / "run/overlay"):
            run("umount", "--lazy", mount, check=False)
        remove_groups(set(self._groups()) - self._had_groups)

    @staticmethod
    def _groups():
        """The cgroups that runc and Podman make and leave."""
        return Path("/sys/fs/cgroup").glob("**/libpod_parent")

    @staticmethod
    def options(place):
        words = [f"--tls-verify={'true' if place.ca else 'false'}"]
        if place.ca:
            words += ["--cert-dir", place.certificates]
        if place.user:
            words += ["--creds", f"{place.user}:{place.password}"]
        return words

    def pull(self, reference, place):
        self("pull", *self.options(place), reference)

    def push(self, reference, place):
        """Returns the digest that Podman says it pushed."""
        file = self._place / "digest"
        self("push", *self.options(place), "--digestfile", file, reference)
        return file.read_text("ascii").strip()

    def push_anyway(self, reference):
        return self("push", "--tls-verify=false", reference, check=False)

    def push_index(self, name, members, reference, place):
        """Makes an index of images in an OCI layout and pushes it with all of them."""
        self("manifest", "create", name)
        for member in members:
            self("manifest", "add", name, f"oci:{member}")
        self("manifest", "push", "--all", *self.options(place), name, f"docker://{reference}")

    def tag(self, old, new):
        self("tag", old, new)

    def load(self, file):
        self("load", "-i", file)

    def save(self, file, form, *names):
        self("save", "--format", form, "-o", file, *names)

    def build(self, name, context, *words):
        self.buildah("bud", "--layers", "--runtime", "runc", "--network", "none", "-t", name, *words, context)

    def inspect(self, name):
        return json.loads(self("image", "inspect", name).stdout)[0]

    def identity(self, name):
        return "sha256:" + self.inspect(name)["Id"].removeprefix("sha256:")

    def remove(self, *names):
        self("image", "rm", "--force", *names)

    def run(self, image, *command, user=None):
        return self("run", "--rm", "--network", "none", "--pull", "never", *(["--user", user] if user else []), image,
                    *command).stdout


class Skopeo:
    name = "skopeo"

    def __init__(self, scratch):
        # Debian's policy trusts everything; a policy of this host's own may not.
        self._policy = scratch / "policy.json"
        self._policy.write_text('{"default": [{"type": "insecureAcceptAnything"}]}', "ascii")

    def __call__(self, *words, check=True):
        return run("skopeo", "--policy", self._policy, *words, check=check)

    @staticmethod
    def options(place, prefix=""):
        words = [f"--{prefix}tls-verify={'true' if place.ca else 'false'}"]
        if place.ca:
            words += [f"--{prefix}cert-dir", place.certificates]
        if place.user:
            words += [f"--{prefix}creds", f"{place.user}:{place.password}"]
        return words

    def push(self, source, reference, place, *words):
        self("copy", *words, *self.options(place, "dest-"), source, f"docker://{reference}")

    def pull(self, reference, target, place, *words):
        self("copy", *words, *self.options(place, "src-"), f"docker://{reference}", target)

    def digest(self, reference, place):
        return self("inspect", *self.options(place), "--format", "{{.Digest}}", f"docker://{reference}").stdout.strip()

    def raw(self, reference, place):
        return self("inspect", *self.options(place), "--raw", f"docker://{reference}").stdout

    def config(self, reference, place):
        """The image's configuration as it is."""
        return self("inspect", *self.options(place), "--config", "--raw", f"docker://{reference}").stdout

    def convert(self, source, target):
        self("copy", source, target)


class Bed:
    """Escale and its peers, each started when it is first asked for."""

    def __init__(self):
        self._stack = contextlib.ExitStack()
        self._made = {}

    def __enter__(self):
        # Not in /tmp, which may be memory: layers belong on the disk that users have them on.
        self.scratch = Path(tempfile.mkdtemp(prefix="escale-peer.", dir="/var/tmp"))
        return self

    def __exit__(self, *_):
        try:
            self._stack.close()
        finally:
            self._end_processes()
            self._unmount()
            shutil.rmtree(self.scratch, ignore_errors=True)
            if self.scratch.exists():
                print(f"warning: {self.scratch} could not be removed", file=sys.stderr)

    def _get(self, kind):
        if kind not in self._made:
            peer = self._made[kind] = kind(self.scratch)
            if hasattr(peer, "close"):
                self._stack.callback(peer.close)
        return self._made[kind]

    escale = property(lambda self: self._get(Escale))
    docker = property(lambda self: self._get(DockerPeer))
    podman = property(lambda self: self._get(PodmanPeer))
    skopeo = property(lambda self: self._get(Skopeo))

    def engine(self, name):
        return getattr(self, name)

    def directory(self, name):
        path = self.scratch / "cases" / name
        number = 1
        while path.exists():
            number += 1
            path = path.with_name(f"{name}-{number}")
        path.mkdir(parents=True)
        return path

    def _end_processes(self):
        """What is still there of what was started, each by its own id: it was given a path in the scratch directory."""
        mark = f"{self.scratch}/".encode()
        for stopping in (signal.SIGTERM, signal.SIGKILL):
            left = []
            for entry in Path("/proc").iterdir():
                with contextlib.suppress(OSError, ValueError):
                    if int(entry.name) != os.getpid() and mark in (entry / "cmdline").read_bytes():
                        left.append(int(entry.name))
            for process in left:
                print(f"warning: process {process} was left behind and is ended", file=sys.stderr)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, stopping)
            if not left:
                return
            time.sleep(2)

    def _unmount(self):
        for line in reversed(Path("/proc/self/mounts").read_text("utf-8").splitlines()):
            target = line.split()[1].encode().decode("unicode_escape")
            if target.startswith(f"{self.scratch}/"):
                run("umount", "--lazy", target, check=False)
