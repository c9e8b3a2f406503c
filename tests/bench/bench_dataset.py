#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""bench_dataset.py --build FOLDER [--out FILE] -- stores of traces, measured.

A store is built from real programs and one from generated ones, then exported.
CPU time is user + system of all processes, those in the jail included.  Both
cores' use is CPU time over elapsed time; where other work runs on the machine
that says little, and two other figures stand beside it: for how much of the
time the processors had nothing to do at all (/proc/stat), and the share of CPU
time that the one thread takes which writes the store, since no number of
workers can be faster than that thread.  Prints a section in Markdown; --out
puts it into FILE too.  Exits 1 where a claim does not hold that does not
depend on what else the machine does.
"""
import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time

import report

CORPUS = f"{report.ROOT}/../shared/data/thealgorithms.jsonl.zst"
TICKS = os.sysconf("SC_CLK_TCK")
# Of generated programs: fewer are done before a dictionary is trained, whose
# samples take memory once.
MANY = 10000


class Bench(report.Section):
    def __init__(self, options):
        super().__init__()
        self.cwm = os.path.abspath(f"{options.build}/cwm")
        # Even CPU time is dearer then: caches and cores are shared.
        self.is_busy = os.getloadavg()[0] > 1


def processors():
    """(all, idle) seconds of all processors since they were started."""
    with open("/proc/stat", encoding="ascii") as f:
        ticks = [int(word) for word in f.readline().split()[1:9]]
    return sum(ticks) / TICKS, (ticks[3] + ticks[4]) / TICKS


def look_at(pid):
    """(CPU seconds of the first thread, resident KiB)"""
    try:
        with open(f"/proc/{pid}/task/{pid}/stat", encoding="utf-8") as f:
            words = f.read().rsplit(")", 1)[1].split()
        with open(f"/proc/{pid}/statm", encoding="ascii") as f:
            pages = int(f.read().split()[1])
    except (OSError, IndexError):
        return None
    return (int(words[11]) + int(words[12])) / TICKS, pages * 4


def run(command):
    """What a command printed, and what it took."""
    total, idle = processors()
    start = time.monotonic()
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                   stdout=out, stderr=subprocess.DEVNULL)
        samples = []
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            sample = look_at(process.pid)
            if sample:
                samples.append(sample)
            time.sleep(0.1)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        text = out.read()
    if process.returncode != 0:
        sys.exit(f"{command}: {process.returncode}")
    seconds = time.monotonic() - start
    total, idle = (now - before for now, before in
                   zip(processors(), (total, idle)))
    return {"text": text, "seconds": seconds,
            "cpu": usage.ru_utime + usage.ru_stime,
            "idle": idle / total, "writer": samples[-1][0] if samples else 0,
            "rss": [kb for _, kb in samples]}


def build(bench, store, workers, *sources):
    made = run([bench.cwm, "dataset", "build", "--json", "--store", store,
                "--workers", str(workers), *sources])
    made.update(json.loads(made["text"]))
    return made


def size_of(folder):
    return sum(entry.stat().st_size for entry in os.scandir(folder)
               if entry.name.endswith((".jsonl", ".zst"))
               and not entry.name.startswith("removed"))


def real_programs(bench, folder, limit):
    store = f"{folder}/real.db"
    cores = len(os.sched_getaffinity(0))
    made = build(bench, store, cores, "--limit", str(limit), CORPUS)
    bench.say("### Real programs\n")
    part = f", its first {limit} files" if limit else ""
    bench.say(f"`thealgorithms.jsonl.zst`{part}, {cores} workers: "
              f"{made['programs']} programs, "
              f"{made['traces']} traces, {made['frames']} frames are kept, in "
              f"{made['cpu']:.0f} s of CPU time, {made['seconds']:.0f} s in "
              "all.\n")
    bench.say("| claim | measured | target | holds |\n|---|---|---|---|")
    used = made["cpu"] / made["seconds"] / cores
    busy = used + made["idle"] < 0.9  # others had the rest
    bench.claim("CPU time over elapsed time, of all cores", f"{used:.0%}",
                "> 85 %", None if busy and used <= 0.85 else used > 0.85)
    bench.claim("time in which a core had nothing to do",
                f"{made['idle']:.1%}", "< 15 %", made["idle"] < 0.15)
    share = made["writer"] / made["cpu"]
    bench.claim("share of the thread that writes: the rest can be spread",
                f"{share:.2%}", "< 5 %", share < 0.05)
    store_share = made["store_cpu_seconds"] / made["trace_cpu_seconds"]
    bench.claim("packing and storing over tracing", f"{store_share:.1%}",
                "< 20 %", store_share < 0.2)
    return store


def exported(bench, store, folder, name):
    """Of a store's files: size against plain JSONL, speed of export."""
    plain = run([bench.cwm, "dataset", "export", "--store", store, "--plain",
                 "--near-duplicates", "0", "--workers", "1", "-o",
                 f"{folder}/{name}-plain"])
    packed = run([bench.cwm, "dataset", "export", "--store", store,
                  "--near-duplicates", "0", "--workers", "1", "-o",
                  f"{folder}/{name}-packed"])
    rows = size_of(f"{folder}/{name}-plain")
    part = os.path.getsize(store) / rows
    bench.claim(f"store over plain JSONL, {name}", f"{part:.1%} of "
                f"{rows / 1e6:.0f} MB", "< 15 %", part < 0.15)
    for how, done in (("plain", plain), ("compressed", packed)):
        speed = rows / 1e6 / done["cpu"]
        bench.claim(f"export of JSONL, {how}, {name}: MB a CPU second",
                    f"{speed:.0f}", ">= 200",
                    None if speed < 200 and bench.is_busy else speed >= 200)


