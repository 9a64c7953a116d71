#!/usr/bin/python3
"""What bash, zsh and fish themselves complete with the scripts of `escale completion`, and whether man can read the pages.

usage: completion.py

As root, with the programs that ESCALE_BIN names or .build/release, and .build/images/busybox.tar.
"""

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "Images"))

from bed import BINARIES, BUSYBOX, Bed, Failure, expect  # noqa: E402, the path is set above

COMPOSE = """
services:
  web: {image: base:1, command: [sleep, "9999"], stop_signal: SIGKILL}
  worker: {image: base:1, command: [sleep, "9999"], stop_signal: SIGKILL}
  db: {image: base:1, command: [sleep, "9999"], stop_signal: SIGKILL}
"""

#: what stands on the line → what must be offered, and what must not
LINES = {
    "escale lo": ({"logs", "login", "logout"}, {"ls"}),
    "escale logs w": ({"web", "worker"}, {"db"}),
    "escale logs --no-log-p": ({"--no-log-prefix"}, {"--tail"}),
    "escale --progress p": ({"plain"}, {"tty"}),
    "escale image i": ({"inspect", "import"}, {"ls"}),
    "escale image inspect b": ({"base:1"}, set()),
    "escale -p sh": ({"shop"}, set()),
    "escale exec d": ({"db"}, {"web"}),
    "escale completion z": ({"zsh"}, {"bash"}),
    "escale -f comp": ({"compose.yaml"}, {"notes.txt"}),
    "escale -f compose.yaml up -d wo": ({"worker"}, {"web", "db"}),
}


class Shell:
    """A shell on a terminal, that is asked what it would complete."""

    def __init__(self, words, directory, environment):
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.chdir(directory)
            os.execvpe(words[0], words, environment)

    def type(self, text):
        os.write(self.terminal, text.encode())

    def read(self, seconds):
        """What comes until nothing has come for that long."""
        data = b""
        while select.select([self.terminal], [], [], seconds)[0]:
            try:
                piece = os.read(self.terminal, 65536)
            except OSError:
                break
            if not piece:
                break
            data += piece
        return data.decode(errors="replace")

    def read_until(self, mark, seconds=20):
        text = ""
        deadline = time.monotonic() + seconds
        while mark not in text:
            expect(time.monotonic() < deadline, f"the shell doesn't answer: {text[-500:]!r}")
            text += self.read(0.1)
        return text

    def end(self):
        os.kill(self.process, 9)
        os.waitpid(self.process, 0)
        os.close(self.terminal)


