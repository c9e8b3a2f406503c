# SPDX-License-Identifier: MIT
# What a run leaves changed.  The canary that follows each program looks.

#: program leave_modules
#: Built-in names, modules, their caches and their classes.
#: stdout any
import builtins
import decimal
import functools
import gc
import json
import locale
import random
import re
import threading
import warnings
builtins.print = lambda *args: None
builtins.left = builtins.len = 1
sys.path.append("/left")
sys.modules["left"] = sys
sys.argv[:] = ["left"]
os.listdir = os.stat = None
re.match = json.dumps = random.random = None
random.Random.random = lambda self: 4
random.seed(5)
gc.disable()
gc.set_threshold(1, 1, 1)
warnings.simplefilter("error")
decimal.getcontext().prec = 3
decimal.DefaultContext.prec = 3
locale.setlocale(locale.LC_ALL, "C")
sys.setrecursionlimit(500)
sys.setswitchinterval(1)
sys.settrace(lambda *args: None)
sys.setprofile(lambda *args: None)
threading.settrace(lambda *args: None)
sys.excepthook = sys.displayhook = sys.stdout.write
sys.stdin = sys.stdout = sys.stderr = None

#: program leave_memory
#: Objects that all runs share, changed in memory: small numbers, a letter,
#: the empty tuple, a type.
#: verdict any
#: stdout any
#: frames any
ctypes.c_int.from_address(id(7) + 24).value = 8
ctypes.memset(id("a") + 40, 66, 8)
ctypes.c_ssize_t.from_address(id(True) + 24).value = 0
ctypes.c_ssize_t.from_address(id(None)).value = 1
os._exit(0)

#: program leave_process
#: Folder, mask, limits, niceness, signals, timers, sessions, names.
#: verdict any
#: stdout any
import resource
import signal
os.environ["LEFT"] = "1"
libc.setenv(b"LEFT", b"1", 1)
libc.putenv(b"LEFT2=1")
os.chdir("/usr")
os.umask(0o777)
for limit in range(16):
    if limit != resource.RLIMIT_AS:
        try:
            resource.setrlimit(limit, (5, 5))
        except (OSError, ValueError):
            pass
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 60))
signal.setitimer(signal.ITIMER_VIRTUAL, 100)
call(157, 15, b"left", 0, 0, 0)
for fd in range(3):
    os.set_blocking(fd, False)
    os.set_inheritable(fd, True)

#: program leave_files
#: In the folder, its inode numbers, its times, descriptors and locks.
import fcntl
import time
for n in range(100):
    with open(f"cwm-attack-marker{n}", "w") as f:
        f.write("left")
os.mkdir("folder")
os.unlink("main.py")
os.utime(".", (0, 0))
os.chmod(".", 0)
library = open(os.__file__)
check("lock of a library", raised(fcntl.flock, library, fcntl.LOCK_EX),
      "ENOLCK")
held()

#: program leave_bytes
#: A mark in every kind of memory; the next program looks for it.
#: stdout any
import mmap
import tempfile
mark = b"dniheb-tfel-mwc"[::-1]
keep = [bytearray(mark * 1000) for n in range(100)]
shared = mmap.mmap(-1, 1 << 20)
shared.write(mark * 1000)
records = find_records()
ctypes.memmove(records + (1 << 20), mark * 1000, len(mark) * 1000)
with tempfile.NamedTemporaryFile(delete=False) as f:
    f.write(mark * 1000)
os.write(1, mark)

#: program find_bytes
#: Compared in other letters, as the mark must not be there for the search.
other = bytes(n ^ 1 for n in range(256))
mark = bytes(n ^ 1 for n in b"dniheb-tfel-mwc"[::-1])
n_found = n_pages = 0
records = find_records()
for where in (records, records + (1 << 20), id(other), id(os),
              ctypes.addressof(ctypes.c_int(1)),
              ctypes.c_void_p.in_dll(libc, "environ").value or id([])):
    for way in (4096, -4096):
        at = where & ~4095
        for _ in range(2000):
            page = readable(at)
            if page is None:
                break
            n_pages += 1
            n_found += page.translate(other).count(mark)
            at += way
check("pages", n_pages > 1000, True)
check("marks", n_found, 0)
check("files", os.listdir("."), ["main.py"])
held()
