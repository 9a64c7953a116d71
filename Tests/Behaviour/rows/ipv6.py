"""Networks with IPv6: addresses, names, and who reaches whom by it."""

import json
import random
import re
import socket
import subprocess
import threading
from contextlib import suppress

from bed import BUSYBOX, expect
from probes import host, ps
from rows.isolation import IDLE, TOOLS, attack, heard, never, world
from rows.network import poll, shell
from table import Area

area = Area("ipv6")

SLEEP = "image: 'base:1', command: sleep 9999, stop_signal: SIGKILL"
#: answers both kinds
SERVER = "image: 'base:1', stop_signal: SIGKILL, command: [sh, -c, 'mkdir /w; hostname > /w/x; exec httpd -f -p \"[::]:80\" -h /w']"
LISTEN = f"{TOOLS}, command: '/usr/bin/python3 -I /attack.py listen 5555 ::'"
ULA = r"fd65:73[0-9a-f:]+"


def block():
    """The first half of a subnet that no other row is likely to have."""
    return f"fd{random.randint(0, 0x63):02x}:{random.randint(1, 0xffff):x}:{random.randint(1, 0xffff):x}:{random.randint(1, 0xffff):x}"


def six(project, service, network="default", slot=1):
    return project.container(service, slot)["ipv6Addresses"][f"{project.name}_{network}"]


def fetch(project, service, place, port=80):
    """What the container is served there; why not, where it isn't."""
    return project.inside(service, f"printf 'GET /x HTTP/1.0\\r\\n\\r\\n' | nc -w 2 {place} {port} | tail -1")


def answers(project, service, name):
    told = project.inside(service, f"timeout 2 nslookup {name}")
    return set(re.findall(r"^Address: (\S+)", told, re.MULTILINE))


def network_row(name, settings, service, inside, **more):
    """A service on a network of the row's own, with a subnet; BLOCK is its first half."""
    slug, own = f"n{random.randrange(1 << 32):08x}", block()
    network = f"{slug}: {{enable_ipv6: true, ipam: {{config: [{{subnet: 'BLOCK::/64', {settings}}}]}}}}".replace("BLOCK", own)
    area.row(name, f"networks: {{{slug}: {{{service.replace('BLOCK', own)}}}}}", top={"networks": network},
             inside={command.replace("BLOCK", own): wanted.replace("BLOCK", own) for command, wanted in inside.items()}, **more)


def inspected(subject):
    done = subject.project.escale("container", "inspect", subject.container["name"])
    (endpoint,) = json.loads(done.stdout)[0]["NetworkSettings"]["Networks"].values()
    return " ".join(str(endpoint[key]) for key in ("GlobalIPv6Address", "GlobalIPv6PrefixLen", "IPv6Gateway"))


# Addresses

area.row("enable_ipv6", "networks: [n6]", top={"networks": "n6: {enable_ipv6: true}"}, inside={
    "ip -6 addr show eth0": rf".*inet6 {ULA}/128 scope global.*", "ip -6 route | grep default": rf"default via {ULA}::1 .*|default via {ULA} .*",
    "ip -4 addr show eth0": r".*inet \d+\.\d+\.\d+\.\d+/32.*", "grep -c fd65 /etc/hosts": "1",
    "ping -6 -c 1 -w 5 $(ip -6 route | awk '/default/ {print $3}') >/dev/null && echo up": "up"},
    outside=[(ps("ipv6Addresses"), rf"\{{'\S+_n6': '{ULA}'\}}"), (host("inspect", inspected), rf"{ULA} 64 {ULA}1")])
area.row("no enable_ipv6", "networks: [n4]", top={"networks": "n4: {}"}, inside={
    "cat /proc/net/if_inet6": r"0{31}1 01 80 10 80\s+lo", "grep -c fd65 /etc/hosts": "0"},
    outside=[(ps("ipv6Addresses"), "None"), (host("inspect", inspected), "0")])
