"""Commands at turning points: post_start, pre_stop; health checks, dependencies, restarts."""

from table import Area

area = Area("hooks")
