"""How far a container is confined: privileges, capabilities, seccomp, devices, read-only roots."""

from probes import namespace, oci, proc
from table import Area

area = Area("security")
CAPABILITIES = "grep CapEff /proc/self/status | cut -f 2"
SECCOMP = "grep '^Seccomp:' /proc/self/status | cut -f 2"


def all_capabilities():
    """Every one that there is to give: a machine that is itself confined has less than all."""
    own = dict(line.split(":\t", 1) for line in open("/proc/self/status", encoding="ascii") if ":\t" in line)
    return own["CapBnd"].strip()


area.row("standard capabilities", "", inside={CAPABILITIES: "00000000a80425fb"})
area.row("cap_add", "cap_add: [NET_ADMIN]", inside={CAPABILITIES: "00000000a80435fb"})
area.row("cap_add with its prefix", "cap_add: [CAP_SYS_TIME]", inside={CAPABILITIES: "00000000aa0425fb"})
area.row("cap_drop", "cap_drop: [CHOWN]", inside={"touch /x; chown 5 /x && echo done || echo no": ".*(no|not permitted).*"})
area.row("cap_drop all", "cap_drop: [ALL]", inside={CAPABILITIES: "0000000000000000"})
area.row("cap_drop all and cap_add", "cap_drop: [ALL]\ncap_add: [NET_BIND_SERVICE]", inside={CAPABILITIES: "0000000000000400"})
area.row("cap_add all", "cap_add: [ALL]", inside={CAPABILITIES: all_capabilities()})
area.row("capabilities of another user", "user: nobody", inside={CAPABILITIES: "0000000000000000"})
area.refused("a capability that is none", "cap_add: [FLY]", "FLY")

area.row("privileged", "privileged: true",
         inside={CAPABILITIES: all_capabilities(), SECCOMP: "0", "mkdir /m && mount -t tmpfs x /m && echo mounted": "mounted",
                 "ls -l /dev/loop0 | cut -c 1": "b", "grep -c ' /proc/[a-z]' /proc/mounts": "0",
                 "grep ' /sys ' /proc/mounts | grep -c rw,": "1", "test -c /dev/kmsg && echo there": "there"},
         outside=[(oci("linux.resources.devices"), r'\[\{"access": "rwm", "allow": true\}\]')])
area.row("privileged drops nothing", "privileged: true\ncap_drop: [ALL]", inside={CAPABILITIES: all_capabilities()})
area.row("privileged false", "privileged: false", inside={CAPABILITIES: "00000000a80425fb", SECCOMP: "2"})

area.row("seccomp is on", "", inside={SECCOMP: "2"},
         outside=[(oci("linux.seccomp.defaultAction"), "SCMP_ACT_ERRNO")])
area.row("seccomp unconfined", "security_opt: ['seccomp:unconfined']", inside={SECCOMP: "0"})
area.row("seccomp with an equals sign", "security_opt: ['seccomp=unconfined']", inside={SECCOMP: "0"})
area.row("seccomp builtin", "security_opt: ['seccomp=builtin']", inside={SECCOMP: "2"})
area.row("seccomp profile", "security_opt: ['seccomp=./no-mkdir.json']",
         files={"no-mkdir.json": '{"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": '
                                 '[{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}'},
         inside={"mkdir /tmp/x 2>&1": ".*Function not implemented", SECCOMP: "2", "touch /tmp/y && echo done": "done"})
area.row("seccomp profile in the older form", "security_opt: ['seccomp:no-chmod.json']",
         files={"no-chmod.json": '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": '
                                 '[{"name": "chmod", "action": "SCMP_ACT_ERRNO"}, {"name": "fchmodat", "action": "SCMP_ACT_ERRNO"}]}'},
         inside={"touch /tmp/x; chmod 600 /tmp/x 2>&1": ".*Operation not permitted"})
area.refused("seccomp profile that isn't there", "security_opt: ['seccomp=./none.json']",
             "service seccomp-profile-that-isn-t-there: security_opt: the seccomp profile .*/none.json can't be read", "No such file")
area.refused("seccomp profile that is none", "security_opt: ['seccomp=./bad.json']", "security_opt: the seccomp profile .*/bad.json is none",
             files={"bad.json": "[1, 2"})
area.refused("seccomp profile of an unknown action", "security_opt: ['seccomp=./odd.json']", "security_opt|seccomp",
             files={"odd.json": '{"defaultAction": "SCMP_ACT_MAYBE", "syscalls": []}'})
area.row("no-new-privileges", "security_opt: [no-new-privileges]", inside={"grep NoNewPrivs /proc/self/status | cut -f 2": "1"},
         outside=[(proc("status"), ".*NoNewPrivs:\t1.*")])
area.row("no-new-privileges true", "security_opt: ['no-new-privileges:true']", outside=[(proc("status"), ".*NoNewPrivs:\t1.*")])
area.row("no-new-privileges false", "security_opt: ['no-new-privileges=false']", outside=[(proc("status"), ".*NoNewPrivs:\t0.*")])
area.row("systempaths unconfined", "security_opt: ['systempaths=unconfined']",
         inside={"grep -c ' /proc/[a-z]' /proc/mounts": "0"}, outside=[(oci("linux.maskedPaths"), r"\[\]")])
area.row("proc is masked", "", inside={"grep -c ' /proc/keys' /proc/mounts": "1", "echo 1 > /proc/sys/vm/swappiness 2>&1 || echo no": ".*no.*",
                                       "echo b > /proc/sysrq-trigger 2>&1 || echo no": ".*no.*"})
