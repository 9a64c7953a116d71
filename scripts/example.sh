#!/usr/bin/env bash
# Runs an example application with the escale that scripts/build.sh built.
# usage: [EXAMPLE=student-list|breizhsport|todo] scripts/example.sh up|stop|clean
#   up     base image if it is missing, build, start, wait until healthy, check the page; says what to try next
#   stop   takes the applications down that run (their data stays) and stops the daemon
#   clean  stop, and all of Escale's state with it
set -euo pipefail
. "$(dirname "$0")/lib.sh"

readonly base=debian:bookworm-slim
readonly example=${EXAMPLE:-student-list}
readonly app="$ROOT/examples/$example"
escale() { "$ESCALE_BIN/escale" "$@"; }

# Where each is, what its page has to show, which service to try things on.
case "$example" in
    student-list)
        name="The student list" url=http://localhost:8080 asked=(--data submit=list) shown='Alice is 12 years old'
        service=website
        ;;
    breizhsport) name="Breizhsport" url=http://localhost:8081 asked=() shown='Breizhsport' service=api ;;
    todo) name="The todo list" url=http://localhost:8082 asked=() shown='Todo' service=web ;;
    *) fail "there is no example \"$example\"" "EXAMPLE is one of: $(cd "$ROOT/examples" && echo *)" ;;
esac

have_base_image() { escale image ls --format json | grep -q "$base\""; }

base_image() {
    have_base_image && return
    step "making $base from Debian's packages"
    escale image bootstrap "$base"
}

check_page() {
    local page
    page=$(curl --silent --show-error --max-time 10 ${asked[@]+"${asked[@]}"} "$url/") ||
        fail "$url does not answer" "cd examples/$example && $ESCALE_BIN/escale ps"
    grep -q "$shown" <<<"$page" ||
        fail "the page at $url does not show \"$shown\"" "cd examples/$example && $ESCALE_BIN/escale logs"
}

next_steps() {
    cat <<TEXT

$name runs:  $url

Worth trying next, from examples/$example:

  export PATH=$ESCALE_BIN:\$PATH; cd examples/$example
$(printf '  %-34s %s\n' "escale ps" "what runs, how healthy it is" \
        "escale logs -f $service" "its log, live, while you use the page" \
        "escale up -d --scale $service=3" "more replicas behind the same port")

examples/$example/README.md says more. \`make stop\` takes it down; its data stays. \`make test\` runs every test.
TEXT
}

up() {
    step "base image"
    base_image
    step "building and starting examples/$example"
    (cd "$app" && escale up -d --build --wait)
    step "checking the page"
    check_page
    next_steps
}

stop() {
    if [ ! -x "$ESCALE_BIN/escale" ]; then
        echo "Escale is not built here: nothing was stopped. (\`make run\` builds it.)"
        return
    fi
    local directory
    for directory in "$ROOT"/examples/*/; do
        (cd "$directory" && escale down)
    done
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