network_row("subnet", "", "", {"ip -6 addr show eth0": r".*inet6 BLOCK::2/128.*", "ip -6 route | grep default": "default via BLOCK::1 .*"})
network_row("gateway", "gateway: 'BLOCK::fe'", "", {
    "ip -6 route | grep default": "default via BLOCK::fe .*", "ping -6 -c 1 -w 5 BLOCK::fe >/dev/null && echo up": "up"},
    outside=[(host("inspect", inspected), r"\S+::1 64 \S+::fe")])
network_row("ip_range and aux_addresses", "ip_range: 'BLOCK::40/122', aux_addresses: {a: 'BLOCK::41'}", "",
            {"ip -6 addr show eth0": r".*inet6 BLOCK::42/128.*"})
network_row("ipv6_address", "", "ipv6_address: 'BLOCK:0:0:0:77'", {"ip -6 addr show eth0": r".*inet6 BLOCK::77/128.*"})
area.row("sysctls that switch it off", "networks: [n6off]\nsysctls: {net.ipv6.conf.all.disable_ipv6: 1}",
         top={"networks": "n6off: {enable_ipv6: true}"},
         inside={"ip -6 addr": "", "ip -4 addr show eth0": r".*inet \d+\.\d+\.\d+\.\d+/32.*"})

TOP = {"networks": "n: {enable_ipv6: true, ipam: {config: [{subnet: 'fd00:77::/64', gateway: 'fd00:77::1'}]}}"}
area.refused("an address outside of the subnet", "networks: {n: {ipv6_address: 'fd00:78::5'}}", "compose.yaml:3:.*lies outside of the subnet", top=TOP)
area.refused("the gateway's address", "networks: {n: {ipv6_address: 'fd00:77::1'}}", "it is the network's gateway", top=TOP)
area.refused("an address that another service has", "networks: {n: {ipv6_address: 'fd00:77::5'}}", "the same address on n",
             beside={"other": "networks: {n: {ipv6_address: 'fd00:77:0:0::5'}}"}, top=TOP)
area.refused("an address without enable_ipv6", "networks: {n: {ipv6_address: 'fd00:77::5'}}", "networks.n has no IPv6 addresses", "enable_ipv6: true",
             top={"networks": "n: {}"})
area.refused("an address where no subnet is named", "networks: {n: {ipv6_address: 'fd00:77::5'}}", "names no IPv6 subnet",
             top={"networks": "n: {enable_ipv6: true}"})
area.refused("two subnets", "networks: [n]", "a second IPv6 subnet, but a network has one", top={
    "networks": "n: {enable_ipv6: true, ipam: {config: [{subnet: 'fd00:77::/64'}, {subnet: 'fd00:78::/64'}]}}"})
area.refused("packets that are too small", "networks: [n]", "packets of at least 1280 bytes", top={
    "networks": "n: {enable_ipv6: true, driver_opts: {com.docker.network.driver.mtu: 1000}}"})
area.warned("a subnet without enable_ipv6", "networks: [n]", "the network has IPv4 addresses only",
            top={"networks": "n: {ipam: {config: [{subnet: 'fd00:77::/64'}]}}"})
HOSTS = [line.split()[0] for line in shell("ip", "-6", "route").splitlines()
         if "/" in line.split()[0] and not line.startswith(("fe80", "fd65")) and " lo " not in line]
if HOSTS:
    area.refused("a subnet of the host", "networks: [n]", "is in use on", top={
        "networks": f"n: {{enable_ipv6: true, ipam: {{config: [{{subnet: '{HOSTS[0]}'}}]}}}}"})


@area.scenario("a subnet that another project has is refused, and what it had on the host goes with it")
def overlap(bench):
    own = block()
    text = f"services: {{a: {{{SLEEP}}}}}\nnetworks: {{default: {{enable_ipv6: true, ipam: {{config: [{{subnet: '{own}::/64'}}]}}}}}}"
    with bench.project("six-first", text) as first, bench.project("six-second", text.replace("::/64", "::/80")) as second:
        first.up()
        told = second.up(check=False)
        expect(told.returncode == 1 and f"network six-first_default of project six-first has {own}::/64" in told.stderr, told.stderr)
        first.escale("down")
        expect(f"{own}:" not in shell("ip", "-6", "route") + shell("ip", "-6", "addr"), "what the subnet had on the host is left")
        second.up()


