"""An example application as its team runs it: through `escale` and its port, and nothing else.

Python's standard library only. As root, after scripts/setup.sh test and scripts/build.sh.
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "Tests/Browser"))

from browser import Failure, wait_until  # noqa: E402 - a directory beside this one


def expect(condition, message):
    if not condition:
        raise Failure(message)


class Site:
    """A copy of an example's directory, so that a release can change its files, and where it is used at, whatever runs it: `url`.

    Who runs it says how: `up` releases what is in the files, `kill_each` ends each of a service's containers and waits until all
    is well, `roll_back` makes the former release run.
    """

    def __init__(self, name, *files):
        self.name = name
        self.files = files
        self.scratch = tempfile.TemporaryDirectory(prefix="escale-example.", dir="/var/tmp")
        self.directory = Path(self.scratch.name) / name
        shutil.copytree(ROOT / "examples" / name, self.directory)
        self.environment = dict(os.environ)
        self._program = Path(os.environ.get("ESCALE_BIN", ROOT / ".build/release")) / "escale"
        self._began = time.monotonic()

    def say(self, text):
        print(f"  {time.monotonic() - self._began:5.0f} s  {text}", flush=True)

    def escale(self, *words, check=True, typed=""):
        arguments = [str(self._program), "--progress", "plain"]
        for file in self.files:
            arguments += ["-f", file]
        done = subprocess.run(
            [*arguments, *words], cwd=self.directory, env=self.environment, input=typed,
            capture_output=True, text=True, timeout=600)
        if check and done.returncode != 0:
            raise Failure(f"escale {' '.join(words)} ended with {done.returncode}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        return done

    def edit(self, path, old, new):
        file = self.directory / path
        text = file.read_text(encoding="utf-8")
        expect(old in text, f"{path} has no \"{old}\" to change")
        file.write_text(text.replace(old, new), encoding="utf-8")

    # From outside

    def ask(self, method, path, body=None, form=None):
        """Status and text of one request."""
        return request(self.url, method, path, body, form)

    def get(self, path):
        return self.ask("GET", path)

    def page_says(self, path, text):
        return wait_until(f"{path} to say \"{text}\"", lambda: text in self.get(path)[1])

    def browse(self):
        """Uses the page in a browser, by the script of Tests/Browser that has the example's name."""
        script = ROOT / "Tests/Browser" / f"{self.name.replace('-', '_')}.py"
        done = subprocess.run([sys.executable, str(script), self.url], capture_output=True, text=True, timeout=600)
        for line in done.stdout.splitlines():
            self.say(f"  browser: {line}")
        expect(done.returncode == 0, f"in the browser: {done.stdout}{done.stderr}")


