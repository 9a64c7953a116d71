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
$(grep -a '^✘ Test .* recorded an issue' -A 2 "$log" | grep -av '^◇\|^✔\|^--' | sed 's/^[^T]*Test /    /' | cut -c 1-400 | head -60)
$(grep -a '^✘ Test .* failed after' "$log" | sed 's/^[^T]*Test /    /; s/ failed after.*//' | head -30)"
    ! grep -aq '^➜ .* skipped' "$log" || fail "these tests were skipped:
$(grep -a '^➜ .* skipped' "$log" | sed 's/^[^TS]*/    /' | head -30)"
}

# Each example from outside, as its team runs it, on a root of their own. Beside whatever `make run` left running.
examples() {
    step "the examples: the base image"
    export ESCALE_ROOT=$SCRATCH/root
    mkdir "$ESCALE_ROOT"
    on_exit "$ESCALE_BIN/escale" system reset --yes
    "$ESCALE_BIN/escale" --progress quiet image bootstrap debian:bookworm-slim
    local script
    for script in student_list breizhsport todo; do
        step "the examples: $script"
        python3 "$ROOT/Tests/Examples/$script.py"
    done
}

# Compose files beyond what the Swift tests hold: by another implementation, by the schema, by chance.
compose_files() {
    step "compose files: docker-compose, x-escale's schema, random ones"
    python3 "$ROOT/Tests/Compose/compare.py"
    python3 "$ROOT/Tests/Compose/schema.py"
    "$ESCALE_BIN/escale-fuzz" "$ROOT/Tests/Golden/compose" --inputs 40000 --seed 1
}

# What compose files become in Kubernetes, by its own schemas.
kubernetes() {
    step "manifests for Kubernetes"
    "$ROOT/.build/python/bin/python" "$ROOT/Tests/Kubernetes/schemas.py" | sed 's/^/    /'
}

# Each key of a service and each flag of a command, by what is to be seen of it; and processes killed, until all is well again.
behaviour() {
    step "the behaviour table, real faults"
    side_by_side Behaviour behaviour faults
}

# Output of containers, while files are rotated, followed and handed on, and daemons killed.
logs() {
    step "containers' output"
    local log=$SCRATCH/logs.log
    env -u ESCALE_ROOT python3 "$ROOT/Tests/Logs/logs.py" >"$log" 2>&1 || { cat "$log" >&2; fail "tests of logs failed: see above"; }
    tail -n 1 "$log" | sed 's/^/    /'
}

# Boots, full disks, other versions' state; completions in real shells; the Debian package.
host() {
    step "the host: system, completions, package"
    local script log=$SCRATCH/host.log
    for script in system completion package; do
        env -u ESCALE_ROOT python3 "$ROOT/Tests/Packaging/$script.py" >"$log" 2>&1 || { cat "$log" >&2; fail "tests of the host failed: see above"; }
        tail -n 1 "$log" | sed 's/^/    /'
    done
}

# The supervisor on a simulated machine, with time of its own. A failure prints the seed that repeats it.
simulation() {
    step "a simulated machine: commands, faults, deaths of the daemon"
    "$ESCALE_BIN/escale-simulate" --schedules "${SIMULATE_SCHEDULES:-2000}" --seed "${SIMULATE_SEED:-1}"
}

# Builds from outside; other tools as clients and as servers; what was made to do harm; a disk that fails. Two side by side:
# most of their time is waiting for others. Other tools write below /etc meanwhile, where the hostile ones are watched for.
images() {
    step "images: Dockerfiles, other tools"
    side_by_side Images "dockerfiles" "interop --keep-going"
    step "images: hostile archives, faults"
    side_by_side Images "hostile --quick" "faults --moments 1"
}

# side_by_side DIRECTORY "script arguments"…: runs scripts of a directory of Tests at the same time.
side_by_side() {
    local directory=$1 jobs=() status=0 index words
    shift
    for index in "$@"; do
        read -ra words <<<"$index"
        env -u ESCALE_ROOT python3 "$ROOT/Tests/$directory/${words[0]}.py" "${words[@]:1}" >"$SCRATCH/${words[0]}.log" 2>&1 &
        jobs+=($!)
    done
    for index in "${!jobs[@]}"; do
        read -ra words <<<"${*:index+1:1}"
        if wait "${jobs[$index]}"; then
            tail -n 1 "$SCRATCH/${words[0]}.log" | sed "s/^/    ${words[0]}: /"
        else
            status=1
            tail -n 60 "$SCRATCH/${words[0]}.log" | sed "s/^/    ${words[0]} | /" >&2
        fi
    done
    [ "$status" = 0 ] || fail "tests of ${directory,,} failed: see above"
}

# Each strategy once under load, forwards and back; Tests/Load has more kinds of load and any number of rounds.
load() {
    step "releases under load"
    env -u ESCALE_ROOT ESCALE_BIN="$ESCALE_BIN" python3 "$ROOT/Tests/Load/matrix.py" --rounds 1 --services nginx \
        --modes keepalive,h2 --layers http
}

# One group that fails keeps none from running: what else fails is worth as much.
FAILED=()
group() {
    local status
    set +e # or it would be off within the group too
    (
        set -e
        AT_END=()
        trap '[ ${#AT_END[@]} -eq 0 ] || "${AT_END[@]}" >/dev/null 2>&1' EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
        "$1"
    )
    status=$?
    set -e
    [ "$status" = 0 ] || FAILED+=("$1")
}

step "tests"
for one in swift_tests simulation compose_files kubernetes behaviour logs host images examples load; do group "$one"; done
[ ${#FAILED[@]} = 0 ] || fail "what failed: ${FAILED[*]}; each says why above"
step "every test passed"
