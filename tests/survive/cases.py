# SPDX-License-Identifier: MIT
"""Small programs that a tracer could change.  Each prints what it sees of
itself; a traced run has to print the same as a plain one.

A case is NAME: (SOURCE, EXPECTATIONS).  Expectations:
    reason   how the trace ends ("ok" unless told)
    shows    (variable, text) pairs that some frame has
    stdin    what the program reads
    since    the first version that can run it
"""

CASES = {}


def case(name, source, **expected):
    CASES[name] = (source.lstrip("\n"), expected)


# ---- __repr__ ----

case("repr_mutates", """
class Counter:
    def __init__(self):
        self.n = 0
    def __repr__(self):
        self.n += 1
        return "Counter(%d)" % self.n
c = Counter()
x = 1
y = 2
print(c.n, repr(c), c.n)
""", shows=[("c", "Counter(1)")])

case("repr_raises", """
class Raises:
    def __init__(self, error):
        self.error = error
    def __repr__(self):
        raise self.error
a = Raises(ValueError("no"))
b = Raises(KeyboardInterrupt())
c = Raises(SystemExit(3))
d = [a]
print("alive")
""", shows=[("a", "<unrepresentable Raises object>"),
            ("b", "<unrepresentable Raises object>"),
            ("c", "<unrepresentable Raises object>")])

case("repr_loops", """
class Loops:
    def __repr__(self):
        while True:
            pass
a = Loops()
b = 1
print("alive")
""")

case("repr_recurses", """
class Recurses:
    def __repr__(self):
        return repr(self)
a = Recurses()
b = 1
print("alive")
""")

case("repr_prints", """
import sys, os
class Prints:
    def __repr__(self):
        print("from repr")
        sys.stderr.write("from repr\\n")
        os.write(1, b"from repr\\n")
        return "Prints()"
a = Prints()
b = 1
print("alive")
""", shows=[("a", "Prints()")])

case("repr_wrong_type", """
class Wrong:
    def __repr__(self):
        return 5
class Text(str):
    pass
class Sub:
    def __repr__(self):
        return Text("sub")
class Lone:
    def __repr__(self):
        return "a\\udc80b"
a = Wrong()
b = Sub()
c = Lone()
d = 1
print("alive")
""", shows=[("b", "sub"), ("c", "a\udc80b"),
            ("a", "<unrepresentable Wrong object>")])

case("repr_exits", """
import os, signal
class Exits:
    def __repr__(self):
        os._exit(7)
class Kills:
    def __repr__(self):
        os.kill(os.getpid(), signal.SIGKILL)
a = Exits()
b = Kills()
c = 1
print("alive")
""")

case("class_property", """
class Liar:
    @property
    def __class__(self):
        print("asked for the class")
        return int
    def __getattribute__(self, name):
        print("asked for", name)
        return object.__getattribute__(self, name)
a = Liar()
b = [a, {1: a}]
print("alive")
""")

case("eq_hash_len_bool", """
class Loud:
    def __eq__(self, other):
        print("eq")
        return True
    def __hash__(self):
        print("hash")
        return 1
    def __len__(self):
        print("len")
        return 0
    def __bool__(self):
        print("bool")
        return True
    def __iter__(self):
        print("iter")
        return iter(())
a = Loud()
b = [a, a]
c = {a: a}
print("alive")
""")

# ---- values ----

case("cycles", """
a = []
a.append(a)
b = {}
b[1] = b
c = ([],)
c[0].append(c)
print(a, b, c)
""", shows=[("a", "[[...]]"), ("b", "{1: {...}}"), ("c", "([(...)],)")])

case("deep_values", """
deep = []
for i in range(3000):
    deep = [deep]
del i
last = 1
print("alive")
try:
    repr(deep)
except RecursionError:
    print("too deep for repr")
else:
    print("not too deep for repr")
""", max_frames=10**6, max_trace_bytes=60 << 20)

