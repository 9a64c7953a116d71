#!/usr/bin/env bash
# Installs the Debian packages of scripts/packages.txt that are missing; does nothing, quickly, when none is.
# usage: scripts/setup.sh [test|bench|deb|kubernetes]...     (the `run` set is always included)
set -euo pipefail
. "$(dirname "$0")/lib.sh"

missing_packages() {
    local wanted installed
    wanted=$(awk -v sets=" run $* " '!/^#/ && NF && index(sets, " " $1 " ") { print $2 }' "$ROOT/scripts/packages.txt" |
        sort -u)
    # shellcheck disable=SC2086 # one word per package
    installed=$(dpkg-query --show --showformat='${db:Status-Abbrev} ${Package}\n' $wanted 2>/dev/null |
        awk '$1 == "ii" { print $2 }' | sort -u)
    comm -23 <(echo "$wanted") <(echo "$installed")
}

# apt waits for dpkg's lock by itself, but not for the package lists' one, and mirrors have bad moments: try again.
apt_get() {
    local attempt
    for attempt in 1 2 3; do
        DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" && return
        [ "$attempt" = 3 ] || sleep $((attempt * 5))
    done
    return 1
}

install_packages() {
    # The lists that are here may be fresh enough; a failure says that they are not.
    DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@" && return
    apt_get update
    apt_get install -y --no-install-recommends "$@"
}

check_host() {
    [ "$(id -u)" = 0 ] || fail "Escale sets up namespaces, mounts and routes: it needs root" "run make as root"
    command -v apt-get >/dev/null || fail "apt-get is not here: this script knows Debian 12 only" "install the packages of scripts/packages.txt by hand"
    command -v swift >/dev/null || fail "there is no Swift toolchain on the PATH" "install Swift 6.2 or later from https://www.swift.org/install/linux/"
}

check_host
missing=$(missing_packages "$@")
if [ -n "$missing" ]; then
    step "installing $(echo "$missing" | wc -l) missing Debian packages:" $missing
    # shellcheck disable=SC2086
    run_quietly "apt-get install" install_packages $missing
    left=$(missing_packages "$@")
    [ -z "$left" ] || fail "not installed after all: $left" "try: apt-get install $left"
fi

# What Debian doesn't have, for tests alone: the schemas of Kubernetes, from PyPI, in the checkout.
case " $* " in
*" test "*)
    python=$ROOT/.build/python
    if ! "$python/bin/python" -c 'import kubernetes_validate' 2>/dev/null; then
        step "installing kubernetes-validate into .build/python"
        mkdir -p "$ROOT/.build"
        run_quietly "venv" python3 -m venv "$python"
        run_quietly "pip install" "$python/bin/pip" install --quiet --disable-pip-version-check kubernetes-validate
    fi
    ;;
esac
