"""What is mounted: binds, volumes, tmpfs, images, configs and secrets."""

from table import Area

area = Area("mounts")
