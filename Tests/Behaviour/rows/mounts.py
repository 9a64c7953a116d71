"""What is mounted: binds, volumes, tmpfs, images, configs and secrets."""

import os
import subprocess

from bed import expect, wait_until
from probes import host, mount
from table import Area

area = Area("mounts")


def on(target, number=4):
    """What /proc/mounts has of a target: its source, target, type, options by number."""
    return f"grep ' {target} ' /proc/mounts | tail -n 1 | cut -d ' ' -f {number}"


# Binds

area.row("bind in the short form", "volumes: ['./short:/data']", files={"short/file": "here"}, inside={"cat /data/file": "here"})
area.row("bind makes its directory", "volumes: ['./made:/data']", inside={"touch /data/x && echo written": "written"},
         outside=[(host("the directory", lambda subject: (subject.project.directory / "made/x").exists()), "True")])
area.row("bind read-only", "volumes: ['./ro:/data:ro']", files={"ro/file": "here"},
         inside={"cat /data/file; touch /data/x 2>&1": "here.*Read-only file system"})
area.row("bind of a file", "volumes: ['./one-file:/etc/one']", files={"one-file": "text"}, inside={"cat /etc/one": "text"})
area.row("bind of a file read-only", "volumes: ['./locked-file:/etc/one:ro']", files={"locked-file": "text"},
         inside={"cat /etc/one; echo x 2>&1 > /etc/one || true": "text.*Read-only file system"})
area.row("bind recursive disabled of a file", "volumes: [{type: bind, source: ./flat-file, target: /one, bind: {recursive: disabled}}]",
         files={"flat-file": "flat"}, inside={"cat /one": "flat"})
area.row("bind in the long form", "volumes: [{type: bind, source: ./long, target: /data, read_only: true}]", files={"long/file": "x"},
         inside={"cat /data/file; touch /data/y 2>&1": "x.*Read-only file system"})
area.refused("bind without its directory", "volumes: [{type: bind, source: ./none, target: /data, bind: {create_host_path: false}}]",
             "service bind-without-its-directory: .*/none doesn't exist on this host")
area.row("bind is private", "volumes: ['./private:/data']", outside=[(mount("/data"), "bind .*/private rbind,rprivate,rw")])
area.row("bind propagation private", "volumes: ['./p1:/data:private']", outside=[(mount("/data"), "bind .*/p1 rbind,private,rw")])
area.row("bind propagation in the long form", "volumes: [{type: bind, source: ./p2, target: /data, bind: {propagation: rprivate}}]",
         outside=[(mount("/data"), "bind .*/p2 rbind,rprivate,rw")])
area.refused("bind propagation without a shared mount", "volumes: ['/proc/sys:/data:rslave']",
             "service bind-propagation-without-a-shared-mount: volumes: /proc/sys lies on a mount that is not shared", "--make-shared")
area.refused("propagation of a volume", "volumes: ['named:/data:rshared']", "rshared is for bind mounts", top={"volumes": "named: {}"})
area.refused("propagation that is none", "volumes: ['./x:/data:everywhere']", 'the option "everywhere" is not supported')
area.row("bind recursive disabled", "volumes: [{type: bind, source: ./r1, target: /data, bind: {recursive: disabled}}]",
         outside=[(mount("/data"), "bind .*/mounts/0000 bind,rprivate,rw")])
area.row("bind recursive readonly", "volumes: [{type: bind, source: ./r2, target: /data, read_only: true, bind: {recursive: readonly}}]",
         outside=[(mount("/data"), "bind .*/r2 rbind,rprivate,rro")], inside={"touch /data/x 2>&1": ".*Read-only file system"})
area.row("bind recursive writable", "volumes: [{type: bind, source: ./r3, target: /data, read_only: true, bind: {recursive: writable}}]",
         outside=[(mount("/data"), "bind .*/r3 rbind,rprivate,ro")])
area.warned("bind selinux", "volumes: ['./z:/data:z']", "SELinux|relabelled")
area.refused("two mounts at one place", "volumes: ['./a:/data', './b:/data']", "/data is mounted twice")
area.refused("a relative target", "volumes: ['./a:data']", "no absolute path")