# Names and connections

@area.scenario("names have both addresses on such a network, and one on others")
def names(bench):
    with bench.project("six-names", f"""
            services:
              web: {{{SERVER}, scale: 2, networks: {{new: {{aliases: [www]}}, old: {{}}}}}}
              a: {{{SLEEP}, networks: [new]}}
              b: {{{SLEEP}, networks: [old]}}
            networks: {{new: {{enable_ipv6: true}}, old: {{}}}}
            """) as project:
        project.up("--wait")
        found = poll(lambda: (told := answers(project, "a", "web")) and len(told) == 2 and told, "not two addresses")
        virtual = next(one for one in found if ":" in one)
        expect(answers(project, "a", "www") == found, "the alias is another")
        expect(not any(":" in one for one in answers(project, "b", "web")), "an IPv6 address where there is none")
        expect(six(project, "web", "new") in answers(project, "a", "six-names-web-1"), "a container's own name")
        # The name leads to all replicas, and to whoever asks.
        for asking in ("a", "web"):
            seen = set()
            poll(lambda asking=asking, seen=seen: seen.add(fetch(project, asking, virtual)) or len(seen) == 2, f"{asking} sees {seen}")
        expect(", 0% packet loss" in project.inside("a", f"ping -6 -c 1 -w 5 {six(project, 'web', 'new')}"), "a replica is out of reach")
        expect(", 0% packet loss" in project.inside("a", "ping -6 -c 1 -w 5 web"), "the name is out of reach by IPv6")
        reverse = project.inside("a", f"timeout 2 nslookup {six(project, 'web', 'new')}")
        expect("name = six-names-web-1" in reverse, reverse)


@area.scenario("endpoint_mode dnsrr answers with the replicas' addresses")
def dnsrr(bench):
    with bench.project("six-dnsrr", f"""
            services: {{a: {{{SLEEP}, scale: 2, deploy: {{endpoint_mode: dnsrr}}}}, b: {{{SLEEP}}}}}
            networks: {{default: {{enable_ipv6: true}}}}
            """) as project:
        project.up()
        wanted = {six(project, "a", slot=slot) for slot in (1, 2)}
        poll(lambda: {one for one in answers(project, "b", "a") if ":" in one} == wanted, f"not {wanted}")


@area.scenario("a service without replicas refuses at once")
def nobody(bench):
    with bench.project("six-nobody", f"services: {{web: {{{SERVER}}}, a: {{{SLEEP}}}}}\nnetworks: {{default: {{enable_ipv6: true}}}}") as project:
        project.up("--wait")
        virtual = next(one for one in answers(project, "a", "web") if ":" in one)
        poll(lambda: len(fetch(project, "a", virtual)) == 12, "no answer")
        project.escale("stop", "-t", "0", "web")
        told = project.inside("a", f"time nc -w 9 {virtual} 80 </dev/null")
        expect(re.search(r"real\s+0m 0\.", told) and "can't connect" in told, told)


@area.scenario("connections keep a replica that drains")
def draining(bench):
    text = f"""
        services:
          web: {{{TOOLS}, command: [/usr/bin/python3, -uc, "{'; '.join(line for line in ECHO)}"], stop_grace_period: 2s, environment: [V=1],
                x-escale: {{release: {{drain: 20s}}}}}}
          a: {{{TOOLS}, command: sleep 9999}}
        networks: {{default: {{enable_ipv6: true}}}}
        """
    with bench.project("six-drain", text) as project:
        project.up("--wait")
        virtual = next(one for one in poll(lambda: answers(project, "a", "web"), "no name") if ":" in one)
        told = []
        client = threading.Thread(target=lambda: told.append(project.inside("a", f"/usr/bin/python3 -uc '{ASK % virtual}'")))
        client.start()
        poll(lambda: "asked" in project.logs("web"), "the connection does not come")
        project.write("compose.yaml", text.replace("V=1", "V=2"))
        project.up()
        client.join()
        expect(told[0].split() == ["1"] * 8, f"the connection was cut: {told}")