case("large_values", """
import sys
if hasattr(sys, "set_int_max_str_digits"):
    sys.set_int_max_str_digits(0)
million = list(range(10**6))
text = "x" * 10**6
digits = 10**10**5
last = 1
print(len(million), len(text), digits % 97)
""")

case("large_int_limit", """
digits = 10**10**5
last = 1
try:
    str(digits)
    print("no limit")
except ValueError as error:
    print(error)
""")

case("odd_values", """
nan = float("nan")
inf = float("-inf")
zero = -0.0
nul = "a\\0b"
lone = "\\udcff\\ud800"
raw = b"\\x00\\xff'\\""
wide = "\\u00e9\\u4e2d\\U0001f600\\x7f\\u200b"
quotes = ["'", '"', "'\\""]
many = (1,), frozenset(), set(), {1}, range(3), ..., NotImplemented, 1j
print(nan, inf, zero, repr(nul), ascii(lone), raw, ascii(wide), quotes, many)
""", shows=[("nan", "nan"), ("zero", "-0.0"), ("nul", "'a\\x00b'"),
            ("lone", "'\\udcff\\ud800'")])

# ---- tracing made visible ----

case("gettrace", """
import sys
print(sys.gettrace(), sys.getprofile())
def f():
    return sys.gettrace()
print(f(), sys._getframe().f_trace)
print(sys.settrace, sys.settrace.__name__, sys.settrace.__module__,
      sys.settrace.__doc__ is not None, type(sys.settrace).__name__,
      sys.settrace.__self__ is sys, sys.settrace.__qualname__)
try:
    sys.settrace()
except TypeError as error:
    print(error)
try:
    sys.settrace(1, 2)
except TypeError as error:
    print(error)
try:
    sys.settrace(None, x=1)
except TypeError as error:
    print(error)
""")

case("settrace", """
import sys
events = []
def tracer(frame, event, arg):
    events.append((frame.f_code.co_name, event, frame.f_lineno))
    return tracer
def traced(a):
    b = a + 1
    try:
        raise ValueError(b)
    except ValueError:
        pass
    return b
before = 1
sys.settrace(tracer)
print(sys.gettrace() is tracer)
traced(1)
sys.settrace(None)
print(sys.gettrace())
after = 2
traced(2)
for event in events:
    print(event)
""", shows=[("after", "2"), ("before", "1")])

case("settrace_fails", """
import sys
def tracer(frame, event, arg):
    if event == "line":
        raise RuntimeError("from the tracer")
    return tracer
def traced():
    x = 1
    return x
sys.settrace(tracer)
try:
    traced()
except RuntimeError as error:
    print("got", error)
print(sys.gettrace())
after = 3
last = 4
""", shows=[("after", "3")])

case("settrace_local", """
import sys
log = []
def local(frame, event, arg):
    log.append((event, frame.f_lineno))
    frame.f_trace_lines = event != "line" or len(log) < 3
    return local
def tracer(frame, event, arg):
    if frame.f_code.co_name != "traced":
        return None
    frame.f_trace_opcodes = False
    return local
def traced():
    x = 1
    y = 2
    z = 3
    return x + y + z
sys.settrace(tracer)
traced()
sys.settrace(None)
print(log)
""")

case("settrace_opcodes", """
import sys
log = []
def tracer(frame, event, arg):
    frame.f_trace_opcodes = True
    log.append(event)
    return tracer
def traced(x):
    return x + 1
sys.settrace(tracer)
traced(1)
sys.settrace(None)
print(log.count("opcode") > 2, [e for e in log if e != "opcode"])
""")

case("settrace_switch_within", """
import sys
def second(frame, event, arg):
    print("second", event, frame.f_code.co_name)
    return None
def first(frame, event, arg):
    print("first", event, frame.f_code.co_name)
    if frame.f_code.co_name == "b":
        sys.settrace(second)
    return first
def a():
    return 1
def b():
    return a() + 1
sys.settrace(first)
a()
b()
a()
sys.settrace(None)
print(sys.gettrace())
""")

