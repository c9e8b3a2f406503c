#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""verdict_ways.py --cwm PROGRAM -- every verdict, on every way to it.

The table says how a program ends and what the record must say of it.  All of
it runs as the user who runs the test, and where that is root once more as an
ordinary user, who may have other walls: the verdicts must be the same.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

NOBODY = 65534
CTYPES = "import ctypes\nlibc = ctypes.CDLL(None)\n"

# name, verdict, detail (a pattern; None: null), program, what else the job has
WAYS = [
    ("returns", "ok", None, "x = 1", {}),
    ("function", "ok", None, "def f(): return 1", {"entry": "f"}),
    ("raises", "exception", None, "1 / 0", {}),
    ("module level raises", "exception", None,
     "1 / 0\ndef f(): pass", {"entry": "f"}),
    ("interrupt", "exception", None, "raise KeyboardInterrupt", {}),
    ("recursion", "exception", None, "def f(): f()\nf()", {}),
    ("exit", "exit", "3", "import sys\nsys.exit(3)", {}),
    ("exit with a text", "exit", "'bye'", "raise SystemExit('bye')", {}),
    ("exit with nothing", "exit", "None", "raise SystemExit", {}),
    ("module level exits", "exit", "4",
     "raise SystemExit(4)\ndef f(): pass", {"entry": "f"}),
    ("_exit", "exit", "5", "import os\nos._exit(5)", {}),

    ("loop", "timeout", "cpu time", "while True: pass",
     {"max_frames": 10**9, "max_trace_bytes": 2**31}),
    ("loop in C", "timeout", "cpu time", "sum(range(10**13))", {}),
    ("loop in a regular expression", "timeout", "cpu time",
     "import re\nre.match('(a+)+$', 'a' * 60 + 'b')", {}),
    ("loop in a thread", "timeout", "cpu time",
     "import threading\ndef f():\n    while True: pass\n"
     "t = threading.Thread(target=f)\nt.start()\nt.join()", {}),
    ("catches all and goes on", "timeout", "cpu time",
     "def f():\n    while True:\n        try:\n            sum(range(10**9))\n"
     "        except BaseException:\n            pass\nf()", {}),
    ("sleep", "timeout", "wall time", "import time\ntime.sleep(60)", {}),
    ("lock", "timeout", "wall time",
     "import threading\nx = threading.Lock()\nx.acquire()\nx.acquire()", {}),
    ("pipe", "timeout", "wall time",
     "import os\nr, w = os.pipe()\nos.read(r, 1)", {}),
    ("thread that stays", "timeout", "wall time",
     "import threading, time\n"
     "threading.Thread(target=time.sleep, args=(60,)).start()", {}),
    ("pause without signals", "timeout", "wall time",
     "import signal\n"
     "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))\n"
     "signal.pause()", {}),

    ("one allocation", "memory", None, "x = bytearray(900 << 20)", {}),
    ("more than there can be", "memory", None, "x = [0] * 10**17", {}),
    ("a list that grows", "memory", None,
     "def f():\n    x = ['a']\n    while True:\n        x += x\nf()", {}),
    ("small objects", "memory", None,
     "x = list(map(str, range(10**8)))", {"timeout_ms": 20000}),
    ("mapped", "exception", None,
     "import mmap\nx = mmap.mmap(-1, 900 << 20)", {}),
    ("refused and raised again", "memory", None,
     "try:\n    x = bytearray(900 << 20)\nexcept MemoryError:\n    raise", {}),
    ("refused and survived", "ok", None,
     "try:\n    x = bytearray(900 << 20)\nexcept MemoryError:\n    pass", {}),
    ("raised by hand", "exception", None, "raise MemoryError", {}),
    ("raised by hand in a function", "exception", None,
     "def f(): raise MemoryError('mine')\nf()", {}),
    ("raised from a refusal", "exception", None,
     "try:\n    x = bytearray(900 << 20)\nexcept MemoryError as e:\n"
     "    raise MemoryError('mine') from e", {}),
    ("a full folder", "exception", None,
     "open('f', 'wb').write(b'x' * (9 << 20))", {"disk_mb": 1}),
    ("a full folder that is survived", "ok", None,
     "try:\n    open('f', 'wb').write(b'x' * (9 << 20))\n"
     "except OSError as e:\n    n = e.errno", {"disk_mb": 1}),
    ("files without end", "exception", None,
     "for i in range(10**6): open(str(i), 'w').close()",
     {"timeout_ms": 20000, "max_frames": 10**6}),
    ("threads without end", "exception", None,
     "import threading\ne = threading.Event()\nfor i in range(10**4):\n"
     "    threading.Thread(target=e.wait, daemon=True).start()", {}),

    ("frames", "frame_limit", None, "while True:\n    pass", {"max_frames": 50}),
    ("records", "byte_limit", None,
     "x = ''\nwhile True: x += 'b'", {"max_trace_bytes": 9000}),
    ("text of the records", "byte_limit", None,
     "def g(): pass\nx = 'a' * 3000\nfor i in range(100): g()",
     {"max_trace_bytes": 20000}),
    ("printed", "output_limit", None, "print('x' * 5000)",
     {"max_output_bytes": 1000}),
    ("printed in parts", "output_limit", None,
     "while True: print('x', flush=True)", {"max_output_bytes": 1000}),
    ("both streams", "output_limit", None,
     "import sys\nprint('x' * 600)\nprint('x' * 600, file=sys.stderr)",
     {"max_output_bytes": 1000}),
    ("written to the descriptor", "output_limit", None,
     "import os\nwhile True: os.write(2, b'x' * 100)",
     {"max_output_bytes": 1000}),
    ("no output allowed", "output_limit", None, "print('x')",
     {"max_output_bytes": 0}),

    ("abort", "crash", "SIGABRT", "import os\nos.abort()", {}),
    ("address 0", "crash", "SIGSEGV", CTYPES + "ctypes.string_at(0)", {}),
    ("signal to itself", "crash", "SIGSEGV",
     "import os\nos.kill(os.getpid(), 11)", {}),
    ("killed by itself", "crash", "SIGKILL",
     "import os\nos.kill(os.getpid(), 9)", {}),
    ("signal that ends", "crash", "SIGTERM",
     "import signal\nsignal.raise_signal(signal.SIGTERM)", {}),
    ("the stack's end", "crash", "SIGSEGV",
     "import sys\nsys.setrecursionlimit(10**9)\n"
     "exec('x, y = [], []\\nfor i in range(10**6): x, y = [x], [y]\\n"
     "x == y', {})", {"timeout_ms": 20000, "memory_mb": 1024}),

    ("ptrace", "denied", None, CTYPES + "libc.ptrace(0, 0, 0, 0)", {}),
    ("ptrace in a thread", "denied", None,
     CTYPES + "import threading\nt = threading.Thread("
     "target=libc.ptrace, args=(0, 0, 0, 0))\nt.start()\nt.join()", {}),

    ("syntax", "syntax_error", "1:7", "def f(:", {}),
    ("syntax and entry", "syntax_error", "1:7", "def f(:", {"entry": "f"}),
    ("no such entry", "no_entry", ".*there are g", "def g(): pass",
     {"entry": "f"}),
    ("entry gone at run time", "no_entry", None, "def f(): pass\ndel f",
     {"entry": "f"}),
    ("arguments that do not parse", "bad_args", ".*'1 [+]'",
     "def f(): pass", {"entry": "f", "args": "1 +"}),
    ("arguments that do not fit", "bad_args", None, "def f(): pass",
     {"entry": "f", "args": "1"}),
    ("arguments that raise", "bad_args", None, "def f(a): pass",
     {"entry": "f", "args": "1 / 0"}),
]


