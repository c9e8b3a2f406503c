#!/bin/sh
# SPDX-License-Identifier: MIT
# LiveCodeBench's records with packed tests, and EvalPlus' own files.  A pickle
# is read, never run: the one that calls os.system() is refused by its opcode.
cat >lcb.jsonl <<'END'
{"question_id": "stdin4", "question_content": "Twice.", "public_test_cases": "[{\"input\": \"1\", \"output\": \"2\", \"testtype\": \"stdin\"}]", "private_test_cases": "eJxrYJlqwwABPRbR1UqZeQWlJUpWCkrGMXlKOgpK+aUlUAEziEBJanFJSWVBKkiouCQlM0+pNnaKHgCV2RRM", "metadata": "{}"}
{"question_id": "stdin2", "question_content": "Twice.", "public_test_cases": "[]", "private_test_cases": "eJxrYIqwYGBgiK5WyswrKC1RslJQMo7JU9JRUMovLYEKmEEESlKLS0oqC1JBQsUlKZl5SrWxhQx6AGJQEyI=", "metadata": "{}"}
{"question_id": "stdin5", "question_content": "Twice.", "public_test_cases": "[]", "private_test_cases": "eJxrYJ1qwwABzhbR1UqZeQWlJUpWCkrGMXlKOgpK+aUlUAEziEBJanFJSWVBKkiouCQlM0+pNnaKHgCFAxQE", "metadata": "{}"}
{"question_id": "call", "question_content": "Twice.", "public_test_cases": "[]", "private_test_cases": "eJxrYJnaxAABPXXR1UqZeQWlJUpWCkrRhjoKRrExecZKOgpK+aUlUGEzELcktbikpLIgFSSQVpqXXJKZn5eYo1Sro4BsAFCzIapmQ3yaY6foAQAnNiqC", "metadata": "{\"func_name\": \"total\"}"}
{"question_id": "plain", "question_content": "Twice.", "public_test_cases": "[]", "private_test_cases": "[{\"input\": \"3\\n\", \"output\": \"6\\n\", \"testtype\": \"stdin\"}]", "metadata": "{}"}
{"question_id": "evil", "question_content": "Twice.", "public_test_cases": "[]", "private_test_cases": "eJxrYJmqxgABPawF+cWZFVN62Iori0tSc6dMntLDXZJfmpyhUFCel5oypXVK0BQ9AHGhEUM=", "metadata": "{}"}
{"question_id": "two", "question_content": "Twice.", "public_test_cases": "[]", "private_test_cases": "eJxrYJnqxAABsVM0eiyiq5Uy8wpKS5SsFJSMY/KUdBSU8ktLoAJmEIGS1OKSksqCVJBQcUlKZp5SbeyUDMZUPQAh+xY5", "metadata": "{}"}
{"question_id": "number", "question_content": "Twice.", "public_test_cases": "[]", "private_test_cases": "eJxrYPFm1wMAA7IBBQ==", "metadata": "{}"}
{"question_id": "cut", "question_content": "Twice.", "public_test_cases": "[]", "private_test_cases": "eJxrYJlqwwABPRbR1UqZeQWlJUpWCkrGMXlKOgpK+aUlEAEAyzQKmg==", "metadata": "{}"}
{"question_id": "zip", "question_content": "Twice.", "public_test_cases": "[]", "private_test_cases": "bm8gemxpYiBhdCBhbGw=", "metadata": "{}"}
{"question_id": "text", "question_content": "Twice.", "public_test_cases": "[]", "private_test_cases": "not packed!", "metadata": "{}"}
{"question_id": "noname", "question_content": "Twice.", "public_test_cases": "[]", "private_test_cases": "eJxrYJnaxAABPXXR1UqZeQWlJUpWCkrRhjoKRrExecZKOgpK+aUlUGEzELcktbikpLIgFSSQVpqXXJKZn5eYo1Sro4BsAFCzIapmQ3yaY6foAQAnNiqC", "metadata": "{}"}
END
cat >lcb_samples.jsonl <<'END'
{"task_id": "stdin4", "solution": "print(2 * int(input()))\n"}
{"task_id": "stdin2", "solution": "print(2 * int(input()))\n"}
{"task_id": "stdin5", "solution": "print(2 + int(input()))\n"}
{"task_id": "call", "solution": "class Solution:\n    def total(self, xs, x):\n        return sum(xs) + x\n"}
{"task_id": "plain", "solution": "print(2 * int(input()))\n"}
END
cat >plus.jsonl <<'END'
{"task_id": "HumanEval/900", "prompt": "def half(x: float) -> float:\n    \"\"\"Half of x.\"\"\"\n", "entry_point": "half", "contract": "    assert x >= 0 # $_CONTRACT_$\n", "canonical_solution": "    return x / 2\n", "base_input": [[1.0], [3]], "plus_input": [[0.1], [1e300]], "atol": 0}
{"task_id": "HumanEval/32", "prompt": "def find_zero(xs: list):\n", "entry_point": "find_zero", "contract": "", "canonical_solution": "    return -xs[0] / xs[1]\n", "base_input": [[[1, 2]]], "plus_input": [[[-4, 2]]], "atol": 0.0001}
{"task_id": "HumanEval/901", "prompt": "def last(s):\n", "entry_point": "last", "contract": "", "canonical_solution": "    return s[-1:]\n", "base_input": [["a\u00e9"]], "plus_input": [["\ud83d\ude00x"], [""]], "atol": 0}
{"task_id": "Mbpp/2", "prompt": "\"\"\"\nShared items of two tuples.\nassert set(similar_elements((3, 4),(5, 4))) == set((4,))\n\"\"\"\n", "entry_point": "similar_elements", "canonical_solution": "\ndef similar_elements(a, b):\n    return tuple(set(a) & set(b))\n", "base_input": [[[3, 4, 5], [5, 4]]], "plus_input": [[[], []]], "atol": 0, "contract": "\n    assert isinstance(a, tuple) # $_CONTRACT_$\n", "assertion": ""}
{"task_id": "Mbpp/252", "prompt": "\"\"\"\nTo polar.\n\"\"\"\n", "entry_point": "size", "canonical_solution": "\ndef size(z):\n    return abs(z)\n", "base_input": [["(1+2j)"]], "plus_input": [["3j"]], "atol": 0, "contract": "", "assertion": ""}
{"task_id": "HumanEval/902", "prompt": "def g(x):\n", "entry_point": "g", "base_input": [[1]], "plus_input": [], "atol": 0}
END
cat >plus_samples.jsonl <<'END'
{"task_id": "HumanEval/900", "completion": "    return 0.5 * x + 1e-9\n"}
{"task_id": "HumanEval/900", "completion": "    return x // 2\n"}
{"task_id": "HumanEval/32", "completion": "    return 2 if xs[0] == -4 else -0.5\n"}
{"task_id": "HumanEval/32", "completion": "    return 1\n"}
{"task_id": "HumanEval/901", "completion": "    return s[-1] if s else ''\n"}
{"task_id": "HumanEval/901", "completion": "    return s[-1]\n"}
{"task_id": "Mbpp/2", "solution": "def similar_elements(a, b):\n    assert type(a) is tuple\n    return [x for x in a if x in b][::-1]\n"}
{"task_id": "Mbpp/2", "solution": "def similar_elements(a, b):\n    return a\n"}
{"task_id": "Mbpp/252", "solution": "def size(z):\n    return (z.real ** 2 + z.imag ** 2) ** 0.5\n"}
{"task_id": "Mbpp/252", "solution": "def size(z):\n    return z\n"}
END
verdicts() {
    cwm eval passk --each "$@" 2>&1 |
        sed -E 's/.*"task_id": ("[^"]*").*"verdict": ("[a-z_]*").*/\1 \2/'
}
verdicts --problems lcb.jsonl --samples lcb_samples.jsonl
# JSON has no tuples: strictly one is no list; the paper's checker takes one
# for the list it should be, but not within another.
cat >pairs.jsonl <<'END'
{"question_id": "pair", "question_content": "A pair.", "public_test_cases": "[{\"input\": \"1\", \"output\": \"[1, 2]\", \"testtype\": \"functional\"}]", "private_test_cases": "[]", "metadata": "{\"func_name\": \"pair\"}"}
{"question_id": "pairs", "question_content": "Pairs.", "public_test_cases": "[{\"input\": \"1\", \"output\": \"[[1, 2]]\", \"testtype\": \"functional\"}]", "private_test_cases": "[]", "metadata": "{\"func_name\": \"pairs\"}"}
END
cat >pair_samples.jsonl <<'END'
{"task_id": "pair", "solution": "class Solution:\n    def pair(self, x):\n        return x, x + 1\n"}
{"task_id": "pair", "solution": "class Solution:\n    def pair(self, x):\n        return [x, x + 1]\n"}
{"task_id": "pair", "solution": "class Solution:\n    def pair(self, x):\n        return x, x\n"}
{"task_id": "pairs", "solution": "class Solution:\n    def pairs(self, x):\n        return [(x, x + 1)]\n"}
END
for how in "" --compat; do
    verdicts --problems pairs.jsonl --samples pair_samples.jsonl $how |
        grep '^"'