case("call_tracing", """
import sys
def traced():
    return 1
def tracer(frame, event, arg):
    print(event, frame.f_code.co_name)
    if event == "call" and frame.f_code.co_name == "outer":
        print(sys.call_tracing(traced, ()))
    return tracer
def outer():
    return 2
sys.settrace(tracer)
outer()
sys.settrace(None)
""")

case("setprofile", """
import sys
log = []
def profiler(frame, event, arg):
    log.append((event, frame.f_code.co_name))
def f():
    return len([1])
sys.setprofile(profiler)
f()
sys.setprofile(None)
print(log)
print(sys.getprofile())
""")

case("f_lineno_jump", """
import sys
def tracer(frame, event, arg):
    if frame.f_code.co_name == "jumps" and event == "line":
        if frame.f_lineno == frame.f_code.co_firstlineno + 2:
            frame.f_lineno = frame.f_code.co_firstlineno + 4
    return tracer
def jumps():
    log = ["one"]
    log.append("two")
    log.append("three")
    log.append("four")
    return log
sys.settrace(tracer)
result = jumps()
sys.settrace(None)
print(result)
try:
    sys._getframe().f_lineno = 1
except ValueError as error:
    print(error)
""")

case("f_locals_write", """
import sys
def f(a):
    b = 1
    frame = sys._getframe()
    names = frame.f_locals
    names["b"] = 5
    names["c"] = 6
    del frame
    return a, b, sorted(k for k in locals() if k != "names")
print(f(1))
def g():
    x = 1
    first = locals()
    x = 2
    second = locals()
    return first is second, first.get("x"), second.get("x")
print(g())
def h():
    before = locals()
    y = 1
    z = 2
    return sorted(before)
print(h())
""")

case("traceback_frames", """
import sys
def inner(x):
    y = x * 2
    raise ValueError(y)
def outer():
    try:
        inner(3)
    except ValueError as error:
        tb = error.__traceback__
        out = []
        while tb:
            names = tb.tb_frame.f_locals
            out.append((tb.tb_frame.f_code.co_name, tb.tb_lineno,
                        names.get("y")))
            tb = tb.tb_next
        return out
print(outer())
print(sys._getframe().f_back)
""")

# ---- limits and counts ----

case("recursion_depth", """
import sys
depth = 0
def down():
    global depth
    depth += 1
    down()
try:
    down()
except RecursionError as error:
    print(depth, error)
print(sys.getrecursionlimit())
""", max_frames=10**6)

case("recursion_limit_set", """
import sys
sys.setrecursionlimit(5000)
def down(n):
    return n if n == 0 else down(n - 1)
print(down(4000))
""", max_frames=10**6, max_trace_bytes=60 << 20)

case("recursion_in_repr", """
class Nest:
    def __init__(self, inner):
        self.inner = inner
    def __repr__(self):
        return "Nest(%r)" % (self.inner,)
n = Nest(None)
for i in range(50):
    n = Nest(n)
def down(k):
    keep = n
    if k == 0:
        return 0
    return down(k - 1)
print(down(20))
""")

case("refcounts", """
import sys
class Thing:
    pass
def f(x):
    y = x
    z = [x]
    return sys.getrefcount(x), sys.getrefcount(z), sys.getrefcount(f)
t = Thing()
print(f(t), sys.getrefcount(t), sys.getrefcount(Thing), sys.getrefcount(f))
print(sys.getrefcount(f.__code__))
def gen():
    v = Thing()
    yield sys.getrefcount(v)
    yield sys.getrefcount(v)
print(list(gen()))
""")

