#!/bin/sh
# SPDX-License-Identifier: MIT
# Three problems, one without samples: every selector, a page, a store that
# saves all runs, and what is refused.
cat >problems.jsonl <<'END'
{"task_id": "T/0", "prompt": "def double(x):\n", "entry_point": "double", "canonical_solution": "    return 2 * x\n", "test": "def check(candidate):\n    assert candidate(3) == 6\n    assert candidate(0) == 0\n"}
{"task_id": "T/1", "prompt": "def last(xs):\n", "entry_point": "last", "canonical_solution": "    return xs[-1]\n", "test": "def check(candidate):\n    assert candidate([1, 2]) == 2\n"}
{"task_id": "T/2", "prompt": "def none(x):\n", "entry_point": "none", "canonical_solution": "    return None\n", "test": "def check(candidate):\n    assert candidate(1) is None\n"}
END
cat >samples.jsonl <<'END'
{"task_id": "T/0", "completion": "    return x + x\n"}
{"task_id": "T/0", "completion": "    return x * x\n"}
{"task_id": "T/0", "completion": "    return x*x  # square\n"}
{"task_id": "T/0", "completion": "    return 2 * x\n"}
{"task_id": "T/1", "completion": "    return xs[0]\n"}
{"task_id": "T/1", "completion": "    return xs[-1]\n"}
{"task_id": "T/1", "completion": "    return xs[1]\n"}
{"task_id": "T/1", "completion": "    import os\n    os._exit(0)\n"}
{"task_id": "T/9", "completion": "    return 1\n"}
END
cat >tests.jsonl <<'END'
{"task_id": "T/0", "test": "assert double(1) == 2"}
{"task_id": "T/0", "test": "assert double(5) == 10"}
{"task_id": "T/0", "test": "assert double(2) == 4"}
{"task_id": "T/0", "test": "assert double(1) == 1"}
{"task_id": "T/1", "test": "assert last([1, 2, 3]) == 3"}
{"task_id": "T/1", "test": "assert last([7]) == 7"}
{"task_id": "T/1", "test": "assert last([4, 5]) == 5"}
{"task_id": "T/2", "test": "assert none(0) is None"}
END
run() {
    cwm eval bestk --problems problems.jsonl --samples samples.jsonl \
        --tests tests.jsonl --k 1,2 --store verdicts.db "$@"
}
run --html page.html \
    --selectors random,majority,tests,codet,codet-tests,cwm,oracle
run --filter --selectors tests | sed -n 4p
grep -c '<polyline' page.html
grep -cE 'https?://|<script|nan' page.html
run --json | grep -oE '"(programs_run|wrong_id|missing)": [0-9]+'
run --json >a
run --json --workers 1 >b
cmp a b && echo same
run --selectors random,codt
echo "exit $?"
run --selectors predict
echo "exit $?"
run --k 0
echo "exit $?"
cwm eval bestk --problems problems.jsonl --samples samples.jsonl
echo "exit $?"
run --tests no-such-file
echo "exit $?"
# Two models: the other one has nothing right but T/2.
cat >others.jsonl <<'END'
{"task_id": "T/0", "completion": "    return x\n"}
{"task_id": "T/1", "completion": "    return xs[0]\n"}
{"task_id": "T/2", "completion": "    return None\n"}
END
cwm eval passk --problems problems.jsonl --samples samples.jsonl \
    --against others.jsonl --k 1,2 | grep against
cwm eval passk --problems problems.jsonl --samples samples.jsonl \
    --against others.jsonl --json | grep -oE '"against@1": [^}]*}'
