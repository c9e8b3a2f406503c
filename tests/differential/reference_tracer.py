# SPDX-License-Identifier: MIT
"""A second, independent tracer, in Python: what differential.py compares with.

It is a program for the jail: `cwm trace --plain` runs it, with one job as
JSON on standard input ({"source", "entry", "args", "max_frames"}; a script
has no entry) and the frames' text of docs/formats.md on standard output.
It is written for plainness, from the format's description alone, and shares
nothing with the tracer in C.

A job with "outcome" is only run, "untraced" or "observed": with a trace
function that does no more than read f_locals.  The output is the text of what
came of it; a program for which the two differ looks at its own frames.
"""
import ast
import asyncio
import contextvars
import inspect
import io
import json
import os
import random
import re
import sys
import types

EXACT_LEAVES = (int, float, bool, type(None), str, bytes, range)
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
MODULE_PATH = re.compile(r"^(<module '[^']*') from .*>$", re.S)
MAX_VALUE = 65536
MARKER = "  # << START_OF_TRACE"


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
    if kind.__repr__ is BaseException.__repr__:
        args = ", ".join(text_of(v, inner) for v in value.args)
        return f"{kind.__name__}({args})"
    # What a __repr__ sets in its context is not to be seen by the program.
    text = ADDRESS.sub("", contextvars.copy_context().run(repr, value))
    return MODULE_PATH.sub(r"\1>", text)


def safe_text(value):
    try:
        text = text_of(value)
    except BaseException:
        return f"<unrepresentable {type(value).__name__} object>"
    if len(text.encode("utf-8", "surrogatepass")) > MAX_VALUE:
        raise Unsupported("a value over the limit")
    return text


def own_order(code):
    """Locals, cells, free variables; before 3.11 an argument that is a cell
    is none of the locals."""
    names = code.co_varnames
    if sys.version_info < (3, 11):
        names = [name for name in names if name not in code.co_cellvars]
    return [*names, *code.co_cellvars, *code.co_freevars]


class Tracer:
    def __init__(self, code, entry_line, job, out):
        self.codes = set()
        self.collect(code)
        self.entry_line = entry_line
        self.entry_frame = None
        self.done = False
        self.lines = job["source"].split("\n")
        self.first_line = first_code_line(job["source"])
        self.max_frames = job.get("max_frames", sys.maxsize)
        self.file = out
        self.out = []
        self.stack = []
        self.states = {}

    def collect(self, code):
        self.codes.add(id(code))  # equal ones of a library are not meant
        for const in code.co_consts:
            if inspect.iscode(const):
                self.collect(const)

    def source(self, frame, event):
        line = frame.f_lineno
        if event == "call" and frame.f_code.co_name == "<module>":
            line = self.first_line
        return self.lines[line - 1].removesuffix(MARKER) + "\n"

    def is_shown(self, name, value):
        """Of a script's names: no module, nothing that the program defines."""
        if name.startswith("__") and name.endswith("__"):
            return False
        if isinstance(value, types.FunctionType):
            return id(value.__code__) not in self.codes
        if isinstance(value, type):
            return type.__getattribute__(value, "__module__") != "__main__"
        return not isinstance(value, types.ModuleType)

    def state(self, frame, everything):
        now = dict(frame.f_locals)
        if frame.f_code.co_name == "<module>":
            now = {k: v for k, v in now.items() if self.is_shown(k, v)}
        now = {k: safe_text(v) for k, v in now.items()}
        texts, showing = self.states.get(frame, ({}, True))
        # Bound names keep their place, new ones come last, as the code has
        # them; f_locals of some versions has another order.
        order = [k for k in texts if k in now]
        order += [k for k in dict.fromkeys([*own_order(frame.f_code), *now])
                  if k in now and k not in texts]
        everything = everything or showing
        shown = {k: ".." if not everything and texts.get(k) == now[k]
                 else now[k] for k in order}
        self.states[frame] = ({k: now[k] for k in order}, False)
        return json.dumps(shown)

    def emit(self, event, frame, state="", arg=None):
        text = f"<|{event}_sep|>{state}<|action_sep|>" \
               f"{self.source(frame, event)}"
        if arg is not None:
            text += "<|arg_sep|>" + json.dumps(arg)
        self.out.append(text + "<|frame_sep|>")
        if len(self.out) == self.max_frames:
            self.file.write("".join(self.out))
            self.file.flush()
            os._exit(0)

    def is_entry(self, frame, event):
        code = frame.f_code
        if event != "call":
            return False
        if self.entry_line is None:
            return code.co_name == "<module>"
        return code.co_name != "<module>" and \
            self.def_line(code) == self.entry_line

    def trace(self, frame, event, arg):
        if self.done or id(frame.f_code) not in self.codes:
            return None
        if self.entry_frame is None:
            if not self.is_entry(frame, event):
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
            texts, _ = self.states[self.stack[-1]]
            self.states[self.stack[-1]] = (texts, True)
        generator = inspect.CO_GENERATOR | inspect.CO_COROUTINE | \
            inspect.CO_ASYNC_GENERATOR
        if not frame.f_code.co_flags & generator:
            del self.states[frame]  # else what it held would live on
            self.done = frame is self.entry_frame

    def def_line(self, code):
        line = code.co_firstlineno
        while line < len(self.lines) and not re.match(
                r"\s*(async\s+)?def\b", self.lines[line - 1]):
            line += 1
        return line


