"""Names and addresses, ports, networks."""

import os
import random
import re
import signal
import socket
import struct
import subprocess
import threading
import time
from contextlib import contextmanager

from bed import expect
from probes import host, namespace, ps
from table import Area

area = Area("network")

SERVER = "image: 'base:1', stop_signal: SIGKILL, command: [sh, -c, 'mkdir /w; hostname > /w/x; exec httpd -f -p 80 -h /w']"


def block():
    """A subnet's first three numbers that no other row is likely to have."""
    return f"172.{random.randint(20, 30)}.{random.randint(0, 255)}"


def free_port():
    """A port of the host that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def shell(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def poll(work, what, seconds=10):
    """Asks until the answer is true."""
    deadline = time.monotonic() + seconds
    while True:
        answer = work()
        if answer:
            return answer
        expect(time.monotonic() < deadline, what)
        time.sleep(0.1)


# Names

area.row("hostname", "hostname: alpha", inside={"hostname": "alpha", "cat /etc/hostname": "alpha", "grep -c alpha /etc/hosts": "1"})
area.row("hostname with dots", "hostname: alpha.example.org", inside={
    "hostname": r"alpha\.example\.org", "grep alpha /etc/hosts": r"\S+\talpha\.example\.org alpha"})
area.row("domainname", "hostname: alpha\ndomainname: example.org", inside={
    "hostname; hostname -f": r"alpha\nalpha\.example\.org", "cat /proc/sys/kernel/domainname": r"example\.org"})
area.row("extra_hosts", "extra_hosts: ['db.example=10.9.8.7', 'six.example=2001:db8::1', 'both=10.1.1.1,10.1.1.2']", inside={
    "grep 10.9 /etc/hosts": r"10\.9\.8\.7\tdb\.example", "grep six /etc/hosts": r"2001:db8::1\tsix\.example",
    "grep -c both /etc/hosts": "2"})
area.row("extra_hosts host-gateway", "extra_hosts: ['host.docker.internal:host-gateway']",
         inside={"ping -c 1 -w 5 $(awk '/host.docker/ {print $1}' /etc/hosts) >/dev/null && echo up": "up"})
area.row("dns_search and dns_opt", "dns_search: [corp.example, lab.example]\ndns_opt: ['timeout:2']", inside={
    "grep search /etc/resolv.conf": r"search corp\.example lab\.example",
    "grep options /etc/resolv.conf": "options timeout:2 ndots:0"})
area.row("dns_opt ndots", "dns_opt: ['ndots:3']", inside={"grep options /etc/resolv.conf": "options ndots:3"})
area.row("dns_search of a dot", "dns_search: .", inside={"grep -c search /etc/resolv.conf": "0"})
area.refused("dns of a name", "dns: resolver.example.org", "is no IP address")


@area.scenario("dns servers are asked, services are known all the same")
def dns_servers(bench):
    address = f"127.{random.randint(2, 250)}.{random.randint(0, 250)}.{random.randint(2, 250)}"
    with name_server(address, "asked.example", "192.0.2.77"), bench.project("net-dns", f"""
        services:
          web: {{image: 'base:1', command: sleep 999, stop_signal: SIGKILL, dns: [{address}]}}
          db: {{image: 'base:1', command: sleep 999, stop_signal: SIGKILL}}
        """) as project:
        project.up()
        poll(lambda: "192.0.2.77" in project.inside("web", "timeout 1 nslookup asked.example"), "the server is not asked")
        poll(lambda: "Name:" in project.inside("web", "timeout 1 nslookup db"), "the services are not known any more")
        expect("192.0.2.77" not in project.inside("db", "timeout 1 nslookup asked.example"), "others ask that server too")


@contextmanager
def name_server(address, name, answer):
    """Answers questions for one name's IPv4 address."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53))

    def serve():
        while True:
            try:
                question, peer = server.recvfrom(2048)
            except OSError:
                return
            at, labels = 12, []
            while question[at]:
                labels.append(question[at + 1:at + 1 + question[at]].decode())
                at += 1 + question[at]
            kind = struct.unpack(">H", question[at + 1:at + 3])[0]
            known = ".".join(labels) == name and kind == 1
            reply = question[:2] + struct.pack(">5H", 0x8180, 1, int(known), 0, 0) + question[12:at + 5]
            if known:
                reply += b"\xc0\x0c" + struct.pack(">2HIH", 1, 1, 60, 4) + socket.inet_aton(answer)
            server.sendto(reply, peer)
    threading.Thread(target=serve, daemon=True).start()
    try:
        yield
    finally:
        server.close()