case("gc_counts", """
import gc
class Node:
    def __init__(self):
        self.me = self
log = []
gc.callbacks.append(lambda phase, info: log.append((phase,
                                                    info["generation"])))
def make(n):
    for i in range(n):
        Node()
    return n
def call(n):
    return [n]
gc.collect()
a = gc.get_count()[0]
keep = [call(i) for i in range(100)]
b = gc.get_count()[0]
print(b - a)
before = len(log)
for _ in range(30):
    make(100)
print(len(log) - before, log[before:][:6])
print(gc.collect() >= 0, gc.isenabled(), gc.get_threshold())
print(gc.is_tracked([]), gc.get_freeze_count() >= 0)
""", max_frames=10**6, max_trace_bytes=60 << 20)

case("weakref_callbacks", """
import gc, weakref
class Node:
    pass
def build():
    a, b = Node(), Node()
    a.b, b.a = b, a
    return weakref.ref(a, lambda r: print("a died"))
r = build()
x = 1
gc.collect()
print(r())
def scope():
    n = Node()
    w = weakref.ref(n, lambda r: print("n died"))
    return w
w = scope()
print(w())
""")

# ---- endings ----

case("destructor_order", """
class D:
    def __init__(self, name):
        self.name = name
    def __del__(self):
        print("del", self.name)
def f():
    a = D("f.a")
    b = D("f.b")
    return D("result")
r = f()
print("after f")
a = D("a")
b = D("b")
lst = [D("l0"), D("l1")]
c = D("cycle")
c.me = c
del a
print("end")
""")

case("destructor_at_exit", """
import atexit
class D:
    def __del__(self):
        print("del", keep is not None)
class E(Exception):
    pass
keep = D()
atexit.register(print, "atexit 1")
atexit.register(lambda: print("atexit 2"))
def gen():
    try:
        yield 1
    finally:
        print("generator closed")
g = gen()
next(g)
print("end")
""")

case("suspended_generators", """
def gen(name):
    try:
        yield name
    finally:
        print("closing", name)
def f():
    a = gen("a")
    next(a)
    b = gen("b")
    next(b)
    print("leaving")
f()
c = gen("c")
next(c)
d = gen("d")
print("end")
""")

case("os_exit", """
import os, sys
print("lost")
sys.stdout.write("kept")
sys.stdout.flush()
x = 1
os._exit(5)
""", reason=None, shows=[("x", "1")])

case("kill_self", """
import os, signal
x = 1
os.kill(os.getpid(), signal.SIGKILL)
""", reason=None, shows=[("x", "1")])

case("sys_exit", """
import sys
try:
    print("out")
    x = 1
finally:
    print("finally")
    sys.exit(4)
""", reason="exit", shows=[("x", "1")])

case("sys_exit_text", """
import sys
sys.exit("a message")
""", reason="exit")

case("sys_exit_none", """
import sys
sys.exit()
""", reason="exit")

case("sys_exit_object", """
raise SystemExit((1, "two"))
""", reason="exit")

case("uncaught", """
def f(x):
    return 1 / x
def g():
    try:
        f(0)
    except ZeroDivisionError as error:
        raise KeyError("k\\u00e9y") from error
g()
""", reason="exception")

case("uncaught_own_class", """
class Odd(Exception):
    def __str__(self):
        print("str called")
        return "odd"
raise Odd(1, 2)
""", reason="exception")

case("uncaught_group", """
raise ExceptionGroup("several", [ValueError(1), TypeError(2)])
""", reason="exception", since=(3, 11))

case("excepthook", """
import sys
def hook(kind, value, tb):
    print("hook", kind.__name__, value, tb.tb_lineno)
sys.excepthook = hook
raise ValueError("v")
""", reason="exception")

case("memory_error", """
x = 1
raise MemoryError("none left")
""", reason="exception")

case("catches_all", """
import sys
def f():
    try:
        sys.exit(3)
    except BaseException as error:
        return repr(error)
print(f())
try:
    raise KeyboardInterrupt
except:
    print("caught")
while True:
    try:
        raise GeneratorExit
    except BaseException:
        break
print("alive")
""")

case("syntax_error", """
x = 1
def f(:
    pass
""", reason="syntax_error")

