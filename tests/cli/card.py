#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""card.py --cwm PROGRAM -- an export is what Hugging Face `datasets` reads.

That package is not asked for; what its documentation says of a folder of
files is checked instead, on every form of export, packed and plain: README.md
begins with YAML; each split of `configs` has a pattern that finds its shards,
and every shard is some split's; each line of each shard has the columns that
`dataset_info.features` declares, in that order and of those types (any may be
null, as in Arrow), so that no type is left to be guessed from first rows.
Exit status: 0 so it is, 1 not, 77 there is no yaml module.
"""
import argparse
import fnmatch
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M",
         "10M<n<100M", "100M<n<1B")
# Of the Hub's list of licences, those that a card of ours can name.
LICENCES = ("mit", "other")
MODULES = (".jsonl", ".jsonl.zst")  # the `json` loader's names

try:
    import yaml
except ImportError:
    print("SKIPPED: no yaml module here; Debian's python3-yaml has it")
    sys.exit(1 if os.environ.get("CWM_MUST_WORK") == "1" else 77)


class Wrong(Exception):
    pass


def run(*arguments, **more):
    done = subprocess.run(arguments, stdin=subprocess.DEVNULL,
                          capture_output=True, check=False, **more)
    if done.returncode != 0:
        raise Wrong(f"{arguments}: {done.returncode}: {done.stderr!r}")
    return done.stdout


def check_value(value, feature, where):
    """One value against one entry of `features`."""
    kinds = [k for k in ("dtype", "struct", "list") if k in feature]
    if len(kinds) != 1:
        raise Wrong(f"{where}: a feature of kinds {kinds}")
    if value is None:
        return
    if kinds == ["struct"]:
        check_columns(value, feature["struct"], where)
    elif kinds == ["list"]:
        if not isinstance(value, list):
            raise Wrong(f"{where}: no list")
        for i, item in enumerate(value):
            check_columns(item, feature["list"], f"{where}[{i}]")
    elif feature["dtype"] == "string":
        if not isinstance(value, str):
            raise Wrong(f"{where}: {value!r} is no text")
        value.encode("utf-8")  # a lone surrogate is no text for Arrow
    elif feature["dtype"] == "int64":
        if type(value) is not int or not -2**63 <= value < 2**63:
            raise Wrong(f"{where}: {value!r} is no int64")
    else:
        raise Wrong(f"{where}: dtype {feature['dtype']}")


def check_columns(row, features, where):
    names = [feature["name"] for feature in features]
    if not isinstance(row, dict) or list(row) != names:
        raise Wrong(f"{where}: columns {list(row)} instead of {names}")
    for feature in features:
        check_value(row[feature["name"]], feature,
                    f"{where}.{feature['name']}")


def read_card(folder):
    text = (folder / "README.md").read_text(encoding="utf-8")
    parts = text.split("---\n")
    if parts[0] != "" or len(parts) < 3:
        raise Wrong("README.md does not begin with YAML between ---")
    return yaml.safe_load(parts[1])


def shards_of(folder, config):
    """Shard -> split, by the patterns."""
    shards = {}
    files = sorted(p.name for p in folder.iterdir())
    for entry in config["data_files"]:
        found = fnmatch.filter(files, entry["path"])
        if not found:
            raise Wrong(f"{entry} finds nothing in {files}")
        for name in found:
            if shards.setdefault(name, entry["split"]) != entry["split"]:
                raise Wrong(f"{name} is in two splits")
            if not name.endswith(MODULES):
                raise Wrong(f"no loader for {name}")
    left = [f for f in files if f.endswith((".jsonl", ".zst"))
            and f != "removed.jsonl" and f not in shards]
    if left:
        raise Wrong(f"{left} are in no split")
    return shards


def check_folder(folder):
    card = read_card(folder)
    config, = card["configs"]
    if config["config_name"] != "default":
        raise Wrong(f"a config named {config['config_name']}")
    if card["license"] not in LICENCES:
        raise Wrong(f"licence {card['license']}")
    features = card["dataset_info"]["features"]
    n = 0
    for name, split in shards_of(folder, config).items():
        data = (run("zstd", "-dc", str(folder / name))
                if name.endswith(".zst") else (folder / name).read_bytes())
        for i, line in enumerate(data.decode("utf-8").splitlines(), 1):
            check_columns(json.loads(line), features, f"{split}: {name}:{i}")
            n += 1
    size, = card["size_categories"]
    low = SIZES.index(size)
    if not (0 if low == 0 else 10 ** (low + 2)) <= n < 10 ** (low + 3):
        raise Wrong(f"{n} rows are said to be {size}")
    return n


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cwm", required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cwm-card-") as name:
        folder = pathlib.Path(name)
        store = str(folder / "store.db")
        (folder / "odd.jsonl").write_text(
            '{"id": "a", "source": "print(input())", "stdin": "x"}\n'
            '{"id": "b", "source": "def f(s):\\n    return s\\n", "entry":'
            ' "f", "args": "\'\\\\ud800\'"}\n'
            '{"id": "c", "source": "raise SystemExit(3)"}\n'
            '{"id": "d", "source": "while True: pass", "max_frames": 9}\n',
            encoding="utf-8")
        run(options.cwm, "dataset", "build", "--store", store, "--mutants",
            "1", str(ROOT / "examples" / "account.py"),
            f"jobs:{folder / 'odd.jsonl'}", "generate:60")
        for form in ("jsonl", "cwm", "narration"):
            for packing in ([], ["--plain"]):
                out = folder / "-".join([form, *packing])
                run(options.cwm, "dataset", "export", "--store", store, "-o",
                    str(out), "--format", form, "--validation", "200",
                    "--test", "200", "--shard-bytes", "65536", *packing)
                try:
                    n = check_folder(out)
                except Wrong as wrong:
                    print(f"{out.name}: {wrong}")
                    return 1
                if n < 100:
                    print(f"{out.name}: only {n} rows")
                    return 1
    print("six exports are as their cards say")
    return 0


if __name__ == "__main__":
    sys.exit(main())
