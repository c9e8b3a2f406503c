#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""pytrace.py HOOK FILE ENTRY ARGS [OUT] -- one run under one kind of hook.

HOOK is `plain` (none), `python` (a sys.settrace tracer in Python that writes
the text form of docs/formats.md to OUT, as one would write it), `tuned` (the
same, its JSON put together by hand from what json.dumps calls inside) or the
path of the extension that holds the hook that does nothing.

Prints {"cpu_s", "lines", "bytes"}: the CPU time of the call alone.  The
tracer counts its line events; the other two leave that to it.
"""
import importlib.machinery
import importlib.util
import json
import re
import sys
import time

ADDRESS = re.compile(r" at 0x[0-9a-f]+")
EXACT = frozenset((int, float, bool, type(None), str, bytes))


class Tracer:
    """What changed is written; equality is of the text (the diff rule)."""
    dumps = staticmethod(json.dumps)

    def __init__(self, filename, lines, out):
        self.filename = filename
        self.lines = [line.rstrip("\r\n") + "\n" for line in lines]
        self.out = out
        self.states = []  # one per open scope: the texts shown last, or None
        self.n_lines = 0

    def text(self, value):
        try:
            text = repr(value)
        except Exception:
            return f"<unrepresentable {type(value).__name__} object>"
        if type(value) not in EXACT and " at 0x" in text:
            text = ADDRESS.sub("", text)
        return text

    def state(self, frame, before):
        now = {}
        shown = {}
        for name, value in frame.f_locals.items():
            now[name] = text = self.text(value)
            same = before is not None and before.get(name) == text
            shown[name] = ".." if same else text
        self.states[-1] = now
        return self.dumps(shown)

    def enter(self, frame, event, _arg):
        if frame.f_code.co_filename != self.filename:
            return None
        self.states.append(None)
        self.out.write(f"<|call_sep|>{self.state(frame, None)}<|action_sep|>"
                       f"{self.lines[frame.f_lineno - 1]}<|frame_sep|>")
        return self.step

    def step(self, frame, event, arg):
        source = self.lines[frame.f_lineno - 1]
        if event == "line":
            self.n_lines += 1
            state = self.state(frame, self.states[-1])
            self.out.write(f"<|line_sep|>{state}<|action_sep|>{source}"
                           "<|frame_sep|>")
        elif event == "return":
            self.out.write(f"<|return_sep|><|action_sep|>{source}<|arg_sep|>"
                           f"{self.dumps(self.text(arg))}<|frame_sep|>")
            self.states.pop()
            if self.states:
                self.states[-1] = None  # the caller shows all again
        elif event == "exception":
            parts = ", ".join(self.text(part) for part in arg)
            self.out.write(f"<|exception_sep|><|action_sep|>{source}"
                           f"<|arg_sep|>{self.dumps(f'({parts})')}"
                           "<|frame_sep|>")
        return self.step


class Tuned(Tracer):
    dumps = staticmethod(json.encoder.encode_basestring_ascii)

    def state(self, frame, before):
        now = {}
        shown = []
        for name, value in frame.f_locals.items():
            now[name] = text = self.text(value)
            if before is not None and before.get(name) == text:
                shown.append(f'"{name}": ".."')
            else:
                shown.append(f'"{name}": {self.dumps(text)}')
        self.states[-1] = now
        return "{" + ", ".join(shown) + "}"


def load_extension(path):
    name = "nullhook"
    loader = importlib.machinery.ExtensionFileLoader(name, path)
    spec = importlib.util.spec_from_loader(name, loader)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def main():
    hook, path, entry, args = sys.argv[1:5]
    with open(path, encoding="utf-8") as f:
        source = f.read()
    space = {"__name__": "traced"}
    exec(compile(source, "prog.py", "exec"), space)
    for value in list(space.values()):  # as in a program run as a script
        if isinstance(value, type) and value.__module__ == "traced":
            value.__module__ = "__main__"
    call_args = eval(f"({args},)" if args else "()", space)
    function = space[entry]
    out = open(sys.argv[5] if len(sys.argv) > 5 else "/dev/null", "w",
               encoding="utf-8")
    kind = Tuned if hook == "tuned" else Tracer
    tracer = kind("prog.py", source.splitlines(), out)
    start = stop = lambda: None
    if hook in ("python", "tuned"):
        start, stop = lambda: sys.settrace(tracer.enter), \
            lambda: sys.settrace(None)
    elif hook != "plain":
        null = load_extension(hook)
        start, stop = null.start, null.stop
    before = time.process_time()
    start()
    function(*call_args)
    stop()
    out.close()
    cpu_s = time.process_time() - before
    print(json.dumps({"cpu_s": cpu_s, "lines": tracer.n_lines}))


if __name__ == "__main__":
    main()
