# SPDX-License-Identifier: MIT
# Time and signals: who sleeps, who computes, who cannot be told to stop.

#: program kill_everybody
#: Every signal to every process but oneself, and to all at once.
for pid in [-1] + list(range(1, 300)) + [1 << 22, 2147483647]:
    if pid != os.getpid():
        for number in (9, 15, 19, 11):
            try:
                os.kill(pid, number)
            except OSError:
                pass
check("parent", os.getppid(), 1, 0)
held()

#: program kill_own_group
#: verdict crash, SIGKILL
os.killpg(0, 9)

#: program kill_parent
for number in range(1, 65):
    if number not in (31, 24):
        check(f"signal {number}", raised(os.kill, os.getppid(), number),
              "came through", "EPERM")
held()

#: program stop_itself
#: verdict timeout, wall time
#: limits {"wall_ms": 500}
import signal
os.kill(os.getpid(), signal.SIGSTOP)

#: program sleep
#: verdict timeout, wall time
#: limits {"wall_ms": 500}
import time
time.sleep(60)

#: program sleep_and_catch_all
#: verdict timeout, wall time
#: limits {"wall_ms": 500}
import signal
import time
for number in set(signal.valid_signals()) - {9, 19}:
    signal.signal(number, lambda *args: None)
while True:
    try:
        time.sleep(60)
    except BaseException:
        pass

#: program wait_for_itself
#: each N = threading.Lock().acquire threading.Event().wait
#: verdict timeout, wall time
#: limits {"wall_ms": 500}
import threading
lock = threading.Lock()
lock.acquire()
lock.acquire() if "Lock" in "N" else threading.Event().wait()

#: program wait_for_a_pipe
#: verdict timeout, wall time
#: limits {"wall_ms": 500}
r, w = os.pipe()
os.read(r, 1)

#: program wait_for_a_fifo
#: verdict timeout, wall time
#: limits {"wall_ms": 500}
os.mkfifo("fifo")
open("fifo")

#: program spin
#: verdict timeout, cpu time
#: limits {"timeout_ms": 300}
while True:
    pass

#: program spin_and_catch_all
#: verdict timeout, cpu time
#: limits {"timeout_ms": 300}
import signal
for number in set(signal.valid_signals()) - {9, 19}:
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
while True:
    try:
        while True:
            pass
    except BaseException:
        pass

#: program spin_in_c
#: One instruction of the interpreter that lasts for ever.
#: each N = sum(range(1<<60)) pow(3,1<<40,1<<99991) list(range(9))*0+[max(range(1<<60))]
#: verdict timeout, cpu time
#: limits {"timeout_ms": 300}
N

#: program spin_in_a_pattern
#: verdict timeout, cpu time
#: limits {"timeout_ms": 300}
import re
re.match("(a+)+b", "a" * 64)

#: program spin_in_threads
#: Outside of the interpreter's lock, on all cores at once.
#: verdict timeout, cpu time
#: limits {"timeout_ms": 600}
import hashlib
import threading
for n in range(6):
    threading.Thread(target=hashlib.pbkdf2_hmac,
                     args=("sha256", b"x" * 64, b"y" * 64, 1 << 30)).start()

#: program spin_in_the_kernel
#: verdict timeout, cpu time
#: limits {"timeout_ms": 300}
zero = os.open("/dev/zero", os.O_RDONLY)
room = bytearray(1 << 24)
while True:
    os.readv(zero, [room])

#: program spin_in_repr
#: Each scratch process has little time, and a type that used it up is given
#: up: the program goes on.
#: stdout ""
def main():
    class Slow:
        def __repr__(self):
            return str(sum(range(1 << 60)))
    values = [Slow() for n in range(100)]
    for value in values:
        other = value
    return 1


#: program spin_in_many_reprs
#: What scratch processes cost is the run's, of however many types.
#: verdict timeout, texts of values
#: limits {"timeout_ms": 1000}
source = """
class Slow:
    def __repr__(self):
        return str(sum(range(1 << 60)))
"""


def main():
    for n in range(1000):
        names = {}
        exec(source, names)
        value = names["Slow"]()


#: program exit_early
#: verdict exit, 0
os._exit(0)

#: program exit_in_a_thread
#: verdict exit, 3
import threading
threading.Thread(target=os._exit, args=(3,)).start()
threading.Event().wait()

#: program abort
#: verdict crash, SIGABRT
os.abort()

#: program read_address_0
#: verdict crash, SIGSEGV
ctypes.string_at(0)

#: program unknown_instruction
#: verdict crash, SIGILL
import mmap
code = mmap.mmap(-1, 4096, prot=7)
code.write(b"\x0f\x0b")
ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()

#: program fake_denied
#: A program cannot send itself what a forbidden call would.
for number in (31, 24):
    check(f"signal {number}", raised(os.kill, os.getpid(), number), "EPERM")
    check("raise", libc.raise_(number) if hasattr(libc, "raise_")
          else libc["raise"](number), -1, 1)
held()

#: program timers
#: Its own alarm ends it as a signal, not as a limit.
#: verdict crash, SIGALRM
import signal
signal.setitimer(signal.ITIMER_REAL, 0.05)
libc.pause()
