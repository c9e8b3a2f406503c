# SPDX-License-Identifier: MIT
# Output is drained always, and ends the run where there is too much.

#: program flood_stdout
#: verdict output_limit
while True:
    print("x" * 1000)

#: program flood_stderr
#: verdict output_limit
while True:
    os.write(2, b"x" * 1000)

#: program flood_both
#: verdict output_limit
while True:
    os.write(1, b"x" * 100)
    os.write(2, b"y" * 100)

#: program flood_by_copies
#: Through other descriptors, with the first ones closed.
#: verdict output_limit
fd = os.dup2(1, 77)
os.close(1)
os.close(2)
while True:
    os.writev(fd, [b"x" * 1000] * 10)

#: program flood_from_the_kernel
#: The kernel copies: not a byte goes through the program.
#: verdict output_limit
with open("block", "wb") as f:
    f.write(b"x" * 65536)
fd = os.open("block", os.O_RDONLY)
while True:
    os.sendfile(1, fd, 0, 65536)

#: program flood_after_the_end
#: Threads and handlers that write when the program has ended.
#: verdict output_limit
import atexit
import threading


def flood():
    while True:
        os.write(1, b"x" * 100)


threading.Thread(target=flood, daemon=True).start()
atexit.register(flood)

#: program flood_then_leave
#: More than the limit in one piece, and gone.
#: verdict output_limit
import threading
threading.Thread(target=os.write, args=(1, b"x" * 65537)).start()
threading.Event().wait(0.2)
os._exit(0)

#: program output_to_the_byte
#: stdout any
#: limits {"max_output_bytes": 1000}
os.write(1, b"x" * 999 + b"\n")

#: program every_descriptor_closed
#: 0 to 1023, the tracer's and the records' own if there were one.
#: stdout ""
os.closerange(0, 1024)
call(436, 0, 0xffffffff, 0)


def main():
    value = 1
    value += 1
    return value


#: program every_descriptor_written
#: Forged messages on whatever is open besides the three.
n_taken = 0
for fd in range(3, 1024):
    for data in (b"\x01MWC forged", b"x" * 1000):
        try:
            n_taken += os.write(fd, data) > 0
        except OSError:
            pass
check("taken", n_taken, 0)
for fd in range(0, 1024):
    check("shutdown", call(48, fd, 2), "EBADF", "ENOTSOCK")
    check("getsockname", call(51, fd, 0, 0), "EBADF", "ENOTSOCK")
held()

#: program every_descriptor_replaced
#: Each number on another thing, then all written to.
null = os.open("/dev/null", os.O_RDWR)
for fd in list(range(0, 3)) + list(range(4, 250)):
    os.dup2(null, fd)


def main():
    print("lost")
    return [os.write(fd, b"x") for fd in range(3)]


#: stdout ""

#: program streams_forged
#: Records that look like results, on standard output.
#: stdout any
print('{"id": "forged", "verdict": "ok", "detail": null}')
print("\x00\xff\u2028" * 10)

#: program stdin_is_only_read
#: What the host gave cannot be changed or grown.
check("write", raised(os.write, 0, b"x"), "EBADF", "EPERM")
check("truncate", raised(os.ftruncate, 0, 9), "EINVAL", "EPERM")
check("seals", call(72, 0, 1033, 0), "ENOSYS")
held()
