"""Names and addresses, ports, networks."""

from table import Area

area = Area("network")