def generated(bench, folder, count):
    store = f"{folder}/generated.db"
    made = build(bench, store, 1, f"generate:{count}")
    cpu = made["cpu"]
    bench.say("\n### Generated programs\n")
    bench.say(f"`generate:{count}`, one worker: {made['programs']} programs, "
              f"{made['traces']} traces, {made['frames']} frames in "
              f"{cpu:.1f} s of CPU time.\n")
    run([bench.cwm, "dataset", "export", "--store", store, "--plain",
         "--format", "cwm", "--near-duplicates", "0", "-o", f"{folder}/text"])
    texts = f"{folder}/text/train-00000.jsonl"
    tokenizer = f"{folder}/tokenizer.json"
    run([bench.cwm, "tokenizer", "train", texts, "-o", tokenizer])
    with open(texts, "rb") as f:
        done = subprocess.run([bench.cwm, "tokenizer", "encode", "--tokenizer",
                               tokenizer, "--special"], stdin=f, check=True,
                              capture_output=True, text=True)
    rows = done.stdout.splitlines()
    n_ids = sum(line.count(",") + 1 for line in rows)
    per_trace = n_ids / len(rows)
    bench.say("| what | a second of CPU time |\n|---|---|")
    bench.say("| programs, generated and traced | "
              f"{made['programs'] / cpu:.0f} |")
    bench.say(f"| traces | {made['traces'] / cpu:.0f} |")
    bench.say(f"| frames | {made['frames'] / cpu:.0f} |")
    bench.say("| tokens, of a tokenizer with 8,192 words that `cwm tokenizer "
              f"train` learned from them ({per_trace:.0f} a trace) | "
              f"{made['traces'] * per_trace / cpu:.0f} |")
    bench.say("\n| claim | measured | target | holds |\n|---|---|---|---|")
    share = made["store_cpu_seconds"] / made["trace_cpu_seconds"]
    bench.claim("packing and storing over tracing, short traces",
                f"{share:.1%}", "< 20 %", share < 0.2)
    rss = made["rss"]
    early = max(rss[len(rss) // 4:len(rss) // 2])
    late = max(rss[3 * len(rss) // 4:])
    bench.claim("memory of the build, its last quarter over its second",
                f"{late} / {early} KB = {late / early:.2f}", "<= 1.1",
                late <= 1.1 * early if count >= MANY else None)
    return store


def million(bench, build_folder, folder, count):
    done = run([f"{build_folder}/tests/bench_store", f"{folder}/million.db",
                str(count)])
    told = json.loads(done["text"])
    rss = told["rss_kb"]
    bench.say(f"\n### {count} generated functions\n")
    bench.say("Generated and stored with an empty trace each: nothing is run, "
              "so that what grows with their number shows. Generating takes "
              f"{told['generate_cpu_s']:.0f} s of CPU time, storing "
              f"{told['store_cpu_s']:.0f} s. Resident KB at each tenth: "
              f"{', '.join(map(str, rss))}.\n")
    bench.say("| claim | measured | target | holds |\n|---|---|---|---|")
    holds = rss[-1] <= 1.1 * rss[4] if count >= 20 * MANY else None
    bench.claim("memory at the end over memory half-way",
                f"{rss[-1] / rss[4]:.2f}", "<= 1.1", holds)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default=f"{report.ROOT}/build-release")
    parser.add_argument("--limit", type=int, default=0,
                        help="of the real programs' files; 0 is all")
    parser.add_argument("--generate", type=int, default=20000)
    parser.add_argument("--million", type=int, default=1000000)
    parser.add_argument("--out")
    options = parser.parse_args()
    bench = Bench(options)
    words = [f"--{name} {getattr(options, name)}" for name in
             ("limit", "generate", "million")
             if getattr(options, name) != parser.get_default(name)]
    bench.say("## Stores of traces\n")
    bench.say(f"{datetime.date.today()}, commit {report.commit()}, "
              f"`{' '.join(['tests/bench/bench_dataset.py', *words])}`; "
              f"{report.machine()}, load average {os.getloadavg()[0]:.1f} at "
              "the start. CPU time (user + system).\n")
    with tempfile.TemporaryDirectory(prefix="cwm-bench-") as folder:
        real = real_programs(bench, folder, options.limit)
        exported(bench, real, folder, "real")
        store = generated(bench, folder, options.generate)
        exported(bench, store, folder, "generated")
        million(bench, os.path.abspath(options.build), folder, options.million)
    if options.out:
        report.put_section(options.out, "datasets", "\n".join(bench.lines))
    bench.tell_misses()
    sys.exit(1 if bench.misses else 0)


if __name__ == "__main__":
    main()
