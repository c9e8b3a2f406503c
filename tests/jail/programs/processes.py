# SPDX-License-Identifier: MIT
# No process but the run's own, no thread without end, and no survivor.

#: program no_process
#: Every way that Python and the system have to another process.
import multiprocessing
import pty
import signal
import subprocess
check("fork", raised(os.fork), "EAGAIN")
check("forkpty", raised(os.forkpty), "ENOENT", "EAGAIN", "ENOSYS", "EPERM")
check("openpty", raised(os.openpty), "ENOENT", "EPERM", "ENOSYS")
check("posix_spawn", raised(os.posix_spawn, "/bin/sh", ["sh"], {}), "EAGAIN",
      "ENOENT", "ENOSYS", "EPERM")
check("subprocess", raised(subprocess.run, ["sh"]), "EAGAIN", "ENOENT",
      "EPERM")
check("shell", raised(subprocess.getoutput, "id"), "EAGAIN", "ENOENT",
      "EPERM")
check("system", os.system("id") == 0, False)
check("popen", raised(os.popen, "id"), "EAGAIN", "ENOENT", "EPERM")
check("multiprocessing",
      raised(multiprocessing.get_context("fork").Process(target=print).start),
      "EAGAIN")
check("fork()", call(57), "EAGAIN")
check("vfork()", call(58), "EAGAIN")
for flags in (17, 0, 0x8000, 0x4100 | 17, 0x100, 0x200 | 17):
    check(f"clone({flags:#x})", call(56, flags, 0, 0, 0, 0), "EAGAIN")
check("clone3", call(435, (ctypes.c_uint64 * 11)(0), 88), "ENOSYS")
check("wait", raised(os.wait), "ECHILD")
held()

#: program fork_bomb
n_forked = 0
for n in range(20000):
    try:
        n_forked += os.fork() >= 0
    except OSError:
        pass
check("processes", n_forked, 0)
held()

#: program daemon
#: A double fork into a session of its own, as daemons do it.
try:
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)
except OSError as e:
    check("fork", e.errno, errno.EAGAIN)
check("setsid", raised(os.setsid), "EPERM")
check("parent's death", call(157, 1, 0, 0, 0, 0), 0)
check("subreaper", call(157, 36, 1, 0, 0, 0), "ENOSYS")
held()

#: program survivors
#: Where processes can be had at all: one that leaves session and parent,
#: hears no signal and computes.
#: verdict any
#: stdout any
import signal
try:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in set(signal.valid_signals()) - {9, 19}:
                signal.signal(number, signal.SIG_IGN)
            os.closerange(0, 256)
            while True:
                pass
        os._exit(0)
except OSError:
    pass

#: program threads_without_end
import threading
stop = threading.Event()
threading.stack_size(65536)
started = 0
try:
    for n in range(1000):
        threading.Thread(target=stop.wait, daemon=True).start()
        started += 1
except RuntimeError:
    pass
stop.set()
check("threads", 30 < started < 80, True)
held()

#: program threads_outlive_the_main_one
#: Daemon threads that write and compute when the program has ended.
import threading


def for_ever():
    while True:
        try:
            open("cwm-attack-marker", "w").close()
            sum(range(1000))
        except BaseException:
            pass


for n in range(8):
    threading.Thread(target=for_ever, daemon=True).start()
held()

#: program threads_hold_the_end_up
#: One that is no daemon is waited for, and the time is up first.
#: verdict timeout, wall time
#: limits {"wall_ms": 500, "timeout_ms": 20000}
import threading
import time
threading.Thread(target=time.sleep, args=(60,)).start()

#: program main_thread_leaves_spinning
#: The first thread ends alone (exit, not exit_group); the others compute.
#: verdict timeout, cpu time
#: limits {"timeout_ms": 300}
import threading


def spin():
    while True:
        sum(range(100000))


threading.Thread(target=spin).start()
libc.syscall(60, 0)

#: program main_thread_leaves_sleeping
#: verdict timeout, wall time
#: limits {"wall_ms": 500}
import threading
import time
threading.Thread(target=time.sleep, args=(60,)).start()
libc.syscall(60, 0)

#: program scratch_process_taken
#: The call that makes scratch processes, for copies of one's own: two at
#: most, whose time is the run's, and which end with it.
#: limits {"timeout_ms": 20000}
alive = []
for n in range(20):
    pid = libc.jail_scratch_fork(300)
    if pid == 0:
        while True:
            pass
    if pid > 0:
        alive.append(pid)
check("processes", len(alive), 1, 2)
check("not ours to wait for", raised(os.waitpid, -1, 0), "ECHILD")
clone = libc.jail__scratch_clone
clone.restype = ctypes.c_long
check("clone", clone(0x8000 | 0x1000000 | 0x200000, 0, 0, 0, 0), -11)
check("other flags", clone(17, 0, 0, 0, 0), -11)
held()

#: program scratch_processes_outlive
#: Copies made by the very instruction, with all rights of the run, that write
#: and compute when the run has ended.
clone = libc.jail__scratch_clone
clone.restype = ctypes.c_long
word = ctypes.c_int(0)
for n in range(2):
    pid = clone(0x8000 | 0x1000000 | 0x200000, None, None,
                ctypes.byref(word), None)
    if pid == 0:
        while True:
            open("cwm-attack-marker", "w").close()
held()

#: program scratch_processes_compute
#: Time in sum: copies that compute while the run only waits for them.
#: verdict timeout
#: limits {"timeout_ms": 600, "wall_ms": 20000}
clone = libc.jail__scratch_clone
clone.restype = ctypes.c_long
word = ctypes.c_int(0)
while True:
    pid = libc.jail_scratch_fork(100)
    if pid == 0:
        while True:
            pass
    if pid > 0:
        libc.jail_scratch_wait(pid)
