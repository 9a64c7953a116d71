"""Services that somebody else runs: `x-escale.external`."""

import os
import re
import subprocess
from contextlib import contextmanager

from bed import BINARIES, BUSYBOX, Engine, expect, one_line
from bench import Bench
from rows.network import free_port, poll, shell
from table import Area

area = Area("external")

IDLE = "image: 'base:1', command: sleep 9999, stop_signal: SIGKILL"


def server(text):
    """A service that says the text to whoever asks by HTTP."""
    return f"image: 'base:1', stop_signal: SIGKILL, command: [sh, -c, 'mkdir /w; echo {text} > /w/x; exec httpd -f -p 80 -h /w']"


def host_address():
    return shell("hostname", "-I").split()[0]


def shop(port):
    return f"""
services:
  api:
    {{{IDLE}, networks: [back], depends_on: {{db: {{condition: service_healthy, restart: true}}, cache: {{condition: service_started}}}}}}
  cache: {{{IDLE}, networks: [back]}}
  other: {{{IDLE}}}
  db:
    image: base:1
    command: [sh, -c, 'mkdir -p /w; echo own > /w/x; date > /data/kept; exec httpd -f -p {port} -h /w']
    stop_signal: SIGKILL
    volumes: ["data:/data"]
    networks: {{back: {{aliases: [database, db.shop.example]}}}}
    healthcheck: {{test: wget -qO- http://127.0.0.1:{port}/x, interval: 1s}}
networks: {{back: {{}}}}
volumes: {{data: {{}}}}
"""


def managed(host, port, *more):
    members = "".join(f"    {one}: {{host: {host}, port: {port}}}\n" for one in ("db", *more))
    return f"x-escale:\n  external:\n{members}"


def ids(project):
    return {one["service"]: one["id"] for one in project.ps()}


def says(done, code, *patterns):
    told = done.stdout + done.stderr
    expect(done.returncode == code, f"it ended with {done.returncode}, not with {code}: {one_line(told, 800)}")
    for pattern in patterns:
        expect(re.search(pattern, told), f"nothing like {pattern!r} in {one_line(told, 900)!r}")


@area.scenario("a service that was here gives way to the one outside, and comes back with its volume")
def gives_way(bench):
    port, address = free_port(), host_address()
    with bench.project("ext-managed", f"services: {{pg: {{{server('managed')}, ports: ['{port}:80']}}}}") as outside, \
            bench.project("ext-shop", shop(port)) as project:
        outside.up()
        project.write("managed.yaml", managed(address, port, "cache"))
        both = {"env": {"COMPOSE_FILE": "compose.yaml:managed.yaml"}}

        def page(service, name):
            return project.inside(service, f"timeout 5 wget -qO- http://{name}:{port}/x")
        project.up("--wait")
        expect(page("api", "db") == "own", f"the own database does not answer: {page('api', 'db')}")
        before = ids(project)
        volumes = list((project.engine.root / "state/volumes").glob("ext-shop_data"))
        expect(volumes, "there is no volume")

        says(project.escale("config", "-q", **both), 0)
        dry = project.escale("up", "--dry-run", **both)
        says(dry, 0, r"Would stop +\(somebody else runs its service now\)", "Would remove")
        expect(ids(project) == before, f"--dry-run makes {before} to {ids(project)}")
        done = project.up("--wait", **both)
        says(done, 0, rf"Service db +Elsewhere +\(at {re.escape(address)}:{port}\)", "Removed|Removing")
        expect(ids(project) == {one: before[one] for one in ("api", "other")}, f"there are {ids(project)}, before {before}")
        for name in ("db", "database", "db.shop.example", "cache"):
            expect(page("api", name) == "managed", f"{name} is not the one outside: {page('api', name)}")
        expect("managed" not in page("other", "db"), "its name is known on a network that it isn't on")
        again = project.up(**both)
        expect("Container" not in again.stderr, f"it is not up to date: {one_line(again.stderr)}")

        # Commands on it
        for words in (("up", "-d", "db"), ("run", "--rm", "db", "true"), ("scale", "db=2"), ("logs", "db"), ("build", "db"),
                      ("exec", "-T", "db", "true"), ("restart", "db"), ("stop", "db"), ("pull", "db")):
            says(project.escale(*words, check=False, **both), 1, "service db has no container here: somebody else runs it, at ")
        says(project.escale("up", "-d", "api", **both), 0)
        says(project.escale("ps", "db", **both), 0)
        says(project.escale("logs", **both), 0)
        expect("pg:" not in project.escale("config", **both).stdout, "the other project's service is in it")
        expect("external:" in project.escale("config", **both).stdout, "config does not show it")

        # A stop and a new container, with nothing of the database here
        says(project.escale("stop", "api", **both), 0)
        says(project.escale("start", "api", **both), 0)
        project.up("--force-recreate", "--wait", "api", **both)
        expect(page("api", "db") == "managed", "a new container does not get there")

        # And back
        project.up("--wait")
        expect(set(ids(project)) == set(before), f"there are {ids(project)}")
        poll(lambda: page("api", "db") == "own", "the own database does not answer again")
        expect((volumes[0]).exists(), "the volume is gone")

        # What only the one service is asked for leaves nothing waiting for the other either
        project.up("other", **both)
        expect("db" not in ids(project), "the container stays where another service is named")
        project.escale("restart", "api", **both)
        poll(lambda: page("api", "db") == "managed", "a service that was left alone waits for what is elsewhere")
        project.escale("down", "-v", "-t", "0", **both)
        expect(not ids(project), f"down leaves {ids(project)}")