done
# What its checker lets pass is right here: names that are imported already,
# deep recursion, a function without its class, numbers by their values; and
# records whose lists are no texts.
cat >ways.jsonl <<'END'
{"question_id": "List", "public_test_cases": [{"input": "[3, 1]\n4", "output": "[1, 3, 4]", "testtype": "functional"}], "private_test_cases": "[]", "metadata": {"func_name": "merge"}}
{"question_id": "alone", "public_test_cases": "[{\"input\": \"3000\", \"output\": \"3000\", \"testtype\": \"functional\"}]", "private_test_cases": "[]", "metadata": "{\"func_name\": \"depth\"}"}
{"question_id": "numbers", "public_test_cases": "[{\"input\": \"1\", \"output\": \"1.50 2\\n 3\", \"testtype\": \"stdin\"}]", "private_test_cases": "[]", "metadata": "{}"}
END
cat >ways_samples.jsonl <<'END'
{"task_id": "List", "solution": "from __future__ import annotations\nclass Solution:\n    def merge(self, a: List[int], x: int) -> List[int]:\n        insort(a, x)\n        heapq.heapify(a)\n        return [pow(y, 1, 9) for y in sorted(a)]\n"}
{"task_id": "List", "solution": "class Solution:\n    def other(self, a, x):\n        return a\n"}
{"task_id": "alone", "solution": "def depth(n):\n    return n and 1 + depth(n - 1)\n"}
{"task_id": "alone", "solution": "def deep(n):\n    return n\n"}
{"task_id": "numbers", "solution": "n = int(stdin.readline())\nprint()\nprint(' 1.5  2.0')\nprint(inf > 1 and '3 ')\n"}
{"task_id": "numbers", "solution": "print('1.51 2')\nprint(3)\n"}
{"task_id": "numbers", "solution": "print 1\n"}
END
for how in "" --compat; do
    verdicts --problems ways.jsonl --samples ways_samples.jsonl $how |
        grep '^"'
done
for line in 6 7 8 9 10 11 12; do
    sed -n "${line}p" lcb.jsonl >one.jsonl
    cwm eval passk --problems one.jsonl --canonical 2>&1 | head -1
done
[ -e pwned ] || echo "nothing was run"
verdicts --problems plus.jsonl --samples plus_samples.jsonl
verdicts --problems plus.jsonl --canonical
# A contract says which inputs the function is for.
cwm eval testgen --problems plus.jsonl -o t.jsonl --input-tries 12 \
    --mutants 4 --keep-all >/dev/null 2>&1
grep -cE 'half\(-|similar_elements\(\[' t.jsonl
grep -cE 'half\(|similar_elements\(\(' t.jsonl >/dev/null && echo "with tests"
