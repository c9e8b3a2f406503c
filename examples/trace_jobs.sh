#!/bin/sh
# SPDX-License-Identifier: MIT
#
# trace_jobs.sh CWM JOBS OUT [OPTIONS] -- trace a jobs file whose paths name
# @STDLIB@, the folder of the interpreter's own library, and @EXAMPLES@.
# Which folder that is the interpreter itself says, from within the jail.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cwm=$1
jobs=$2
out=$3
shift 3

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/where.py" <<'PYTHON'
def where():
    import os
    print(os.path.dirname(os.__file__))
PYTHON
stdlib=$("$cwm" trace "$folder/where.py" --entry where --format jsonl |
    sed -n 's/.*"stdout": "\([^"]*\)\\n".*/\1/p')
if [ -z "$stdlib" ]; then
    echo "trace_jobs: the interpreter did not say where its library is" >&2
    exit 3
fi
sed -e "s|@STDLIB@|$stdlib|" -e "s|@EXAMPLES@|$root/examples|" "$jobs" \
    >"$folder/jobs.jsonl"
"$cwm" trace --jobs "$folder/jobs.jsonl" -o "$out" "$@"
