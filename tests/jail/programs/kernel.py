# SPDX-License-Identifier: MIT
# System calls that only an attack makes end the run; others are refused.

#: program denied
#: ptrace, process_vm_readv, process_vm_writev, pidfd_getfd, mount, umount2,
#: pivot_root, move_mount, open_tree, fsopen, unshare, setns, bpf,
#: perf_event_open, io_uring (3), userfaultfd, keyctl, add_key, request_key,
#: modify_ldt, init_module, kexec_load, reboot, swapon, iopl, ioperm
#: each N = 101 310 311 438 165 166 155 429 428 430 272 308 321 298 425 426 427 323 250 248 249 154 175 246 169 167 172 173
#: verdict denied
call(N, 0, 0, 0, 0, 0, 0)

#: program denied_new_namespace
#: unshare and clone with each flag.
#: each N = 0x20000 0x2000000 0x4000000 0x8000000 0x10000000 0x20000000 0x40000000
#: verdict denied
if N != 0x20000:
    call(272, N)
call(56, N | 17, 0, 0, 0, 0)

#: program denied_in_a_thread
#: verdict denied
import threading
thread = threading.Thread(target=call, args=(101, 0, 0, 0, 0))
thread.start()
thread.join()
held()

#: program denied_cannot_be_caught
#: verdict denied
import signal
signal.signal(signal.SIGSYS, lambda *args: None)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGSYS])
try:
    call(101, 0, 0, 0, 0)
except BaseException:
    pass
held()

#: program denied_32_bit
#: getpid by int 0x80, which is another call in the other table.
#: verdict denied
import mmap
code = mmap.mmap(-1, 4096, prot=7)
code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
ctypes.CFUNCTYPE(ctypes.c_long)(
    ctypes.addressof(ctypes.c_char.from_buffer(code)))()
held()

#: program denied_x32
#: verdict denied
call(0x40000000 + 39)
held()

#: program denied_typing
#: TIOCSTI, and with high bits that a filter could overlook.
#: each N = 0x5412 0x541c 0xffffffff00005412
#: verdict denied
libc.syscall(ctypes.c_long(16), ctypes.c_long(0), ctypes.c_ulong(N), b"x")
held()

#: program refused
#: Calls that fail as on a machine that does not have or allow them.
for number, name in ((435, "clone3"), (188, "setxattr"), (222, "timer"),
                     (206, "io_setup"), (216, "remap_file_pages"),
                     (237, "mbind"), (329, "pkey_mprotect"),
                     (424, "pidfd_send_signal"), (448, "process_mrelease"),
                     (444, "landlock_create_ruleset"), (317, "seccomp"),
                     (273 + 1000, "no such call"), (-1, "no call")):
    check(name, call(number, 0, 0, 0, 0, 0, 0), "ENOSYS", "EPERM",
          "EOPNOTSUPP", "ENOTSUP")
check("personality", call(135, 0x0040000), "ENOSYS", "EPERM")
check("setpriority", raised(os.setpriority, 0, 0, 5), "EPERM")
check("affinity", raised(os.sched_setaffinity, 0, [0]), "EPERM")
check("setuid", raised(os.setuid, 65534), "EPERM")
check("setgroups", raised(os.setgroups, [0]), "EPERM")
check("setresuid", raised(os.setresuid, 1, 1, 1), "EPERM")
check("chown", raised(os.chown, ".", 1, 1), "EPERM")
check("host name", raised(lambda: __import__("socket").sethostname("x")),
      "EPERM")
check("clock", raised(__import__("time").clock_settime, 0, 0), "EPERM")
check("capset", call(126, b"\x22\x05\x08\x20\0\0\0\0", b"\xff" * 24),
      "EPERM")
held()

#: program prctl_tricks
for option in (4, 8, 15 + 100, 22, 23 + 1, 24, 26, 28, 29 + 1, 33, 35, 36, 38,
               41, 43, 45, 47, 50, 53, 55, 57, 59, 63, 65, 67):
    got = call(157, option, 1, 1, 1, 1)
    check(f"prctl {option}", got, "ENOSYS", "EPERM", "EINVAL")
check("no new privileges", call(157, 39, 0, 0, 0, 0), 1)
check("dumpable", call(157, 3, 0, 0, 0, 0), 0)
for resource_id in range(16):
    limit = (ctypes.c_uint64 * 2)(2**64 - 1, 2**64 - 1)
    old = (ctypes.c_uint64 * 2)()
    call(97, resource_id, old)
    if old[1] != 2**64 - 1:
        check(f"rlimit {resource_id}", call(160, resource_id, limit), "EPERM")
        check(f"prlimit {resource_id}",
              call(302, os.getppid(), resource_id, limit, 0), "EPERM",
              "ENOSYS")
held()

#: program filter_of_its_own
#: One that lets forbidden calls end in success, or hides them.
code = (ctypes.c_uint64 * 1)(0x7fff000000000006)
prog = (ctypes.c_uint64 * 2)(1, ctypes.addressof(code))
check("seccomp", call(317, 1, 0, prog), "EPERM")
check("strict", call(317, 0, 0, 0), "EPERM")
check("prctl", call(157, 22, 2, prog, 0, 0), "ENOSYS")
load = libc.jail__scratch_seccomp
load.restype = ctypes.c_long
got = load(1, 0, prog)
check("from the jail's own instruction", got in (0, -22, -14), True)
check("and nothing is more allowed for it", raised(os.fork), "EAGAIN")
held()
