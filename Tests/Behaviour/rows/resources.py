"""Limits of memory, processors, processes and block devices."""

from probes import cgroup, oci, proc
from table import Area

area = Area("resources")


def limit(name, service, path, value, *group):
    """A limit as the OCI runtime gets it, and as its control group has it."""
    area.row(name, service, outside=[(oci(path), value), *([(cgroup(*group[:-1]), group[-1])] if group else [])])


limit("mem_limit", "mem_limit: 64m", "linux.resources.memory.limit", "67108864",
      "memory/memory.limit_in_bytes", "memory.max", "67108864")
limit("mem_limit in bytes", "mem_limit: 33554432", "linux.resources.memory.limit", "33554432",
      "memory/memory.limit_in_bytes", "memory.max", "33554432")
limit("mem_reservation", "mem_reservation: 32m", "linux.resources.memory.reservation", "33554432",
      "memory/memory.soft_limit_in_bytes", "memory.low", "33554432")
limit("memory and swap are twice the memory", "mem_limit: 64m", "linux.resources.memory.swap", "134217728|null")
limit("memswap_limit", "mem_limit: 64m\nmemswap_limit: 96m", "linux.resources.memory.swap", "100663296|null")
limit("memswap_limit without a limit", "mem_limit: 64m\nmemswap_limit: -1", "linux.resources.memory.swap", "-1|null")
limit("mem_swappiness", "mem_swappiness: 10", "linux.resources.memory.swappiness", "10|null",
      "memory/memory.swappiness", "memory.max", "10|max")
limit("oom_kill_disable", "mem_limit: 64m\noom_kill_disable: true", "linux.resources.memory.disableOOMKiller", "true|null",
      "memory/memory.oom_control", "memory.max", "oom_kill_disable 1.*|67108864")
area.row("oom_score_adj", "oom_score_adj: 300", outside=[(proc("oom_score_adj"), "300")])
limit("cpus", "cpus: 0.5", "linux.resources.cpu.quota", "50000", "cpu/cpu.cfs_quota_us", "cpu.max", "50000( 100000)?")
limit("cpu_quota and cpu_period", "cpu_quota: 20000\ncpu_period: 50000", "linux.resources.cpu.period", "50000",
      "cpu/cpu.cfs_quota_us", "cpu.max", "20000( 50000)?")
limit("cpu_quota as a time", "cpu_quota: 25ms", "linux.resources.cpu.quota", "25000")
limit("cpu_shares", "cpu_shares: 512", "linux.resources.cpu.shares", "512", "cpu/cpu.shares", "cpu.weight", "512|20")
limit("cpuset", "cpuset: '0'", "linux.resources.cpu.cpus", "0", "cpuset/cpuset.cpus", "cpuset.cpus", "0")
area.row("cpuset from inside", "cpuset: '0'", inside={"grep Cpus_allowed_list /proc/self/status | tr -d ' \\t'": "Cpus_allowed_list:0"})
limit("cpu_rt_runtime", "cpu_rt_runtime: 10000\ncpu_rt_period: 1000000", "linux.resources.cpu.realtimeRuntime", "10000|null",
      "cpu/cpu.rt_runtime_us", "cpu.max", "10000|max.*")
limit("pids_limit", "pids_limit: 20", "linux.resources.pids.limit", "20", "pids/pids.max", "pids.max", "20")
area.row("pids_limit holds", "pids_limit: 8",
         inside={"for n in 1 2 3 4 5 6 7 8 9 10; do sleep 20 & done 2>&1": ".*can't fork.*"})
limit("pids_limit of minus one", "pids_limit: -1", "linux.resources.pids", "null")
limit("deploy limits memory", "deploy: {resources: {limits: {memory: 48M}}}", "linux.resources.memory.limit", "50331648")
limit("deploy limits cpus", "deploy: {resources: {limits: {cpus: '0.25'}}}", "linux.resources.cpu.quota", "25000")
limit("deploy limits pids", "deploy: {resources: {limits: {pids: 30}}}", "linux.resources.pids.limit", "30")
limit("deploy reservations memory", "deploy: {resources: {reservations: {memory: 16M}}}", "linux.resources.memory.reservation",
      "16777216")
limit("deploy reservations cpus", "deploy: {resources: {reservations: {cpus: '2'}}}", "linux.resources.cpu.shares", "2048")
limit("a small reservation takes nothing away", "deploy: {resources: {reservations: {cpus: '0.1'}}}",
      "linux.resources.cpu.shares", "1024")