# Addresses and interfaces

def one_network(settings, service="", driver_opts=""):
    """A service on a network of the row's own, and that network."""
    slug = f"n{random.randrange(1 << 32):08x}"
    own = block()
    network = f"{slug}: {{ipam: {{config: [{{subnet: {own}.0/24, {settings}}}]}}, {driver_opts}}}".replace("BLOCK", own)
    return {"service": f"networks: {{{slug}: {{{service.replace('BLOCK', own)}}}}}", "top": {"networks": network}}, own


def network_row(name, settings, service, inside, driver_opts=""):
    words, own = one_network(settings, service, driver_opts)
    area.row(name, words["service"], top=words["top"],
             inside={command: wanted.replace("BLOCK", re.escape(own)) for command, wanted in inside.items()})


network_row("subnet", "", "", {"ip -4 addr show eth0": r".*inet BLOCK\.\d+/32.*", "ip route": r"default via BLOCK\.1 dev eth0.*"})
network_row("gateway", "gateway: BLOCK.254", "", {
    "ip route": r"default via BLOCK\.254 dev eth0.*",
    "ping -c 1 -w 5 $(ip route | awk '/default/ {print $3}') >/dev/null && echo up": "up"})
network_row("ip_range", "ip_range: BLOCK.64/28", "", {"ip -4 addr show eth0": r".*inet BLOCK\.(6[5-9]|7\d)/32.*"})
network_row("aux_addresses", "ip_range: BLOCK.64/29, aux_addresses: {a: BLOCK.65, b: BLOCK.66}", "",
            {"ip -4 addr show eth0": r".*inet BLOCK\.67/32.*"})
network_row("ipv4_address", "", "ipv4_address: BLOCK.77", {"ip -4 addr show eth0": r".*inet BLOCK\.77/32.*"})
network_row("mac_address of a network", "", "mac_address: '02:AA:BB:CC:DD:01'", {"cat /sys/class/net/eth0/address": "02:aa:bb:cc:dd:01"})
network_row("interface_name", "", "interface_name: lan0", {"ls /sys/class/net": "lan0\nlo"})
network_row("mtu", "", "", {"cat /sys/class/net/eth0/mtu": "1234"}, "driver_opts: {com.docker.network.driver.mtu: 1234}")
area.row("mac_address of a service", "mac_address: 02-42-ac-11-65-43", inside={"cat /sys/class/net/eth0/address": "02:42:ac:11:65:43"})
area.row("priority says which address is first", "networks: {pa: {}, pb: {priority: 5}}", top={"networks": "pa: {}\npb: {}"},
         inside={"[ \"$(awk \"/$(hostname)/ {print \\$1}\" /etc/hosts)\" = \"$(ip -4 addr show eth0 | awk '/inet/ {sub(\"/.*\", \"\", $2); "
                 "print $2; exit}')\" ] && echo first": "first"})
area.row("gw_priority says which way leads out", "networks: {ga: {}, gb: {gw_priority: 1}}",
         top={"networks": "ga: {}\ngb: {ipam: {config: [{subnet: 172.19.77.0/24}]}}"},
         inside={"ip route": r"default via 172\.19\.77\.1 .*"})
area.refused("an address outside of the subnet", "networks: {n: {ipv4_address: 10.1.1.1}}", "lies outside of the subnet",
             top={"networks": "n: {ipam: {config: [{subnet: 172.19.78.0/24}]}}"})
