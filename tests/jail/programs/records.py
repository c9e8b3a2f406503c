# SPDX-License-Identifier: MIT
# The memory that records leave through is the program's to spoil, but no
# verdict is made of what lies there while the kernel knows better.

#: program records_end_then_spin
#: A forged end ("ok"), then the time is up.
#: verdict timeout, cpu time
#: limits {"timeout_ms": 500}
#: frames any
forged = bytes([0x20, 1, 4, 8]) + b"'forged'"
at = find_records()


def main():
    ctypes.memmove(at + 64, forged, len(forged))
    ctypes.memmove(at + 8, len(forged).to_bytes(8, "little"), 8)
    exec("while True: pass")


#: program records_end_then_sleep
#: verdict timeout, wall time
#: limits {"wall_ms": 1500}
#: frames any
forged = bytes([0x20, 1, 4, 8]) + b"'forged'"
at = find_records()


def main():
    ctypes.memmove(at + 64, forged, len(forged))
    ctypes.memmove(at + 8, len(forged).to_bytes(8, "little"), 8)
    libc.pause()


#: program records_end_then_flood
#: verdict output_limit
#: frames any
forged = bytes([0x20, 1, 4, 8]) + b"'forged'"
at = find_records()


def main():
    ctypes.memmove(at + 64, forged, len(forged))
    ctypes.memmove(at + 8, len(forged).to_bytes(8, "little"), 8)
    exec("while True: libc.syscall(1, 1, b'x' * 1000, 1000)")


#: program records_end_then_flood_in_python
#: The worker counts, too, and ends the run with a second end.
#: verdict crash
#: frames any
forged = bytes([0x20, 1, 4, 8]) + b"'forged'"
at = find_records()


def main():
    ctypes.memmove(at + 64, forged, len(forged))
    ctypes.memmove(at + 8, len(forged).to_bytes(8, "little"), 8)
    exec("while True: os.write(1, b'x' * 1000)")


#: program records_end_then_denied
#: verdict denied
#: frames any
forged = bytes([0x20, 1, 4, 8]) + b"'forged'"
at = find_records()


def main():
    ctypes.memmove(at + 64, forged, len(forged))
    ctypes.memmove(at + 8, len(forged).to_bytes(8, "little"), 8)
    libc.syscall(101, 0, 0, 0, 0)


#: program records_end_then_crash
#: verdict crash, SIGSEGV
#: frames any
forged = bytes([0x20, 1, 4, 8]) + b"'forged'"
at = find_records()


def main():
    ctypes.memmove(at + 64, forged, len(forged))
    ctypes.memmove(at + 8, len(forged).to_bytes(8, "little"), 8)
    ctypes.string_at(0)


#: program records_forged_whole
#: A trace of its own making, and gone: what a program says of itself when it
#: ends by itself is believed, as its output is.
#: stdout any
#: frames any
text = b"'forged'"
forged = (bytes([0x02, 4]) + b"evil" + bytes([0x10, 0, 0, 1, 0]) +
          bytes([0x12, 1, 0, len(text)]) + text +
          bytes([0x20, 1, 4, len(text)]) + text)
# as one line, between two events of the tracer
forgery = """
ctypes.memmove(at + 64, forged, len(forged))
ctypes.memmove(at + 8, len(forged).to_bytes(8, "little"), 8)
os._exit(0)
"""
at = find_records()


def main():
    exec(forgery)


#: program records_garbage
#: verdict crash
#: frames any
at = find_records()


def main():
    exec("""
ctypes.memset(at + 64, 0xa5, 1 << 20)
ctypes.memmove(at + 8, (1 << 20).to_bytes(8, "little"), 8)
os._exit(0)
""")


#: program records_without_end
#: More bytes than there are, in every way that a sum could overflow.
#: each N = 0xffffffffffffffff 0x7fffffffffffffff 0xffffffffffffffc0 1
#: verdict crash
#: frames any
at = find_records()


def main():
    exec("ctypes.memmove(at + 8, (N).to_bytes(8, 'little'), 8);"
         "os._exit(0)")


#: program records_without_magic
#: verdict crash
#: frames any
at = find_records()


def main():
    exec("ctypes.memset(at, 0, 64); os._exit(0)")


#: program records_unmapped
#: The tracer meets a hole.
#: verdict crash, SIGSEGV
#: frames any
at = find_records()


def main():
    libc.munmap(ctypes.c_void_p(at), ctypes.c_size_t(1 << 20))
    return 1


#: program records_protected
#: verdict crash, SIGSEGV
#: frames any
at = find_records()


def main():
    libc.mprotect(ctypes.c_void_p(at), ctypes.c_size_t(1 << 20), 0)
    return 1


#: program records_punched
#: Pages given back while the tracer writes.
#: verdict any
#: frames any
#: stdout any
at = find_records()


def main():
    for n in range(20):
        libc.madvise(ctypes.c_void_p(at), ctypes.c_size_t(1 << 20), 9)
    return 1


#: program records_scribbled
#: A thread that writes there for as long as there is somebody.
#: verdict any
#: frames any
#: stdout any
import threading
at = find_records()


def scribble():
    n = 0
    while True:
        n = n * 1103515245 + 12345 & 0xffffffff
        ctypes.memset(at + 8 + n % 4096, n >> 16 & 255, 16)


if at:
    threading.Thread(target=scribble, daemon=True).start()


def main():
    total = 0
    for n in range(300):
        total += n
    return total


#: program records_filled
#: verdict crash
#: frames any
at = find_records()


def main():
    exec("ctypes.memset(at + 8, 0xff, 1 << 20); os._exit(0)")
