# SPDX-License-Identifier: MIT
"""A second, independent tracer, in Python: what differential.py compares with.

It is a program for the jail: `cwm trace --plain` runs it, with one job as
JSON on standard input ({"source", "entry", "args"}) and the frames' text of
docs/formats.md on standard output.  It is written for plainness, from the
format's description alone, and shares nothing with the tracer in C.  It
follows CPython 3.11 (f_locals read at every event gives the names' order).
"""
import ast
import asyncio
import inspect
import json
import random
import re
import sys

EXACT_LEAVES = (int, float, bool, type(None), str, bytes, range)
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
MODULE_PATH = re.compile(r"^(<module '[^']*') from .*>$", re.S)
MAX_VALUE = 65536


class Unsupported(Exception):
    pass


def text_of(value, seen=()):
    kind = type(value)
    if kind in EXACT_LEAVES:
        return repr(value)
    if id(value) in seen:
        return {list: "[...]", dict: "{...}", tuple: "(...)"}.get(
            kind, f"{kind.__name__}(...)")
    inner = seen + (id(value),)
    if kind is list:
        return "[" + ", ".join(text_of(v, inner) for v in value) + "]"
    if kind is tuple:
        if len(value) == 1:
            return "(" + text_of(value[0], inner) + ",)"
        return "(" + ", ".join(text_of(v, inner) for v in value) + ")"
    if kind is dict:
        return "{" + ", ".join(
            text_of(k, inner) + ": " + text_of(v, inner)
            for k, v in value.items()) + "}"
    if kind is set and value:
        return "{" + ", ".join(text_of(v, inner) for v in value) + "}"
    if kind is frozenset and value:
        return "frozenset({" + ", ".join(
            text_of(v, inner) for v in value) + "})"
    text = ADDRESS.sub("", repr(value))
    return MODULE_PATH.sub(r"\1>", text)


def safe_text(value):
    try:
        text = text_of(value)
    except BaseException:
        return f"<unrepresentable {type(value).__name__} object>"
    if len(text.encode("utf-8", "surrogatepass")) > MAX_VALUE:
        raise Unsupported("a value over the limit")
    return text


class Tracer:
    def __init__(self, tree_code, entry_line, lines):
        self.codes = set()
        self.collect(tree_code)
        self.entry_line = entry_line
        self.entry_frame = None
        self.done = False
        self.lines = lines
        self.out = []
        self.stack = []
        self.states = {}

    def collect(self, code):
        self.codes.add(code)
        for const in code.co_consts:
            if inspect.iscode(const):
                self.collect(const)

    def source(self, frame):
        return self.lines[frame.f_lineno - 1].rstrip("\r\n") + "\n"

    def state(self, frame, everything):
        now = {k: safe_text(v) for k, v in frame.f_locals.items()}
        before = self.states.get(frame, ({}, True))
        shown = {}
        for name, text in now.items():
            same = (not everything and not before[1]
                    and before[0].get(name) == text and name in before[0])
            shown[name] = ".." if same else text
        self.states[frame] = (now, False)
        return json.dumps(shown)

    def emit(self, event, frame, state="", arg=None):
        text = f"<|{event}_sep|>{state}<|action_sep|>{self.source(frame)}"
        if arg is not None:
            text += "<|arg_sep|>" + json.dumps(arg)
        self.out.append(text + "<|frame_sep|>")

    def trace(self, frame, event, arg):
        if self.done or frame.f_code not in self.codes:
            return None
        if self.entry_frame is None:
            if event != "call" or frame.f_code.co_name == "<module>":
                return None
            if self.def_line(frame.f_code) != self.entry_line:
                return None
            self.entry_frame = frame
        if event == "call":
            self.stack.append(frame)
            self.emit("call", frame, self.state(frame, True))
        elif event == "line":
            self.emit("line", frame, self.state(frame, False))
        elif event == "exception":
            kind, value, trace = arg
            self.emit("exception", frame, arg="(" + ", ".join(
                safe_text(v) for v in (kind, value, trace)) + ")")
        elif event == "return":
            self.emit("return", frame, arg=safe_text(arg))
            self.leave(frame)
        return self.trace

    def leave(self, frame):
        self.stack.pop()
        if self.stack:
            now, _ = self.states[self.stack[-1]]
            self.states[self.stack[-1]] = (now, True)
        generator = inspect.CO_GENERATOR | inspect.CO_COROUTINE | \
            inspect.CO_ASYNC_GENERATOR
        if frame is self.entry_frame and not frame.f_code.co_flags & generator:
            self.done = True

    def def_line(self, code):
        line = code.co_firstlineno
        while line < len(self.lines) and not re.match(
                r"\s*(async\s+)?def\b", self.lines[line - 1]):
            line += 1
        return line


def without_guard(tree):
    for node in tree.body:
        if isinstance(node, ast.If) and isinstance(node.test, ast.Compare):
            names = {getattr(n, "id", getattr(n, "value", None))
                     for n in (node.test.left, *node.test.comparators)}
            if names == {"__name__", "__main__"}:
                node.test = ast.copy_location(ast.Constant(False), node.test)
    return tree


def find_entry(tree, name):
    body, node = tree.body, None
    for part in name.split("."):
        node = [n for n in body if getattr(n, "name", None) == part][-1]
        body = node.body
    return node.lineno


def run(job):
    source = job["source"]
    tree = without_guard(ast.parse(source))
    entry_line = find_entry(tree, job["entry"])
    code = compile(tree, "main.py", "exec")
    space = {"__name__": "__main__", "__builtins__": __builtins__}
    out = sys.stdout
    sys.stdout = open("/dev/null", "w")
    random.seed(0)
    exec(code, space)
    call_args, call_kwargs = eval(
        f"(lambda *a, **k: (a, k))({job['args']}\n)", space)
    target = eval(job["entry"], space)
    tracer = Tracer(code, entry_line, source.splitlines(keepends=True))
    sys.settrace(tracer.trace)
    try:
        result = target(*call_args, **call_kwargs)
        if inspect.isgenerator(result):
            for _ in result:
                pass
        elif inspect.iscoroutine(result):
            asyncio.run(result)
    except Unsupported:
        raise
    except BaseException:
        pass
    finally:
        sys.settrace(None)
    sys.stdout = out
    return "".join(tracer.out)


if __name__ == "__main__":
    sys.stdout.write(run(json.load(sys.stdin)))