area.refused("an address for several replicas", "scale: 2\nnetworks: {n: {ipv4_address: 172.19.78.9}}", "has 2 replicas",
             top={"networks": "n: {ipam: {config: [{subnet: 172.19.78.0/24}]}}"})
area.refused("an address that is the gateway's", "networks: {n: {ipv4_address: 172.19.78.1}}", "172.19.78.1 .*is taken by the host",
             top={"networks": "n: {ipam: {config: [{subnet: 172.19.78.0/24}]}}"})
area.refused("two subnets", "networks: [n]", "a second IPv4 subnet, but a network has one",
             top={"networks": "n: {ipam: {config: [{subnet: 172.19.78.0/24}, {subnet: 172.19.79.0/24}]}}"})
area.refused("a subnet of the host", "networks: [n]", "is in use on",
             top={"networks": "n: {ipam: {config: [{subnet: %s}]}}" % next(
                 line.split()[0] for line in shell("ip", "-4", "route").splitlines()
                 if "/" in line.split()[0] and " lo " not in line and " esc" not in line)})
area.refused("an interface's name that can't be", "networks: {n: {interface_name: 'a/b'}}", "is no name of a network interface",
             top={"networks": "n: {}"})
area.refused("link_local_ips", "networks: {n: {link_local_ips: [169.254.8.8]}}", "share no link", top={"networks": "n: {}"})


@area.scenario("a subnet that another project has is refused, naming it")
def overlap(bench):
    own = block()
    network = f"networks: {{default: {{ipam: {{config: [{{subnet: {own}.0/24}}]}}}}}}"
    service = "services: {a: {image: 'base:1', command: sleep 999, stop_signal: SIGKILL}}\n"
    with bench.project("net-first", service + network) as first, bench.project(
            "net-second", service + network.replace(".0/24", ".128/25")) as second:
        first.up()
        told = second.up(check=False)
        expect(told.returncode == 1 and f"network net-first_default of project net-first has {own}.0/24" in told.stderr, told.stderr)
        first.escale("down")
        expect(f"{own}." not in shell("ip", "-4", "route") + shell("ip", "-4", "addr"), "what the subnet had on the host is left")
        second.up()


@area.scenario("a fixed address is the same after a restart and a new version, and free again afterwards")
def fixed_address(bench):
    own = block()
    text = f"""
        services:
          a: {{image: 'base:1', command: sleep 999, stop_signal: SIGKILL, networks: {{default: {{ipv4_address: {own}.9}}}}}}
          b: {{image: 'base:1', command: sleep 999, stop_signal: SIGKILL, scale: 3}}
        networks: {{default: {{ipam: {{config: [{{subnet: {own}.0/28}}]}}}}}}
        """
    with bench.project("net-fixed", text) as project:
        project.up()
        addresses = [one["addresses"]["net-fixed_default"] for one in project.ps()]
        expect(len(set(addresses)) == 4 and f"{own}.9" in addresses, f"{addresses}")
        project.write("compose.yaml", text.replace("sleep 999", "sleep 998"))
        project.up()
        expect(project.container("a")["addresses"]["net-fixed_default"] == f"{own}.9", "another address")
        # The address of a container that holds it now is nobody else's.
        project.write("compose.yaml", text.replace("  b:", "  c:").replace(f"{own}.9", addresses[1 - addresses.index(f"{own}.9")]))
        told = project.up(check=False)
        expect("is taken by container" in told.stderr or told.returncode == 0, told.stderr)


# Whose network

area.row("network_mode none", "network_mode: none", inside={
    "ls /sys/class/net": "lo", "ping -c 1 -w 1 127.0.0.1 >/dev/null && echo up": "up", "ip route": "", "cat /etc/hosts": r".*127\.0\.0\.1\tlocalhost.*"},
    outside=[(namespace("net"), "own")])
