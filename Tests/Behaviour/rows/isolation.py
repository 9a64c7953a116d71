"""From inside hostile containers: what they must not reach."""

from table import Area

area = Area("isolation")
