#!/usr/bin/env python3
"""The examples on a real cluster, as their teams run them: built and pushed by Escale, applied with `escale kube`, used, released,
broken and taken back, in each of the ways that a file can ask for. The checks of use are those of Tests/Examples; releases.py has
what may come in between.

usage: examples.py [--only NAME]...      student-list, breizhsport, todo

As root, after scripts/setup.sh test kubernetes, scripts/build.sh and cluster.py build. Starts the cluster where it is not up, and
takes down what it started. The images are built by an Escale of its own, or by the one that ESCALE_ROOT names.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Examples"))

import breizhsport  # noqa: E402, the path is set above
import student_list  # noqa: E402
import todo  # noqa: E402
from cluster import Cluster  # noqa: E402
from cluster import Failure as ClusterFailure  # noqa: E402
from support import Client, Failure, Site, expect, free_port, wait_until  # noqa: E402

#: how long a cluster may take for what an Escale does in seconds
PATIENCE = 180


class Registry:
    """Of an Escale's images, on loopback, and a way to it for the cluster."""

    def __init__(self, cluster, root):
        self.port = free_port()
        self.environment = {"ESCALE_ROOT": str(root)}
        self._cluster = cluster

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def serving(self, site):
        site.escale("registry", "serve", "-d", "--listen", self.address)
        self._cluster.registry(self.port)
        try:
            yield
        finally:
            site.escale("registry", "stop", check=False)