area.row("network_mode host", "network_mode: host", inside={
    "hostname": re.escape(socket.gethostname()), "cat /etc/resolv.conf | md5sum": f"{shell('sh', '-c', 'md5sum </etc/resolv.conf').split()[0]}.*",
    "ls /sys/class/net | grep -c '^lo$'": "1"}, outside=[(namespace("net"), "host")])
area.row("network_mode bridge", "network_mode: bridge", inside={"ls /sys/class/net": "eth0\nlo"})
area.row("network_mode of a service", "network_mode: service:owner-of-net", beside={
    "owner-of-net": "hostname: owner\ncommand: [sh, -c, 'mkdir /w; echo owned > /w/x; exec httpd -f -p 80 -h /w']"},
    inside={"wget -q -O - http://127.0.0.1/x": "owned", "hostname; cat /etc/hostname": "owner\nowner"},
    outside=[(namespace("net"), "own"), (ps("addresses"), r"\{\}")])
area.refused("network_mode of no service", "network_mode: service:nobody", "nobody.*is no service")
area.refused("network_mode of no container", "network_mode: container:nobody-here", "there is no container nobody-here")
area.refused("network_mode and networks", "network_mode: host\nnetworks: [default]", "exclude each other")
area.refused("network_mode and ports", "network_mode: host\nports: ['8080:80']", "nothing can be published")
area.refused("network_mode none and ports", "network_mode: none\nports: ['8080:80']", "nothing can be published")
area.refused("network_mode and the names of the other", "network_mode: container:x\nhostname: mine", "not the service's own to choose")
area.refused("network_mode of a network's name", "network_mode: some-net", "is the name of a network")
area.refused("network_mode and replicas of a name", "network_mode: host\nmac_address: '02:00:00:00:00:01'", "not the service's own")


@area.scenario("network_mode of a service: it is started again with its owner")
def joined_service(bench):
    with bench.project("net-join", f"""
            services:
              owner: {{{SERVER}, restart: always}}
              guest: {{image: 'base:1', command: sleep 999, stop_signal: SIGKILL, network_mode: 'service:owner'}}
            """) as project:
        project.up()
        def served():
            return "Error" not in (told := project.inside("guest", "timeout 1 wget -q -O - http://127.0.0.1/x")) and told.isalnum()
        poll(served, "the owner's server is not at 127.0.0.1")
        for _ in range(2):
            process = int((project.engine.root / "run/containers" / project.container("owner")["id"] / "pid").read_text())
            os.kill(process, signal.SIGKILL)
            poll(lambda process=process: (one := project.container("owner"))["state"] == "running" and one["pid"] != process, "no new owner", 20)
            poll(lambda: project.container("guest")["state"] == "running" and served(), "the guest is in a network of nobody", 20)


@area.scenario("network_mode of another project's container")
def joined_container(bench):
    idle = "image: 'base:1', command: sleep 999, stop_signal: SIGKILL"
    with bench.project("net-owner", f"services: {{a: {{{idle}}}}}") as owner, bench.project(
            "net-guest", f"services: {{b: {{{idle}, network_mode: 'container:net-owner-a-1'}}}}") as guest:
        owner.up()
        guest.up()
        expect(owner.inside("a", "ip -4 addr") == guest.inside("b", "ip -4 addr"), "another network")


# Ports



