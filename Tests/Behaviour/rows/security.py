"""How far a container is confined: privileges, capabilities, seccomp, devices, read-only roots."""

from table import Area

area = Area("security")
