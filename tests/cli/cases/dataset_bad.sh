#!/bin/sh
# SPDX-License-Identifier: MIT
# Requests that cannot be carried out: one line, the right status, no store.
try() {
    "$@" 2>&1
    echo "-> $?"
}
printf 'def f(x):\n    return x\n\nf(1)\n' >f.py
try cwm dataset
try cwm dataset bild --store a.db f.py
try cwm dataset build f.py
try cwm dataset build --store a.db
try cwm dataset build --store a.db nothing.py
try cwm dataset build --store a.db contest:.
try cwm dataset build --store a.db generate:many
try cwm dataset build --store a.db --shard 3/2 f.py
printf '{"what": 1}\n' >what.jsonl
try cwm dataset build --store a.db what.jsonl
try cwm dataset build --store . f.py
try cwm dataset build --store f.py f.py
try cwm dataset stats --store none.db
try cwm dataset stats --store f.py
try cwm dataset stats --store none.db more
try cwm dataset merge --store a.db
try cwm dataset merge --store a.db none.db
try cwm dataset export --store none.db
ls
cwm dataset build --store a.db --max-inputs 1 f.py 2>/dev/null
try cwm dataset show --store a.db 00zz
try cwm dataset show --store a.db ffff
try cwm dataset export --store a.db -o x --verdict good
try cwm dataset export --store a.db -o x --benchmarks none.jsonl
try cwm dataset export --store a.db -o nowhere/x
mkdir mine && : >mine/thing
try cwm dataset export --store a.db -o mine --overwrite
ls mine
python3 - <<'PYTHON'
import sqlite3
db = sqlite3.connect("a.db")
db.execute("UPDATE trace SET data = x'00'")
db.commit()
PYTHON
cwm dataset check --store a.db 2>&1 | sed 's/trace [0-9a-f]*/trace HASH/'
cwm dataset check --store a.db >/dev/null 2>&1
echo "-> $?"
try cwm dataset export --store a.db -o x | sed 's/trace [0-9a-f]*/trace HASH/'
ls
