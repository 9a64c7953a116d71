#!/usr/bin/env bash
# Builds escale and escaled in release mode, into .build/release. With --tests also the tests, in the same build: what
# was compiled for one serves the other.
# usage: scripts/build.sh [--tests]
set -euo pipefail
. "$(dirname "$0")/lib.sh"
need swift

options=(build --package-path "$ROOT" --configuration release)
if [ "${1:-}" = --tests ]; then
    step "building escale, escaled and the tests (the first time takes some minutes)"
    options+=(--build-tests)
else
    step "building escale and escaled (the first time takes some minutes)"
fi
# $SWIFT may put something in front, as `nice swift`.
# shellcheck disable=SC2086
${SWIFT:-swift} "${options[@]}" || fail "the build failed" "the compiler's messages are above"
