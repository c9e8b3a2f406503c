# SPDX-License-Identifier: MIT
# Memory, disk and descriptors are bounded in sum.

#: program memory_at_once
check("a terabyte", raised(bytearray, 1 << 40), "MemoryError")
check("a list", raised(lambda: [0] * (1 << 40)), "MemoryError")
check("a number", raised(lambda: 1 << (1 << 40)), "MemoryError",
      "OverflowError")
check("a text", raised(lambda: "x" * (1 << 40)), "MemoryError")
held()

#: program memory_by_touch
#: Piece by piece until no more is given; nobody else is killed for it.
pieces = []
try:
    while len(pieces) < 1000:
        pieces.append(b"x" * (1 << 20))
except MemoryError:
    pass
n_pieces = len(pieces)
pieces = None
check("MiB", 40 < n_pieces <= 96, True)
held()

#: program memory_uncaught
#: verdict memory
pieces = []
while True:
    pieces.append(bytearray(1 << 20))

#: program memory_recursion
#: verdict exception
def deeper(n):
    return deeper(n + 1) + 1


deeper(0)

#: program memory_of_the_stack
#: Recursion in C, without a limit but the stack.
#: verdict crash, SIGSEGV
sys.setrecursionlimit(1 << 30)


class Deep:
    def __getattr__(self, name):
        return getattr(self, name)


getattr(Deep(), "x")

#: program memory_beside_the_limit
#: What address space does not count: pipes, sockets, files, shared maps.
import mmap
import socket
kept = []
n_bytes = 0
for n in range(60):
    try:
        r, w = os.pipe()
        os.set_blocking(w, False)
        n_bytes += os.write(w, b"x" * (1 << 20))
        a, b = socket.socketpair()
        a.setblocking(False)
        kept += [a, b]
        while True:
            n_bytes += a.send(b"x" * 65536)
    except OSError:
        pass
check("F_SETPIPE_SZ", call(72, w, 1031, 1 << 24), "ENOSYS")
check("descriptors", raised(lambda: [os.dup(0) for n in range(300)]),
      "EMFILE")
check("in pipes and sockets", n_bytes < 64 << 20, True)
for flags in (mmap.MAP_SHARED | mmap.MAP_ANONYMOUS,
              mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS):
    maps = []
    try:
        while len(maps) < 500:
            maps.append(mmap.mmap(-1, 1 << 20, flags=flags))
            maps[-1][::4096] = b"x" * 256
    except OSError:
        pass
    check("maps", len(maps) < 97, True)
    maps = None
held()

#: program disk_filled
#: One large file, many small ones, holes, files without a name.
def fill(name):
    n = 0
    fd = os.open(name, os.O_WRONLY | os.O_CREAT)
    try:
        while n < 1 << 26:
            n += os.write(fd, b"x" * 65536)
    except OSError as e:
        check("errno", e.errno, errno.ENOSPC, errno.EFBIG)
    return fd, n


import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
total = 0
fds = []
for n in range(20):
    fd, size = fill(f"file{n}")
    os.unlink(f"file{n}")
    fds.append(fd)
    total += size
check("MiB in files without a name", total <= 8 << 20, True)
for fd in fds:
    os.close(fd)
fd, size = fill("again")
check("room again", size > 7 << 20, True)
check("a hole", raised(os.truncate, "again", 1 << 40), "EFBIG")
check("fallocate", raised(os.posix_fallocate, fd, 0, 1 << 30), "EFBIG",
      "ENOSPC")
os.close(fd)
os.unlink("again")
n_files = 0
try:
    for n in range(10000):
        os.close(os.open(f"n{n}", os.O_CREAT | os.O_WRONLY))
        n_files += 1
except OSError as e:
    check("errno", e.errno, errno.ENOSPC)
check("files", 1000 < n_files <= 4096, True)
check("attributes", raised(os.setxattr, "n0", "user.x", b"x" * 60000),
      "EOPNOTSUPP", "ENOTSUP", "ENOSPC")
held()

#: program disk_deep
#: Folders in folders, shut and full, which the next run must not find.
for n in range(1500):
    os.mkdir("d" * 100)
    os.chdir("d" * 100)
    if n % 100 == 0:
        open("cwm-attack-marker", "w").close()
        os.chmod("..", 0)
held()

#: program repr_takes_memory
#: A value whose text is made in a scratch process that wants all there is.
def main():
    class Greedy:
        def __repr__(self):
            pieces = []
            while True:
                pieces.append(b"x" * (1 << 20))
    value = Greedy()
    value = 1
    return value


held()

#: program repr_has_effects
#: It tries to fork, to write, to signal and to leave the jail.
def main():
    class Hostile:
        def __repr__(self):
            for attack in (os.fork, lambda: open("cwm-attack-marker", "w"),
                           lambda: os.kill(os.getppid(), 9),
                           lambda: os.kill(-1, 9), lambda: call(57),
                           lambda: os.write(1, b"written")):
                try:
                    attack()
                except BaseException:
                    pass
            return "shown"
    value = Hostile()
    value = os.listdir(".")
    return value == ["main.py"] or value


held()
