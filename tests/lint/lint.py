#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""lint.py RULE [--build FOLDER] [--only PREFIX...] -- one house rule, over the
whole tree or over the files whose names begin with a PREFIX.

Prints FILE:LINE: what is wrong, one line each; exits 0 when there is
nothing, 1 when there is, 77 when the tool is not installed (1 where
CWM_MUST_WORK=1).
"""
import argparse
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))

# Functions that have no safe use here, and what stands in for them.
BANNED = {
    "strcpy": "memcpy with a length", "strcat": "cwm_buf_adds",
    "stpcpy": "memcpy with a length", "strncpy": "memcpy with a length",
    "strncat": "cwm_buf_add", "sprintf": "snprintf", "vsprintf": "vsnprintf",
    "gets": "getline", "strtok": "strchr", "strtok_r": "strchr",
    "atoi": "strtol with checks", "atol": "strtol with checks",
    "atoll": "strtoll with checks", "atof": "strtod with checks",
    "scanf": "strtol", "fscanf": "strtol",
    "mktemp": "mkstemp", "tmpnam": "mkstemp", "tempnam": "mkstemp",
    "alloca": "cwm_malloc", "gmtime": "gmtime_r", "localtime": "localtime_r",
    "ctime": "strftime", "asctime": "strftime", "rand": "a seeded generator",
    "srand": "a seeded generator", "strerror_r": "strerror",
    "vfork": "posix_spawn", "system": "posix_spawn", "popen": "posix_spawn",
}
# Tests may call what is only unwise.
TESTS_MAY = {"system", "popen", "fscanf", "atol", "atoi", "rand", "srand"}
# Allocation goes through cwm/base/alloc.h, which the fault tests hook.
# (free() is not among them: libraries hand out memory of their own.)
ALLOCATORS = {"malloc", "calloc", "realloc", "strdup", "strndup"}
# Where the folder order of docs/design.md allows a folder to look.
ALLOWED = {
    "cwm/base": [],
    "sandbox": ["cwm/base"],
    "tracer": ["cwm/base", "sandbox"],
    "datasets": ["cwm/base", "sandbox", "tracer"],
    "cwm/model": ["cwm/base", "sandbox", "tracer", "datasets"],
    "eval": ["cwm/base", "sandbox", "tracer", "datasets", "cwm/model"],
    "cwm/cli": ["cwm/base", "sandbox", "tracer", "datasets", "cwm/model",
                "eval"],
}
MAX_LINES = 1000
# Folders that only machines know, and hosts that only package managers do.
PATHS = re.compile(
    r"(?<![\w.$}])/(work|farm|root|home/\w+)/"
    r"|https?://(registry|deb|security|files)\.")


def tree_files():
    """Every file of ours: git's list, or a walk where there is no git."""
    try:
        listing = subprocess.run(
            ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others",
             "--exclude-standard"], capture_output=True, check=True)
        names = listing.stdout.decode().split("\0")
        files = [n for n in names if n and os.path.isfile(f"{ROOT}/{n}")]
    except (OSError, subprocess.CalledProcessError):
        files = []
        for folder, folders, names in os.walk(ROOT):
            folders[:] = [f for f in folders if f not in
                          (".git", "build", "node_modules")
                          and not f.startswith("build-")]
            files += [os.path.relpath(f"{folder}/{n}", ROOT) for n in names]
    return sorted(f for f in files if "node_modules/" not in f
                  and not f.endswith("package-lock.json"))


def is_c(name):
    return name.endswith((".c", ".h"))


def is_code(name):
    return is_c(name) or name.endswith((".py", ".sh", ".cmake")) or \
        os.path.basename(name) in ("CMakeLists.txt", "dev", "run")


def is_data(name):
    """Inputs and expected outputs: their bytes are not ours to style."""
    return name.startswith(("tests/fuzz/corpus/", "tests/survive/programs/",
                            "tests/jail/programs/")) or \
        ".stdout." in name or name.endswith((".jsonl", ".exact", ".glob"))


def read(name):
    with open(f"{ROOT}/{name}", encoding="utf-8", errors="replace") as f:
        return f.read()


def blank(match):
    """Keeps the line breaks of what is taken out."""
    return re.sub(r"[^\n]", " ", match.group())


STRINGS = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'')
TOKENS = re.compile(
    r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def code_of(text):
    """C without its comments' and strings' content, same line numbers."""
    return TOKENS.sub(blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def rule_banned(files):
    call = re.compile(r"(?<![\w.>])(\w+)\s*\(")
    for name in filter(is_c, files):
        code = code_of(read(name))
        ours = not name.startswith("tests/") and \
            name != "cwm/base/alloc.c"
        for match in call.finditer(code):
            word = match.group(1)
            if word in BANNED and (word not in TESTS_MAY or
                                   not name.startswith("tests/")):
                yield name, line_of(code, match.start()), \
                    f"{word}() is banned; use {BANNED[word]}"
            elif ours and word in ALLOCATORS:
                yield name, line_of(code, match.start()), \
                    f"{word}() escapes the fault tests; use cwm_{word}()"


def rule_comments(files):
    for name in filter(is_c, files):
        code = code_of(read(name))
        for match in re.finditer(r"//", code):
            yield name, line_of(code, match.start()), "// is scratch; use /* */"


def folder_of(name):
    for folder in ALLOWED:
        if name.startswith(folder + "/"):
            return folder
    return None


def rule_includes(files):
    include = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"([^"]+)"', re.M)
    for name in filter(is_c, files):
        text = read(name)
        home = folder_of(name)
        for match in include.finditer(text):
            target = match.group(1)
            where = line_of(text, match.start())
            there = folder_of(target)
            beside = os.path.join(ROOT, os.path.dirname(name), target)
            if not os.path.isfile(f"{ROOT}/{target}") and \
                    os.path.isfile(beside) and \
                    not name.startswith("tests/"):
                yield name, where, f"'{target}' is not written from the root"
            elif home and there and there != home and \
                    there not in ALLOWED[home]:
                yield name, where, f"{home} may not include {there}"


