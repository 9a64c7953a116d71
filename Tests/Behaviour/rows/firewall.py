"""Beside the host's own firewall: on a machine of the test's own, a network namespace with a neighbour outside."""

import contextlib
import os
import random
import re
import signal
import subprocess
import time

from bed import BINARIES, BUSYBOX, Engine, expect
from bench import Bench
from table import Area

area = Area("firewall")

SERVER = "image: 'base:1', stop_signal: SIGKILL, command: [sh, -c, 'mkdir /w; echo served > /w/x; exec httpd -f -p 80 -h /w']"
HOST, NEIGHBOUR = "198.51.100.1", "198.51.100.2"


class Machine(Engine):
    """An Escale in a network namespace, with a neighbour on a link of its own."""

    def __init__(self, bed, name):
        super().__init__(bed, bed.scratch / name)
        self.holders = [subprocess.Popen(["unshare", "--net", "sleep", "600"], start_new_session=True) for _ in range(2)]
        time.sleep(0.2)
        link = f"fw{random.randrange(1 << 24):06x}"
        self.on("host", "ip", "link", "set", "lo", "up")
        self.on("host", "ip", "link", "add", link, "type", "veth", "peer", "name", "w0", "netns", str(self.holders[1].pid))
        for place, device, own in (("host", link, HOST), ("neighbour", "w0", NEIGHBOUR)):
            self.on(place, "ip", "addr", "add", f"{own}/24", "dev", device)
            self.on(place, "ip", "link", "set", device, "up")
        self.on("host", "ip", "route", "add", "default", "via", NEIGHBOUR)

    def enter(self, place):
        return ["nsenter", f"--net=/proc/{self.holders[('host', 'neighbour').index(place)].pid}/ns/net"]

    def on(self, place, *words, check=True, **more):
        done = subprocess.run([*self.enter(place), *words], capture_output=True, text=True, check=False, timeout=30, **more)
        expect(done.returncode == 0 or not check, f"{' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def nft(self, text):
        self.on("host", "nft", "-f", "-", input=text)

    def start(self, environment=None, must=True):
        with self.output.open("ab") as log:  # nsenter becomes the daemon
            self.daemon = subprocess.Popen([*self.enter("host"), BINARIES / "escaled", "--root", self.root],
                                           stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                                           env={"PATH": os.environ["PATH"], "HOME": "/root"}, start_new_session=True)
        deadline = time.monotonic() + 20
        while not (self.root / "run/escaled.sock").exists():
            expect(time.monotonic() < deadline, f"escaled did not start: {self.last_words()}")
            time.sleep(0.05)
        return True

    def rules(self, own):
        """The rule sets of the host, sorted: Escale's own, or all others. The order of chains and elements means nothing."""
        text = self.on("host", "nft", "-s", "list", "ruleset")
        tables = re.split(r"(?m)^(?=table )", text)
        words = [table.split() for table in tables if table.startswith("table ip escale") == own]
        return " ".join(sorted(word.strip(",") for table in words for word in table))

    def fetches(self, port, address=HOST, place="neighbour"):
        done = subprocess.run([*self.enter(place), "busybox", "timeout", "2", "busybox", "wget", "-q", "-O", "-",
                               f"http://{address}:{port}/x"], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def wait(self, wanted, work, what):
        deadline = time.monotonic() + 10
        while (answer := work()) != wanted:
            expect(time.monotonic() < deadline, f"{what}: {answer[:200]!r} instead of {wanted[:200]!r}")
            time.sleep(0.05)

    def close(self):
        with contextlib.suppress(Exception):
            self.reset()
        self.end_all()
        for holder in self.holders:
            with contextlib.suppress(OSError):
                os.killpg(holder.pid, signal.SIGKILL)
            holder.wait()


@contextlib.contextmanager
def machine(bench, name, compose):
    """A machine with a project that is up, a port of it, and whoever is asked."""
    one = Machine(bench.bed, f"fw-{name}")
    bench.bed.engines.append(one)
    try:
        one.start()
        one.escale("image", "import", BUSYBOX, "base:1")
        port = random.randint(20000, 30000)
        with Bench(bench.bed, one).project(f"fwp-{name}", compose.replace("PORT", str(port))) as project:
            yield one, project, port
    finally:
        one.close()
        bench.bed.engines.remove(one)


WEB = f"services: {{web: {{{SERVER}, ports: ['PORT:80']}}, local: {{{SERVER}, ports: ['127.0.0.1:1PORT:80']}}}}".replace("1PORT", "8099")


@area.scenario("published ports obey nftables and iptables rules of the host's own")
def obeys(bench):
    with machine(bench, "obeys", WEB) as (host, project, port):
        project.up("--wait")
        host.wait("served", lambda: host.fetches(port), "from outside")
        expect(host.fetches(8099) == "", "what is published at 127.0.0.1 is open to others")
        host.wait("served", lambda: host.fetches(8099, "127.0.0.1", "host"), "127.0.0.1 from the host")
        rules = {
            "nft, forward, by the original port": (
                f"table inet operator {{ chain forward {{ type filter hook forward priority 0; meta l4proto tcp ct original proto-dst {port} drop; }}; }}",
                "delete table inet operator"),
            "nft, prerouting, by port": (
                f"table ip operator {{ chain early {{ type filter hook prerouting priority raw; tcp dport {port} drop; }}; }}",
                "delete table ip operator"),
            "nft, forward, by sender": (
                f"table ip operator {{ chain late {{ type filter hook forward priority 100; ip saddr {NEIGHBOUR} drop; }}; }}",
                "delete table ip operator"),
        }
        for what, (add, remove) in rules.items():
            host.nft(add)
            expect(host.fetches(port) == "", f"{what}: it is open all the same")
            host.nft(remove)
            host.wait("served", lambda: host.fetches(port), f"{what}: closed afterwards")
        for words in (("-t", "raw", "PREROUTING", "-p", "tcp", "--dport", str(port)), ("-t", "filter", "FORWARD", "-s", NEIGHBOUR)):
            table, chain, match = words[:2], words[2], words[3:]
            host.on("host", "iptables-nft", *table, "-I", chain, *match, "-j", "DROP")
            expect(host.fetches(port) == "", f"iptables {' '.join(words)}: it is open all the same")
            host.on("host", "iptables-nft", *table, "-D", chain, *match, "-j", "DROP")
            host.wait("served", lambda: host.fetches(port), "closed afterwards")


@area.scenario("nothing outside of Escale's own table is touched")
def untouched(bench):
    with machine(bench, "untouched", WEB) as (host, project, port):
        host.nft("table inet operator { set s { type ipv4_addr; elements = { 192.0.2.1 } }; "
                 "chain forward { type filter hook forward priority 0; policy accept; ip saddr @s drop; counter; }; }")
        host.on("host", "iptables-nft", "-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "ACCEPT")
        before = host.rules(own=False)
        project.up("--wait")
        host.wait("served", lambda: host.fetches(port), "from outside")
        project.up("--force-recreate")
        project.escale("down")
        expect(host.rules(own=False) == before, f"other rules changed:\n{before}\n{host.rules(own=False)}")
        expect(host.rules(own=True) == "", "Escale's own are left")


@area.scenario("rules that a reloaded firewall took away are back at once")
def flushed(bench):
    with machine(bench, "flushed", WEB) as (host, project, port):
        project.up("--wait")
        host.wait("served", lambda: host.fetches(port), "from outside")
        whole = host.rules(own=True)
        for _ in range(5):
            host.nft("flush ruleset\ntable inet operator { chain input { type filter hook input priority 0; }; }")
            host.wait(whole, lambda: host.rules(own=True), "after flush ruleset")
            host.wait("served", lambda: host.fetches(port), "after flush ruleset")
        name = re.search(r"escale\w*", whole)[0]
        for damage in (f"flush chain ip {name} forwarded", f"delete table ip {name}", f"flush set ip {name} same_network",
                       f"add rule ip {name} forwarded accept"):
            host.nft(damage)
            host.wait(whole, lambda: host.rules(own=True), damage)
        expect("operator" in host.rules(own=False), "the operator's rules are gone")


@area.scenario("a firewall that forwards nothing is told of by up, with what to do")
def closed(bench):
    idle = "services: {a: {image: 'base:1', command: sleep 999, stop_signal: SIGKILL}}"
    with machine(bench, "closed", idle) as (host, project, port):
        def told():
            return " ".join(project.up("--force-recreate").stderr.split())
        expect("Host firewall" not in told(), "told without a reason")
        host.on("host", "iptables-nft", "-P", "FORWARD", "DROP")
        words = told()
        expect("table ip filter, chain FORWARD: its policy is drop" in words and "iptables -I FORWARD -i esc" in words, words)
        host.on("host", "iptables-nft", "-N", "DOCKER-USER")
        expect("iptables -I DOCKER-USER -i esc" in told(), "Docker's chain is not named")
        # What it says helps, and is enough to silence it.
        for command in re.findall(r"`(iptables [^`]*)`", told()):
            host.on("host", *command.replace("iptables", "iptables-nft").replace("DOCKER-USER", "FORWARD").split())
        expect("Host firewall" not in told(), "told though they may pass")
        host.nft("flush ruleset\ntable inet fire { chain forwarding { type filter hook forward priority 0; ip saddr 192.0.2.1 accept; "
                 "counter reject with icmpx type admin-prohibited; }; }")
        words = told()
        expect("table inet fire, chain forwarding: its last rule is reject" in words, words)
        for command in re.findall(r"`nft ([^`]*)`", words):
            host.nft(command)
        expect("Host firewall" not in told(), "told though they may pass")