def jobs_text():
    lines = []
    for name, _, detail, source, more in WAYS:
        job = {"id": name, "source": source + "\n", "timeout_ms": 400,
               "memory_mb": 64} | more
        # A busy machine may take long over little CPU time.
        job["wall_ms"] = 1000 if detail == "wall time" else 100000
        lines.append(json.dumps(job) + "\n")
    return "".join(lines)


def check(cwm, who, **how):
    """Run the table; the number of ways that ended otherwise."""
    done = subprocess.run(
        [cwm, "trace", "--jobs", "-", "--max-frames", "100000"],
        input=jobs_text(), capture_output=True, text=True, check=False, **how)
    if done.returncode != 0:
        print(f"as {who}: exit {done.returncode}\n{done.stderr}")
        return 1
    records = [json.loads(line) for line in done.stdout.splitlines()]
    n_bad = 0
    for (name, verdict, detail, _, _), record in zip(WAYS, records):
        told = record["detail"]
        fits = (told is None if detail is None
                else told is not None and re.fullmatch(detail, told))
        if record["id"] != name or record["verdict"] != verdict or not fits:
            n_bad += 1
            print(f"as {who}: {name}: {record['verdict']}, detail {told!r}, "
                  f"not {verdict}, {detail!r}; {record['exception']}")
    if len(records) != len(WAYS):
        print(f"as {who}: {len(records)} records, not {len(WAYS)}")
        n_bad += 1
    missing = {v for v in verdicts(done.stderr)} ^ {w[1] for w in WAYS}
    if missing and n_bad == 0:
        print(f"as {who}: the summary does not fit the records: {missing}")
        n_bad += 1
    return n_bad


def verdicts(summary):
    line = re.search(r"^verdicts: (.*)$", summary, re.M)
    return re.findall(r"[a-z_]+", line.group(1)) if line else []


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True, type=pathlib.Path)
    options = parser.parse_args()
    cwm = options.cwm.resolve()
    n_bad = check(cwm, "this user")
    if os.geteuid() == 0:
        with tempfile.TemporaryDirectory(prefix="cwm-ways-") as folder:
            os.chmod(folder, 0o755)
            shutil.copy(cwm, folder)
            for worker in cwm.parent.glob("cwm-worker-*"):
                shutil.copy(worker, folder)
            n_bad += check(pathlib.Path(folder, cwm.name), "nobody",
                           user=NOBODY, group=NOBODY, extra_groups=[])
    print(f"{len(WAYS)} ways, {n_bad} of them wrong")
    sys.exit(1 if n_bad else 0)


if __name__ == "__main__":
    main()
