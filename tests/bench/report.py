# SPDX-License-Identifier: MIT
"""report.py -- docs/benchmarks.md, where each benchmark owns one section.

A section stands between two comments that name it, so that one can be
measured anew while the others stay.  Programs in C print their figures; the
Python program that calls them writes the section.
"""
import os
import platform
import subprocess
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
TITLE = """# Benchmarks

Every section says when, where, at which commit and by which command it was
measured. Ratios compare what ran side by side in one run.
"""
# AMD's server parts hide their names; family and model tell the core
# (the table of arch/x86/kernel/cpu/amd.c).
AMD_CORES = (
    (0x17, ((0x00, 0x2f), (0x50, 0x5f)), "Zen"),
    (0x17, ((0x30, 0x4f), (0x60, 0x7f), (0xa0, 0xaf)), "Zen 2"),
    (0x19, ((0x00, 0x0f), (0x20, 0x5f)), "Zen 3"),
    (0x19, ((0x10, 0x1f), (0x60, 0xaf)), "Zen 4"),
    (0x1a, ((0x00, 0x2f), (0x40, 0x4f), (0x60, 0x7f)), "Zen 5"),
)


class Section:
    """A section's lines, printed as they come, and claims that do not hold."""

    def __init__(self):
        self.lines = []
        self.misses = []

    def say(self, text=""):
        print(text, flush=True)
        self.lines.append(text)

    def claim(self, what, value, target, holds):
        """holds None: nothing can be said of it on this machine, or now."""
        word = {True: "yes", False: "**no**", None: "not to be said here"}
        self.say(f"| {what} | {value} | {target} | {word[holds]} |")
        if holds is False:
            self.misses.append(what)

    def tell_misses(self):
        for miss in self.misses:
            print(f"bench: the claim does not hold: {miss}", file=sys.stderr)


def put_section(path, name, text):
    """Replaces the section of that name, or adds it at the end."""
    begin, end = f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->\n"
    section = f"{begin}{text.strip()}\n{end}"
    whole = TITLE
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            whole = f.read()
    at = whole.find(begin)
    if at < 0:
        whole = f"{whole.rstrip()}\n\n{section}"
    else:
        past = whole.index(end, at) + len(end)
        whole = whole[:at] + section + whole[past:]
    with open(f"{path}.new", "w", encoding="utf-8") as f:
        f.write(whole)
    os.replace(f"{path}.new", path)


def cpu():
    """The processor's name, with its core's where that is not in it."""
    facts = {}
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            key, _, value = line.partition(":")
            facts.setdefault(key.strip(), value.strip())
    name = facts.get("model name", platform.machine())
    if facts.get("vendor_id") != "AuthenticAMD":
        return name
    family, model = int(facts["cpu family"]), int(facts["model"])
    core = [word for f, ranges, word in AMD_CORES if f == family
            and any(low <= model <= high for low, high in ranges)]
    return f"{name} ({'a ' + core[0] + ', ' if core else ''}" \
        f"family {family} model {model})"


def governor():
    path = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
    try:
        with open(path, encoding="ascii") as f:
            return f"frequency governor {f.read().strip()}"
    except OSError:
        return "no frequency governor to be seen"


def machine():
    system = platform.system()
    with open("/etc/os-release", encoding="utf-8") as f:
        for line in f:
            if line.startswith("PRETTY_NAME="):
                system = line.split("=", 1)[1].strip().strip('"')
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{cpu()}, {len(os.sched_getaffinity(0))} cores, {governor()}, " \
        f"{memory / 2**30:.0f} GiB, {system}, " \
        f"Linux {platform.release().split('-')[0]}"


def commit():
    try:
        done = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short",
                               "HEAD"], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True)
    except FileNotFoundError:
        return "unknown (no git here)"
    return done.stdout.strip() or "unknown (no repository)"