@area.scenario("propagation to and from the host")
def propagation(bench):
    """On a shared mount of the test's own, in a mount namespace of the host's that the daemon is in: so of the machine's."""
    place = bench.bed.scratch / "shared"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "shared", place], check=True)
    try:
        subprocess.run(["mount", "--make-shared", place], check=True)
        (place / "later").mkdir()
        (place / "inside").mkdir()
        with bench.project("m-propagation", f"""
services:
  slave: {{image: "base:1", command: [sleep, "9999"], volumes: ["{place}:/data:rslave"], stop_signal: SIGKILL}}
  own: {{image: "base:1", command: [sleep, "9999"], volumes: ["{place}:/data"], stop_signal: SIGKILL}}
  shared: {{image: "base:1", command: [sleep, "9999"], volumes: ["{place}:/data:rshared"], cap_add: [SYS_ADMIN],
            stop_signal: SIGKILL}}
""") as project:
            project.up()
            subprocess.run(["mount", "-t", "tmpfs", "later", place / "later"], check=True)
            (place / "later/file").write_text("late", encoding="ascii")
            for service, wanted in (("slave", "late"), ("shared", "late"), ("own", "")):
                found = project.inside(service, "cat /data/later/file 2>/dev/null")
                expect(found == wanted, f"{service} sees {found!r} of what the host mounts later, not {wanted!r}")
            project.inside("shared", "mount -t tmpfs inner /data/inside && echo inner > /data/inside/file")
            wait_until("the host to see what the container mounts", lambda: (place / "inside/file").exists(), 5)
            expect(project.inside("slave", "cat /data/inside/file") == "inner", "the other container does not see it")
    finally:
        subprocess.run(["umount", "-R", place], check=False)


@area.scenario("a read-only bind is read-only below")
def read_only_below(bench):
    place = bench.bed.scratch / "below"
    (place / "deep").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "below", place / "deep"], check=True)
    try:
        with bench.project("m-below", f"""
services:
  all: {{image: "base:1", command: [sleep, "9999"], volumes: ["{place}:/data:ro"], stop_signal: SIGKILL}}
  top: {{image: "base:1", command: [sleep, "9999"], stop_signal: SIGKILL,
         volumes: [{{type: bind, source: "{place}", target: /data, read_only: true, bind: {{recursive: writable}}}}]}}
  flat: {{image: "base:1", command: [sleep, "9999"], stop_signal: SIGKILL,
          volumes: [{{type: bind, source: "{place}", target: /data, bind: {{recursive: disabled}}}}]}}
""") as project:
            project.up()
            expect("Read-only" in project.inside("all", "touch /data/deep/x"), "what is mounted below can be written")
            expect(project.inside("top", "touch /data/deep/y && echo done") == "done", "what is mounted below can't be written")
            expect(project.inside("flat", "grep -c /data/deep /proc/mounts") == "0", "what is mounted below is there")
    finally:
        subprocess.run(["umount", place / "deep"], check=False)


# Volumes

area.row("volume takes the image's files", "volumes: ['seeded:/etc']", top={"volumes": "seeded: {}"},
         inside={"head -n 1 /etc/passwd | cut -d : -f 1": "root"})
area.row("volume nocopy", "volumes: ['empty:/etc:nocopy']", top={"volumes": "empty: {}"}, inside={"test -e /etc/passwd || echo none": "none"})
area.row("volume nocopy in the long form", "volumes: [{type: volume, source: empty2, target: /etc, volume: {nocopy: true}}]",
         top={"volumes": "empty2: {}"}, inside={"test -e /etc/passwd || echo none": "none"})
area.row("volume read-only", "volumes: ['locked:/data:ro']", top={"volumes": "locked: {}"}, inside={"touch /data/x 2>&1": ".*Read-only file system"})
area.row("anonymous volume", "volumes: [/data]", inside={"touch /data/x && echo written": "written"}, outside=[(mount("/data"), "bind .*/volumes/.* rbind.*")])
area.row("two services share a volume", "volumes: ['common:/data']\ncommand: [sh, -c, 'echo from-one > /data/one; sleep 9999']",
         beside={"common-reader": "command: [sh, -c, 'until cat /data/one; do sleep 0.1; done; sleep 9999']\n"
                                  "volumes: ['common:/data']"}, top={"volumes": "common: {}"},
         outside=[(host("the other one's log", lambda subject: subject.project.logs("common-reader")), ".*from-one")])
area.refused("a volume that isn't declared", "volumes: ['nowhere:/data']", 'the volume "nowhere", which is not declared')
area.refused("volume subpath that isn't there", "volumes: [{type: volume, source: parts, target: /data, volume: {subpath: a/b}}]",
             "service volume-subpath-that-isn-t-there: volumes: the volume .*parts has no a/b to mount at /data", top={"volumes": "parts: {}"})
area.refused("volume subpath outside", "volumes: [{type: volume, source: parts, target: /data, volume: {subpath: ../x}}]",
             "must lie inside", top={"volumes": "parts: {}"})


