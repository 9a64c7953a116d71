# Shared by the scripts beside it: sourced, never run. bash, with `set -euo pipefail` already on.
# shellcheck shell=bash

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Where escale and escaled are, for every script and test.
ESCALE_BIN=${ESCALE_BIN:-$ROOT/.build/release}
export ROOT ESCALE_BIN

# step "what happens now": one line per stage, with the seconds since the script began.
step() { printf '\033[1m==>\033[0m %s \033[2m(%ss)\033[0m\n' "$*" "$SECONDS"; }
# Without a terminal, without colour.
[ -t 1 ] || step() { printf '==> %s (%ss)\n' "$*" "$SECONDS"; }

# fail "what went wrong" ["what to do next"]
fail() {
    printf 'error: %s\n' "$1" >&2
    [ $# -lt 2 ] || printf '  hint: %s\n' "$2" >&2
    exit 1
}

need() { command -v "$1" >/dev/null || fail "$1 is not installed" "run scripts/setup.sh"; }

# scratch: prints a new directory that is removed when the script ends, however it ends.
SCRATCH=$(mktemp -d "${TMPDIR:-/tmp}/escale-script.XXXXXX")
RUNNING= # the process group that run_quietly has under way
AT_END=() # what on_exit was given
clean_up() {
    trap '' INT TERM # once is enough: a second signal must not cut this short
    [ ${#AT_END[@]} -eq 0 ] || "${AT_END[@]}" >/dev/null 2>&1 || true
    if [ -n "$RUNNING" ]; then
        kill -TERM -- "-$RUNNING" || true
        wait "$RUNNING" || true
    fi 2>/dev/null
    rm -rf "$SCRATCH"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
# on_exit command…: run before the scratch directory goes. One command a script.
on_exit() { AT_END=("$@"); }
scratch() { mktemp -d "$SCRATCH/XXXXXX"; }

# run_quietly "label" command…: runs it with its output kept aside; a dot every three seconds says that it is alive; on
# failure shows the output. Ended when the script ends.
run_quietly() {
    local label=$1 log status=0 began=$SECONDS dots=0
    shift
    log=$(mktemp "$SCRATCH/log.XXXXXX")
    printf '    %s ' "$label"
    set -m # a process group of its own: it can be ended with all that it started
    "$@" >"$log" 2>&1 </dev/null &
    RUNNING=$!
    set +m
    while kill -0 "$RUNNING" 2>/dev/null; do
        sleep 0.1
        if [ $(((SECONDS - began) / 3)) -gt "$dots" ]; then
            dots=$((dots + 1))
            printf .
        fi
    done
    wait "$RUNNING" || status=$?
    RUNNING=
    if [ "$status" -ne 0 ]; then
        printf ' failed\n'
        tail -n 40 "$log" | sed 's/^/    | /' >&2
        fail "$label: \`$1\` ended with status $status"
    fi
    printf ' done (%ss)\n' "$((SECONDS - began))"
}
