"""A Kubernetes node, from the inside: the first process of namespaces that cluster.py made, in which everything else runs.

usage: node.py DIRECTORY STATE ADDRESS HOST     started by cluster.py, never by hand

Whatever a node does to its machine is done here to a copy: its root is an overlay of the host's, its interfaces, rules and
processes are in namespaces that go with this process. All that a node leaves behind is below STATE.
"""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Images"))

import names  # noqa: E402, the path is set above
import tars  # noqa: E402
import volumes  # noqa: E402
from api import API  # noqa: E402
from bed import Failure, expect, wait_until  # noqa: E402
from programs import PLUGINS  # noqa: E402

PODS = "10.244.0.0/24"
SERVICES = "10.96.0.0/16"
RESOLVER = "10.96.0.10"
ETCD = "http://127.0.0.1:2379"
PAUSE = "localhost/pause:1"
TOKEN = "escale-tests"
#: what the kubelet sets for the whole kernel: it sets files of its own instead
KERNEL = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops", "kernel/keys/root_maxkeys",
          "kernel/keys/root_maxbytes")
#: how long each part has to answer
PATIENCE = 120


class Node:
    def __init__(self, directory, state, address, host):
        self.binaries = directory / "bin"
        self.state = state
        self.address = address
        self.host = host
        self.api = None
        self._running = {}

    # The machine

    def make_root(self):
        """The host's files, where what is written is written elsewhere."""
        root = self.state / "root"
        for name in ("root", "changes", "work", "sysctl", "containerd", "kubelet", "log", "volumes"):
            (self.state / name).mkdir()
        mount("--make-rprivate", "/")
        mount("-t", "overlay", "-o", f"lowerdir=/,upperdir={self.state}/changes,workdir={self.state}/work", "node", root)
        mount("-t", "proc", "proc", root / "proc")
        mount("-t", "sysfs", "sysfs", root / "sys")
        for path in ("/dev", "/sys/fs/cgroup"):
            mount("--rbind", path, f"{root}{path}")
        mount("-t", "tmpfs", "-o", "mode=755", "run", root / "run")
        # What isn't of the root's file system isn't in the overlay; what grows is better off outside of it.
        here = Path(__file__).resolve().parent.parent.parent
        for path, source in ((self.binaries, self.binaries), (here, here), (self.state, self.state),
                             ("/var/lib/kubelet", self.state / "kubelet"), ("/var/log", self.state / "log")):
            target = Path(f"{root}{path}")
            target.mkdir(parents=True, exist_ok=True)
            mount("--bind", source, target)
        for name in KERNEL:
            own = self.state / "sysctl" / name.replace("/", ".")
            own.write_bytes(Path("/proc/sys", name).read_bytes())
            mount("--bind", own, root / "proc/sys" / name)
        os.chdir(root)
        run("pivot_root", ".", "mnt")
        os.chdir("/")
        run("umount", "-l", "/mnt")
        mount("--make-rshared", "/")
        run("hostname", "node")
        (self.state / "resolv.conf").write_text(f"nameserver {RESOLVER}\n", encoding="utf-8")

    def make_network(self):
        """A link to the host, and to nobody else: what doesn't come from its address is dropped."""
        wait_until("the link to the host", Path("/sys/class/net/host").exists)
        for words in (["link", "set", "lo", "up"], ["addr", "add", f"{self.address}/30", "dev", "host"],
                      ["link", "set", "host", "up"], ["addr", "add", f"{RESOLVER}/32", "dev", "lo"],
                      ["route", "add", "default", "via", self.host]):
            run("ip", *words)
        run("iptables", "-t", "raw", "-A", "PREROUTING", "-i", "host", "!", "-s", self.host, "-j", "DROP")
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1", encoding="utf-8")

    # What runs

    def start(self, name, *words):
        """With its output in a file of its own. Its end is the node's."""
        with (self.state / f"{name}.log").open("wb") as log:
            process = subprocess.Popen([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.state)
        self._running[process.pid] = name
        return process

    def start_all(self):
        self._start_control()
        self._start_runtime()
        self.start(
            "kubelet", self.binaries / "kubelet", "--config", self._kubelet(), "--kubeconfig", self.state / "kubeconfig",
            "--container-runtime=remote", f"--container-runtime-endpoint=unix://{self.state}/containerd.sock",
            "--hostname-override=node", f"--node-ip={self.address}", "--cert-dir", self.state / "certs",
            "--volume-plugin-dir", self.state / "plugins")
        self.start(
            "proxy", self.binaries / "kube-proxy", "--kubeconfig", self.state / "kubeconfig", "--hostname-override=node",
            "--proxy-mode=iptables", f"--cluster-cidr={PODS}", "--conntrack-max-per-core=0",
            "--healthz-bind-address=127.0.0.1:10256", "--metrics-bind-address=127.0.0.1:10249")
        resolver = self._start_resolver()
        self.api.ask("/apis/storage.k8s.io/v1/storageclasses", volumes.CLASS)
        for work in ((names.keep, self.api, self.state / "hosts", resolver), (volumes.keep, self.api, self.state / "volumes")):
            threading.Thread(target=work[0], args=work[1:], daemon=True).start()
        wait_until("the node to be ready", self._is_ready, PATIENCE)

    def _start_control(self):
        certificates = self.state / "certs"
        certificates.mkdir()
        run("openssl", "genrsa", "-out", self.state / "accounts.key", "2048")
        (self.state / "tokens.csv").write_text(f'{TOKEN},admin,1,"system:masters"\n', encoding="utf-8")
        mount("-t", "tmpfs", "etcd", self._directory("etcd"))  # as quick as it can be: it needn't outlive the node
        self.start("etcd", "etcd", "--data-dir", self.state / "etcd", f"--listen-client-urls={ETCD}", f"--advertise-client-urls={ETCD}",
                   "--listen-peer-urls=http://127.0.0.1:2380")
        self.start(
            "apiserver", self.binaries / "kube-apiserver", f"--etcd-servers={ETCD}", f"--service-cluster-ip-range={SERVICES}",
            "--service-account-issuer=https://escale.test", "--service-account-key-file=accounts.key",
            "--service-account-signing-key-file=accounts.key", "--token-auth-file=tokens.csv", "--authorization-mode=RBAC",
            f"--advertise-address={self.address}", "--secure-port=6443", f"--cert-dir={certificates}", "--allow-privileged=true",
            "--kubelet-preferred-address-types=InternalIP")
        certificate, url = certificates / "apiserver.crt", f"https://{self.address}:6443"
        (self.state / "kubeconfig").write_text(KUBECONFIG.format(url=url, certificate=certificate, token=TOKEN), encoding="utf-8")
        wait_until("the API server's certificate", certificate.exists, PATIENCE)
        self.api = API(url, certificate, TOKEN)
        wait_until("the API server", lambda: self._answers("/readyz"), PATIENCE)
        for name, more in (("controller-manager", [
                "--service-account-private-key-file=accounts.key", f"--root-ca-file={certificate}", "--allocate-node-cidrs=false",
                "--controllers=*,-bootstrapsigner,-tokencleaner"]), ("scheduler", [])):
            self.start(name, self.binaries / f"kube-{name}", "--kubeconfig", self.state / "kubeconfig", "--port=0",
                       f"--cert-dir={certificates}", "--bind-address=127.0.0.1", *more)

    def _start_runtime(self):
        (self.state / "containerd.toml").write_text(
            CONTAINERD.format(state=self.state, pause=PAUSE, plugins=PLUGINS), encoding="utf-8")
        (self._directory("cni") / "pods.conflist").write_text(POD_NETWORK.format(state=self.state, pods=PODS), encoding="utf-8")
        self.start("containerd", "containerd", "-c", self.state / "containerd.toml")
        ctr = ["ctr", "-a", self.state / "containerd.sock", "-n", "k8s.io"]
        wait_until("containerd", lambda: subprocess.run([*ctr, "version"], capture_output=True, check=False).returncode == 0, PATIENCE)
        run(*ctr, "images", "import", self._pause())

    def _pause(self):
        """The image of the process that holds a pod's namespaces: it waits, and nothing else."""
        layer = tars.tar(tars.entry("busybox", Path("/bin/busybox").read_bytes(), mode=0o755))
        image = tars.Oci(layer, image_config={
            **tars.config([tars.diff_id(layer)]), "config": {"Entrypoint": ["/busybox", "sleep", "inf"]}})
        index = {"schemaVersion": 2, "mediaType": tars.INDEX_TYPE, "manifests": [tars.named(image.manifest, PAUSE)]}
        path = self.state / "pause.tar"
        path.write_bytes(tars.files_tar(image.files(index)))
        return path

    def _start_resolver(self):
        hosts = self.state / "hosts"
        hosts.touch()
        return self.start(
            "resolver", "dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-hosts", "--no-resolv", "--no-poll",
            "--bind-interfaces", f"--listen-address={RESOLVER}", f"--addn-hosts={hosts}", "--local=/cluster.local/", "--user=root",
            "--pid-file=")

    def _kubelet(self):
        path = self.state / "kubelet.yaml"
        path.write_text(KUBELET.format(state=self.state, address=self.address, resolver=RESOLVER), encoding="utf-8")
        return path

    def _directory(self, name):
        path = self.state / name
        path.mkdir()
        return path

    def _answers(self, path):
        self.check()
        try:
            return self.api.ask(path)
        except OSError:
            return None

    def _is_ready(self):
        self.check()
        try:
            conditions = [one for node in self.api.items("/api/v1/nodes") for one in node["status"].get("conditions", [])]
        except OSError:
            return False
        # A pod can't be made before its account is there.
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions) and self._answers(
            "/api/v1/namespaces/default/serviceaccounts/default")

    # As the first process

    def check(self):
        """Takes leave of who has ended; raises when it is one of the node's own parts. The first process is everybody's parent in
        the end."""
        for pid, name in list(self._running.items()):
            ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is not None:
                words = (self.state / f"{name}.log").read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
                raise Failure(f"{name} ended with {ended.si_status}: {' | '.join(words)[-1500:]}")

    def watch(self):
        while True:
            try:
                os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
                self.check()
                os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                time.sleep(1)


