#!/usr/bin/env bash
# Runs every test, after scripts/build.sh --tests, scripts/base-image.sh and scripts/example.sh up. A skipped test fails:
# everything that tests need was set up before.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

unit_and_engine_tests() {
    local log status=0
    log=$(mktemp "$SCRATCH/tests.XXXXXX")
    # shellcheck disable=SC2086
    ${SWIFT:-swift} test --package-path "$ROOT" --configuration release --skip-build --parallel 2>&1 | tee "$log" || status=$?
    [ "$status" = 0 ] || fail "these tests failed:
$(grep -a '^✘ Test .* failed after' "$log" | sed 's/^[^T]*Test /    /; s/ failed after.*//' | head -30)"
    ! grep -aq '^➜ .* skipped' "$log" || fail "these tests were skipped:
$(grep -a '^➜ .* skipped' "$log" | sed 's/^[^TS]*/    /' | head -30)"
}

# The same file, the same containers: `up` of what already runs changes nothing and takes moments.
unchanged_up() {
    local before after
    cd "$ROOT/examples/student-list"
    before=$("$ESCALE_BIN/escale" ps --format json | jq -S 'if type == "array" then .[] else . end | [.ID, .Name]')
    "$ESCALE_BIN/escale" up -d --wait >"$SCRATCH/up" 2>&1 || { cat "$SCRATCH/up"; fail "a second up failed"; }
    after=$("$ESCALE_BIN/escale" ps --format json | jq -S 'if type == "array" then .[] else . end | [.ID, .Name]')
    [ -n "$before" ] && [ "$before" = "$after" ] || fail "a second up replaced containers: $before, then $after"
    cd "$ROOT"
}

step "tests"
unit_and_engine_tests
step "the example, in a browser"
python3 "$ROOT/Tests/Browser/student_list.py" http://localhost:8080
step "a second up changes nothing"
unchanged_up
step "every test passed"