area.row("label disable", "security_opt: ['label:disable']", inside={"echo here": "here"})
area.row("apparmor unconfined", "security_opt: ['apparmor:unconfined']", inside={"echo here": "here"})
area.row("writable-cgroups", "security_opt: ['writable-cgroups=true']", inside={"grep -c '/sys/fs/cgroup.* ro,' /proc/mounts": "[0-9]+"})
area.refused("a label that is none", "security_opt: ['label:type:spc_t']", "SELinux labels")
area.refused("an apparmor profile without AppArmor", "security_opt: ['apparmor:docker-default']", "AppArmor|apparmor")
area.refused("a security option that is none", "security_opt: ['secomp:unconfined']", 'no security option "secomp"', "did you mean seccomp")
area.refused("no-new-privileges maybe", "security_opt: ['no-new-privileges:maybe']", "must be true or false")
area.refused("systempaths of something else", "security_opt: ['systempaths=some']", "must be unconfined")

area.row("read_only", "read_only: true", inside={"touch /x 2>&1": ".*Read-only file system", "touch /dev/shm/x && echo done": "done"})
area.row("read_only with a tmpfs", "read_only: true\ntmpfs: /tmp", inside={"touch /tmp/x && echo done": "done"})

area.row("devices", "devices: [/dev/loop0]", inside={"ls -l /dev/loop0 | cut -c 1; cat /dev/loop0; echo read": "b\nread"})
area.row("devices with another name", "devices: ['/dev/loop1:/dev/disk']", inside={"ls -l /dev/disk | cut -c 1": "b", "ls /dev/loop1 2>&1": ".*No such file.*"})
area.row("devices with permissions", "devices: ['/dev/loop1:/dev/loop1:r']",
         inside={"cat /dev/loop1 2>&1; echo read": "read", "echo x 2>&1 > /dev/loop1 || echo no": ".*(not permitted).*no"})
area.row("devices in the long form", "devices: [{source: /dev/loop2, target: /dev/two, permissions: rw}]", inside={"ls -l /dev/two | cut -c 1": "b"})
area.row("devices of a directory", "devices: ['/dev/net:/dev/network']", inside={"ls -l /dev/network/tun | cut -c 1": "c"})
area.row("devices are few", "", inside={"ls /dev/loop0 2>&1": ".*No such file.*", "mknod /tmp/l b 7 0 && cat /tmp/l 2>&1": ".*Operation not permitted"})
area.row("device_cgroup_rules", "device_cgroup_rules: ['b 7:* rwm']", inside={"mknod /tmp/l b 7 3 && cat /tmp/l 2>&1; echo read": "read"})
area.refused("a device that isn't there", "devices: [/dev/nothing]",
             "service a-device-that-isn-t-there: devices: there is no /dev/nothing on this host")
area.refused("a device that is a file", "devices: [/etc/passwd]", "/etc/passwd is no device")
area.refused("permissions that are none", "devices: ['/dev/null:/dev/null:rx']", "no permissions of a device")
area.refused("a CDI device", "devices: ['vendor.com/class=one']", "CDI device")
area.refused("a device rule that is none", "device_cgroup_rules: ['x 1:1 r']", "no rule about devices")

area.row("sysctls as a mapping", "sysctls: {net.core.somaxconn: 321}", inside={"cat /proc/sys/net/core/somaxconn": "321"})
area.row("sysctls as a list", "sysctls: [net.ipv4.tcp_syncookies=0]", inside={"cat /proc/sys/net/ipv4/tcp_syncookies": "0"})
area.row("sysctls of shared memory", "sysctls: {kernel.shmmax: 1048576, kernel.msgmax: 4096}",
         inside={"cat /proc/sys/kernel/shmmax /proc/sys/kernel/msgmax": "1048576\n4096"})
area.row("sysctls of message queues", "sysctls: {fs.mqueue.queues_max: 7}", inside={"cat /proc/sys/fs/mqueue/queues_max": "7"})
area.row("low ports are open to all", "user: nobody", inside={"cat /proc/sys/net/ipv4/ip_unprivileged_port_start": "0"})
area.refused("a sysctl of the machine", "sysctls: {vm.swappiness: 10}", "is the whole machine's")
area.refused("a sysctl that is none", "sysctls: {net.ipv4.no_such_thing: 1}", "net/ipv4/no_such_thing", "sysctls")
area.refused("a sysctl with a bad value", "sysctls: {net.core.somaxconn: many}", "sysctls")

area.row("group_add by name and number", "group_add: [www-data, '4321']", inside={"id -G": "0 33 4321"})
area.row("group_add of another user", "user: nobody\ngroup_add: [33]", inside={"id -G": "65534 33"},
         outside=[(proc("status"), ".*Groups:\t33 .*")])
area.refused("a group that isn't there", "group_add: [wheel]", 'service a-group-that-isn-t-there: group_add: group "wheel"')

area.row("userns_mode host", "userns_mode: host", outside=[(namespace("user"), "host")])
area.refused("userns_mode private", "userns_mode: private", "user namespace")
area.row("runtime crun", "runtime: crun", inside={"echo here": "here"})
area.row("runtime runc", "runtime: runc\nmem_limit: 64m", inside={"echo here": "here", "cat /proc/self/oom_score_adj": "0"})
area.row("runtime by its path", "runtime: /usr/bin/crun", inside={"echo here": "here"})
area.refused("a runtime that is none", "runtime: nvidia", 'service a-runtime-that-is-none: runtime: there is no runtime "nvidia" here')
area.refused("a runtime that isn't installed", "runtime: /opt/none", "runtime: there is no /opt/none on this host")
area.refused("isolation", "isolation: hyperv", "Windows")
area.refused("credential_spec", "credential_spec: {file: ./x.json}", "Windows")
area.refused("use_api_socket", "use_api_socket: true", "Docker daemon")
