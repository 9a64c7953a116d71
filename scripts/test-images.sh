#!/usr/bin/env bash
# Makes the images that load tests and benchmarks run, out of Debian's packages and without a registry.
# usage: scripts/test-images.sh [--load] [--force]
#
# Once, in about half a minute: .build/images/web-base.tar, a plain root file system with nginx, gunicorn, Flask and
# websockets. `escale image import` takes it, and so does `docker import`. --force makes it again.
# With --load also, in seconds, into the store that ESCALE_ROOT names, with $ESCALE_BIN/escale:
#   escale-test/{nginx,flask,websocket}:{v1,v2}    see Tests/Load/images; the versions differ in a line of text
set -euo pipefail
. "$(dirname "$0")/lib.sh"

readonly images="$ROOT/.build/images"
readonly base="$images/web-base.tar"
readonly packages=usr-is-merged,nginx-light,gunicorn,python3-flask,python3-websockets

# The host's own sources, so that a mirror or proxy that the host needs is used here too.
make_base() {
    local work codename source
    local sources=()
    need mmdebstrap
    step "making $base"
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    for source in /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
        [ ! -s "$source" ] || ! grep -q "$codename" "$source" || sources+=("$source")
    done
    [ ${#sources[@]} -gt 0 ] || fail "apt has no sources for $codename"
    work=$(scratch)
    chmod 755 "$SCRATCH" "$work" # mmdebstrap's download user has to get there
    # Only what is asked for in so many words: apt's defaults are not valid as configuration.
    cat /etc/apt/apt.conf /etc/apt/apt.conf.d/* 2>/dev/null | grep -E '^ *Acquire::[^{]*;$' >"$work/acquire.conf" || true
    # Small layers and a quick unpacking: no manuals; not synced, the tar is the result.
    TMPDIR=$work run_quietly "mmdebstrap" mmdebstrap --mode=root --variant=essential --format=tar \
        --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --include="$packages" \
        --aptopt='APT::Sandbox::User "root"' --aptopt="$work/acquire.conf" \
        --dpkgopt=path-exclude=/usr/share/doc/* --dpkgopt=path-exclude=/usr/share/man/* \
        --dpkgopt=path-exclude=/usr/share/locale/* --dpkgopt=force-unsafe-io \
        --customize-hook='rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/resolv.conf "$1"/etc/hostname' \
        "$codename" "$work/base.tar" "${sources[@]}"
    mv "$work/base.tar" "$base"
}

load() {
    local escale="$ESCALE_BIN/escale"
    [ -x "$escale" ] || fail "$escale is not built" "make run, or set ESCALE_BIN"
    step "loading the images into ${ESCALE_ROOT:-/var/lib/escale}"
    "$escale" image inspect escale-test/base:1 >/dev/null 2>&1 ||
        run_quietly "escale image import" "$escale" image import "$base" escale-test/base:1
    run_quietly "escale build" "$escale" -f "$ROOT/Tests/Load/images/compose.yaml" build
}

mkdir -p "$images"
wants_load=
for argument in "$@"; do
    case $argument in
    --load) wants_load=1 ;;
    --force) rm -f "$base" ;;
    *) fail "$argument is no option of this script" "scripts/test-images.sh [--load] [--force]" ;;
    esac
done
[ -s "$base" ] || make_base
[ -z "$wants_load" ] || load
