#!/usr/bin/env bash
# Runs every test, after scripts/build.sh --tests and scripts/busybox-image.sh. A skipped test fails: everything that tests
# need was set up before. Nothing is left behind, whether the tests pass or not.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

swift_tests() {
    local log status=0
    log=$(mktemp "$SCRATCH/tests.XXXXXX")
    # All at once they would open more files than a process may wait for, and starve each other's containers.
    export SWIFT_BACKTRACE=enable=no SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=${TEST_WIDTH:-16}
    # shellcheck disable=SC2086
    ${SWIFT:-swift} test --package-path "$ROOT" --configuration release --skip-build --parallel 2>&1 | tee "$log" || status=$?
    [ "$status" = 0 ] || fail "these tests failed:
$(grep -a '^✘ Test .* failed after' "$log" | sed 's/^[^T]*Test /    /; s/ failed after.*//' | head -30)"
    ! grep -aq '^➜ .* skipped' "$log" || fail "these tests were skipped:
$(grep -a '^➜ .* skipped' "$log" | sed 's/^[^TS]*/    /' | head -30)"
}

# The example from a bare root: base image, build, start; then as a user uses it. Beside whatever `make run` left running.
example() {
    local before after
    export ESCALE_ROOT=$SCRATCH/root WEBSITE_PORT=18080
    local url=http://localhost:$WEBSITE_PORT
    mkdir "$ESCALE_ROOT"
    on_exit "$ESCALE_BIN/escale" system reset --yes
    step "the example: base image, build, start"
    "$ESCALE_BIN/escale" --progress quiet image bootstrap debian:bookworm-slim
    cd "$ROOT/examples/student-list"
    "$ESCALE_BIN/escale" up -d --build --wait >"$SCRATCH/up" 2>&1 || { cat "$SCRATCH/up"; fail "the example did not come up"; }
    step "the example, in a browser"
    python3 "$ROOT/Tests/Browser/student_list.py" "$url"
    step "a second up changes nothing"
    before=$("$ESCALE_BIN/escale" ps --format json | jq -S '.[] | [.id, .pid, .startedAt, .health]')
    "$ESCALE_BIN/escale" up -d --build --wait >"$SCRATCH/up" 2>&1 || { cat "$SCRATCH/up"; fail "a second up failed"; }
    after=$("$ESCALE_BIN/escale" ps --format json | jq -S '.[] | [.id, .pid, .startedAt, .health]')
    [ -n "$before" ] && [ "$before" = "$after" ] || fail "a second up replaced containers: $before, then $after"
    step "without its API the page says so"
    local api page
    api=$("$ESCALE_BIN/escale" ps --format json | jq '.[] | select(.service == "api") | .pid')
    # shellcheck disable=SC2046
    kill -STOP "$api" $(pgrep -P "$api")
    page=$(curl --silent --max-time 30 --data submit=list "$url/")
    # shellcheck disable=SC2046
    kill -CONT "$api" $(pgrep -P "$api")
    ! grep -qiE 'warning|fatal|stack trace' <<<"$page" || fail "the page shows PHP's own words: $page"
    grep -qi 'class="error"\|role="alert"' <<<"$page" || fail "the page does not say what is wrong: $page"
    "$ESCALE_BIN/escale" down -v >"$SCRATCH/down" 2>&1 || { cat "$SCRATCH/down"; fail "down failed"; }
    cd "$ROOT"
}

# Compose files beyond what the Swift tests hold: by another implementation, by the schema, by chance.
compose_files() {
    step "compose files: docker-compose, x-escale's schema, random ones"
    python3 "$ROOT/Tests/Compose/compare.py"
    python3 "$ROOT/Tests/Compose/schema.py"
    "$ESCALE_BIN/escale-fuzz" "$ROOT/Tests/Golden/compose" --inputs 40000 --seed 1
}

# Each strategy once under load, forwards and back; Tests/Load has more kinds of load and any number of rounds.
load() {
    step "releases under load"
    env -u ESCALE_ROOT ESCALE_BIN="$ESCALE_BIN" python3 "$ROOT/Tests/Load/matrix.py" --rounds 1 --services nginx \
        --modes keepalive,h2 --layers http
}

step "tests"
swift_tests
compose_files
example
load
step "every test passed"
