#!/usr/bin/python3
"""The Debian package: that it can be made, says what it needs, installs, works, and goes without a trace.

usage: package.py

As root, with the programs that ESCALE_BIN names or .build/release. Installs in a copy-on-write view of this machine's own files,
which is gone at the end.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "Tests/Images"))

from bed import Failure, expect, one_line  # noqa: E402, the path is set above

FILES = {
    "/usr/bin/escale", "/usr/bin/escaled", "/usr/lib/systemd/system/escale.service", "/usr/lib/systemd/system/escale.socket",
    "/usr/share/man/man1/escale.1.gz", "/usr/share/man/man8/escaled.8.gz", "/usr/share/bash-completion/completions/escale",
    "/usr/share/zsh/vendor-completions/_escale", "/usr/share/fish/vendor_completions.d/escale.fish",
    "/usr/share/doc/escale/copyright", "/usr/share/doc/escale/changelog.gz",
}

#: what is done in the view: install, use, upgrade, remove, purge
INSIDE = r"""
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/view"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/view"
mount --rbind /proc "$1/view/proc"; mount --rbind /dev "$1/view/dev"; mount --rbind /sys "$1/view/sys"
mount -t tmpfs tmpfs "$1/view/run"; mount -t tmpfs tmpfs "$1/view/tmp"
cp "$2" "$1/view/tmp/escale.deb"
cat >"$1/view/tmp/steps" <<'STEPS'
set -e
rm -rf /var/lib/escale
dpkg -i /tmp/escale.deb
dpkg -s escale | grep '^Status: install ok installed'
escale --version
escaled --version
man -w escale escaled
systemctl is-enabled escale.service escale.socket
escale system install
systemd-analyze verify /usr/lib/systemd/system/escale.service /usr/lib/systemd/system/escale.socket
dpkg -i /tmp/escale.deb
dpkg --verify escale
mkdir -p /var/lib/escale/volumes/kept
dpkg -r escale
test ! -e /usr/bin/escale
dpkg -P escale
test -d /var/lib/escale/volumes/kept
dpkg -i /tmp/escale.deb
rmdir /var/lib/escale/volumes/kept
dpkg -P escale
test ! -e /var/lib/escale
! dpkg -s escale 2>/dev/null
! find /etc /usr /var/lib /run -name '*escale*' -not -path '*/dpkg/*' 2>/dev/null | grep -v '^/var/lib/escale' | grep .
echo EVERYTHING DONE
STEPS
chroot "$1/view" /bin/bash /tmp/steps
"""


def run(*words, **more):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=600, check=False, **more)
    return done


def make():
    """The package's path."""
    done = run(ROOT / "scripts/deb.sh")
    expect(done.returncode == 0, f"it can't be made: {done.stdout[-800:]} {done.stderr[-1500:]}")
    packages = sorted((ROOT / "build").glob("escale_*.deb"), key=lambda path: path.stat().st_mtime)
    expect(packages, "there is no package")
    return packages[-1]


def says_what_it_needs(package):
    fields = dict(re.findall(r"^(\S+): (.*)$", run("dpkg-deb", "-f", package).stdout, re.MULTILINE))
    needs = fields["Depends"]
    for name in ("conmon", "crun | runc", "dnsmasq-base", "haproxy", "libc6", "libcurl4", "libnftables1", "libsqlite3-0",
                 "libmicrohttpd12", "libarchive13", "libyaml-0-2", "libssl3"):
        expect(name in needs, f"it does not need {name}: {needs}")
    for program in ("escale", "escaled"):
        linked = run("ldd", Path(os.environ.get("ESCALE_BIN", ROOT / ".build/release")) / program).stdout
        expect("not found" not in linked and "swift" not in linked.lower(), f"{program} is linked with {one_line(linked)}")


def has_its_files(package):
    listed = {line.split()[5].lstrip(".") for line in run("dpkg-deb", "-c", package).stdout.splitlines()}
    expect(FILES <= listed, f"it lacks {FILES - listed}")
    owners = {line.split()[1] for line in run("dpkg-deb", "-c", package).stdout.splitlines()}
    expect(owners == {"root/root"}, f"its files are {owners}'s")


def pleases_lintian(package):
    told = run("lintian", "--fail-on", "error", "--suppress-tags", "embedded-library", package)
    expect(told.returncode == 0, f"lintian says: {told.stdout[-1500:]} {told.stderr[-300:]}")


def comes_and_goes(package):
    with tempfile.TemporaryDirectory(prefix="escale-package-", dir="/var/tmp") as scratch:
        done = run("unshare", "--mount", "--propagation", "private", "bash", "-c", INSIDE, "bash", scratch, package,
                   env={**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"})
    expect("EVERYTHING DONE" in done.stdout, f"it stopped after: {done.stdout[-1500:]} {done.stderr[-1500:]}")
    expect("doesn't run on this host now" in done.stdout or Path("/run/systemd/system").is_dir(),
           f"`system install` does not say that no systemd runs: {done.stdout}")
    expect("holds containers or volumes" in done.stderr, f"a purge does not say why it keeps volumes: {done.stderr[-800:]}")


def main():
    failures = 0
    try:
        package = make()
    except Failure as failure:
        print(f"FAIL  {failure}")
        return 1
    checks = (says_what_it_needs, has_its_files, pleases_lintian, comes_and_goes)
    for check in checks:
        try:
            check(package)
        except Failure as failure:
            failures += 1
            print(f"FAIL  {check.__name__.replace('_', ' ')}: {failure}")
    print(f"{len(checks) - failures} of {len(checks)} checks of {package.name} hold")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
