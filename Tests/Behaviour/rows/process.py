"""The process itself: what runs, as whom, where, with which environment."""

from probes import log, oci, ps
from table import Area

area = Area("process")
ARGS = "cat /proc/1/cmdline | tr '\\0' '|'"

area.row("command is a list", "command: [sleep, '1234']", inside={ARGS: r"sleep\|1234\|"})
area.row("command is a text", "command: sh -c 'echo \"a  b\"; sleep 1000'", outside=[(log(), "a  b")])
area.row("entrypoint and command", "entrypoint: [sh, -c]\ncommand: ['echo $$0 $$1; sleep 1000', x, y]", outside=[(log(), "x y")])
area.row("user by name", "user: www-data", inside={"id -u; id -g": "33\n33"}, outside=[(oci("process.user.uid"), "33")])
area.row("exit code", "command: [sh, -c, 'exit 7']", outside=[(ps("state"), "exited"), (ps("exitCode"), "7")])
area.refused("a user that isn't there", "user: nobody-here", "nobody-here")