class Example(Site):
    """An example's project on an Escale.

    The Escale is the one that ESCALE_ROOT names, which needs the base image, or else one of its own that goes at the end.
    """

    def __init__(self, name, port_variable, *files):
        super().__init__(name, *files)
        self.port = free_port()
        self._owns = "ESCALE_ROOT" not in os.environ
        self.environment[port_variable] = str(self.port)
        if self._owns:
            self.environment["ESCALE_ROOT"] = f"{self.scratch.name}/root"

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        if self._owns:
            self.escale("image", "bootstrap", "debian:bookworm-slim")
        return self

    def __exit__(self, kind, error, _):
        if isinstance(error, (Failure, OSError, AssertionError)):
            for words in (["ps", "-a"], ["release", "ls"], ["logs", "--tail", "30"]):
                print(self.escale(*words, check=False).stdout[-6000:], file=sys.stderr)
        if self._owns:
            self.escale("system", "reset", "--yes", check=False)
        else:
            self.escale("down", "-v", check=False)
        self.scratch.cleanup()

    def up(self, *words):
        return self.escale("up", "-d", "--build", "--wait", *words)

    # What runs

    def containers(self, service=None):
        every = json.loads(self.escale("ps", "-a", "--format", "json").stdout)
        return [one for one in every if service in (None, one["service"])]

    def running(self, service):
        return [one for one in self.containers(service) if one["state"] == "running"]

    def is_whole(self):
        """Whether all that shall run does, and is healthy where it is checked."""
        return all(
            (one["state"] == "running" and one.get("health") in (None, "healthy"))
            or (one["state"] == "exited" and one.get("exitCode") == 0)
            for one in self.containers())

    def kill_each(self, service, client, most):
        """Kills the first process of each of the service's containers, one after the other, and waits each time until
        all is well again. No more than so many of the client's requests may fail each time."""
        for victim in self.running(service):
            began = time.monotonic()
            os.kill(victim["pid"], signal.SIGKILL)
            wait_until(f"{victim['name']} to be gone", lambda: all(
                one["pid"] != victim["pid"] for one in self.running(service)))
            wait_until(f"everything to be well after {victim['name']} was killed", self.is_whole)
            seconds = time.monotonic() - began
            lost = client.lost(most, f"{victim['name']} was killed")
            self.say(f"{victim['name']} killed, all well again after {seconds:.1f} s: {lost}")

    def roll_back(self, client, path, text):
        """Goes back to the former release, under the client: none of its requests may fail. The path no longer has the
        text then."""
        self.escale("rollback")
        wait_until("the former version", lambda: text not in self.get(path)[1])
        self.say(f"rolled back: {client.lost(0, 'the rollback')}")

    def goes_back(self, client, saying):
        """Releases what is in the files, which is bad: `up` has to fail and say why, and no request may fail."""
        done = self.escale("up", "-d", "--build", check=False)
        expect(done.returncode == 1, f"a bad release ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        expect(saying in done.stderr, f"nothing about \"{saying}\": {done.stderr[-3000:]}")
        wait_until("the former version", self.is_whole)
        self.say(f"a bad release went back by itself: {client.lost(0, 'the bad release')}")

    @contextlib.contextmanager
    def cut_off(self, service):
        """Lets no packet through to or from the service's containers meanwhile, as a firewall or a pulled plug would."""
        table = f"escale_example_{os.getpid()}"
        addresses = []
        for one in self.running(service):
            shown = subprocess.run(
                ["nsenter", f"--net=/proc/{one['pid']}/ns/net", "ip", "-o", "-4", "address", "show", "scope", "global"],
                check=True, capture_output=True, text=True).stdout
            addresses += [line.split()[3].partition("/")[0] for line in shown.splitlines() if " lo " not in line]
        expect(addresses, f"{service} has no address")
        members = ", ".join(addresses)
        rules = (f"table ip {table} {{\nchain cut {{\ntype filter hook forward priority -10\n"
                 f"ip saddr {{ {members} }} drop\nip daddr {{ {members} }} drop\n}}\n}}\n")
        subprocess.run(["nft", "-f", "-"], input=rules, check=True, text=True)
        try:
            yield
        finally:
            subprocess.run(["nft", "delete", "table", "ip", table], check=True)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def connect(url):
    return http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=60)


def request(url, method, path, body=None, form=None):
    """Status and text; the body is sent as JSON, or a form as browsers do."""
    connection = connect(url)
    try:
        data, headers = form, {"Accept": "application/json, text/html"}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        elif body is not None:
            data, headers["Content-Type"] = json.dumps(body), "application/json"
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    finally:
        connection.close()


class Client:
    """Two callers that ask for the paths in turn, one with new connections, one with a kept one, and note what fails.

    With a form they send that; then nobody may ask again.
    """

    def __init__(self, url, *paths, form=None):
        self._url = url
        self._paths = paths
        self._form = form
        self._ends = threading.Event()
        self.requests = 0
        self.failures = []
        self.reopened = 0  # kept connections that were dropped, and the request asked again: not counted as failures
        self._threads = [threading.Thread(target=self._call, args=[keeps]) for keeps in (False, True)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._ends.set()
        for thread in self._threads:
            thread.join()

    def _call(self, keeps):
        connection = None
        turn = 0
        while not self._ends.wait(0.02):
            path = self._paths[turn % len(self._paths)]
            turn += 1
            try:
                try:
                    is_used = connection is not None
                    connection = connection or connect(self._url)
                    status, text = self._ask(connection, path)
                except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                    # A kept connection may be closed by the other side between two requests; browsers and libraries then
                    # open another one and ask again. What may have changed something is not asked twice.
                    if not is_used or self._form is not None:
                        raise
                    self.reopened += 1
                    connection = connect(self._url)
                    status, text = self._ask(connection, path)
                if status != 200:
                    self.failures.append(f"{path}: {status} {text[:120]!r}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{path}: {error!r}")
                connection = None
            self.requests += 1
            if not keeps and connection is not None:
                connection.close()
                connection = None

    def _ask(self, connection, path):
        if self._form is None:
            connection.request("GET", path, headers={"Accept": "application/json, text/html"})
        else:
            connection.request("POST", path, self._form, {"Content-Type": "application/x-www-form-urlencoded"})
        answer = connection.getresponse()
        return answer.status, answer.read()

    def lost(self, most, what):
        """Checks how many requests failed since the last time, a few later ones among them."""
        enough = self.requests + 10
        wait_until("some more requests", lambda: self.requests >= enough)
        failures, self.failures = self.failures, []
        expect(len(failures) <= most, f"{what}: {len(failures)} of {self.requests} requests failed: {failures[:5]}")
        requests, self.requests = self.requests, 0
        reopened, self.reopened = self.reopened, 0
        again = f", {reopened} asked again on a new connection" if reopened else ""
        return f"{len(failures)} of {requests} requests failed{again}"
