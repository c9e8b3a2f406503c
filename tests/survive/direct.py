# SPDX-License-Identifier: MIT
"""Drive worker-direct from tests: requests in, records out.

The decoder here is independent of tracer/record_read.c on purpose: two
readers of one format find each other's mistakes.
"""
import json
import os
import struct
import subprocess
import tempfile

REASONS = ("none ok exception exit frame_limit byte_limit output_limit "
           "syntax_error no_entry bad_args module_exception memory "
           "internal").split()
NO_TEXT = 2 ** 64 - 1


def request(source, entry="", args="", entry_line=0, traced=1, seed=0,
            max_frames=10000, max_trace_bytes=4 << 20, max_value_bytes=65536,
            max_output_bytes=1 << 20, max_text_events=0):
    out = [b"CWMREQ1\n", struct.pack(
        "<8Q", seed, max_frames, max_trace_bytes, max_value_bytes,
        max_output_bytes, entry_line, traced, max_text_events)]
    for text in (source, None, entry, args):
        if text is None:
            out.append(struct.pack("<Q", NO_TEXT))
        else:
            data = text.encode("utf-8", "surrogatepass")
            out.append(struct.pack("<Q", len(data)) + data)
    return b"".join(out)


def entry_line(source, entry):
    """The line of the entry's def: the last definition of that path."""
    import ast
    body = ast.parse(source).body
    line = 0
    for name in entry.split("."):
        for node in body:
            if getattr(node, "name", None) == name:
                line, found = node.lineno, node
        body = getattr(found, "body", [])
    return line


class Records:
    """All records of one stream."""

    def __init__(self, data):
        assert data[:8] == b"CWMTRC1\n", data[:8]
        committed = struct.unpack_from("<Q", data, 8)[0]
        self.data = data[64:64 + committed]
        self.at = 0
        self.names, self.functions, self.frames = [], [], []
        self.end = None
        self.stack, self.known, self.fresh = [], {}, {}
        while self.at < len(self.data):
            self.record()

    def number(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def byte(self):
        self.at += 1
        return self.data[self.at - 1]

    def text(self):
        n = self.number()
        self.at += n
        assert self.at <= len(self.data)
        return self.data[self.at - n:self.at].decode("utf-8", "surrogatepass")

    def entries(self, activation, is_start):
        known = {} if is_start else self.known[activation]
        now, shown = {}, {}
        for _ in range(self.number()):
            tag = self.number()
            name, kind = self.names[tag >> 2], tag & 3
            assert kind != 2 and (kind or name in known), (name, kind)
            assert name not in now, name
            value = self.text() if kind else known[name]
            full = is_start or self.fresh.get(activation)
            shown[name] = ".." if known.get(name) == value and not full \
                else value
            now[name] = value
        self.known[activation] = now
        self.fresh[activation] = False
        self.full = now
        return shown

    def record(self):
        kind = self.byte()
        assert self.end is None
        if kind == 1:
            self.names.append(self.text())
        elif kind == 2:
            self.functions.append(self.text())
        elif kind == 0x10:
            function, activation, line = (
                self.number(), self.number(), self.number())
            self.stack.append(activation)
            is_start = activation not in self.known
            self.fresh[activation] = True
            shown = self.entries(activation, is_start)
            self.frames.append({
                "event": "call", "line": line, "depth": len(self.stack) - 1,
                "function": self.functions[function], "locals": shown,
                "full": self.full})
        elif kind == 0x11:
            line = self.number()
            shown = self.entries(self.stack[-1], False)
            self.frames.append({
                "event": "line", "line": line, "depth": len(self.stack) - 1,
                "locals": shown, "full": self.full})
        elif kind in (0x12, 0x13):
            line, flags = self.number(), self.byte()
            self.frames.append({
                "event": "return" if kind == 0x12 else "exception",
                "line": line, "depth": len(self.stack) - 1,
                "arg": self.text(), "flags": flags})
            if kind == 0x12:
                self.stack.pop()
                if self.stack:
                    self.fresh[self.stack[-1]] = True
        elif kind == 0x14:
            activation = self.number()
            assert activation in self.known
            if activation in self.stack:
                while self.stack[-1] != activation:
                    self.stack.pop()
            else:
                self.stack.append(activation)
        elif kind == 0x20:
            reason, flags = self.byte(), self.byte()
            self.end = {"reason": REASONS[reason], "flags": flags}
            if flags & 4:
                self.end["result"] = self.text()
            if flags & 8:
                self.end["type"] = self.text()
                self.end["message"] = self.text()
            if flags & 16:
                self.end["detail"] = self.text()
        else:
            raise AssertionError("record type %#x" % kind)

    def cwm(self, source):
        """The text form of TRACE_FORMAT section 2, first to last frame."""
        lines = source.split("\n")
        out = []
        for f in self.frames:
            out.append("<|%s_sep|>" % f["event"])
            if "locals" in f:
                out.append(json.dumps(f["locals"]))
            out.append("<|action_sep|>" + lines[f["line"] - 1] + "\n")
            if "arg" in f:
                out.append("<|arg_sep|>" + json.dumps(f["arg"]))
            out.append("<|frame_sep|>")
        return "".join(out)


class Result:
    def __init__(self, status, out, err, records, stream_bytes):
        self.status, self.out, self.err = status, out, err
        self.records, self.stream_bytes = records, stream_bytes


def run(worker, source, stdin=b"", folder=None, timeout=60, **how):
    """One run of worker-direct in a folder of its own."""
    if how.get("entry") and not how.get("entry_line"):
        how["entry_line"] = entry_line(source, how["entry"])
    with tempfile.TemporaryDirectory() as top:
        folder = os.path.join(top, "run")
        os.mkdir(folder)
        paths = [os.path.join(top, name) for name in ("request", "records")]
        with open(paths[0], "wb") as f:
            f.write(request(source, **how))
        done = subprocess.run([worker] + paths, input=stdin, cwd=folder,
                              capture_output=True, timeout=timeout)
        with open(paths[1], "rb") as f:
            data = f.read(64)
            committed = struct.unpack_from("<Q", data, 8)[0]
            data += f.read(committed)
        records = Records(data) if data[:8] != bytes(8) else None
        return Result(done.returncode, done.stdout, done.stderr, records,
                      committed)
