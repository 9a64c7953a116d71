#!/usr/bin/env bash
# Runs the tests that need a Kubernetes, after scripts/setup.sh test kubernetes and scripts/build.sh. The first time, its programs
# are built (about five minutes). Nothing is left behind but these, in $ESCALE_KUBE_DIR or .build/kubernetes.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

readonly tests=$ROOT/Tests/Kubernetes

step "Kubernetes from Debian's sources"
on_exit python3 "$tests/cluster.py" down
python3 "$tests/cluster.py" build
step "what is generated, by kubectl, as charts, by the schemas"
"$ROOT/.build/python/bin/python" "$tests/generated.py" | sed 's/^/    /'
step "the cluster itself"
python3 "$tests/selftest.py" | sed 's/^/    /'
step "blue-green and canary releases, and what comes in between"
python3 "$tests/releases.py" | sed 's/^/    /'
step "the examples on the cluster"
python3 "$tests/examples.py"
step "every test passed"
