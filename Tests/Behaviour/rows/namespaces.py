"""Whose namespaces a container is in: ipc, pid, uts, cgroup, user."""

from table import Area

area = Area("namespaces")
