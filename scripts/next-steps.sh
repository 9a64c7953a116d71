#!/usr/bin/env bash
# The last words of `make run`.
set -euo pipefail
. "$(dirname "$0")/lib.sh"
cat <<TEXT

The student list runs:  http://localhost:8080

Worth trying next, from examples/student-list:

  export PATH=$ESCALE_BIN:\$PATH; cd examples/student-list
  escale ps                          what runs, how healthy it is
  escale logs -f website             its log, live, while you press the button on the page
  escale up -d --scale website=3     more replicas behind the same port

\`make stop\` takes it down; its data stays. \`make test\` runs every test.
TEXT