@area.scenario("a service that was never here")
def never_here(bench):
    port = free_port()
    with bench.project("ext-far", f"services: {{pg: {{{server('far')}, ports: ['{port}:80']}}}}") as outside, \
            bench.project("ext-never", shop(port) + managed(host_address(), port, "cache")) as project:
        outside.up()
        project.up("--wait")
        expect(set(ids(project)) == {"api", "other"}, f"there are {ids(project)}")
        expect(project.inside("api", f"timeout 5 wget -qO- http://db:{port}/x") == "far", "its name does not lead there")
        expect(not list((project.engine.root / "state/volumes").glob("ext-never_data")), "a volume is made for it")
        project.escale("stop")
        project.escale("start")
        expect(project.inside("api", f"timeout 5 wget -qO- http://db:{port}/x") == "far", "not after a stop and a start")


@contextmanager
def private_hosts(bench, text):
    """A daemon of its own, that reads another /etc/hosts than the machine: the projects on it, and the file."""
    hosts = bench.bed.scratch / "ext.hosts"
    hosts.write_text(text, encoding="ascii")

    class Private(Engine):
        def start(self, *_, **__):
            with self.output.open("ab") as log:
                self.daemon = subprocess.Popen(
                    ["unshare", "-m", "sh", "-c", 'mount --bind "$1" /etc/hosts && shift && exec "$@"', "sh", hosts,
                     BINARIES / "escaled", "--root", self.root],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                    env={"PATH": os.environ["PATH"], "HOME": "/root"}, start_new_session=True)
            poll((self.root / "run/escaled.sock").exists, f"escaled did not start: {self.last_words()}")

        def kill(self):
            super().kill()
            (self.root / "run/escaled.sock").unlink(missing_ok=True)

    engine = Private(bench.bed, bench.bed.scratch / "ext")
    bench.bed.engines.append(engine)
    engine.start()
    engine.escale("image", "import", BUSYBOX, "base:1")
    try:
        yield Bench(bench.bed, engine), hosts
    finally:
        engine.reset()


@area.scenario("the host's name is followed when its address changes")
def follows(bench):
    with private_hosts(bench, "127.0.0.1 localhost\n192.0.2.1 db.example.org\n") as (own, hosts):
        compose = f"services: {{api: {{{IDLE}, depends_on: [db]}}, db: {{{IDLE}}}}}\n" + managed("db.example.org", 5432)
        with own.project("ext-name", compose) as project:
            def address():
                return re.findall(r"^Address: (\S+)", project.inside("api", "timeout 3 nslookup -type=a db"), re.MULTILINE)
            says(project.up(), 0, r"Elsewhere +\(at db\.example\.org:5432\)")
            expect(address() == ["192.0.2.1"], f"db is {address()}")
            hosts.write_text("127.0.0.1 localhost\n192.0.2.2 db.example.org\n", encoding="ascii")
            poll(lambda: address() == ["192.0.2.2"], "the name stays with the machine that is no more", 20)
            hosts.write_text("127.0.0.1 localhost\n", encoding="ascii")
            own.engine.kill()
            own.engine.start()
            project.escale("ps")
            expect(address() == ["192.0.2.2"], f"the next daemon forgets what was known: {address()}")
            says(project.up(), 0, r"Elsewhere +\(this host's resolver knows no address of db\.example\.org")
            hosts.write_text("127.0.0.1 localhost\n192.0.2.3 192.0.2.3\n192.0.2.3 db.example.org\n", encoding="ascii")
            poll(lambda: address() == ["192.0.2.3"], "the name is not followed by the next daemon", 20)


def external(name, host="db.example.org"):
    return {"x-escale": f"external: {{{name}: {{host: {host}, port: 5432}}}}"}


area.refused("network_mode of a service that is elsewhere", "network_mode: service:ext-a", "ext-a, which has no container: somebody else runs it",
             beside={"ext-a": ""}, top=external("ext-a"))
area.refused("volumes_from a service that is elsewhere", "volumes_from: [ext-b]", "volumes_from names ext-b, which has no container",
             beside={"ext-b": ""}, top=external("ext-b"))
area.refused("a host that is the container itself", "", "for a container localhost is the container itself",
             top=external("a-host-that-is-the-container-itself", "localhost"))
area.refused("a host with a port", "", "is no host's name or address", top=external("a-host-with-a-port", '"db.example.org:5432"'))
area.warned("a service on internal networks alone", "networks: [ext-inner]", "from an internal network nobody gets to db.example.org",
            beside={"ext-c": "networks: [ext-inner]"}, top={**external("ext-c"), "networks": "ext-inner: {internal: true}"})