case("syntax_warning", """
x = 1
if x is 1:
    print("is")
print("\\d")
""")

case("error_in_del", """
class D:
    def __del__(self):
        raise ValueError("in del")
d = D()
del d
print("alive")
""")

# ---- the rest of the list ----

case("threads", """
import threading
results = []
lock = threading.Lock()
def work(n):
    local = n * 2
    with lock:
        results.append(local)
threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(sorted(results), threading.active_count())
def late():
    import time
    time.sleep(0.05)
    print("late thread done")
threading.Thread(target=late).start()
print("main done")
""")

case("thread_settrace", """
import sys, threading
log = []
def tracer(frame, event, arg):
    if frame.f_code.co_name == "work":
        log.append((event, frame.f_lineno))
    return tracer
def work():
    x = 1
    return x
threading.settrace(tracer)
t = threading.Thread(target=work)
t.start()
t.join()
threading.settrace(None)
print(log, sys.gettrace())
work()
print(len(log))
""")

case("thread_uncaught", """
import threading
def work():
    raise ValueError("in a thread")
t = threading.Thread(target=work, name="worker")
t.start()
t.join()
print("alive")
""")

case("asyncio", """
import asyncio
async def child(n):
    await asyncio.sleep(0)
    return n
async def main():
    a = await asyncio.gather(child(1), child(2))
    return a
print(asyncio.run(main()))
""")

case("never_awaited", """
async def f():
    pass
f()
print("end")
""")

case("exec_eval", """
code = "a = 1\\nb = a + 1\\ndef g():\\n    return b\\n"
names = {}
exec(code, names)
print(names["g"](), eval("a + b", names))
exec("inner = 5")
print(inner)
f = eval("lambda x: x + 1")
print(f(1))
exec(compile("z = 3", "main.py", "exec"))
print(z)
""")

case("redefined_builtins", """
import builtins
def print(*args):
    builtins.print("mine:", *args)
def repr(x):
    return "never"
class int(int):
    pass
builtins.repr = lambda x: 1 / 0
builtins.type = None
builtins.isinstance = None
x = [1, "a"]
print(x, repr(x))
""", shows=[("x", "[1, 'a']")])

case("builtins_emptied", """
import builtins
keep = print
for name in ("len", "str", "list", "getattr", "hasattr", "object"):
    delattr(builtins, name)
x = [1]
y = {1: x}
keep(x, y)
""", shows=[("y", "{1: [1]}")])

case("modules_emptied", """
import sys
for name in ("random", "linecache", "traceback", "os", "io", "atexit"):
    sys.modules.pop(name, None)
x = 1
print("alive")
""")

case("stdin_lines", """
import sys
n = int(input())
rows = [list(map(int, input().split())) for _ in range(n)]
print(rows, sys.stdin.read(), sys.stdin.encoding, sys.stdin.errors)
try:
    input("prompt ")
except EOFError as error:
    print(error)
""", stdin=b"2\n1 2\n3 4\nrest \xc3\xa9\n")

case("streams", """
import sys
for s in (sys.stdin, sys.stdout, sys.stderr):
    print(s.name, s.mode, s.encoding, s.errors, s.line_buffering,
          s.write_through, s.newlines, s.isatty(), s.fileno(), s.closed,
          type(s).__name__, type(s.buffer).__name__, s.buffer.raw.name,
          s.buffer.raw.mode, s.buffer.raw.closefd)
print(sys.stdout is sys.__stdout__, sys.getfilesystemencoding())
sys.stdout.buffer.write(b"\\xff\\n")
print("\\udcff")
sys.stderr.write("err \\udcff\\n")
""")

case("stdout_replaced", """
import io, sys
old = sys.stdout
sys.stdout = io.StringIO()
print("captured")
text = sys.stdout.getvalue()
sys.stdout = old
print(repr(text))
sys.stdout = None
print("nowhere")
""")

case("stdout_closed", """
import sys
print("before")
sys.stdout.close()
""")

