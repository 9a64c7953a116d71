"""From inside hostile containers: what they must not reach. Each attack is shown to work first where it may."""

import contextlib
import random
import re
import socket
import subprocess
import threading
import time
from pathlib import Path

from bed import BINARIES, expect
from table import Area

area = Area("isolation")

ATTACK = Path(__file__).resolve().parent.parent / "attack.py"
#: A container with the host's Python in it, and what is to be done with that.
TOOLS = f"image: 'base:1', stop_signal: SIGKILL, volumes: ['/usr:/usr:ro', '/lib:/lib:ro', '/lib64:/lib64:ro', '{ATTACK}:/attack.py:ro']"
IDLE = f"{TOOLS}, command: sleep 9999"
LISTEN = f"{TOOLS}, command: /usr/bin/python3 -I /attack.py listen 5555"


def attack(project, service, *words):
    done = project.escale("exec", "-T", service, "/usr/bin/python3", "-I", "/attack.py", *words, check=False)
    expect(done.returncode == 0, f"attack {' '.join(map(str, words))}: {done.stderr.strip()[-300:]}")
    return done.stdout.strip()


def address(project, service):
    return next(iter(project.container(service)["addresses"].values()))


def shell(*words):
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout


def heard(project, service, text, patience=8):
    """Whether a listener got it, in that time; a mark that is sent afterwards and did come makes the wait short."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if f"got {text}" in project.logs(service):
            return True
        time.sleep(0.1)
    return False


def never(project, service, text, marker):
    """That a listener did not get it, though it got what came later, from where `marker` sends it."""
    mark = f"mark{random.randrange(1 << 30)}"
    marker(mark)
    expect(heard(project, service, mark), f"the listener {service} hears nothing at all")
    log = project.logs(service)
    expect(f"got {text}" not in log, f"{service} {log.splitlines()[-3:]}")


@contextlib.contextmanager
def world(bench, name, services, networks="default: {}"):
    text = "services:\n" + "".join(f"  {service}: {{{words}}}\n" for service, words in services.items()) + f"networks: {{{networks}}}\n"
    with bench.project(name, text) as project:
        project.up()
        yield project


@area.scenario("other networks are out of reach, with true senders and forged ones")
def other_networks(bench):
    with world(bench, "iso-mine", {"evil": IDLE, "friend": LISTEN}) as mine, \
            world(bench, "iso-other", {"victim": LISTEN, "peer": IDLE}) as other:
        friend, victim, peer = address(mine, "friend"), address(other, "victim"), address(other, "peer")
        attack(mine, "evil", "forge", friend, 5555, "forged-to-friend")
        expect(heard(mine, "friend", "forged-to-friend"), "a frame made by hand does not even reach a friend")
        virtual = re.findall(r"^Address: (\S+)", other.inside("peer", "nslookup victim"), re.MULTILINE)
        for place in [victim, *virtual]:
            attack(mine, "evil", "send", place, 5555, "plain")
            attack(mine, "evil", "forge", place, 5555, "raw")
        for sender in (peer, victim, friend, "127.0.0.1", "10.210.252.1", "169.254.1.1", "192.0.2.9", shell("hostname", "-I").split()[0]):
            attack(mine, "evil", "forge", "--from", sender, victim, 5555, "forged")
            attack(mine, "evil", "forge", "--from", sender, friend, 5555, f"as-{sender}")
        attack(mine, "evil", "forge", "--mac", "ee:ee:ee:ee:ee:ee", victim, 5555, "mirrored")
        for text in ("plain", "raw", "forged", "mirrored"):
            never(other, "victim", text, lambda mark: attack(other, "peer", "send", victim, 5555, mark))
        # Nor does it pass for another one on its own network.
        never(mine, "friend", "as-", lambda mark: attack(mine, "evil", "send", friend, 5555, mark))


@area.scenario("an internal network has no way out, not for forged packets either")
def internal(bench):
    with world(bench, "iso-in", {"evil": f"{IDLE}, networks: [inner]", "both": f"{LISTEN}, networks: [inner, outer]",
                                 "out": f"{LISTEN}, networks: [outer]"}, "inner: {internal: true}, outer: {}") as project:
        places = project.container("both")["addresses"]
        attack(project, "evil", "forge", "--from", address(project, "evil"), places["iso-in_inner"], 5555, "inner")
        expect(heard(project, "both", "inner"), "it does not reach its own network")
        for target in (places["iso-in_outer"], address(project, "out")):
            for sender in (address(project, "evil"), places["iso-in_inner"], places["iso-in_outer"]):
                attack(project, "evil", "forge", "--from", sender, target, 5555, "outer")
        for service in ("both", "out"):
            never(project, service, "outer", lambda mark, service=service: attack(
                project, "both", "send", places["iso-in_outer"] if service == "both" else address(project, "out"), 5555, mark))


class HostService:
    """Programs of the host that listen, by UDP and TCP, at one of its addresses."""

    def __init__(self, place):
        self.got = []
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((place, 0))
        self.port = self.udp.getsockname()[1]
        self.tcp = socket.socket()
        self.tcp.bind((place, self.port))
        self.tcp.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                self.got.append(self.udp.recvfrom(2048)[0].decode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.udp.close()
        self.tcp.close()


@area.scenario("what the host offers to itself alone is out of reach")
def loopback(bench):
    with world(bench, "iso-host", {"evil": f"{IDLE}, extra_hosts: ['host:host-gateway']"}) as project, \
            HostService("127.0.0.1") as own, HostService("0.0.0.0") as offered:
        host = project.inside("evil", "awk '/\\thost$/ {print $1}' /etc/hosts")
        expect(re.fullmatch(r"[\d.]+", host), f"host-gateway: {host}")
        attack(project, "evil", "forge", host, offered.port, "offered")
        places = ["127.0.0.1", "127.0.0.2", host, "169.254.1.1", *shell("hostname", "-I").split()[:6]]
        for place in places:
            if ":" in place:
                continue
            attack(project, "evil", "forge", place, own.port, "to-loopback")
            attack(project, "evil", "forge", "--from", "127.0.0.1", place, own.port, "to-loopback")
            told = project.inside("evil", f"nc -w 1 {place} {own.port} </dev/null && echo open")
            expect("open" not in told, f"the host's 127.0.0.1:{own.port} is open to a container at {place}")
        time.sleep(0.5)
        expect("offered" in offered.got, f"a frame made by hand does not even reach what is offered: {offered.got}")
        expect(own.got == [], f"the host's 127.0.0.1 heard {own.got}")


@area.scenario("the daemon's socket is nowhere")
def daemon_socket(bench):
    with world(bench, "iso-socket", {"evil": IDLE, "near": f"{IDLE}, network_mode: host"}) as project:
        for service in ("evil", "near"):
            found = project.inside(service, "find / -xdev -type s 2>/dev/null; ls -d /run/escale /var/lib/escale /run/docker.sock 2>/dev/null; true")
            expect(found == "", f"{service} has {found}")
            # What the kernel calls it leads nowhere from here.
            path = project.engine.root / "run/escaled.sock"
            told = project.inside(service, f"echo | nc -w 1 local:{path} 2>&1; ls {path} 2>&1")
            expect("No such file" in told, told)
        expect("escaled" not in project.inside("evil", "cat /proc/net/unix"), "the host's sockets are listed")
        expect(project.inside("evil", "ls /proc/*/exe 2>/dev/null | wc -l") < "9", "the host's processes are listed")


@area.scenario("nobody's address can be taken by ARP, and nobody else's traffic be seen")
def neighbours(bench):
    with world(bench, "iso-arp", {"evil": IDLE, "victim": LISTEN, "peer": IDLE}) as project:
        victim = address(project, "victim")
        def known():
            return shell("ip", "neigh", "show", victim) + shell("ip", "route", "get", victim) + project.inside("peer", "ip neigh")
        before = known()
        expect("PERMANENT" in before, before)
        for claimed in (victim, address(project, "peer"), "169.254.1.1"):
            attack(project, "evil", "claim", claimed)
        expect(known() == before, f"{before}\n{known()}")
        attack(project, "peer", "send", victim, 5555, "after-arp")
        expect(heard(project, "victim", "after-arp"), "the victim does not get what is sent to it any more")
        log = Path(bench.bed.scratch / "iso-arp-frames")
        with log.open("wb") as output:
            words = [BINARIES / "escale", "-p", project.name, "-f", project.directory / "compose.yaml", "exec", "-T", "evil"]
            sniffer = subprocess.Popen([*words, "/usr/bin/python3", "-I", "-c",
                                        "import socket\ns = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))\n"
                                        "s.settimeout(2)\nprint('begun', flush=True)\n"
                                        "try:\n while True: print(s.recv(2048), flush=True)\nexcept OSError: pass"],
                                       stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                                       env={"ESCALE_ROOT": str(project.engine.root), "ESCALE_BIN": str(BINARIES), "HOME": "/root",
                                            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
            deadline = time.monotonic() + 10
            while b"begun" not in log.read_bytes():
                expect(time.monotonic() < deadline, f"the sniffer does not begin: {log.read_bytes()}")
                time.sleep(0.05)
            attack(project, "peer", "send", victim, 5555, "a-secret")
            attack(project, "peer", "send", address(project, "evil"), 5555, "for-evil")
            sniffer.wait(20)
        expect(heard(project, "victim", "a-secret"), "the victim does not hear")
        frames = log.read_bytes()
        expect(b"for-evil" in frames, f"the sniffer sees nothing at all: {frames}")
        expect(b"a-secret" not in frames, "another container's traffic is seen")


@area.scenario("system calls that lead out are refused")
def system_calls(bench):
    with world(bench, "iso-calls", {"evil": IDLE, "user": f"{IDLE}, user: nobody"}) as project:
        for service in ("evil", "user"):
            told = attack(project, service, "calls")
            expect(re.fullmatch(r"tried \d+", told), f"{service}: {told}")


@area.scenario("files of /proc, /sys and /dev that lead out can't be written or read")
def masked_files(bench):
    with world(bench, "iso-files", {"evil": IDLE, "kept": f"{IDLE}, read_only: true, tmpfs: /tmp"}) as project:
        for service in ("evil", "kept"):
            told = attack(project, service, "files")
            expect(re.fullmatch(r"tried \d+", told), f"{service}: {told}")


@area.scenario("the host's disk can't be opened by handles, mounts and devices")
def escapes(bench):
    with world(bench, "iso-escape", {"evil": IDLE}) as project:
        expect(attack(project, "evil", "handles", "/etc/hosts") == "tried", "files of the host are opened by handles")
        for command in ("mount -t proc p /mnt", "mount --bind / /mnt", "mount -o remount,rw /sys", "mount -t cgroup -o memory c /mnt",
                        "mount -t cgroup2 c /mnt", "umount /proc/sys", "umount -l /sys/firmware", "mount -t overlay o -o lowerdir=/ /mnt",
                        "unshare -m true", "unshare -U true", "unshare -r true", "nsenter -t 1 -m -n true", "losetup /dev/loop0 /etc/hosts",
                        "chroot /proc/1/root ls /var/lib/escale", "insmod /x.ko", "hostname other", "date -s 2020-01-01",
                        "swapoff -a -e", "echo 1 > /proc/self/oom_adj && echo -17 > /proc/self/oom_adj"):
            told = project.inside("evil", f"({command}) >/tmp/out 2>&1 && echo done || echo refused")
            expect(told == "refused" or "swapoff" in command, f"{command}: {told}")


@area.scenario("the runtime's program can't be overwritten by a container that it enters")
def runtime_program(bench):
    lies_in_wait = f"{TOOLS}, command: /usr/bin/python3 -I /attack.py overwrite"
    with world(bench, "iso-runtime", {"evil": lies_in_wait}) as project:
        for words in (["true"], ["/proc/self/exe", "--version"], ["/proc/self/exe", "list"], ["sh", "-c", "sleep 0.2"]) * 4:
            project.escale("exec", "-T", "evil", *words, check=False)
        poll = time.monotonic() + 10
        while "seen" not in project.logs("evil"):
            expect(time.monotonic() < poll, "it never saw the runtime")
            time.sleep(0.1)
        expect("overwrote" not in project.logs("evil"), project.logs("evil")[-300:])


@area.scenario("a fork bomb is kept within pids_limit, and everybody else goes on")
def fork_bomb(bench):
    bomb = f"{TOOLS}, pids_limit: 40, command: [sh, -c, '(f() {{ f | f & f; }}; f) & sleep 9999']"
    with world(bench, "iso-fork", {"bomb": bomb, "other": IDLE}) as project:
        pid = (project.engine.root / "run/containers" / project.container("bomb")["id"] / "pid").read_text().strip()
        space = Path(f"/proc/{pid}/ns/pid").readlink()
        most = 0
        for _ in range(15):
            most = max(most, sum(1 for one in Path("/proc").glob("[0-9]*/ns/pid") if link(one) == space))
            time.sleep(0.1)
        expect(2 <= most <= 40, f"{most} processes under a limit of 40")
        expect(project.inside("other", "echo well") == "well", "another container does not answer")
        expect(project.container("bomb")["state"] == "running", "the container ended")
        project.escale("stop", "-t", "0")
        expect(not any(link(one) == space for one in Path("/proc").glob("[0-9]*/ns/pid")), "processes are left")


def link(path):
    try:
        return path.readlink()
    except OSError:
        return None


@area.scenario("a memory bomb ends alone, and ps and events say why")
def memory_bomb(bench):
    with world(bench, "iso-memory", {"bomb": "image: 'base:1', mem_limit: 32m, memswap_limit: 32m, restart: 'no', "
                                             "command: [sh, -c, 'sleep 1; exec tail /dev/zero']", "other": IDLE}) as project:
        deadline = time.monotonic() + 40
        while (one := project.container("bomb"))["state"] != "exited":
            expect(time.monotonic() < deadline, f"it goes on: {one}")
            time.sleep(0.2)
        expect(one["exitCode"] == 137 and one["reason"] == "out of memory", f"{one}")
        expect("out of memory" in project.escale("ps", "-a").stdout, project.escale("ps", "-a").stdout)
        expect(re.search("container.exited .*iso-memory-bomb-1.*out of memory", project.escale("events").stdout), project.escale("events").stdout)
        expect(project.inside("other", "echo well") == "well", "another container does not answer")