area.row("shm_size", "shm_size: 16m", inside={"df -k /dev/shm | tail -n 1 | awk '{print $2}'": "16384"})
area.row("shm_size is 64 MiB", "", inside={"df -k /dev/shm | tail -n 1 | awk '{print $2}'": "65536"})
area.row("ulimits soft and hard", "ulimits: {nofile: {soft: 100, hard: 200}}", inside={"ulimit -Sn; ulimit -Hn": "100\n200"})
area.row("ulimits with one number", "ulimits: {core: 0}", inside={"ulimit -c": "0"})
area.row("ulimits of the first process", "ulimits: {nproc: 1000}",
         outside=[(proc("limits"), r".*Max processes +1000 +1000 .*")])
area.row("ulimits without a limit", "ulimits: {core: -1}", outside=[(proc("limits"), r".*Max core file size +unlimited +unlimited .*")])

# Block devices: the machine's first disk, or a loop device.
area.row("blkio_config weight", "blkio_config: {weight: 300}", outside=[
    (oci("linux.resources.blockIO.weight"), "300|null"), (cgroup("blkio/blkio.bfq.weight", "io.bfq.weight"), "300|default 300")])
for key, member, file in (("device_read_bps", "throttleReadBpsDevice", "blkio.throttle.read_bps_device"),
                          ("device_write_bps", "throttleWriteBpsDevice", "blkio.throttle.write_bps_device"),
                          ("device_read_iops", "throttleReadIOPSDevice", "blkio.throttle.read_iops_device"),
                          ("device_write_iops", "throttleWriteIOPSDevice", "blkio.throttle.write_iops_device")):
    limit(f"blkio_config {key}", f"blkio_config: {{{key}: [{{path: /dev/loop0, rate: 1048576}}]}}",
          f"linux.resources.blockIO.{member}", r'\[\{"major": 7, "minor": 0, "rate": 1048576\}\]|null',
          f"blkio/{file}", "io.max", "7:0 .*1048576.*|")
area.refused("blkio_config of a device that isn't there", "blkio_config: {device_read_bps: [{path: /dev/nothing, rate: 1m}]}",
             "service blkio-config-of-a-device-that-isn-t-there: blkio_config: there is no /dev/nothing on this host")
area.refused("blkio_config of a file", "blkio_config: {device_read_bps: [{path: /etc/passwd, rate: 1m}]}",
             "blkio_config: /etc/passwd is no device")
area.refused("blkio_config weight out of range", "blkio_config: {weight: 5}", "compose.yaml:.*weight")
area.refused("cpus and cpu_quota", "cpus: 1\ncpu_quota: 50000", "both say how much of the processors")
area.refused("a reservation above the limit", "mem_limit: 16m\nmem_reservation: 32m", "mem_reservation is more than mem_limit")
area.refused("memswap_limit below the memory", "mem_limit: 64m\nmemswap_limit: 32m", "is less than mem_limit")
area.refused("memswap_limit alone", "memswap_limit: 64m", "needs a limit of memory beside it")
area.refused("cpuset of processors that aren't there", "cpuset: '4000'", "cpuset")
area.refused("a cpuset that is none", "cpuset: a-b", "names no processors")
area.refused("a realtime runtime longer than its period", "cpu_rt_runtime: 200000\ncpu_rt_period: 100000",
             "cpu_rt_runtime is longer than cpu_rt_period")
area.refused("more realtime than there is", "cpu_rt_runtime: 990000\ncpu_rt_period: 1000000", "cpu_rt_runtime")
area.refused("mem_swappiness out of range", "mem_swappiness: 101", "mem_swappiness")
area.refused("gpus", "gpus: all", "gpus.*not supported", "/dev/dri")
area.refused("reserved devices", "deploy: {resources: {reservations: {devices: [{capabilities: [gpu], count: 1}]}}}",
             "devices.*not supported")
area.warned("storage_opt", "storage_opt: {size: 1G}", "storage_opt", "what the disk has")
area.warned("cpu_count", "cpu_count: 2", "cpu_count", "Windows")
area.warned("cpu_percent", "cpu_percent: 50", "cpu_percent", "Windows")
area.row("cgroup_parent", "cgroup_parent: /escale-behaviour", outside=[
    (oci("linux.cgroupsPath"), "/escale-behaviour/[0-9a-f]{64}"), (proc("cgroup"), ".*/escale-behaviour/[0-9a-f]{64}.*")])
area.row("cgroup_parent with a limit", "cgroup_parent: escale-behaviour/deep\nmem_limit: 32m", outside=[
    (cgroup("memory/memory.limit_in_bytes", "memory.max"), "33554432"), (oci("linux.cgroupsPath"), "/escale-behaviour/deep/.*")])
area.refused("a cgroup_parent with dots", "cgroup_parent: ../other", "names no control group")