#: answers one line after the other for as long as the connection is there
ECHO = ("import socket, os, threading", "s = socket.create_server(('', 80), family=socket.AF_INET6, dualstack_ipv6=True)",
        "serve = lambda c: [print('asked', flush=True) or c.sendall(os.environ['V'].encode()) for _ in iter(lambda: c.recv(9), b'')]",
        "[threading.Thread(target=serve, args=(s.accept()[0],)).start() for _ in iter(int, 1)]")
ASK = ('import socket, time; c = socket.create_connection(("%s", 80), 5); '
       '[(c.sendall(b"?"), print(c.recv(9).decode()), time.sleep(1)) for _ in range(8)]')


# Isolation

@area.scenario("other networks are out of reach, with true senders and forged ones")
def other_networks(bench):
    network = "default: {enable_ipv6: true}"
    with world(bench, "six-mine", {"evil": IDLE, "friend": LISTEN}, network) as mine, \
            world(bench, "six-other", {"victim": LISTEN, "peer": IDLE}, network) as other:
        friend, victim, peer = six(mine, "friend"), six(other, "victim"), six(other, "peer")
        attack(mine, "evil", "forge", friend, 5555, "forged-to-friend")
        expect(heard(mine, "friend", "forged-to-friend"), "a frame made by hand does not even reach a friend")
        for place in {victim, *(one for one in answers(other, "peer", "victim") if ":" in one)}:
            for way in ("send", "forge"):
                mine.escale("exec", "-T", "evil", "/usr/bin/python3", "-I", "/attack.py", way, place, 5555, "plain", check=False)
        hosts = shell("hostname", "-I").split()
        for sender in (peer, victim, friend, "::1", "fe80::1", "2001:db8::9", *(one for one in hosts if ":" in one)):
            attack(mine, "evil", "forge", "--from", sender, victim, 5555, "forged")
            attack(mine, "evil", "forge", "--from", sender, friend, 5555, f"as-{sender}")
        attack(mine, "evil", "forge", "--mac", "ee:ee:ee:ee:ee:ee", victim, 5555, "mirrored")
        for text in ("plain", "forged", "mirrored"):
            never(other, "victim", text, lambda mark: attack(other, "peer", "send", victim, 5555, mark))
        never(mine, "friend", "as-", lambda mark: attack(mine, "evil", "send", friend, 5555, mark))
        expect(", 0% packet loss" not in mine.inside("evil", f"ping -6 -c 1 -w 2 {victim}"), "another network answers")


@area.scenario("two networks of one project are apart")
def networks_apart(bench):
    with world(bench, "six-apart", {"a": f"{SLEEP}, networks: [one]", "b": f"{SERVER}, networks: [two]", "c": f"{SLEEP}, networks: [two]"},
               "one: {enable_ipv6: true}, two: {enable_ipv6: true}") as project:
        place = six(project, "b", "two")
        poll(lambda: len(fetch(project, "c", place)) == 12, "its own network does not reach it")
        expect(len(fetch(project, "a", place)) != 12, "another network reaches it")
        expect(not answers(project, "a", "b"), "another network knows its name")


