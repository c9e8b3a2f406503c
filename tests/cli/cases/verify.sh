#!/bin/sh
# SPDX-License-Identifier: MIT
# Predictions scored: the truth, one value wrong, one cut, what is none; the
# same bytes for any number of workers; one alone; the static checks.
try() {
    "$@" 2>&1
    echo "-> $?"
}

cat >p.py <<'END'
def f(a):
    b = a + 1
    return [b, '<|frame_sep|>']
END
cwm trace p.py --entry f --args 1 --format cwm >true.txt
sed 's/"b": "2"/"b": "3"/' true.txt >wrong.txt
head -c 200 true.txt >cut.txt

# line ID FILE [MORE]: a line of predictions.
line() {
    python3 - "$@" <<'END'
import json, sys
line = {"id": sys.argv[1], "source": open("p.py").read(), "entry": "f",
        "args": "1", "wrap_main": False,
        "prediction": open(sys.argv[2]).read()}
line.update(json.loads(sys.argv[3] if len(sys.argv) > 3 else "{}"))
print(json.dumps(line))
END
}
{
    line true true.txt
    line wrong wrong.txt
    line cut cut.txt
    echo oops
    line ended true.txt '{"finish_reason": "length"}'
    line broken true.txt '{"source": "def f(:"}'
    line none true.txt '{"prediction": null}'
    line nobody true.txt '{"entry": "g"}'
    echo
    line surrogate true.txt '{"prediction": "\ud83d"}'
} >pred.jsonl

try cwm verify --predicted pred.jsonl --json --workers 1 >one.jsonl
try cwm verify --predicted pred.jsonl --json --workers 3 >three.jsonl
cmp one.jsonl three.jsonl
python3 - <<'END'
import json
for text in open("one.jsonl"):
    if not text.startswith("{"):
        print(text.split(": not JSON")[0].rstrip())
        continue
    line = json.loads(text)
    if "total" in line:
        for name in ("lines", "scored", "without_true_trace", "bad_lines",
                     "out_of_budget", "true_frames", "first_divergences"):
            print(name, line[name])
        for name, score in line["scores"].items():
            print(f"{name} {score:.4f} "
                  f"{line['scores_within_budget'][name]:.4f}")
    elif "error" in line:
        print(line["line"], line["error"])
    else:
        print(line["id"], line["verdict"], line["detail"])
        if line["scores"]:
            print("  ", line["first_divergence"], line["format_error"],
                  line["out_of_budget"], line["frames"])
END
zstd -q pred.jsonl
cwm verify --predicted pred.jsonl.zst --json 2>/dev/null >packed.jsonl
grep '^{' one.jsonl | cmp - packed.jsonl
cwm verify --predicted - --json <pred.jsonl 2>/dev/null | cmp - packed.jsonl

try cwm verify true.txt --program p.py --entry f --args 1
try cwm verify wrong.txt --program p.py --entry f --args 1
try cwm verify cut.txt --program p.py --entry f --args 1 --json
try cwm verify true.txt --program p.py --entry f --static
try cwm verify wrong.txt --program p.py --entry f --static --json
sed 's/<|frame_sep|><|line_sep|>{"a": ".."}/<|frame_sep|><|line_sep|>{"c": ".."}/' \
    true.txt >other.txt
try cwm verify other.txt --program p.py --entry f --static
try cwm verify cut.txt --program p.py --entry f --static --json

try cwm verify
try cwm verify true.txt
try cwm verify --predicted none.jsonl
try cwm verify --predicted pred.jsonl true.txt
try cwm verify --predicted pred.jsonl --static --json | cut -c 1-100
try cwm verify --predicted pred.jsonl --program p.py
try cwm verify true.txt --program none.py
try cwm verify true.txt --program p.py --entry g
try cwm verify true.txt --program p.py --entry f --args '1)('
try cwm verify none.txt --program p.py
try cwm verify true.txt --program p.py --workers 2
cwm verify --predicted pred.jsonl --json >/dev/full 2>err
echo "-> $?"
tail -n 1 err
