#!/usr/bin/env python3
"""A real Kubernetes of one node, for tests: every program from Debian's packages or from their sources.

usage: cluster.py build            make the programs that Debian has no binaries of, once, in about five minutes
       cluster.py up               start the node; says so when it is up
       cluster.py load FILE...     take images out of OCI archives
       cluster.py registry PORT    let the node pull from a registry at 127.0.0.1:PORT of this host, over plain HTTP
       cluster.py status           the node and all its pods
       cluster.py kubectl WORDS... its kubectl
       cluster.py down             end it, with all that it made; the programs stay

As root, after scripts/setup.sh kubernetes. ESCALE_KUBE_DIR says where everything is, else .build/kubernetes of the checkout;
`state/kubeconfig` below it is for clients. The node is in namespaces of its own, which the kernel takes down with its first
process: there are no rules, interfaces, mounts or processes of it on the host but one veth, over which this host alone reaches
its API and its NodePorts. So several checkouts can each have one.

It is Kubernetes 1.20. There is no ingress controller and no metrics server, NetworkPolicies are taken and not enforced, pods
reach nothing outside. PersistentVolumeClaims get directories of root's (the default StorageClass), and pods' fsGroup is respected.
"""

import ipaddress
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "Images"))

from bed import ROOT, Failure, expect, wait_until  # noqa: E402, the path is set above
from programs import BUILT, build  # noqa: E402


