"""Whose namespaces a container is in: ipc, pid, uts, cgroup, user."""

import os
import signal
import subprocess

from bed import expect, wait_until
from probes import namespace, oci, proc
from table import Area

area = Area("namespaces")

area.row("own namespaces", "", outside=[(namespace(kind), "own") for kind in ("pid", "ipc", "uts", "mnt", "net")])
area.row("ipc host", "ipc: host", outside=[(namespace("ipc"), "host"), (oci("linux.namespaces"), '((?!"ipc").)*')])
area.row("ipc host has its shared memory", "ipc: host", inside={"df /dev/shm | tail -n 1 | awk '{print $6}'": "/dev/shm"})
area.row("ipc private", "ipc: private", outside=[(namespace("ipc"), "own")])
area.row("ipc shareable", "ipc: shareable", outside=[(namespace("ipc"), "own")])
area.row("ipc none", "ipc: none", inside={"grep -c ' /dev/shm ' /proc/mounts": "0"}, outside=[(namespace("ipc"), "own")])
area.row("ipc of a service", "ipc: 'service:ipc-owner'", beside={"ipc-owner": "ipc: shareable\nshm_size: 8m"},
         inside={"df -k /dev/shm | tail -n 1 | awk '{print $2}'": "8192"})
area.refused("ipc of a service that keeps it", "ipc: 'service:ipc-keeper'", "ipc-keeper shares its IPC namespace with nobody",
             beside={"ipc-keeper": "ipc: private"})
area.refused("ipc of no service", "ipc: 'service:nobody'", "is no service")
area.refused("ipc of no container", "ipc: 'container:nobody'", "service ipc-of-no-container: there is no container nobody")
area.refused("an ipc mode that is none", "ipc: hosts", "did you mean host")

area.row("pid host", "pid: host", inside={"test $(ls -d /proc/[0-9]* | wc -l) -gt 10 && echo many": "many"}, outside=[(namespace("pid"), "host")])
area.row("pid private", "pid: private", inside={"cat /proc/1/cmdline | tr '\\0' ' '": "sleep 9999"})
area.row("pid of a service", "pid: 'service:pid-owner'\ncommand: [sleep, '8888']", beside={"pid-owner": ""},
         inside={"ps | grep -v grep | grep -c 'sleep [89][89]'": "2", "cat /proc/1/cmdline | tr '\\0' ' '": "sleep 9999"})
area.refused("pid of itself", "pid: 'service:pid-of-itself'", "itself|circle|depends")
area.refused("a pid mode that is none", "pid: shareable", "not possible here")

area.row("uts host", "uts: host", outside=[(namespace("uts"), "host"), (oci("hostname"), "null")],
         inside={"test $(hostname) = $(cat /etc/hostname) && echo same": "same"})
area.row("uts private", "uts: private\nhostname: own-name", inside={"hostname": "own-name"})
area.row("uts of a service", "uts: 'service:uts-owner'", beside={"uts-owner": "hostname: lent"}, inside={"hostname": "lent"})
area.refused("uts host with a name", "uts: host\nhostname: other", "`hostname` can't be set")
area.refused("sysctl of the host's ipc", "ipc: host\nsysctls: {kernel.shmmax: 1}", "is the host's with ipc: host")
area.refused("sysctl of the host's network", "network_mode: host\nsysctls: {net.core.somaxconn: 1}", "is the host's with network_mode: host")

area.row("cgroup private", "cgroup: private", inside={"sed 's/.*:[a-z,]*://' /proc/self/cgroup | sort -u | head -n 1": "/"},
         outside=[(namespace("cgroup"), "own")])
area.row("cgroup host", "cgroup: host", outside=[(namespace("cgroup"), "host"), (proc("cgroup"), ".*/escale.*")])
area.refused("a cgroup mode that is none", "cgroup: none", "not possible here")


def pair(bench, name, joiner, restart="no"):
    return bench.project(name, f"""
services:
  owner: {{image: "base:1", command: [sleep, "9999"], ipc: shareable, stop_signal: SIGKILL, restart: always}}
  joiner: {{image: "base:1", command: [sleep, "8888"], {joiner}, stop_signal: SIGKILL, restart: "{restart}"}}
""")


@area.scenario("memory is shared both ways")
def shared_memory(bench):
    with pair(bench, "ns-shm", "ipc: 'service:owner'") as project:
        project.up()
        project.inside("owner", "echo from-owner > /dev/shm/a")
        expect(project.inside("joiner", "cat /dev/shm/a") == "from-owner", "the joiner does not see the owner's file")
        project.inside("joiner", "echo from-joiner > /dev/shm/b")
        expect(project.inside("owner", "cat /dev/shm/b") == "from-joiner", "the owner does not see the joiner's file")


def both_start_anew(project):
    """Ends the owner's first process, and waits until both have others."""
    first = {one["service"]: one["pid"] for one in project.ps()}
    os.kill(first["owner"], signal.SIGKILL)

    def are_new():
        now = {one["service"]: one.get("pid") for one in project.ps()}
        return all(now.get(name) and now[name] != first[name] for name in first)
    wait_until("both containers to run again", are_new)


@area.scenario("who joins a namespace is started anew with its owner")
def stranded(bench):
    with pair(bench, "ns-again", "ipc: 'service:owner'") as project:
        project.up()
        both_start_anew(project)
        project.inside("owner", "echo again > /dev/shm/a")
        expect(project.inside("joiner", "cat /dev/shm/a") == "again", "the joiner is in the former namespace")


@area.scenario("who joins the processes of another ends and comes back with it")
def stranded_processes(bench):
    with pair(bench, "ns-pid", "pid: 'service:owner'") as project:
        project.up()
        both_start_anew(project)


@area.scenario("another project's container is joined by its name")
def of_container(bench):
    with bench.project("ns-lender", 'services: {a: {image: "base:1", command: [sleep, "9999"], container_name: lender, '
                                    'ipc: shareable, stop_signal: SIGKILL}}') as lender:
        lender.up()
        lender.inside("a", "echo lent > /dev/shm/x")
        with bench.project("ns-borrower", 'services: {b: {image: "base:1", command: [sleep, "9999"], ipc: "container:lender", '
                                          'stop_signal: SIGKILL}}') as borrower:
            borrower.up()
            expect(borrower.inside("b", "cat /dev/shm/x") == "lent", "the memory is another one")


@area.scenario("processes of a shared namespace end with their container")
def left_processes(bench):
    with bench.project("ns-left", 'services: {a: {image: "base:1", pid: host, command: [sh, -c, "sleep 7654 & exec sleep 9999"], '
                                  'stop_signal: SIGKILL}}') as project:
        project.up()
        wait_until("the second process", lambda: "sleep 7654" in project.inside("a", "ps"))
        project.escale("stop")
        left = subprocess.run(["pgrep", "-f", "^sleep 7654"], capture_output=True, text=True, check=False).stdout
        expect(not left.strip(), f"the process {left.strip()} outlived its container")