class ClusterExample(Site):
    """An example's project in a namespace of its own on the cluster."""

    def __init__(self, cluster, registry, name, *files):
        super().__init__(name, *files)
        self.cluster = cluster
        self.environment.update(registry.environment)
        self._prefix = f"{registry.address}/{name}"
        self._where = ["--kubeconfig", str(cluster.kubeconfig)]
        self._url = None

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _):
        if isinstance(error, (Failure, ClusterFailure, OSError, AssertionError)):
            self._tell()
        self.escale("kube", "delete", "--volumes", *self._where, check=False)
        self.scratch.cleanup()

    def _tell(self):
        """What there is to be seen of what went wrong."""
        for words in (["get", "pods,jobs,services", "-o", "wide"], ["get", "events", "--sort-by=.lastTimestamp"]):
            print(self.cluster.kubectl("-n", self.name, *words, check=False).stdout[-5000:], file=sys.stderr)
        for pod in self.pods():
            words = self.cluster.kubectl("-n", self.name, "logs", pod["metadata"]["name"], "--all-containers", "--tail=15", check=False)
            print(f"--- {pod['metadata']['name']}\n{(words.stdout + words.stderr)[-2000:]}", file=sys.stderr)

    # Releases

    def up(self, *words, check=True):
        """Returns when all that is in the files runs."""
        self.escale("build", "--quiet")
        return self.escale("kube", "apply", "--push", "--registry", self._prefix, "--publish", "nodeport", *self._where, *words, check=check)

    def roll_back(self, client, path, text):
        """Goes back to the former release, under the client: none of its requests may fail. The path no longer has the text then."""
        self.escale("kube", "rollback", *self._where)
        wait_until("the former version", lambda: text not in self.get(path)[1], seconds=PATIENCE)
        self.say(f"rolled back: {client.lost(0, 'the rollback')}")

    def goes_back(self, client, saying):
        """Releases what is in the files, which is bad: `apply` has to fail and say why, and no request may fail."""
        done = self.up(check=False)
        expect(done.returncode == 1, f"a bad release ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        expect(saying in done.stderr + done.stdout, f"nothing about \"{saying}\": {done.stderr[-3000:]}")
        wait_until("the former version", self.is_whole, seconds=PATIENCE)
        self.say(f"a bad release went back by itself: {client.lost(0, 'the bad release')}")

    def strategy(self, service, **release):
        """From now on, the service is released in another way: by a file over the others."""
        file = self.directory / "compose.release.yaml"
        file.write_text(json.dumps({"services": {service: {"x-escale": {"release": release}}}}), encoding="utf-8")
        self.files = (*(name for name in self.files if name != file.name), file.name)

    def releases_each_way(self, service, file, old, path, *client):
        """Releases the service blue-green and as a canary, and goes back from that, all under the client. The file gets another text
        in the place of the old one, which is to be seen at the path then."""
        ways = {"strategy": "blue-green", "keep": "5s"}, {
            "strategy": "canary", "steps": [{"weight": 25, "pause": "5s"}, {"weight": 50, "pause": "5s"}]}
        with Client(self.url, *client) as client:
            for number, release in enumerate(ways, start=1):
                self.strategy(service, **release)
                self.edit(file, old, new := f"way {number}")
                self.up()
                self.page_says(path, new)
                self.say(f"a {release['strategy']} release of {service}: {client.lost(0, release['strategy'])}")
                old = new
            self.roll_back(client, path, new)

    # What runs

    def pods(self, service=None):
        selector = ["-l", f"app.kubernetes.io/name={service}"] if service else []
        return self.cluster.json("-n", self.name, "get", "pods", *selector)["items"]

    def running(self, service):
        return [pod for pod in self.pods(service) if is_ready(pod)]

    def is_whole(self):
        """Whether all pods that are wanted are ready, and no others are there."""
        objects = self.cluster.json("-n", self.name, "get", "deployments,statefulsets,jobs")["items"]
        return all(is_settled(one) for one in objects) and all(
            is_ready(pod) or pod["status"]["phase"] == "Succeeded" for pod in self.pods())

    def kill_each(self, service, client, most):
        """Deletes each of the service's pods, one after the other, and waits each time until all is well again."""
        for victim in self.running(service):
            name, began = victim["metadata"]["name"], time.monotonic()
            self.cluster.kubectl("-n", self.name, "delete", "pod", name)
            wait_until(f"everything to be well after {name} was deleted", self.is_whole, seconds=PATIENCE)
            lost = client.lost(most, f"{name} was deleted")
            self.say(f"{name} deleted, all well again after {time.monotonic() - began:.1f} s: {lost}")

    # From outside

    @property
    def url(self):
        """By the NodePort of what is published."""
        if self._url is None:
            services = self.cluster.json("-n", self.name, "get", "services")["items"]
            ports = [port["nodePort"] for one in services if one["spec"]["type"] == "NodePort" for port in one["spec"]["ports"]]
            expect(len(ports) == 1, f"the NodePorts are {ports}")
            self._url = f"http://{self.cluster.address}:{ports[0]}"
        return self._url


def is_ready(pod):
    conditions = {one["type"]: one["status"] for one in pod["status"].get("conditions", [])}
    return "deletionTimestamp" not in pod["metadata"] and conditions.get("Ready") == "True"


def is_settled(one):
    """Whether a controller has made what its object asks for."""
    spec, status = one["spec"], one["status"]
    if one["kind"] == "Job":
        return status.get("succeeded", 0) >= spec.get("completions", 1)
    wanted = spec["replicas"]
    return (status.get("observedGeneration") == one["metadata"]["generation"] and status.get("replicas", 0) == wanted
            and status.get("updatedReplicas", 0) == wanted and status.get("readyReplicas", 0) == wanted)


# The examples


def student_list_example(example):
    with example("student-list", "compose.yaml", "compose.prod.yaml") as site:
        site.up()
        site.say(f"up from nothing: {len(site.running('api'))} api, {len(site.running('website'))} website")
        expect(len(site.running("api")) == len(site.running("website")) == 3, "not three replicas each")
        site.browse()
        student_list.lists(site, "Alice is 12 years old")
        student_list.releases_under_load(site)
        with Client(site.url, "/", form="submit=list") as client:
            for service in ("website", "api"):
                site.kill_each(service, client, most=2)
        with Client(site.url, "/") as client:
            site.roll_back(client, "/", "<h1>Our ")
        site.releases_each_way("website", "website/public/index.php", "Our ", "/", "/")
        student_list.lists(site, "Alice is 12 years old")