@area.scenario("an internal network has no way out")
def internal(bench):
    with world(bench, "six-in", {"evil": f"{IDLE}, networks: [inner]", "both": f"{LISTEN}, networks: [inner, outer]",
                                 "out": f"{LISTEN}, networks: [outer]"},
               "inner: {internal: true, enable_ipv6: true}, outer: {enable_ipv6: true}") as project, HostService("::") as offered:
        expect("default" not in project.inside("evil", "ip -6 route"), "it has a way out")
        expect("default" in project.inside("out", "ip -6 route"), "the other has none")
        inner = six(project, "both", "inner")
        attack(project, "evil", "forge", inner, 5555, "inner")
        expect(heard(project, "both", "inner"), "it does not reach its own network")
        gateway = re.sub(r"[0-9a-f]+$", "1", inner)
        places = [six(project, "both", "outer"), six(project, "out", "outer")]
        for target in (*places, gateway):
            for sender in (six(project, "evil", "inner"), inner, places[0]):
                attack(project, "evil", "forge", "--from", sender, target, 5555 if target in places else offered.port, "outer")
        for service, place in zip(("both", "out"), places):
            never(project, service, "outer", lambda mark, place=place: attack(project, "both", "send", place, 5555, mark))
        attack(project, "out", "send", re.sub(r"[0-9a-f]+$", "1", places[1]), offered.port, "mark")
        poll(lambda: "mark" in offered.got, "the host hears nothing at all")
        expect("outer" not in offered.got, "the host hears an internal network")