def rule_length(files):
    for name in filter(is_code, files):
        if name == "tests/survive/cases.py":
            continue  # a table of programs, one idea
        n_lines = read(name).count("\n")
        if n_lines > MAX_LINES:
            yield name, n_lines, f"{n_lines} lines; {MAX_LINES} is the limit"


def rule_links(files):
    link = re.compile(r"\]\(([^)#:\s]+)(#[^)]*)?\)")
    for name in files:
        if not name.endswith(".md"):
            continue
        text = read(name)
        for match in link.finditer(text):
            there = os.path.join(ROOT, os.path.dirname(name), match.group(1))
            if not os.path.exists(there):
                yield name, line_of(text, match.start()), \
                    f"'{match.group(1)}' is not there"


def rule_names(files):
    seen = {}
    for name in filter(is_c, files):
        base = os.path.basename(name)
        if base in seen:
            yield name, 1, f"the name is taken by {seen[base]}"
        seen[base] = name


def rule_paths(files):
    for name in files:
        if is_data(name) or name.startswith("tests/lint/") or \
                not is_code(name) and not name.endswith((".md", ".json")):
            continue
        text = read(name)
        for match in PATHS.finditer(text):
            yield name, line_of(text, match.start()), \
                f"'{match.group()}' names a machine"


def rule_spaces(files):
    for name in files:
        if is_data(name) or not (is_code(name) or name.endswith(".md")):
            continue
        text = read(name)
        if text and not text.endswith("\n"):
            yield name, text.count("\n") + 1, "no line end at the end"
        for number, line in enumerate(text.split("\n"), 1):
            if "\t" in line:
                yield name, number, "a tab"
            if line != line.rstrip():
                yield name, number, "space at the line's end"
            if "\r" in line:
                yield name, number, "a carriage return"


def rule_spdx(files):
    for name in filter(is_code, files):
        if name.endswith(("CMakeLists.txt", ".cmake")) or is_data(name) or \
                name.startswith("examples/"):  # programs to trace
            continue
        text = read(name)
        head = "\n".join(text.split("\n")[:3])
        if text.strip() and "SPDX-License-Identifier: MIT" not in head:
            yield name, 1, "no SPDX line"
        if name.endswith(".h") and "#ifndef" in text:
            guard = re.sub(r"\W", "_", name).upper()
            if f"#ifndef {guard}\n" not in text:
                yield name, 1, f"the include guard is not {guard}"


def rule_todo(files):
    word = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
    for name in files:
        if not is_code(name) or is_data(name):
            continue
        text = read(name)
        for match in word.finditer(text):
            yield name, line_of(text, match.start()), \
                f"{match.group()}: open an issue and cite it"


def need(tool):
    if shutil.which(tool):
        return
    must = os.environ.get("CWM_MUST_WORK") == "1"
    print(f"{tool} is not installed: "
          + ("it must be here" if must else "skipped"))
    sys.exit(1 if must else 77)


def run_many(commands):
    """Run them on all cores; yields (command, exit status, output)."""
    def one(command):
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        return command, done.returncode, done.stdout
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(one, commands)


def tool_clang_format(files, _build):
    names = [f for f in files if is_c(f)]
    done = subprocess.run(["clang-format", "--dry-run", "-Werror", *names],
                          cwd=ROOT)
    return done.returncode != 0


def tool_clang_tidy(files, build):
    # A worker's file is built once for every CPython; analyse the first.
    with open(f"{build}/compile_commands.json", encoding="utf-8") as f:
        built = {}
        for command in json.load(f):
            name = os.path.relpath(command["file"], ROOT)
            built.setdefault(name, command)
    names = [f for f in files if f in built and not f.startswith("tests/")]
    folder = f"{build}/clang-tidy"
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/compile_commands.json", "w", encoding="utf-8") as f:
        json.dump([built[name] for name in names], f)
    bad = False
    commands = [["clang-tidy", "-p", folder, "--quiet",
                 "--extra-arg=-Wno-unknown-warning-option", name]
                for name in names]
    for command, status, output in run_many(commands):
        if status != 0:
            bad = True
            print(f"== {command[-1]}\n{output}")
    print(f"{len(names)} files analysed")
    return bad or not names


def tool_shellcheck(files, _build):
    scripts = [f for f in files if f.endswith(".sh") or f == "dev"
               or f.startswith(".ci/")]
    return subprocess.run(["shellcheck", *scripts], cwd=ROOT).returncode != 0


RULES = {n[5:]: f for n, f in list(globals().items()) if n.startswith("rule_")}
TOOLS = {"clang-format": tool_clang_format, "clang-tidy": tool_clang_tidy,
         "shellcheck": tool_shellcheck}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rule", choices=sorted([*RULES, *TOOLS]))
    parser.add_argument("--build", default=f"{ROOT}/build")
    parser.add_argument("--only", nargs="+", default=[""], metavar="PREFIX")
    options = parser.parse_args()
    files = [f for f in tree_files() if f.startswith(tuple(options.only))]
    if options.rule in TOOLS:
        need(options.rule)
        sys.exit(1 if TOOLS[options.rule](files, options.build) else 0)
    n_bad = 0
    for name, line, what in RULES[options.rule](files):
        print(f"{name}:{line}: {what}")
        n_bad += 1
    if not files:
        print("no files found")
        n_bad = 1
    sys.exit(1 if n_bad else 0)


if __name__ == "__main__":
    main()
