#!/bin/sh
# SPDX-License-Identifier: MIT
# A store from every kind of source: built, gone on with, split, merged,
# checked, exported.
mkdir src
cat >src/calc.py <<'PYTHON'
def add(a, b):
    """
    >>> add(2, 3)
    5
    """
    return a + b


def mean(values):
    """
    >>> mean([1, 2, 3])
    2.0
    """
    total = 0
    for v in values:
        total = add(total, v)
    return total / len(values)


print(add(1, 2), mean([4, 6]))
PYTHON
cp src/calc.py src/copy.py
printf 'def f(:\n' >src/broken.py
printf '\000\001\002' >src/binary.py
printf 'x = "caf\351"\n' >src/latin.py
: >src/empty.py
ln -s /etc/passwd src/link.py
cat >jobs.jsonl <<'END'
{"id": "a", "source": "def f(x):\n    return x * 2\n", "entry": "f", "args": "21"}
{"id": "a", "source": "def f(x):\n    return x * 2\n", "entry": "f", "args": "21"}
{"id": "b", "source": "print(input())", "stdin": "hello\n"}
oops
END
cat >cruxeval.jsonl <<'END'
{"code": "def f(text):\n    out = []\n    for c in text:\n        out.append(c)\n    return out", "input": "'ab'", "output": "['a', 'b']", "id": "sample_0"}
END
cat >humaneval.jsonl <<'END'
{"task_id": "HumanEval/0", "prompt": "def half(n):\n    \"\"\"Half of it.\"\"\"\n", "entry_point": "half", "canonical_solution": "    return n // 2\n", "test": "def check(candidate):\n    x = 3\n    assert candidate(4) == 2\n    assert candidate(-3) == -2\n    assert candidate(x) == 1\n"}
END
cat >mbpp.jsonl <<'END'
{"task_id": 7, "code": "def twice(s):\r\n    return s + s", "test_setup_code": "", "test_list": ["assert twice('a') == 'aa'", "assert twice([1]) == [1, 1]"]}
END
cat >contest.jsonl <<'END'
{"id": "sum", "tests": [{"input": "1 2\n", "output": "3\n"}, {"input": "2 2\n", "output": "4\n"}], "solutions": [{"source": "a, b = map(int, input().split())\nprint(a + b)\n"}, {"source": "a, b = map(int, input().split())\nprint(a * b)\n"}]}
END
gzip -k contest.jsonl
zstd -q src/calc.py -o calc.zst
sources="src jobs.jsonl cruxeval:cruxeval.jsonl humaneval.jsonl mbpp.jsonl contest.jsonl.gz generate:5"

# shellcheck disable=SC2086 # a list of words
build() {
    store=$1
    shift
    cwm dataset build --store "$store" "$@" $sources 2>err.txt
    echo "build $store -> $?"
}

# Shows one number of the statistics.
stat() {
    cwm dataset stats --store "$1" --json | python3 -c "
import json, sys
print(json.load(sys.stdin)$2)"
}

build one.db --workers 1
grep 'passed over' err.txt | sed 's/cwm dataset: //' | sort
stat one.db '["kinds"]'
stat one.db '["verdicts"]["ok"] > 10'
stat one.db '["labels"]'
stat one.db '["evaluation_programs"]'
echo "# the same with other workers, in shards, in other order, twice"
build two.db --workers 3
build part1.db --shard 1/2
SLURM_ARRAY_TASK_ID=2 SLURM_ARRAY_TASK_COUNT=2 SLURM_ARRAY_TASK_MIN=1
export SLURM_ARRAY_TASK_ID SLURM_ARRAY_TASK_COUNT SLURM_ARRAY_TASK_MIN
build part2.db
unset SLURM_ARRAY_TASK_ID SLURM_ARRAY_TASK_COUNT
cwm dataset merge --store merged.db part2.db part1.db
echo "merge -> $?"
for store in one two merged; do
    cwm dataset stats --store $store.db --json >$store.json
done
cmp one.json two.json && cmp one.json merged.json && echo "the same"
build one.db
tail -n 1 err.txt
cmp one.json two.json
cwm dataset check --store merged.db --sample 1000 | sed 's/[0-9]* program.*: //'
echo "# what comes out"
cwm dataset export --store one.db -o out --plain --validation 0 --test 0 2>err.txt
echo "export -> $?"
ls out
python3 - <<'PYTHON'
import json
rows = [json.loads(line) for line in open("out/train-00000.jsonl")]
print(len(rows) > 10, len({r["id"] for r in rows}) == len(rows))
print(sorted({r["kind"] for r in rows}))
row, = [r for r in rows if (r["entry"], r["args"]) == ("add", "2, 3")]
print(row["args"], row["result"], row["frames"][1]["locals"], row["origins"])
print(sorted({r["label"] for r in rows if r["kind"] == "contest"}))
PYTHON
head -n 3 out/README.md
cwm dataset export --store one.db -o out 2>&1
cwm dataset export --store one.db -o out --overwrite --format cwm --evaluation 2>err.txt
zstdcat out/test-00000.jsonl.zst | python3 -c '
import json, sys
for line in sys.stdin:
    row = json.loads(line)
    assert row["text"].startswith("<|begin_of_text|>"), row
    print(row["path"], row["entry"], row["args"])' | sort
echo "# commands that made it; of shards only what is not whole"
cwm dataset build --store one.db --max-inputs 4 --limit 1 "file:$PWD/src/calc.py" \
    2>/dev/null
for store in one part2 merged; do
    cwm dataset export --store $store.db -o card --overwrite 2>/dev/null
    echo "$store:"
    sed -n 's/ *# cwm .*//; /^cwm dataset build/p' card/README.md
done
echo "# near a benchmark"
printf '{"code": "%s", "id": "x"}\n' "$(python3 -c '
print(open("src/calc.py").read().replace("\"", "\\\"").replace("\n", "\\n").replace("mean", "average"), end="")')" >bench.jsonl
cwm dataset export --store one.db -o near --benchmarks bench.jsonl 2>/dev/null
cut -d, -f 2-4 near/removed.jsonl | grep bench
echo "# nothing but the store is left"
ls one.db*