class HostService:
    """A program of the host that listens by UDP at one of its addresses."""

    def __init__(self, place):
        self.got = []
        self.udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.udp.bind((place, 0))
        self.port = self.udp.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with suppress(OSError):
            while True:
                self.got.append(self.udp.recvfrom(2048)[0].decode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.udp.close()


@area.scenario("what the host offers to itself alone is out of reach")
def loopback(bench):
    with world(bench, "six-host", {"evil": IDLE}, "default: {enable_ipv6: true}") as project, \
            HostService("::1") as own, HostService("::") as offered:
        gateway = re.sub(r"[0-9a-f]+$", "1", six(project, "evil"))
        attack(project, "evil", "send", gateway, offered.port, "offered")
        poll(lambda: "offered" in offered.got, "what is offered to all is out of reach")
        for place in ("::1", gateway, *(one for one in shell("hostname", "-I").split() if ":" in one)):
            attack(project, "evil", "forge", place, own.port, "to-loopback")
            attack(project, "evil", "forge", "--from", "::1", place, own.port, "to-loopback")
        attack(project, "evil", "send", gateway, offered.port, "last")
        poll(lambda: "last" in offered.got, "the host hears nothing any more")
        expect(not own.got, f"{own.got}")


@area.scenario("connections to the outside have an address of the host's")
def outside(bench):
    """A machine outside is a network namespace at the other end of a wire of the host's."""
    name, link = f"out{random.randrange(1 << 24):x}", f"2001:db8:{random.randint(1, 0xffff):x}"
    setup = f"""
        ip netns add {name} && ip link add {name} type veth peer name eth0 netns {name} &&
        ip -6 addr add {link}::1/64 dev {name} nodad && ip link set {name} up &&
        ip -n {name} -6 addr add {link}::2/64 dev eth0 nodad && ip -n {name} link set eth0 up"""
    serve = (f"import socket; s = socket.socket(socket.AF_INET6); s.bind(('{link}::2', 8080)); s.listen()\n"
             "while True:\n c, peer = s.accept(); c.sendall(peer[0].encode()); c.close()")
    try:
        told = shell("sh", "-c", setup)
        expect(not told, told)
        with subprocess.Popen(["ip", "netns", "exec", name, "/usr/bin/python3", "-c", serve]) as server, \
                world(bench, "six-out", {"a": SLEEP, "b": f"{SLEEP}, networks: [in]"},
                      "default: {enable_ipv6: true}, in: {enable_ipv6: true, internal: true}") as project:
            try:
                poll(lambda: project.inside("a", f"nc -w 2 {link}::2 8080 </dev/null") == f"{link}::1", "not by the host's address")
                expect(link not in project.inside("b", f"nc -w 2 {link}::2 8080 </dev/null").split(), "an internal network gets out")
                # Nor does anybody come in from there.
                shell("ip", "-n", name, "-6", "route", "add", "fd65:7300::/24", "via", f"{link}::1")
                told = shell("ip", "netns", "exec", name, "ping", "-6", "-c", "1", "-W", "1", six(project, "a"))
                expect(", 0% packet loss" not in told, told)
            finally:
                server.kill()
    finally:
        shell("ip", "netns", "del", name)
        shell("ip", "link", "del", name)


# Time

@area.scenario("a fixed address is the same after a restart, a new version and a new daemon")
def fixed_address(bench):
    own = block()
    text = f"""
        services:
          a: {{{SLEEP}, networks: {{default: {{ipv6_address: '{own}::9'}}}}}}
          b: {{{SERVER}, scale: 2}}
        networks: {{default: {{enable_ipv6: true, ipam: {{config: [{{subnet: '{own}::/64'}}]}}}}}}
        """
    def holds(project):
        told = project.inside("a", "ip -6 addr show eth0")
        return f"inet6 {own}::9/128" in told and six(project, "a") == f"{own}::9"
    with bench.project("six-fixed", text) as project:
        project.up("--wait")
        expect(holds(project), "not the address that the file says")
        others = {six(project, "b", slot=slot) for slot in (1, 2)}
        expect(len(others | {f"{own}::9"}) == 3, f"{others}")
        project.escale("restart", "-t", "0", "a")
        poll(lambda: holds(project), "another address after a restart")
        project.write("compose.yaml", text.replace("sleep 9999", "sleep 9998"))
        project.up("--wait")
        expect(holds(project), "another address with a new version")


@area.scenario("what a new daemon finds holds, and it puts back what is gone")
def next_daemon(bench):
    engine = bench.bed.engine("six-daemon")
    engine.start()
    try:
        engine.escale("image", "import", BUSYBOX, "base:1")
        other = type(bench)(bench.bed, engine)
        with other.project("six-next", f"services: {{a: {{{SLEEP}}}, web: {{{SERVER}}}}}\nnetworks: {{default: {{enable_ipv6: true}}}}") as project:
            project.up("--wait")
            before = [(one["service"], one["ipv6Addresses"]) for one in project.ps()]
            virtual = next(one for one in poll(lambda: answers(project, "a", "web"), "no name") if ":" in one)
            poll(lambda: len(fetch(project, "a", virtual)) == 12, "no answer")
            engine.kill()
            expect(len(fetch(project, "a", virtual)) == 12, "no answer without a daemon")
            engine.start()
            expect([(one["service"], one["ipv6Addresses"]) for one in project.ps()] == before, "other addresses")
            expect(virtual in answers(project, "a", "web"), "another address of the service")
            poll(lambda: len(fetch(project, "a", virtual)) == 12, "no answer any more")
            table = next(line for line in shell("nft", "list", "tables").splitlines() if line.startswith("table ip6 escale"))
            for command in (("nft", "delete", *table.split()), ("ip", "-6", "addr", "del", f"{re.sub('[0-9a-f]+$', '1', six(project, 'a'))}/128", "dev", "lo")):
                shell(*command)
                poll(lambda: len(fetch(project, "a", virtual)) == 12, f"{command} is not put right", 15)
    finally:
        engine.kill()


@area.scenario("a network may get IPv6 with its containers' next version, and lose it with `down` alone")
def becoming_both(bench):
    text = f"services: {{a: {{{SLEEP}}}, b: {{{SERVER}}}}}\nnetworks: {{default: {{}}}}"
    with bench.project("six-later", text) as project:
        project.up("--wait")
        before = {one["id"] for one in project.ps()}
        project.write("compose.yaml", text.replace("{default: {}}", "{default: {enable_ipv6: true}}"))
        project.up("--wait")
        expect(not before & {one["id"] for one in project.ps()}, "the containers are the old ones")
        poll(lambda: any(":" in one for one in answers(project, "a", "b")), "no IPv6 address")
        expect(len(fetch(project, "a", six(project, "b"))) == 12, "no connection")
        project.write("compose.yaml", text)
        told = project.up(check=False)
        expect(told.returncode == 1 and "the file says that it has no IPv6" in told.stderr and "escale down" in told.stderr, told.stderr)
        project.escale("down")
        project.up("--wait")
        expect("fd65" not in project.inside("a", "ip addr"), "it has IPv6 still")
