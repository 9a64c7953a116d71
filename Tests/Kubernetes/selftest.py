#!/usr/bin/env python3
"""The test cluster itself: that it comes up, also twice; that a pod runs, has a name and is reached; that nothing is left of it on the
host, also where it ended on its way up.

usage: selftest.py

As root, where cluster.py has its programs; what is up is taken down.
"""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from cluster import Cluster, Failure, expect, wait_until

#: two pods that answer with their names, by way of a volume, behind a NodePort and behind a name that leads to each
PODS = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo}
spec:
  replicas: 2
  selector: {matchLabels: {app: echo}}
  template:
    metadata: {labels: {app: echo}}
    spec:
      securityContext: {runAsUser: 1000, fsGroup: 1000}
      containers:
      - name: echo
        image: localhost/pause:1
        command: [/busybox, sh, -c, "/busybox hostname >/data/$(NAME); cd /data; exec /busybox httpd -f -p 8080"]
        env: [{name: NAME, value: name}]
        readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
        volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: echo}
spec: {type: NodePort, selector: {app: echo}, ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}
---
apiVersion: v1
kind: Service
metadata: {name: each}
spec: {clusterIP: None, selector: {app: echo}, ports: [{port: 8080}]}
"""
#: what lists what is on the host, by what it lists
HOST = {
    "links": ["ip", "-o", "-br", "link"], "routes": ["ip", "route", "show", "table", "all"], "namespaces": ["ip", "netns"],
    "rules": ["nft", "-s", "list", "ruleset"], "mounts": ["cat", "/proc/self/mounts"],
    "kernel settings": ["sysctl", "vm.overcommit_memory", "kernel.panic", "kernel.panic_on_oops", "kernel.keys.root_maxkeys"],
    "listening": ["ss", "-Hltun"], "groups": ["find", "/sys/fs/cgroup", "-path", "*k8s.io*"],
    "files": ["find", "/var/lib/kubelet", "/var/log/pods", "/var/log/containers", "/run/containerd", "/etc/cni",
              "/run/netns", "/usr/libexec/kubernetes"],
}


def host(cluster):
    """All that a node could have left, by kind. Other tests may be at work meanwhile: what is theirs may change."""
    found = {}
    for what, words in HOST.items():
        found[what] = set(subprocess.run(words, capture_output=True, text=True, check=False).stdout.splitlines())
    found["processes"] = {
        path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if str(cluster.directory).encode() in read(path)}
    return found


def read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def leaves_nothing(cluster, before):
    def left():
        # What is only for a moment, and others' own, is not there a second time.
        return {what: sorted(lines - before[what]) for what, lines in host(cluster).items() if lines - before[what]}

    first = left()
    time.sleep(1)
    second = left()
    lasting = {what: [line for line in lines if line in second.get(what, [])] for what, lines in first.items()}
    lasting = {what: lines for what, lines in lasting.items() if lines and any("kube" in line or what != "mounts" for line in lines)}
    expect(not lasting, f"left on the host: {lasting}")
    expect(not cluster.state.exists(), f"{cluster.state} is left")


def works(cluster):
    cluster.kubectl("apply", "-f", "-", typed=PODS)
    cluster.kubectl("rollout", "status", "deployment/echo", "--timeout=60s")
    connection = http.client.HTTPConnection(cluster.address, 30080, timeout=10)
    connection.request("GET", "/name")
    name = connection.getresponse().read().decode().strip()
    pods = [pod["metadata"]["name"] for pod in cluster.json("get", "pods")["items"]]
    expect(name in pods, f"the NodePort gives {name!r}, the pods are {pods}")
    for pod in pods:
        for url in ("http://echo/name", "http://echo.default.svc.cluster.local/name", "http://each:8080/name"):
            wait_until(f"{pod} to reach {url}", lambda pod=pod, url=url: cluster.kubectl(
                "exec", pod, "--", "/busybox", "wget", "-qO-", url, check=False).stdout.strip() in pods)
    expect(set(listening_outside()) <= set(), "something listens outside of loopback")


def listening_outside():
    """What the cluster's processes listen at on the host: they have a network of their own, so nothing."""
    own = os.readlink("/proc/self/ns/net")
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(entry / "ns/net") == own and os.readlink(entry / "exe").rpartition("/")[2].startswith(("kube", "etcd")):
                yield entry.name
        except OSError:
            continue


def ends_on_its_way(cluster, seconds):
    """Kills the first process so many seconds after the start."""
    failures = []

    def up():
        try:
            cluster.up()
        except Failure as failure:
            failures.append(failure)

    starting = threading.Thread(target=up)
    starting.start()
    first = wait_until("the first process", cluster.first_process, 60)
    time.sleep(seconds)
    os.kill(first, signal.SIGKILL)
    starting.join()
    expect(failures, "a node that was killed came up")


def main():
    cluster = Cluster()
    cluster.down()
    before = host(cluster)
    began = time.monotonic()
    cluster.up()
    print(f"up in {time.monotonic() - began:.0f} s", flush=True)
    first = cluster.first_process()
    cluster.up()
    expect(cluster.first_process() == first, "a second up started another node")
    works(cluster)
    print("pods run and are reached, by NodePort and by name", flush=True)
    cluster.down()
    leaves_nothing(cluster, before)
    cluster.down()
    print("down, and nothing is left", flush=True)
    for seconds in (0, 0.5, 4, 12):
        ends_on_its_way(cluster, seconds)
        leaves_nothing(cluster, before)
    print("killed on its way up, four times, and nothing is left", flush=True)


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"failed: {failure}")