@area.scenario("volume subpath")
def subpath(bench):
    with bench.project("m-subpath", """
services:
  fill: {image: "base:1", command: [sh, -c, "mkdir -p /all/a/b; echo deep > /all/a/b/file; ln -s / /all/out"], volumes: ["all:/all"]}
  part:
    image: "base:1"
    command: [sleep, "9999"]
    stop_signal: SIGKILL
    depends_on: {fill: {condition: service_completed_successfully}}
    volumes: [{type: volume, source: all, target: /part, volume: {subpath: a/b}}]
  file:
    image: "base:1"
    command: [sleep, "9999"]
    stop_signal: SIGKILL
    depends_on: {fill: {condition: service_completed_successfully}}
    volumes: [{type: volume, source: all, target: /one, volume: {subpath: a/b/file}}]
  out:
    image: "base:1"
    command: [sleep, "9999"]
    stop_signal: SIGKILL
    depends_on: {fill: {condition: service_completed_successfully}}
    volumes: [{type: volume, source: all, target: /out, volume: {subpath: out}}]
volumes: {all: {}}
""") as project:
        project.up()
        expect(project.inside("part", "cat /part/file") == "deep", "the part isn't there")
        expect(project.inside("part", "ls /part") == "file", "there is more than the part")
        expect(project.inside("file", "cat /one") == "deep", "the file isn't there")
        expect(project.inside("out", "ls /out") == "a\nout", "a link leads out of the volume")


# Options of the local driver

area.row("driver_opts bind", "volumes: ['bound:/data']", files={"bound-dir/file": "there"},
         top={"volumes": "bound: {driver: local, driver_opts: {type: none, o: bind, device: '${PWD}/bound-dir'}}"},
         inside={"cat /data/file; echo more > /data/more": "there"},
         outside=[(host("the directory", lambda subject: (subject.project.directory / "bound-dir/more").exists()), "True")])
area.row("driver_opts bind read-only", "volumes: ['bound-ro:/data']", files={"bound-ro-dir/file": "there"},
         top={"volumes": "bound-ro: {driver_opts: {type: none, o: 'bind,ro', device: '${PWD}/bound-ro-dir'}}"},
         inside={"touch /data/x 2>&1": ".*Read-only file system"})
area.row("driver_opts tmpfs", "volumes: ['memory:/data']",
         top={"volumes": "memory: {driver_opts: {type: tmpfs, device: tmpfs, o: 'size=2m,uid=33,mode=750,noexec'}}"},
         inside={on("/data", 3): "tmpfs", on("/data"): ".*noexec.*size=2048k.*", "stat -c '%u %a' /data": "33 750"},
         outside=[(host("the host's mounts", lambda subject: "escale-behaviour" in open("/proc/self/mounts", encoding="utf-8").read()), "False")])
area.row("driver_opts of a file system", "volumes: ['own-proc:/data']", top={"volumes": "own-proc: {driver_opts: {type: proc, device: proc}}"},
         inside={"test -e /data/uptime && echo there": "there"})
area.refused("driver_opts of a directory that isn't there", "volumes: ['lost:/data']", "/nowhere/at/all doesn't exist on this host",
             top={"volumes": "lost: {driver_opts: {type: none, o: bind, device: /nowhere/at/all}}"})
area.refused("driver_opts of a device that can't be mounted", "volumes: ['odd:/data']",
             "service driver-opts-of-a-device-that-can-t-be-mounted: volumes: the volume .*odd can't be mounted at /data",
             top={"volumes": "odd: {driver_opts: {type: ext4, device: /dev/loop7}}"})
area.refused("driver_opts of nfs without a server", "volumes: ['far:/data']", "no host there.invalid",
             top={"volumes": "far: {driver_opts: {type: nfs, o: 'addr=there.invalid,ro', device: ':/export'}}"})
area.refused("driver_opts that are none", "volumes: ['wrong:/data']", 'there is no option "sise"', top={"volumes": "wrong: {driver_opts: {sise: 1, device: x, type: tmpfs}}"})
area.refused("driver_opts without a device", "volumes: ['wrong:/data']", "has no `device`", top={"volumes": "wrong: {driver_opts: {type: tmpfs}}"})
area.refused("driver_opts tmpfs of two", "volumes: ['both:/data']\ndeploy: {replicas: 2}", "can't be shared by several containers",
             top={"volumes": "both: {driver_opts: {type: tmpfs, device: tmpfs}}"})
area.refused("a driver that is none", "volumes: ['far:/data']", 'the driver "rexray" is not supported', top={"volumes": "far: {driver: rexray}"})

# Tmpfs

