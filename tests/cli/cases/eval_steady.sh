#!/bin/sh
# SPDX-License-Identifier: MIT
# Tests that depend on the order of a set, or on random numbers, are left out
# whatever they name; one that only names chance is not.  The second run is in
# the store.
cat >problems.jsonl <<'END'
{"task_id": "T/0", "prompt": "def letter():\n", "entry_point": "letter", "canonical_solution": "    return 'a'\n", "test": "def check(candidate):\n    assert candidate() == 'a'\n"}
END
for letter in a b c d e f g h i j k l; do
    printf '%s\n' "{\"task_id\": \"T/0\", \"completion\": \"    return '$letter'\\n\"}"
done >samples.jsonl
cat >tests.jsonl <<'END'
{"task_id": "T/0", "test": "assert letter() == list(set('abcdefghijkl'))[1]"}
{"task_id": "T/0", "test": "import random\nassert letter() == random.choice('abcdefghijkl')"}
{"task_id": "T/0", "test": "time = 'a'\nassert letter() == time"}
END
for workers in 1 2; do
    cwm eval bestk --problems problems.jsonl --samples samples.jsonl \
        --tests tests.jsonl --selectors tests --filter --k 1 --json \
        --store verdicts.db --workers $workers >$workers.json
    grep -oE '"(not_deterministic|kept|programs_run)": [0-9]+' $workers.json
done