case("surroundings", """
import sys
print(__name__, __file__.rpartition("/")[2], __doc__, __spec__, __package__,
      __cached__ if "__cached__" in globals() else None,
      type(__loader__).__name__, __builtins__.__name__)
print([k for k in globals()])
print(sys.argv, [p for p in sys.path if not p.endswith("main")][1:],
      sys.flags.optimize, sys.flags.hash_randomization)
print(sys.modules["__main__"].__dict__ is globals())
print(hash("text"), sorted({"a", "b", "c"}), {"a", "b", "c"})
print(sys.executable, sys.prefix, sys.version_info[:2], sys.hexversion)
print(sys.getswitchinterval(), sys.getdefaultencoding(), sys.maxsize)
import locale, os
print(locale.setlocale(locale.LC_ALL), os.listdir("."))
""")

case("source_lines", """
import inspect, linecache, traceback
def f():
    return 1
print(inspect.getsource(f))
print(linecache.getline(__file__, 2))
try:
    1 / 0
except ZeroDivisionError:
    traceback.print_exc()
    print(traceback.format_exc().replace(__file__, "F"))
import warnings
warnings.warn("a warning")
""")

case("random_seeded", """
import random
random.seed(5)
print(random.random(), random.sample(range(10), 3))
""")

case("signals", """
import signal
log = []
signal.signal(signal.SIGUSR1, lambda n, f: log.append(f.f_code.co_name))
def g():
    signal.raise_signal(signal.SIGUSR1)
    return 1
g()
print(log, signal.getsignal(signal.SIGINT))
""")

case("pickle_copy", """
import copy, pickle
class P:
    def __init__(self):
        self.x = [1, 2]
p = P()
q = pickle.loads(pickle.dumps(p))
r = copy.deepcopy(p)
print(q.x, r.x, P.__module__)
from dataclasses import dataclass, field
@dataclass
class Point:
    x: int
    y: list = field(default_factory=list)
pt = Point(1)
print(pt)
""", shows=[("pt", "Point(x=1, y=[])")])

case("module_names", """
import json, math
from os import path
import collections.abc as abc
class C: pass
def f(): pass
lam = lambda: 0
x: int = 3
del x
x = 4
print(sorted(globals())[:3])
""")

case("prepare_mapping", """
class Names(dict):
    def __setitem__(self, key, value):
        print("set", key)
        super().__setitem__(key, value)
class Meta(type):
    @classmethod
    def __prepare__(mcls, name, bases):
        return Names()
class A(metaclass=Meta):
    x = 1
    y = x + 1
import collections
class Map(collections.UserDict):
    def __getitem__(self, key):
        print("get", key)
        return super().__getitem__(key)
class Meta2(type):
    @classmethod
    def __prepare__(mcls, name, bases):
        return Map(__module__="m")
    def __new__(mcls, name, bases, names):
        return type.__new__(mcls, name, bases, dict(names))
class B(metaclass=Meta2):
    z = 1
import enum
class Color(enum.Enum):
    RED = 1
    BLUE = 2
print(A.y, B.z, list(Color))
""")

case("del_and_rebind", """
def f():
    a = 1
    b = 2
    del a
    c = 3
    a = 4
    try:
        raise ValueError
    except ValueError as e:
        pass
    try:
        return e
    except UnboundLocalError as error:
        return str(error)
print(f())
""")

case("gc_timing", """
import gc
when = []
gc.callbacks.append(lambda phase, info: when.append((step, info["generation"]))
                    if phase == "start" else None)
class Node:
    def __init__(self, other):
        self.other = other
def build(n):
    return [Node(n), {n: Node(None)}]
def leaf(x):
    return (x, x)
step = -1
gc.collect()
kept = []
for step in range(1500):
    kept = [kept[-1:], build(step)]
    leaf(kept)
    if step % 3 == 0:
        leaf([leaf(step), leaf(1)])
print(when)
""", max_frames=10**6, max_trace_bytes=60 << 20)