class Cluster:
    def __init__(self, directory=None):
        self.directory = Path(directory or os.environ.get("ESCALE_KUBE_DIR") or ROOT / ".build/kubernetes").expanduser().resolve()
        self.state = self.directory / "state"
        # Addresses that are nobody's, other ones for each directory.
        number = zlib.crc32(str(self.directory).encode()) % (1 << 14)
        self.link = f"ekube{number}"
        network = ipaddress.IPv4Address("100.100.0.0") + 4 * number
        self.host, self.address = str(network + 1), str(network + 2)

    @property
    def kubeconfig(self):
        return self.state / "kubeconfig"

    def build(self):
        build(self.directory, lambda text: print(f"  {text}", flush=True))

    # Up and down

    def first_process(self):
        """The node's first process; None when there is none, or another process has its number by now."""
        try:
            kept = json.loads((self.state / "process").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return kept["pid"] if started(kept["pid"]) == kept["started"] else None

    def is_up(self):
        return self.first_process() is not None and (self.state / "ready").exists()

    def up(self):
        """Returns when the node is ready. What doesn't come up is taken down."""
        if self.is_up():
            return
        self.build()
        self.down()  # what is left of one that was interrupted
        self.state.mkdir(parents=True)
        try:
            self._start()
            wait_until("the node", self._has_come, 300)
        except BaseException:
            self._keep_logs()
            self.down()
            raise

    def _start(self):
        output = self.state / "node.log"
        with output.open("wb") as log:
            # --kill-child: whoever is in the way of its first process ends with all of it.
            parent = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child", sys.executable,
                 HERE / "node.py", self.directory, self.state, self.address, self.host],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True)
        children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
        first = int(wait_until("the node's first process", lambda: children.exists() and children.read_text(encoding="utf-8").split())[0])
        (self.state / "process").write_text(json.dumps({"pid": first, "started": started(first)}), encoding="utf-8")
        run("ip", "link", "add", self.link, "type", "veth", "peer", "name", "host", "netns", str(first))
        run("ip", "address", "add", f"{self.host}/30", "dev", self.link)
        run("ip", "link", "set", self.link, "up")

    def _has_come(self):
        expect(self.first_process() is not None, self._last_words())
        return (self.state / "ready").exists()

    def _last_words(self):
        return (self.state / "node.log").read_text(encoding="utf-8", errors="replace").strip()[-3000:] or "the node ended without a word"

    def _keep_logs(self):
        """The logs of a node that didn't come up, for a look at them."""
        kept = self.directory / "failed"
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir()
        for log in self.state.glob("*.log"):
            shutil.copy(log, kept)

    def down(self):
        """Leaves nothing, however far it came."""
        containers = [path.name for path in self.state.glob("containerd/state/io.containerd.runtime.v2.task/k8s.io/*")]
        first = self.first_process()
        if first is not None:
            # The kernel kills all others with it, and it is gone after them. It would not hear a milder signal.
            handle = os.pidfd_open(first)
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            expect(select.select([handle], [], [], 60)[0], f"the node's first process, {first}, does not end")
            os.close(handle)
        subprocess.run(["ip", "link", "delete", self.link], capture_output=True, check=False)
        for container in containers:
            for group in Path("/sys/fs/cgroup").glob(f"**/k8s.io/{container}"):
                wait_until(f"{group} to be empty", lambda group=group: remove_group(group))
        for group in Path("/sys/fs/cgroup").glob("*/k8s.io"):
            remove_group(group)  # stays where another node has something in it
        shutil.rmtree(self.state, ignore_errors=True)
        expect(not self.state.exists(), f"{self.state} could not be removed")

    # What it is for

    def load(self, *archives):
        for archive in archives:
            run("ctr", "-a", self.state / "containerd.sock", "-n", "k8s.io", "images", "import", archive)

    def registry(self, port):
        """A process in the node's own, so that it ends with it, on the host's network."""
        first = self.first_process()
        expect(first is not None, "the node is not up")
        with open(f"/proc/{first}/ns/net", "rb") as network:
            relay = subprocess.Popen(
                ["nsenter", "--target", str(first), "--pid", sys.executable, HERE / "relay.py", str(network.fileno()), str(port)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd="/", pass_fds=[network.fileno()],
                start_new_session=True)
        with relay.stdout:
            expect(select.select([relay.stdout], [], [], 20)[0] and relay.stdout.readline(), f"nothing carries port {port} into the node")

    def kubectl(self, *words, check=True, typed=None, timeout=120):
        words = [str(word) for word in words]
        done = subprocess.run([self.directory / "bin/kubectl", "--kubeconfig", self.kubeconfig, *words], input=typed,
                              capture_output=True, text=True, timeout=timeout, check=False)
        if check:
            expect(done.returncode == 0, f"kubectl {' '.join(words)} ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")
        return done

    def json(self, *words):
        return json.loads(self.kubectl(*words, "-o", "json").stdout)


def started(pid):
    """When a process started, in ticks; None when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else int(fields[19])


def remove_group(group):
    """Removes a cgroup with those below it, if no process is in them. Whether it is gone."""
    for inner in sorted((path for path in group.glob("**/") if path != group), reverse=True):
        remove_group(inner)
    try:
        group.rmdir()
    except OSError:
        pass
    return not group.exists()


def run(*words):
    words = [str(word) for word in words]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    expect(done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}: {(done.stdout + done.stderr).strip()[-1000:]}")


def main(arguments):
    cluster = Cluster()
    match arguments:
        case ["build"]:
            cluster.build()
            print(f"{', '.join(BUILT)} are in {cluster.directory}/bin")
        case ["up"]:
            was, began = cluster.is_up(), time.monotonic()
            cluster.up()
            print(f"the node was up already, at {cluster.address}" if was else
                  f"the node is up after {time.monotonic() - began:.0f} s, at {cluster.address}")
            print(f"export KUBECONFIG={cluster.kubeconfig}")
        case ["load", _, *_]:
            cluster.load(*arguments[1:])
        case ["registry", port]:
            cluster.registry(int(port))
        case ["status"]:
            expect(cluster.is_up(), "the node is not up")
            print(cluster.kubectl("get", "nodes,pods", "--all-namespaces", "-o", "wide").stdout, end="")
        case ["kubectl", *words]:
            expect(cluster.is_up(), "the node is not up")
            os.execv(cluster.directory / "bin/kubectl", ["kubectl", "--kubeconfig", str(cluster.kubeconfig), *words])
        case ["down"]:
            cluster.down()
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Failure as failure:
        sys.exit(f"error: {failure}")
