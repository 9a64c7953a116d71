"""What commands and their flags do."""

from table import Area

area = Area("verbs")