area.row("tmpfs", "tmpfs: /scratch", inside={on("/scratch", 3): "tmpfs", "stat -c %a /scratch": "1777", on("/scratch"): ".*nosuid,nodev,noexec.*"})
area.row("tmpfs with size and mode", "tmpfs: ['/scratch:size=1m,mode=700']", inside={on("/scratch"): ".*size=1024k.*", "stat -c %a /scratch": "700"})
area.row("tmpfs with an owner", "tmpfs: ['/scratch:uid=33,gid=44']", inside={"stat -c '%u %g' /scratch": "33 44"})
area.row("tmpfs that runs programs", "tmpfs: ['/scratch:exec']",
         inside={"printf '#!/bin/sh\\necho ran\\n' > /scratch/x; chmod 755 /scratch/x; /scratch/x": "ran"})
area.row("tmpfs runs none by itself", "tmpfs: /scratch",
         inside={"printf '#!/bin/sh\\necho ran\\n' > /scratch/x; chmod 755 /scratch/x; /scratch/x 2>&1": ".*Permission denied"})
area.row("tmpfs read-only", "tmpfs: ['/scratch:ro']", inside={"touch /scratch/x 2>&1": ".*Read-only file system"})
area.row("tmpfs with inodes", "tmpfs: ['/scratch:nr_inodes=5,noatime']", inside={on("/scratch"): ".*noatime.*nr_inodes=5.*"})
area.row("tmpfs in the long form", "volumes: [{type: tmpfs, target: /scratch, tmpfs: {size: 3145728, mode: 0711}}]",
         inside={on("/scratch"): ".*size=3072k.*", "stat -c %a /scratch": "711"})
area.refused("a tmpfs option that is none", "tmpfs: ['/scratch:colour=red']", 'the option "colour=red" is not supported')
area.refused("a relative tmpfs", "tmpfs: scratch", "no absolute path")

# Images

area.row("image", "volumes: [{type: image, source: 'base:1', target: /other}]",
         inside={"/other/bin/busybox echo works": "works", "touch /other/x 2>&1": ".*Read-only file system", "head -n 1 /other/etc/passwd | cut -d : -f 1": "root"})
area.row("image subpath", "volumes: [{type: image, source: 'base:1', target: /other, image: {subpath: etc}}]",
         inside={"ls /other": "group\npasswd"})
area.row("image subpath of a file", "volumes: [{type: image, source: 'base:1', target: /names, image: {subpath: etc/passwd}}]",
         inside={"head -n 1 /names | cut -d : -f 1": "root"})
area.refused("image subpath that isn't there", "volumes: [{type: image, source: 'base:1', target: /other, image: {subpath: usr/none}}]",
             "the image base:1 has no usr/none to mount at /other")
area.refused("an npipe", "volumes: [{type: npipe, source: pipe, target: /x}]", "the type npipe is not supported")
area.refused("a cluster volume", "volumes: [{type: cluster, source: far, target: /x}]", "the type cluster is not supported")
area.refused("a type that is none", "volumes: [{type: vol, target: /x}]", "no type of mount")

# Of others

area.row("volumes_from", "volumes_from: [from-lender]", top={"volumes": "lent: {}"},
         beside={"from-lender": "command: [sh, -c, 'echo lent > /data/x; sleep 9999']\nvolumes: ['lent:/data', './lent-dir:/dir']\n"
                                "tmpfs: /memory"}, files={"lent-dir/file": "bound"},
         inside={"cat /data/x /dir/file; test -e /memory || echo no memory": "lent\nboundno memory", "echo y > /data/y && echo written": "written"})
area.row("volumes_from read-only", "volumes_from: ['ro-lender:ro']", top={"volumes": "lent-ro: {}"},
         beside={"ro-lender": "volumes: ['lent-ro:/data']"},
         inside={"touch /data/x 2>&1": ".*Read-only file system"})
area.row("volumes_from gives way to one's own", "volumes_from: [way-lender]\ntmpfs: /data", top={"volumes": "lent-way: {}"},
         beside={"way-lender": "volumes: ['lent-way:/data']"},
         inside={on("/data", 3): "tmpfs"})
area.row("volumes_from an anonymous volume", "volumes_from: [anonymous-lender]",
         beside={"anonymous-lender": "command: [sh, -c, 'echo here > /data/x; sleep 9999']\nvolumes: [/data]"},
         inside={"cat /data/x": "here"})
area.refused("volumes_from no service", "volumes_from: [nobody]", "is no service")
area.refused("volumes_from no container", "volumes_from: ['container:nobody']", "volumes_from: there is no container nobody")