def fetch(address, port, path="x"):
    """What is served there; why not, where nothing is."""
    try:
        with socket.create_connection((address, port), timeout=1) as connection:
            connection.sendall(f"GET /{path} HTTP/1.0\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(4096), b"")).decode()
            return answer.split("\r\n\r\n", 1)[-1].strip()
    except OSError as error:
        return type(error).__name__


def own_addresses():
    return re.findall(r"inet (\d+\.\d+\.\d+\.\d+)/\d+ .*scope global (?!lo)", shell("ip", "-4", "addr"))


def ports_of(project, service):
    """Each container's host ports, by container port."""
    return {one["slot"]: {port["containerPort"]: port["hostPort"] for port in one["ports"]}
            for one in project.ps() if one["service"] == service}


@area.scenario("ports: one port of the host for all replicas")
def shared_port(bench):
    port = free_port()
    with bench.project("port-shared", f"services: {{web: {{{SERVER}, scale: 3, ports: ['{port}:80']}}}}") as project:
        project.up("--wait")
        seen = set()
        poll(lambda: seen.add(fetch("127.0.0.1", port)) or len(seen) >= 3, f"not all replicas answer: {seen}")
        for address in own_addresses()[:2]:
            expect(fetch(address, port) in seen, f"{address}:{port} leads nowhere")


@area.scenario("ports: any free port for each replica")
def free_ports(bench):
    with bench.project("port-free", f"services: {{web: {{{SERVER}, scale: 3, ports: ['80', '81/udp']}}}}") as project:
        project.up("--wait")
        found = ports_of(project, "web")
        expect(len({ports[80] for ports in found.values()}) == 3, f"{found}")
        for slot, ports in found.items():
            name = poll(lambda ports=ports: (answer := fetch("127.0.0.1", ports[80])) and answer.isalnum() and answer, f"{slot}: no answer")
            expect(name == project.escale("exec", "-T", "--index", slot, "web", "hostname").stdout.strip() or name, "another replica")


@area.scenario("ports: a range of the host for replicas")
def port_range(bench):
    first = random.randint(20000, 29000)
    text = f"services: {{web: {{{SERVER}, scale: 3, ports: ['{first}-{first + 2}:80']}}}}"
    with bench.project("port-range", text) as project:
        project.up("--wait")
        found = {ports[80] for ports in ports_of(project, "web").values()}
        expect(found == {first, first + 1, first + 2}, f"{found}")
        project.write("compose.yaml", text.replace("scale: 3", "scale: 4"))
        told = project.up(check=False)
        expect(told.returncode == 1 and f"none of the ports {first}-{first + 2}/tcp is free" in told.stderr, told.stderr)


@area.scenario("ports: a range for a range, by tcp and udp")
def paired_ranges(bench):
    first = random.randint(29000, 31000)
    echo = "image: 'base:1', stop_signal: SIGKILL, command: [sh, -c, 'mkdir /w; echo 1 > /w/x; httpd -p 80 -h /w; exec httpd -f -p 81 -h /w']"
    with bench.project("port-pairs", f"services: {{web: {{{echo}, ports: ['{first}-{first + 1}:80-81', '{first}:53/udp']}}}}") as project:
        project.up("--wait")
        for port in (first, first + 1):
            poll(lambda port=port: fetch("127.0.0.1", port) == "1", f"{port} leads nowhere")
        expect(fetch("127.0.0.1", first + 2) == "ConnectionRefusedError", "one port too many")
        expect(project.escale("port", "--protocol", "udp", "web", "53", check=False).stdout.strip().endswith(f":{first}"), "udp")


@area.scenario("ports: host_ip bounds who reaches it")
def host_ip(bench):
    port = free_port()
    with bench.project("port-local", f"services: {{web: {{{SERVER}, ports: ['127.0.0.1:{port}:80']}}}}") as project:
        project.up("--wait")
        poll(lambda: fetch("127.0.0.1", port).isalnum() and "Error" not in fetch("127.0.0.1", port), "127.0.0.1 leads nowhere")
        for address in own_addresses()[:3]:
            expect("Error" in fetch(address, port), f"{address}:{port} is open too")


area.warned("ports at an IPv6 address", "ports: ['[::1]:8080:80']", "nothing is published at .*::1")


@area.scenario("ports: what is published at an IPv6 address is nowhere else")
def ipv6_port(bench):
    ports = (free_port(), free_port())
    with bench.project("port-six", f"services: {{{{web: {{{{{SERVER}, ports: ['[::1]:{{0}}:80', {{{{target: 80, published: {{1}}, "
                                   "host_ip: '::', app_protocol: http}}]}}}}".format(*ports)) as project:
        project.up()
        for port in ports:
            expect(all("Error" in fetch(address, port) for address in ["127.0.0.1", *own_addresses()[:2]]), "it is open by IPv4")


area.refused("ports at an address that the host has not", "ports: ['192.0.2.199:8080:80']", "192.0.2.199, which is no address of this host")
area.refused("ports by mode host for replicas", "scale: 2\nports: [{target: 80, published: 8080, mode: host}]", "would publish 8080/tcp for itself")
area.refused("ports of http in a range", "ports: [{target: 80, published: '8080-8089', app_protocol: http}]", "not at any of a range")
area.refused("ports of a protocol that is none", "ports: ['8080:80/sctp']", "possible are tcp and udp")


@area.scenario("ports: taken ones are refused with their owner")
def taken_ports(bench):
    port = free_port()
    with bench.project("port-first", f"services: {{a: {{{SERVER}, ports: ['0.0.0.0:{port}:80']}}}}") as first, bench.project(
            "port-second", f"services: {{b: {{{SERVER}, ports: ['127.0.0.1:{port}:80']}}}}") as second, socket.socket() as other:
        first.up()
        expect("container port-first-a-1" in second.up(check=False).stderr, "two projects share a port")
        other.bind(("127.0.0.1", 0))
        other.listen()
        second.write("compose.yaml", f"services: {{b: {{{SERVER}, ports: ['{other.getsockname()[1]}:80']}}}}")
        expect("python" in second.up(check=False).stderr, "a program's port is taken")


@area.scenario("endpoint_mode dnsrr answers with the replicas")
def dnsrr(bench):
    idle = "image: 'base:1', command: sleep 999, stop_signal: SIGKILL"
    text = f"services: {{a: {{{idle}, scale: 3, deploy: {{endpoint_mode: dnsrr}}}}, b: {{{idle}}}}}"
    with bench.project("net-dnsrr", text) as project:
        project.up()
        replicas = {one["addresses"]["net-dnsrr_default"] for one in project.ps() if one["service"] == "a"}
        answers = re.compile(r"^Address: (\S+)", re.MULTILINE)
        poll(lambda: set(answers.findall(project.inside("b", "nslookup a"))) == replicas,
             f"{project.inside('b', 'nslookup a')} instead of {replicas}")
        project.write("compose.yaml", text.replace("dnsrr", "vip"))
        project.up()
        poll(lambda: len(set(answers.findall(project.inside("b", "nslookup a"))) - replicas) == 1, "not one address")


# Networks

@area.scenario("internal may change while containers run")
def becoming_internal(bench):
    text = "services: {{a: {{image: 'base:1', command: sleep 999, stop_signal: SIGKILL, restart: always}}}}\nnetworks: {{default: {{internal: {0}}}}}"
    with bench.project("net-internal", text.format("false")) as project:
        project.up()
        expect("default" in project.inside("a", "ip route"), "no way out")
        project.write("compose.yaml", text.format("true"))
        project.up()
        expect("default" not in project.inside("a", "ip route"), "still a way out")


@area.scenario("an external network, with another key and aliases")
def external(bench):
    idle = "image: 'base:1', command: sleep 999, stop_signal: SIGKILL"
    with bench.project("net-home", f"services: {{a: {{{idle}}}}}\nnetworks: {{default: {{name: meeting, attachable: true}}}}") as home, \
            bench.project("net-visitor", f"""
                services: {{b: {{{idle}, networks: {{there: {{aliases: [guest]}}}}}}}}
                networks: {{there: {{name: meeting, external: true}}}}
                """) as visitor:
        expect("external network meeting doesn't exist" in visitor.up(check=False).stderr, "it came up without the network")
        home.up()
        visitor.up()
        for name in ("b", "guest"):
            poll(lambda name=name: "Name:" in home.inside("a", f"timeout 1 nslookup {name}"), f"{name} is not found")
        expect("Name:" in visitor.inside("b", "nslookup a"), "a is not found")
