# SPDX-License-Identifier: MIT
"""A slow tracer in pure Python, written from the format's page alone.

    pythonX.Y reference.py PROGRAM ENTRY

Prints one JSON object a frame for ENTRY() (no arguments; "" traces the whole
script).  It runs under the interpreter that the worker embeds, so the events
are that version's own.
"""
import json
import re
import sys
import types

ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def text(value):
    try:
        return ADDRESS.sub("", repr(value))
    except BaseException:
        return "<unrepresentable %s object>" % type(value).__name__


class Tracer:
    def __init__(self, filename, entry_code, is_script, first_line):
        self.filename, self.entry_code = filename, entry_code
        self.is_script, self.first_line = is_script, first_line
        self.frames, self.order, self.stack = [], {}, []
        self.namespace = {}
        self.is_done = False
        self.root = None

    def state(self, frame):
        now = dict(frame.f_locals)
        if not frame.f_code.co_flags & 1:
            # 3.13 shows nothing of a namespace while an inlined comprehension
            # runs in it; the format shows both.
            if sys.version_info >= (3, 13) and "__module__" not in now and \
                    "__builtins__" not in now:
                now = {**self.namespace.get(frame, {}), **now}
            elif sys.version_info >= (3, 13):
                self.namespace[frame] = now
        if frame.f_code.co_name == "<module>":
            now = {k: v for k, v in now.items() if self.is_shown(k, v)}
            return {k: text(v) for k, v in now.items()}
        if not frame.f_code.co_flags & 1:
            return {k: text(v) for k, v in now.items()}
        order = [k for k in self.order.get(frame, []) if k in now]
        order += [k for k in now if k not in order]
        self.order[frame] = order
        return {k: text(now[k]) for k in order}

    def is_shown(self, name, value):
        if name.startswith("__") and name.endswith("__"):
            return False
        if isinstance(value, types.ModuleType):
            return False
        if isinstance(value, types.FunctionType):
            return value.__code__.co_filename != self.filename
        return not (isinstance(value, type) and
                    value.__module__ == "__main__")

    def emit(self, frame, event, arg):
        line = frame.f_lineno
        if event == "call" and frame.f_code.co_name == "<module>":
            line = self.first_line
        record = {"event": event, "line": line, "depth": len(self.stack) - 1}
        if event in ("call", "line"):
            record["locals"] = self.state(frame)
        elif event == "return":
            record["arg"] = text(arg)
        else:
            self.state(frame)
            record["arg"] = "(%s, %s, %s)" % tuple(text(a) for a in arg)
        self.frames.append(record)

    def global_trace(self, frame, event, arg):
        code = frame.f_code
        if self.is_done or code.co_filename != self.filename:
            return None
        if self.root is None:
            if code is not self.entry_code:
                return None
            self.root = frame
        self.stack.append(frame)
        self.emit(frame, "call", None)
        return self.local_trace

    def local_trace(self, frame, event, arg):
        if self.is_done:
            return None
        if event == "opcode":
            return self.local_trace
        if self.stack[-1:] != [frame]:
            if frame in self.stack:
                while self.stack[-1] is not frame:
                    self.stack.pop()
            else:
                self.stack.append(frame)
        self.emit(frame, event, arg)
        if event == "return":
            self.stack.pop()
            if frame is self.root and not self.is_suspended(frame):
                self.is_done = True
        return self.local_trace

    @staticmethod
    def is_suspended(frame):
        if not frame.f_code.co_flags & 0x2A0:
            return False
        # f_lasti is the yield, the instruction before (YIELD_FROM is tried
        # again), or the one behind, by version.
        import dis
        near = range(frame.f_lasti - 2, frame.f_lasti + 3, 2)
        return any("YIELD" in i.opname and i.offset in near
                   for i in dis.get_instructions(frame.f_code))


def main():
    path, entry = sys.argv[1:]
    with open(path) as f:
        source = f.read()
    code = compile(source, "main.py", "exec", dont_inherit=True)
    module = types.ModuleType("__main__")
    module.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = module
    sys.argv = ["main.py"]
    tracer = Tracer("main.py", code, not entry, 0)
    if entry:
        exec(code, module.__dict__)
        function = module.__dict__[entry]
        tracer.entry_code = function.__code__
        call = function
    else:
        lines = [x for _, _, x in code.co_lines() if x] \
            if hasattr(code, "co_lines") else [code.co_firstlineno]
        tracer.first_line = min(lines)

        def call():
            exec(code, module.__dict__)
    sys.settrace(tracer.global_trace)
    try:
        result = call()
        if entry and tracer.entry_code.co_flags & 0x80:
            import asyncio
            asyncio.run(result)
        elif entry and tracer.entry_code.co_flags & 0x20:
            for _ in result:
                pass
    except BaseException:
        pass
    sys.settrace(None)
    out = sys.__stdout__
    for frame in tracer.frames:
        out.write(json.dumps(frame) + "\n")
    out.flush()
    import os
    os._exit(0)


main()