def first_code_line(source):
    body = ast.parse(source).body
    if not body:
        return 1
    lines = [body[0].lineno]
    lines += [d.lineno for d in getattr(body[0], "decorator_list", [])]
    return min(lines)


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


def marked_entry(tree, source):
    """The name of the top-level function that bears the marker, if any."""
    lines = source.split("\n")
    for node in tree.body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and \
                lines[node.lineno - 1].endswith(MARKER):
            return node.name
    return None


def observe(frame, event, arg):
    frame.f_locals
    return observe


def call(target, args, kwargs):
    result = target(*args, **kwargs)
    if inspect.isgenerator(result):
        for _ in result:
            pass
    elif inspect.iscoroutine(result):
        result = asyncio.run(result)
    return result


def prepare(job):
    """The program as code, its namespace, and its entry's name and line."""
    tree = ast.parse(job["source"])
    entry = job.get("entry") or marked_entry(tree, job["source"])
    line = None
    if entry:
        tree = without_guard(tree)
        line = find_entry(tree, entry)
    module = types.ModuleType("__main__")
    space = module.__dict__
    space.clear()
    space.update({k: v for k, v in globals().items() if k.startswith("__")})
    space["__doc__"] = None
    sys.modules["__main__"] = module
    return compile(tree, "main.py", "exec"), space, entry, line


def run(job, out):
    code, space, entry, entry_line = prepare(job)
    random.seed(0)
    target, args, kwargs = exec, (code, space), {}
    if entry_line is not None:
        exec(code, space)
        args, kwargs = eval(compile(
            f"(lambda *a, **k: (a, k))(\n{job.get('args', '')}\n)", "<args>",
            "eval"), space)
        target = eval(entry, space)
    tracer = Tracer(code, entry_line, job, out)
    how = {"untraced": None, "observed": observe}.get(job.get("outcome"),
                                                      tracer.trace)
    sys.settrace(how)
    try:
        outcome = safe_text(call(target, args, kwargs))
    except Unsupported:
        raise
    except BaseException as e:
        outcome = type(e).__name__
    finally:
        lost = how and sys.gettrace() != how
        sys.settrace(None)
    if lost:  # a recursion error in the tracer itself, or the program's doing
        raise Unsupported("the trace function was taken away")
    out.write(outcome if job.get("outcome") else "".join(tracer.out))


if __name__ == "__main__":
    job, out = json.load(sys.stdin), sys.stdout
    sys.stdin = io.TextIOWrapper(io.BytesIO(job.get("stdin", "").encode()))
    sys.stdout = open("/dev/null", "w")
    run(job, out)
    out.flush()