def breizhsport_example(example):
    with example("breizhsport", "compose.yaml") as shop:
        shop.up()
        shop.say("up from nothing: " + ", ".join(f"{len(shop.running(name))} {name}" for name in ("web", "api", "db")))
        shop.browse()
        breizhsport.never_oversells(shop)
        breizhsport.refuses_nonsense(shop)
        breizhsport.releases_under_load(shop)
        sold = breizhsport.api(shop, "GET", "/api/orders/summary")[1]
        with Client(shop.url, "/", "/api/products") as client:
            for service in ("web", "api"):
                shop.kill_each(service, client, most=2)
        with Client(shop.url, "/") as client:
            shop.kill_each("db", client, most=0)
        shop.releases_each_way("web", "web/site/index.html", "nouvelle saison", "/", "/", "/api/products")
        breizhsport.a_bad_release_goes_back(shop)
        expect(breizhsport.api(shop, "GET", "/api/orders/summary")[1] == sold, "orders are missing")
        shop.say(f"the {sold['count']} orders are there")


def todo_example(example):
    with example("todo", "compose.yaml", "compose.prod.yaml") as app:
        app.up()
        app.say("up from nothing: " + ", ".join(f"{len(app.running(name))} {name}" for name in ("web", "api", "worker")))
        app.browse()
        todo.answers_right(app)
        todo.releases_under_load(app)
        with Client(app.url, "/", "/api/todos") as client:
            for service in ("web", "api"):
                app.kill_each(service, client, most=2)
            for service in ("worker", "scheduler"):
                app.kill_each(service, client, most=0)
        with Client(app.url, "/") as client:
            for service in ("redis", "db"):
                app.kill_each(service, client, most=0)
        todo.add(app, "after all that")
        todo.counted(app)
        app.say("the worker works")
        before = todo.todos(app)
        with Client(app.url, "/", "/api/todos") as client:
            app.roll_back(client, "/main.js", "second edition")
        todo.tidied(app)
        app.releases_each_way("web", "web/src/main.jsx", "second edition", "/main.js", "/", "/api/todos")
        expect([one["title"] for one in todo.todos(app)] == [one["title"] for one in before], "todos are missing")


EXAMPLES = {"student-list": student_list_example, "breizhsport": breizhsport_example, "todo": todo_example}


@contextlib.contextmanager
def a_cluster():
    cluster = Cluster()
    was_up = cluster.is_up()
    cluster.up()
    try:
        yield cluster
    finally:
        if not was_up:
            cluster.down()


@contextlib.contextmanager
def a_builder():
    """The root of the Escale that builds the images."""
    if "ESCALE_ROOT" in os.environ:
        yield os.environ["ESCALE_ROOT"]
        return
    with tempfile.TemporaryDirectory(prefix="escale-kube.", dir="/var/tmp") as root:
        site = Site("student-list")
        site.environment["ESCALE_ROOT"] = root
        try:
            site.escale("image", "bootstrap", "debian:bookworm-slim")
            yield root
        finally:
            site.escale("system", "reset", "--yes", check=False)
            site.scratch.cleanup()


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is up is taken down
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=EXAMPLES)
    chosen = parser.parse_args().only or list(EXAMPLES)
    try:
        with a_cluster() as cluster, a_builder() as root:
            registry = Registry(cluster, root)
            site = Site("student-list")
            site.environment.update(registry.environment)
            with registry.serving(site):
                for name in chosen:
                    print(name, flush=True)
                    EXAMPLES[name](lambda *words: ClusterExample(cluster, registry, *words))
    except (Failure, ClusterFailure) as failure:
        sys.exit(f"failed: {failure}")


if __name__ == "__main__":
    main()