def mount(*words):
    run("mount", *words)


def run(*words):
    words = [str(word) for word in words]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    expect(done.returncode == 0, f"{' '.join(words)} ended with {done.returncode}: {done.stderr.strip()[-600:]}")


KUBECONFIG = """apiVersion: v1
kind: Config
current-context: tests
contexts: [{{name: tests, context: {{cluster: tests, user: admin}}}}]
clusters: [{{name: tests, cluster: {{server: "{url}", certificate-authority: "{certificate}"}}}}]
users: [{{name: admin, user: {{token: {token}}}}}]
"""

# oom_score_adj: where the node is itself confined, no process may be given a lower one than it has.
CONTAINERD = """version = 2
root = "{state}/containerd/root"
state = "{state}/containerd/state"
[grpc]
address = "{state}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{pause}"
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{plugins}"
conf_dir = "{state}/cni"
"""

# No bridge: all traffic of pods crosses the node's stack, so that what kube-proxy translated is translated back everywhere.
POD_NETWORK = """{{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {{"type": "ptp", "ipam": {{"type": "host-local", "dataDir": "{state}/addresses", "ranges": [[{{"subnet": "{pods}"}}]],
    "routes": [{{"dst": "0.0.0.0/0"}}]}}}},
  {{"type": "portmap", "capabilities": {{"portMappings": true}}}}]}}
"""

# Without cgroups of its own for classes of service: they would have to be delegated where the node is itself in a container.
KUBELET = """apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {{anonymous: {{enabled: true}}, webhook: {{enabled: false}}}}
authorization: {{mode: AlwaysAllow}}
address: {address}
healthzPort: 0
cgroupDriver: cgroupfs
cgroupsPerQOS: false
enforceNodeAllocatable: []
failSwapOn: false
clusterDomain: cluster.local
clusterDNS: [{resolver}]
resolvConf: {state}/resolv.conf
syncFrequency: 10s
nodeStatusUpdateFrequency: 5s
imageGCHighThresholdPercent: 100
evictionHard: {{memory.available: 50Mi, nodefs.available: 1%, imagefs.available: 1%}}
"""


def main():
    directory, state = Path(sys.argv[1]), Path(sys.argv[2])
    node = Node(directory, state, *sys.argv[3:])
    try:
        node.make_root()
        node.make_network()
        node.start_all()
        (state / "ready").touch()
        node.watch()
    except (Failure, OSError, subprocess.SubprocessError) as failure:
        sys.exit(f"the node ends: {failure}")


if __name__ == "__main__":
    main()