def bash_offers(line, directory, environment, script):
    """By what bash itself would show: the completion function, called as bash calls it."""
    driver = f"""
source {script}
line={line!r}
COMP_LINE=$line COMP_POINT=${{#line}}
# As readline splits it.
words=$(printf '%s' "$line" | sed 's/[:=]/ & /g')
read -ra COMP_WORDS <<<"$words"
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
compopt() {{ :; }}
_escale
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(["bash", "--norc", "-c", driver], cwd=directory, env=environment, capture_output=True, text=True,
                          timeout=60, check=False)
    expect(not done.stderr, f"bash complains: {done.stderr[:500]}")
    return set(done.stdout.split())


def bash_on_terminal(directory, environment, script):
    """A bash with readline: a key press completes."""
    shell = Shell(["bash", "--norc", "--noprofile", "-i"], directory, {**environment, "PS1": "READY> ", "TERM": "dumb"})
    try:
        shell.read_until("READY> ")
        shell.type(f"source {script}; bind 'set bell-style none'\n")
        shell.read_until("READY> ")
        shell.type("escale logs work\t")
        text = shell.read(2)
        expect("escale logs worker" in text, f"bash completes to {text!r}")
        shell.type("\x15escale image inspect base:\t")
        text = shell.read(2)
        expect("base:1" in text, f"bash completes to {text!r}")
    finally:
        shell.end()


def zsh_offers(line, directory, environment, script):
    shell = Shell(["zsh", "-f", "-i"], directory, {**environment, "PS1": "READY> ", "TERM": "dumb"})
    try:
        shell.read_until("READY> ")
        shell.type(f"unsetopt zle_bracketed_paste beep; autoload -U compinit; compinit -u -D; source {script}; LISTMAX=999; "
                   "zstyle ':completion:*' list-prompt ''; print DONE\n")
        shell.read_until("DONE")
        shell.read(0.3)
        # Lists what is possible, whether or not it is only one.
        shell.type(f"bindkey '^X' list-choices\n")
        shell.read(0.3)
        shell.type(f"{line}\x18")
        text = shell.read(2.5)
        if len(re.findall(r"\S+", text.replace(line, "", 1))) < 1:
            shell.type("\t")
            text += shell.read(2)
        else:
            shell.type("\t")
            text += shell.read(1)
        return set(re.findall(r"[\w:.-]+", re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", " ", text)))
    finally:
        shell.end()


def fish_offers(line, directory, environment, script):
    done = subprocess.run(["fish", "--no-config", "-c", f"source {script}; complete --do-complete '{line}'"], cwd=directory,
                          env=environment, capture_output=True, text=True, timeout=60, check=False)
    expect(not done.stderr, f"fish complains: {done.stderr[:500]}")
    return {row.split("\t")[0].split("=")[-1] for row in done.stdout.splitlines()}


def pages(bed):
    for name, section in (("escale", 1), ("escaled", 8)):
        page = bed.scratch / f"{name}.{section}"
        page.write_bytes(subprocess.run([BINARIES / "escale", "man", name], capture_output=True, check=True).stdout)
        done = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True, timeout=60, check=False,
                              env={**os.environ, "MANPAGER": "cat", "MANWIDTH": "100", "LC_ALL": "C.UTF-8"})
        expect(done.returncode == 0 and not done.stderr, f"man says of {name}: {done.stderr[:500]}")
        expect("NAME" in done.stdout and f"{name} - " in done.stdout, f"the page of {name} has no name")
        if name == "escale":
            listed = set(re.findall(r"^  escale (?:\[OPTIONS\] )?([a-z]+)", subprocess.run(
                [BINARIES / "escale", "--help"], capture_output=True, text=True, check=True).stdout, re.MULTILINE))
            missing = [command for command in listed if f"escale {command}" not in done.stdout]
            expect(not missing and "escale logs [OPTIONS]" in done.stdout, f"the page lacks {missing}")


def main():
    failures = []
    with Bed("escale-completion-") as bed:
        engine = bed.engine("root")
        directory = bed.scratch / "shop"
        directory.mkdir()
        (directory / "compose.yaml").write_text(COMPOSE)
        (directory / "notes.txt").write_text("")
        environment = {"PATH": f"{BINARIES}:/usr/bin:/bin", "HOME": str(bed.scratch), "ESCALE_ROOT": str(engine.root),
                       "LC_ALL": "C.UTF-8"}
        scripts = {}
        for shell in ("bash", "zsh", "fish"):
            scripts[shell] = bed.scratch / f"completion.{shell}"
            scripts[shell].write_bytes(
                subprocess.run([BINARIES / "escale", "completion", shell], capture_output=True, check=True).stdout)
        offers = {"bash": bash_offers, "zsh": zsh_offers, "fish": fish_offers}
        # A key press starts no daemon.
        bash_offers("escale image inspect b", directory, environment, scripts["bash"])
        if (engine.root / "run/escaled.sock").exists():
            failures.append("completing started a daemon")
        engine.start()
        engine.escale("image", "import", BUSYBOX, "base:1")
        engine.escale("up", "-d", cwd=directory)
        count = 0
        for shell, ask in offers.items():
            for line, (wanted, unwanted) in LINES.items():
                count += 1
                try:
                    got = ask(line, directory, environment, scripts[shell])
                    # bash leaves out what stands before a colon.
                    wanted = {word.split(":")[-1] if ":" in line and shell == "bash" else word for word in wanted}
                    expect(wanted <= got, f"lacks {wanted - got} of {sorted(got)[:20]}")
                    expect(not unwanted & got, f"has {unwanted & got}")
                except Exception as error:
                    failures.append(f"{shell}, `{line}`: {error}")
        for work in (lambda: bash_on_terminal(directory, environment, scripts["bash"]), lambda: pages(bed)):
            count += 1
            try:
                work()
            except Failure as error:
                failures.append(str(error))
        engine.escale("down", "-t", "0", cwd=directory, check=False)
    for failure in failures:
        print(f"FAIL  {failure}")
    print(f"{count - len(failures)} of {count} completions and pages are as they should be")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
