#!/usr/bin/env bash
# Runs the example application, examples/student-list, with the escale that scripts/build.sh built.
# usage: scripts/example.sh up|stop|clean
#   up     base image if it is missing, build, start, wait until healthy, check the page
#   stop   takes the application down (its data stays) and stops the daemon
#   clean  stop, and all of Escale's state with it
set -euo pipefail
. "$(dirname "$0")/lib.sh"

readonly base=debian:bookworm-slim
readonly url=http://localhost:8080
readonly app="$ROOT/examples/student-list"
escale() { "$ESCALE_BIN/escale" "$@"; }

have_base_image() { escale image ls --format json | grep -q "$base\""; }

base_image() {
    have_base_image && return
    step "making $base from Debian's packages"
    escale image bootstrap "$base"
}

check_page() {
    local page
    page=$(curl --silent --show-error --max-time 10 --data submit=list "$url/") ||
        fail "$url does not answer" "cd examples/student-list && $ESCALE_BIN/escale ps"
    grep -q 'Alice is 12 years old' <<<"$page" ||
        fail "the page at $url does not show the students" "cd examples/student-list && $ESCALE_BIN/escale logs"
}

up() {
    step "base image"
    base_image
    step "building and starting examples/student-list"
    (cd "$app" && escale up -d --build --wait)
    step "checking the page"
    check_page
}

stop() {
    if [ ! -x "$ESCALE_BIN/escale" ]; then
        echo "Escale is not built here: nothing was stopped. (\`make run\` builds it.)"
        return
    fi
    (cd "$app" && escale down)
    escale system stop
}

clean() {
    stop
    [ ! -x "$ESCALE_BIN/escale" ] || escale system reset --yes
}

case "${1:-}" in
    up) up ;;
    stop) stop ;;
    clean) clean ;;
    *) fail "what to do with the example?" "usage: scripts/example.sh up|stop|clean" ;;
esac
