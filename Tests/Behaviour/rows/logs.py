"""Where output goes, and what of it is kept."""

from table import Area

area = Area("logs")