@area.scenario("volumes_from another project's container")
def from_container(bench):
    with bench.project("m-lender", 'services: {a: {image: "base:1", container_name: m-lends, command: [sh, -c, "echo far > /data/x; sleep 9999"], '
                                   'volumes: ["v:/data"], stop_signal: SIGKILL}}\nvolumes: {v: {}}') as lender:
        lender.up()
        with bench.project("m-borrower", 'services: {b: {image: "base:1", command: [sleep, "9999"], volumes_from: ["container:m-lends"], '
                                         'stop_signal: SIGKILL}}') as borrower:
            borrower.up()
            wait_until("the file", lambda: borrower.inside("b", "cat /data/x") == "far")


# Configs and secrets

area.row("secret of a file", "secrets: [one-secret]", top={"secrets": "one-secret: {file: ./secret.txt}"}, files={"secret.txt": "hush"},
         inside={"cat /run/secrets/one-secret": "hush", "echo x 2>&1 > /run/secrets/one-secret || echo no": ".*no"})
area.row("secret with owner and mode", "secrets: [{source: owned, target: pass, uid: '33', gid: '44', mode: 0400}]",
         top={"secrets": "owned: {file: ./owned.txt}"}, files={"owned.txt": "own"},
         inside={"stat -c '%u %g %a' /run/secrets/pass; cat /run/secrets/pass": "33 44 400\nown"})
area.row("secret that its user reads", "user: www-data\nsecrets: [{source: readable, uid: '33', mode: 0400}]",
         top={"secrets": "readable: {file: ./readable.txt}"}, files={"readable.txt": "mine"}, inside={"cat /run/secrets/readable": "mine"})
area.row("secret of a variable", "secrets: [from-variable]", top={"secrets": "from-variable: {environment: HOME}"},
         inside={"cat /run/secrets/from-variable; stat -c ' %a' /run/secrets/from-variable": "/root 444"})
area.row("secret at an absolute place", "secrets: [{source: placed, target: /etc/placed}]", top={"secrets": "placed: {file: ./placed.txt}"},
         files={"placed.txt": "there"}, inside={"cat /etc/placed": "there"})
area.row("config of a file", "configs: [{source: conf, target: /etc/app.conf}]", top={"configs": "conf: {file: ./app.conf}"}, files={"app.conf": "a=1"},
         inside={"cat /etc/app.conf": "a=1"})
area.row("config of a text", "configs: [inline]", top={"configs": "inline: {content: 'written ${HOME}'}"},
         inside={"cat /inline": "written /root", "stat -c '%u %g %a' /inline": "0 0 444"})
area.row("config with owner and mode", "configs: [{source: owned-config, target: /c, uid: '7', gid: '8', mode: 0440}]",
         top={"configs": "owned-config: {content: x}"}, inside={"stat -c '%u %g %a' /c": "7 8 440"})
area.refused("a secret that isn't declared", "secrets: [nothing]", 'the secret "nothing", which is not declared')
area.refused("a secret without its file", "secrets: [fileless]", "doesn't exist", top={"secrets": "fileless: {file: ./missing.txt}"})
area.refused("an external secret", "secrets: [away]", "not supported", top={"secrets": "away: {external: true}"})


@area.scenario("texts of secrets are in memory, and nowhere on the disk but in the daemon's state")
def secrets_in_memory(bench):
    with bench.project("m-secrets", """
services:
  a:
    image: "base:1"
    command: [sleep, "9999"]
    stop_signal: SIGKILL
    secrets: [{source: s, uid: "33", mode: 0400}, v]
    configs: [{source: c, target: /c}]
secrets: {s: {file: ./s.txt}, v: {environment: OWN_SECRET}}
configs: {c: {content: config-4711}}
""") as project:
        project.write("s.txt", "secret-4711-file")
        project.up(env={"OWN_SECRET": "secret-4711-variable"})
        expect(project.inside("a", "cat /run/secrets/s /run/secrets/v /c") == "secret-4711-filesecret-4711-variableconfig-4711", "not there")
        bundle = bench.engine.root / "run/containers" / project.container("a")["id"]
        found = []
        for directory, _, names in os.walk(bench.engine.root / "state"):
            for name in names:
                with open(os.path.join(directory, name), "rb") as file:
                    if b"4711" in file.read() and not name.startswith("escale.db"):
                        found.append(os.path.join(directory, name))
        expect(not found, f"on the disk: {found}")
        modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (bundle / "files").iterdir()}
        expect("0o400" in modes.values(), f"the files' modes are {modes}")
        expect(oct((bundle / "files").stat().st_mode & 0o777) == "0o700", "others can look at the files")
        project.escale("down")
        expect(not bundle.exists(), "the files outlive the container")
