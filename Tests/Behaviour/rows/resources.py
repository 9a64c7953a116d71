"""Limits of memory, processors, processes and block devices."""

from probes import cgroup, oci
from table import Area

area = Area("resources")

area.row("mem_limit", "mem_limit: 64m", outside=[
    (oci("linux.resources.memory.limit"), "67108864"), (cgroup("memory/memory.limit_in_bytes", "memory.max"), "67108864")])
area.row("cpus", "cpus: 0.5", outside=[
    (oci("linux.resources.cpu.quota"), "50000"), (cgroup("cpu/cpu.cfs_quota_us", "cpu.max"), "50000( 100000)?")])
