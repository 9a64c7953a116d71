#!/usr/bin/env python3
"""Blue-green and canary releases on a real cluster, with callers who must not notice: forwards, back, by hand, interrupted, killed.

usage: releases.py [--only NAME]... [--list]

As root, after scripts/setup.sh test kubernetes, scripts/build.sh and cluster.py build. Starts the cluster where it is not up, and
takes down what it started. ESCALE_BIN says where `escale` is, else .build/release.
"""

import argparse
import collections
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from cluster import Cluster, Failure, expect, wait_until
from bed import ROOT

ESCALE = Path(os.environ.get("ESCALE_BIN") or ROOT / ".build/release") / "escale"
#: what the pods serve: their version, a health check, and a page that fails where the version is bad
SERVE = """
/busybox mkdir -p /bin /www/cgi-bin && /busybox --install -s /bin && cd /www || exit 9
echo $VERSION >index.html; echo ok >health
printf '#!/bin/sh\\necho "HTTP/1.0 %s"; echo; echo done\\n' "${STATUS:-200 OK}" >cgi-bin/work; chmod +x cgi-bin/work
[ -n "$DIES" ] || exec httpd -f -p 8080 -h /www
httpd -p 8080 -h /www; sleep $DIES; echo "out of cheese"; exit 3
"""


