"""A project of one service for the load tests: its compose file, its ports, what runs of it, the load on it."""

import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
STRATEGIES = ("rolling", "blue-green", "canary")
# What each service can be asked, and the path that its health check asks for.
SERVICES = {
    "nginx": {"modes": ("keepalive", "newconn", "wrk", "hey", "h2"), "health": "/"},
    "flask": {"modes": ("keepalive", "newconn", "slow", "uploads"), "health": "/health"},
    # Sockets end only with the drain limit, which each replica then waits for.
    "websocket": {"modes": ("websocket",), "health": "/health", "drain": "3s"},
}
# Requests a second that a mode makes at least, or the run says nothing about a busy service.
FLOORS = {"slow": 10, "uploads": 25}
PORT = 18380


def health_check(path):
    # No program of the image is started but bash: checks are frequent, and the cores are the load's.
    script = ("exec 3<>/dev/tcp/127.0.0.1/80"
              f" && printf 'GET {path} HTTP/1.1\\r\\nHost: health\\r\\nConnection: close\\r\\n\\r\\n' >&3"
              " && read -r line <&3 && [[ $$line == *' 200 '* ]]")
    return {"test": ["CMD", "bash", "-c", script], "interval": "1s", "timeout": "5s", "retries": 3,
            "start_period": "20s", "start_interval": "100ms"}


def compose_file(name, service, version, strategy="rolling", *, port=PORT, layer="http", replicas=4, steps=None,
                 environment=None):
    """As a dictionary; JSON is YAML. `layer` is http for the gateway's port, tcp for a plain one."""
    published = {"target": 80, "published": str(port)}
    if layer == "http":
        published["app_protocol"] = "http"
    release = {"strategy": strategy, "drain": SERVICES[service].get("drain", "15s")}
    if strategy == "canary":
        release["steps"] = steps or [{"weight": 10, "pause": "1s"}, {"weight": 50, "pause": "1s"}]
    if strategy == "blue-green":
        release["keep"] = "1s"
    return {
        "name": name,
        "services": {
            service: {
                "image": f"escale-test/{service}:{version}",
                "environment": environment or {},
                "ports": [published],
                "healthcheck": health_check(SERVICES[service]["health"]),
                "stop_grace_period": "20s",
                "deploy": {
                    "replicas": replicas,
                    "update_config": {"parallelism": 1, "order": "start-first", "monitor": "1s"},
                    "rollback_config": {"parallelism": 1, "order": "start-first", "monitor": "1s"},
                },
                "x-escale": {"release": release},
            }
        },
    }


class Bed:
    """One instance of Escale with the test images, in the directory that ESCALE_ROOT names or else in a scratch one that
    goes at the end."""

    def __init__(self):
        self._scratch = tempfile.TemporaryDirectory(prefix="escale-load.", dir="/var/tmp")
        self.directory = Path(self._scratch.name)
        self._owned = "ESCALE_ROOT" not in os.environ
        binaries = os.environ.get("ESCALE_BIN", str(ROOT / ".build/release"))
        self._program = Path(binaries) / "escale"
        root = self.directory / "root" if self._owned else os.environ["ESCALE_ROOT"]
        self._environment = {**os.environ, "ESCALE_BIN": binaries, "ESCALE_ROOT": str(root)}
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is open is closed

    def __enter__(self):
        if os.geteuid() != 0:
            raise SystemExit("error: containers need root")
        made = subprocess.run([ROOT / "scripts/test-images.sh", "--load"], env=self._environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if made.returncode != 0:
            self._scratch.cleanup()
            raise SystemExit(f"error: there are no test images\n{made.stdout}")
        return self

    def __exit__(self, *_):
        if self._owned:
            self.escale("system", "reset", "--yes")
        self._scratch.cleanup()

    def escale(self, *arguments, check=True, timeout=600):
        done = subprocess.run([self._program, *map(str, arguments)], cwd=self.directory, env=self._environment, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout, check=False)
        if check and done.returncode != 0:
            raise SystemExit(f"error: escale {shlex.join(map(str, arguments))} ended with {done.returncode}\n"
                             f"{done.stdout}{done.stderr}")
        return done

    def spawn(self, *arguments):
        return subprocess.Popen([self._program, *map(str, arguments)], cwd=self.directory, env=self._environment,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def can(self, command):
        return self.escale(command, "--help", check=False).returncode == 0

    def write(self, document):
        (self.directory / "compose.yaml").write_text(json.dumps(document, indent=2), encoding="utf-8")

    def replicas(self):
        return [entry for entry in json.loads(self.escale("ps", "--format", "json").stdout) if entry["state"] == "running"]

    def down(self):
        for _ in range(5):  # what was interrupted may still be at work for a moment
            self.escale("down", "--timeout", "1")
            if not self.replicas():
                return
            time.sleep(1)


class Load:
    """load.py under way. `end()` waits for what it began and answers what it counted."""

    def __init__(self, mode, port=PORT, **options):
        options = {"duration": 3600, **options}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self._process = subprocess.Popen([HERE / "load.py", mode, f"http://127.0.0.1:{port}", *words],
                                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                         start_new_session=True)

    def end(self, stop=True):
        if stop:
            self._process.send_signal(signal.SIGINT)
        try:
            output, _ = self._process.communicate(timeout=120)
        except BaseException:
            self.kill()
            raise
        if self._process.returncode != 0:
            raise SystemExit(f"error: load.py ended with {self._process.returncode}\n{output}")
        return json.loads(output)

    def kill(self):
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait()


def wait_until(condition, seconds=30, what="it to become true"):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"error: waited {seconds} s for {what}")
        time.sleep(0.05)