class Callers:
    """Four of them, without a pause, from outside the cluster."""

    def __init__(self, address, port):
        self._where = (address, port)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self.answers = collections.Counter()
        self.lost = []
        #: the versions in the order of their answers, a run of one as one
        self.order = []

    def __enter__(self):
        self._threads = [threading.Thread(target=self._call) for _ in range(4)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _call(self):
        while not self._stop.is_set():
            connection = http.client.HTTPConnection(*self._where, timeout=10)
            try:
                connection.request("GET", "/")
                answer = connection.getresponse()
                text = answer.read().decode().strip()
                expect(answer.status == 200, f"status {answer.status}")
            except (OSError, http.client.HTTPException, Failure) as error:
                with self._lock:
                    self.lost.append(f"{time.strftime('%H:%M:%S')} {error!r}")
            else:
                with self._lock:
                    self.answers[text] += 1
                    if not self.order or self.order[-1] != text:
                        self.order.append(text)
            connection.close()
            time.sleep(0.003)

    def share(self, version, seconds=4):
        """Of the answers in the next seconds, from 0 to 1."""
        with self._lock:
            before = self.answers.copy()
        time.sleep(seconds)
        with self._lock:
            now = self.answers - before
        return now[version] / max(1, now.total())

    def has(self, version):
        """Whether all answers are the version's by now."""
        return self.share(version, 0.5) == 1


class Application:
    """One service of a few replicas, in a namespace of its own."""

    def __init__(self, cluster, name, directory):
        self.cluster = cluster
        self.directory = directory
        self.name = name
        self.web = {}
        self._port = None

    def write(self, version, **changes):
        release = changes.pop("release", {"strategy": "blue-green", "keep": "0s"})
        environment = {"VERSION": version} | changes.pop("environment", {})
        self.web = {
            "image": "localhost/pause:1", "entrypoint": ["/busybox", "sh", "-c", SERVE.replace("$", "$$")],
            "environment": environment, "ports": ["8080"],
            "healthcheck": {"test": ["CMD", "wget", "-qO-", "http://127.0.0.1:8080/health"], "interval": "1s", "start_period": "10s"},
            "deploy": {"replicas": 4, "update_config": {"monitor": "2s", "failure_action": "rollback"}}, "stop_grace_period": "3s",
            "x-escale": {"release": release},
        } | changes
        file = {"name": self.name, "services": {"web": self.web}}
        (self.directory / "compose.yaml").write_text(json.dumps(file, indent=1), encoding="utf-8")

    def start(self, *words):
        return subprocess.Popen(
            [ESCALE, "kube", *words, "--kubeconfig", str(self.cluster.kubeconfig)], cwd=self.directory, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def escale(self, *words, code=0):
        done = self.start(*words)
        output, _ = done.communicate(timeout=240)
        expect(done.returncode == code, f"escale kube {' '.join(words)} ended with {done.returncode}, not {code}: {output[-3000:]}")
        return output

    def apply(self, code=0):
        return self.escale("apply", "--publish", "nodeport", code=code)

    def callers(self):
        services = self.cluster.json("-n", self.name, "get", "services")["items"]
        port = next(port["nodePort"] for one in services for port in one["spec"]["ports"] if "nodePort" in port)
        return Callers(self.cluster.address, port)

    def deployments(self):
        items = self.cluster.json("-n", self.name, "get", "deployments")["items"]
        return {one["metadata"]["name"]: one["status"].get("readyReplicas", 0) for one in items}

    def is_home(self):
        """Whether nothing of a release is left, and all is as the file says."""
        wait_until("the second Deployment to be gone", lambda: self.deployments() == {"web": 4}, 60)
        for one in self.cluster.json("-n", self.name, "get", "services")["items"]:
            selector = one["spec"]["selector"]
            expect("pod-template-hash" not in selector, f"Service {one['metadata']['name']} still leads to one version: {selector}")
            expect(one["metadata"]["name"] in ("web", "web-published"), f"Service {one['metadata']['name']} is left")
        output = self.escale("diff", "--publish", "nodeport", code=0)
        expect(" → " not in output, f"there are differences: {output}")


def nothing_lost(callers):
    expect(not callers.lost, f"{len(callers.lost)} of {callers.answers.total()} requests were lost: {callers.lost[:5]}")


# Each begins with version "one" in place.


def blue_green(app):
    """All at once, and no answer of the old version after the first of the new one, but for those under way."""
    app.write("two")
    with app.callers() as callers:
        app.apply()
        wait_until("version two", lambda: callers.has("two"))
    nothing_lost(callers)
    expect(len(callers.order) <= 6, f"versions took turns: {callers.order[:20]}")
    app.is_home()
    expect("Nothing to change" in app.apply(), "applied again, something changed")


def by_hand(app):
    """The new version waits beside the old one until somebody promotes it."""
    app.write("two", release={"strategy": "blue-green", "promote": "manual", "keep": "0s"})
    with app.callers() as callers:
        expect("is paused" in app.apply(), "nothing says that the release waits")
        expect(app.deployments() == {"web": 4, "web-next": 4}, f"there are {app.deployments()}")
        expect(callers.share("one", 2) == 1, "the new version has traffic before it was promoted")
        pod = app.cluster.json("-n", app.name, "get", "pods", "-l", "escale.dev/track=next")["items"][0]["metadata"]["name"]
        page = app.cluster.kubectl("-n", app.name, "exec", pod, "--", "/busybox", "wget", "-qO-", "http://127.0.0.1:8080/").stdout
        expect(page.strip() == "two", f"the new version says {page!r}")
        expect("promote" in app.escale("status"), "status doesn't say what it waits for")
        expect("is paused" in app.apply(), "applied again, it doesn't wait any more")
        app.escale("promote")
        wait_until("version two", lambda: callers.has("two"))
    nothing_lost(callers)
    app.is_home()


def aborted(app):
    """The new version goes, as if it had never been there."""
    app.write("two", release={"strategy": "blue-green", "promote": "manual"})
    with app.callers() as callers:
        app.apply()
        output = app.escale("abort")
        expect("undone" in output, f"nothing says that it was undone: {output}")
        time.sleep(1)
    nothing_lost(callers)
    expect(set(callers.answers) == {"one"}, f"answers are {callers.answers}")
    app.write("one")
    app.is_home()
    expect("Nothing to change" in app.apply(), "the former version isn't what stands")


def back_while_warm(app):
    """While the former version is kept, going back is a change of traffic: nothing has to start."""
    app.write("two", release={"strategy": "blue-green", "keep": "90s"})
    with app.callers() as callers:
        release = app.start("apply", "--publish", "nodeport")
        wait_until("version two", lambda: callers.has("two"), 60)
        wait_until("the release to succeed", lambda: "kept warm" in app.escale("show"), 60)
        began = time.monotonic()
        back = app.start("rollback")
        wait_until("version one", lambda: callers.has("one"), 20)
        took = time.monotonic() - began
        output, _ = back.communicate(timeout=200)
        expect(back.returncode == 0, f"rollback ended with {back.returncode}: {output}")
        release.communicate(timeout=60)
    nothing_lost(callers)
    expect(took < 15, f"it took {took:.1f} s to go back")
    app.write("one")
    app.is_home()


def canary(app):
    """Shares by the number of pods, below and above a half; each step by hand."""
    steps = [{"weight": weight, "pause": "manual"} for weight in (25, 50, 75)]
    app.write("two", release={"strategy": "canary", "steps": steps})
    with app.callers() as callers:
        app.apply()
        for least, most in ((0.1, 0.4), (0.35, 0.65), (0.55, 0.9)):
            wait_until("the share to be what it should", lambda: least < callers.share("two", 2) < most, 60)
            app.escale("promote")
        wait_until("version two", lambda: callers.has("two"))
    nothing_lost(callers)
    app.is_home()


def pods_die(app):
    """Pods of both versions are deleted during a canary."""
    app.write("two", release={"strategy": "canary", "steps": [{"weight": 50, "pause": "manual"}]})
    app.apply()
    resumed = app.start("resume")
    for pod in app.cluster.json("-n", app.name, "get", "pods")["items"]:
        app.cluster.kubectl("-n", app.name, "delete", "pod", pod["metadata"]["name"], "--wait=false")
        time.sleep(4)
    resumed.communicate(timeout=60)
    with app.callers() as callers:
        app.escale("promote")
        wait_until("version two", lambda: callers.has("two"))
    nothing_lost(callers)
    app.is_home()


def it_dies(app):
    """A version that ends after a while goes back by itself, with what it said."""
    app.write("two", environment={"DIES": "12"}, release={"strategy": "canary", "steps": [{"weight": 50, "pause": "60s"}]})
    with app.callers() as callers:
        output = app.apply(code=1)
        wait_until("version one", lambda: callers.has("one"))
    for text in ("ended by itself", "out of cheese", "is back"):
        expect(text in output, f"nothing of \"{text}\": {output[-3000:]}")
    app.write("one")
    app.is_home()
    expect("ended by itself" in app.escale("show"), "show doesn't tell why")


def it_never_comes(app):
    """A version whose image there is not goes back, and nobody noticed."""
    app.write("two", image="localhost/nothing:1")
    with app.callers() as callers:
        output = app.apply(code=1)
    nothing_lost(callers)
    expect("ImagePull" in output or "ErrImage" in output, f"nothing about the image: {output[-3000:]}")
    expect(set(callers.answers) == {"one"}, f"answers are {callers.answers}")
    app.write("one")
    app.is_home()


def judged_by_probes(app):
    """Requests of the release's own, by way of the API server, with a limit: it goes back before it had traffic."""
    analysis = {"probe": "/cgi-bin/work", "max_error_rate": "1%", "interval": "2s", "min_requests": 20}
    app.write("two", environment={"STATUS": "500 Broken"}, release={"strategy": "blue-green", "analysis": analysis})
    with app.callers() as callers:
        output = app.apply(code=1)
    nothing_lost(callers)
    expect(set(callers.answers) == {"one"}, f"answers are {callers.answers}")
    expect("error rate 100 %" in output, f"nothing about the error rate: {output[-3000:]}")
    app.write("two", release={"strategy": "blue-green", "keep": "0s", "analysis": analysis})
    with app.callers() as callers:
        app.apply()
        wait_until("version two", lambda: callers.has("two"))
    nothing_lost(callers)
    app.is_home()


def judged_by_a_command(app):
    """A command that says no."""
    app.write("two", release={"strategy": "canary", "steps": [{"weight": 50, "pause": "10s"}], "analysis": {
        "command": ["/bin/sh", "-c", "echo too slow; exit 1"], "interval": "2s"}})
    with app.callers() as callers:
        output = app.apply(code=1)
        wait_until("version one", lambda: callers.has("one"))
    nothing_lost(callers)
    expect("too slow" in output, f"nothing of what the command said: {output[-3000:]}")
    app.write("one")
    app.is_home()


def overtaken(app):
    """Another release comes while one waits: that one is undone first."""
    app.write("two", release={"strategy": "blue-green", "promote": "manual"})
    with app.callers() as callers:
        app.apply()
        app.write("three")
        output = app.apply()
        wait_until("version three", lambda: callers.has("three"))
    nothing_lost(callers)
    expect("two" not in callers.answers, f"version two had traffic: {callers.answers}")
    expect("another release is to begin" in output, f"nothing says what became of the one before: {output[-2000:]}")
    app.is_home()


def withdrawn(app):
    """The former file is applied while the release of another one waits, and once while the other's `apply` was killed at its end."""
    app.write("two", release={"strategy": "blue-green", "promote": "manual", "keep": "0s"})
    with app.callers() as callers:
        app.apply()
        app.write("one")
        app.apply()
        wait_until("the first version alone", lambda: app.deployments() == {"web": 4}, 60)
    nothing_lost(callers)
    expect(set(callers.answers) == {"one"}, f"answers are {callers.answers}")
    app.is_home()
    with app.callers() as callers:
        app.write("two")
        release = app.start("apply", "--publish", "nodeport")
        wait_until("version two", lambda: callers.has("two"), 60)
        wait_until("its second Deployment to be the only one", lambda: app.deployments().get("web", 4) < 4, 60)
        release.kill()
        release.communicate()
        app.write("one")
        app.apply()
        wait_until("version one", lambda: callers.has("one"), 60)
    nothing_lost(callers)
    app.is_home()


def killed(app):
    """`apply` is killed at any moment, again and again; the next one goes on, and nobody notices."""
    generator = random.Random(8)
    with app.callers() as callers:
        for number in range(6):
            strategy = {"strategy": "canary", "steps": [{"weight": 50, "pause": "2s"}]} if number % 2 else {"strategy": "blue-green", "keep": "1s"}
            app.write(f"v{number}", release=strategy)
            for _ in range(2):
                victim = app.start("apply", "--publish", "nodeport")
                time.sleep(generator.uniform(0.3, 14))
                victim.kill()
                victim.communicate()
            app.apply()
            wait_until(f"version v{number}", lambda number=number: callers.has(f"v{number}"))
            app.is_home()
    nothing_lost(callers)


def mended(app):
    """A field changed by hand in the middle, an object of somebody else's: neither is in the way, neither is lost."""
    app.cluster.kubectl("-n", app.name, "create", "configmap", "web-next", "--from-literal=a=b")
    app.write("two", release={"strategy": "blue-green", "promote": "manual", "keep": "0s"})
    with app.callers() as callers:
        app.apply()
        app.cluster.kubectl("-n", app.name, "scale", "deployment/web-next", "--replicas=1")
        app.escale("promote")
        wait_until("version two", lambda: callers.has("two"))
    nothing_lost(callers)
    app.is_home()
    app.cluster.kubectl("-n", app.name, "get", "configmap", "web-next")


CASES = [blue_green, by_hand, aborted, back_while_warm, canary, pods_die, it_dies, it_never_comes, judged_by_probes, judged_by_a_command,
         overtaken, withdrawn, killed, mended]


def run_case(cluster, case):
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="escale-releases.") as directory:
        app = Application(cluster, case.__name__.replace("_", "-"), Path(directory))
        app.write("one")
        try:
            app.apply()
            wait_until("the first version", lambda: app.deployments() == {"web": 4}, 60)
            case(app)
        except BaseException:
            for words in (["get", "pods,deployments,services", "-o", "wide"], ["get", "events", "--sort-by=.lastTimestamp"]):
                print(cluster.kubectl("-n", app.name, *words, check=False).stdout[-4000:], file=sys.stderr)
            raise
        finally:
            app.start("delete", "--volumes").communicate(timeout=120)  # the namespace goes by and by
    print(f"ok {case.__name__.replace('_', ' ')} ({time.monotonic() - began:.0f} s)", flush=True)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is up is taken down
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=[case.__name__ for case in CASES])
    parser.add_argument("--keep-going", action="store_true")
    arguments = parser.parse_args()
    cluster = Cluster()
    was_up = cluster.is_up()
    failed = []
    try:
        cluster.up()
        for case in CASES:
            if arguments.only and case.__name__ not in arguments.only:
                continue
            try:
                run_case(cluster, case)
            except (Failure, AssertionError) as failure:
                if not arguments.keep_going:
                    sys.exit(f"failed: {case.__name__}: {failure}")
                failed.append(case.__name__)
                print(f"FAILED {case.__name__}: {failure}", flush=True)
    finally:
        if not was_up:
            cluster.down()
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main()
