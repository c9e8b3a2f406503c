# SPDX-License-Identifier: MIT
# Nothing of the host can be read, and nothing written but the folder.

#: program host_files
#: The files of a machine that tell most, and every way to one's own process.
home = os.sep + "root"
for path in (
        "/etc/passwd", "/etc/shadow", "/etc/hostname", "/etc/resolv.conf",
        "/etc/machine-id", "/proc", "/proc/1/environ",
        os.path.join("/proc/1", "root", "etc"),
        "/proc/self/exe", "/proc/self/maps", "/proc/self/mem",
        "/proc/self/fd/0", "/proc/self/environ", "/proc/self/cgroup",
        "/proc/cpuinfo", "/proc/cmdline", "/proc/sys/kernel/hostname",
        "/proc/thread-self", "/sys", "/sys/fs/cgroup", "/sys/class/net",
        "/dev/mem", "/dev/kmem", "/dev/kmsg", "/dev/sda", "/dev/vda",
        "/dev/tty", "/dev/pts", "/dev/ptmx", "/dev/shm", "/dev/fd",
        "/dev/stdin", "/dev/fuse", "/dev/kvm", "/dev/net/tun", "/run",
        "/var/log", "/var/lib/dpkg/status", "/home", home, home + "/.ssh",
        "/boot", "/mnt", "/srv", "/usr/share", "/usr/bin", "/bin/sh"):
    check(path, raised(os.stat, path), "ENOENT", "EACCES")
    check(path + " open", raised(open, path), "ENOENT", "EACCES")
held()

#: program host_files_opened
#: Without a root of its own a program sees which files there are, but can
#: open none, nor make one beside its folder.
for path in ("/etc/passwd", "/etc/shadow", "/etc/hostname", "/proc/self/maps",
             "/proc/self/mem", "/proc/1/environ", "/proc/cpuinfo",
             "/sys/kernel/mm/ksm/run", "/dev/tty", "/dev/ptmx", "/bin/sh",
             "/usr/bin/env", os.path.join(os.sep, "root", ".bashrc"),
             "/var/lib/dpkg/status"):
    check(path, raised(open, path), "ENOENT", "EACCES")
for folder in ("/", "/etc", "/usr", "/var/tmp", "/dev/shm", "/run", ".."):
    path = folder + "/cwm-attack-marker"
    check(path, raised(open, path, "w"), "ENOENT", "EACCES", "EROFS", "EPERM")
    check(path, raised(os.mkdir, path), "ENOENT", "EACCES", "EROFS", "EPERM")
for path in ("/etc/passwd", "/usr/lib/os-release", "/etc/hostname"):
    check(path, raised(os.truncate, path, 0), "ENOENT", "EACCES", "EROFS")
    check(path, raised(os.unlink, path), "ENOENT", "EACCES", "EROFS",
          "EPERM")
check("link", raised(os.link, "/etc/passwd", "mine"), "ENOENT", "EXDEV",
      "EACCES", "EPERM")
held()

#: program host_files_by_other_names
#: The same by dots, links, folders' descriptors and openat2's ways.
os.symlink("/etc/passwd", "link")
os.symlink("/", "up")
os.symlink(os.path.join("/proc/self", "root", "etc/passwd"), "magic")
for path in ("link", "up/etc/passwd", "magic", "../etc/passwd",
             "../../../../etc/passwd", "/tmp/../../etc/passwd",
             "//etc/passwd", "/usr/lib/../../etc/passwd", "/dev/../etc/passwd",
             "/proc/self/cwd/../etc/passwd"):
    check(path, raised(open, path), "ENOENT", "EACCES")
top = os.open("/", os.O_RDONLY)
for depth in range(5):
    name = "../" * depth + "etc/passwd"
    check(name, raised(os.open, name, os.O_RDONLY, dir_fd=top), "ENOENT",
          "EACCES")
check("link", raised(os.link, "/usr/lib/python3", "mine"), "EXDEV", "EPERM",
      "EACCES")
check("rename", raised(os.rename, "/usr", "mine"), "EXDEV", "EROFS", "EBUSY",
      "EACCES", "EPERM")
how = (ctypes.c_uint64 * 3)(os.O_RDONLY, 0, 0)
check("openat2", call(437, top, b"etc/passwd", how, 24), "ENOENT", "EACCES")
check("name_to_handle_at", call(303, top, b"usr", how, how, 0), "EPERM")
os.chdir("/")
check("chroot", raised(os.chroot, "/usr"), "EPERM")
held()

#: program secrets
#: The secret in the environment and in a file of who started `cwm`: neither
#: in any file that can be seen nor in any page of memory round what is known.
secret = "cwm-secret-0f3a"
names = []
for folder, folders, files in os.walk("/", followlinks=False):
    if folder.count("/") > 2:
        folders[:] = []
    names += [n for n in files + folders if n.startswith("cwm-secret")]
check("names", names, [])
# Compared in other letters: what is searched for must not be there for it.
other = bytes(n ^ 1 for n in range(256))
setting = bytes(n ^ 1 for n in b"TERCES_MWC"[::-1]) + bytes([ord("=") ^ 1])
known = [id(other), id(os), ctypes.addressof(ctypes.c_int(1)),
         ctypes.cast(libc.mincore, ctypes.c_void_p).value,
         ctypes.c_void_p.in_dll(libc, "environ").value,
         ctypes.c_void_p.in_dll(libc, "__libc_stack_end").value
         if hasattr(libc, "__libc_stack_end") else 0]
n_pages = n_found = 0
for where in filter(None, known):
    for way in (4096, -4096):
        at = where & ~4095
        for _ in range(1500):
            page = readable(at)
            if page is None:
                break
            n_pages += 1
            n_found += page.translate(other).count(setting)
            at += way
check("pages looked at", n_pages > 100, True)
check("found in memory", n_found, 0)
held()

#: program write_everywhere
#: A new file in, and a change to, whatever the jail shows.
import errno
n_tried = 0
for folder, folders, files in os.walk("/"):
    if folder.startswith("/tmp"):
        folders[:] = []
        continue
    if folder.count("/") > 3:
        folders[:] = []
    for name in [os.path.join(folder, f) for f in files[:5]]:
        if not name.startswith("/dev/"):
            check(name, raised(os.open, name, os.O_WRONLY), "EROFS", "EACCES",
                  "ENOENT")
            check(name + " truncated", raised(os.truncate, name, 0), "EROFS",
                  "EACCES", "ENOENT")
            check(name + " times", raised(os.utime, name), "EROFS", "EACCES",
                  "EPERM", "ENOENT")
        check(name + " removed", raised(os.unlink, name), "EROFS", "EACCES",
              "EBUSY", "EPERM")
        check(name + " mode", raised(os.chmod, name, 0o777), "EROFS",
              "EPERM", "EACCES", "ENOENT")
        n_tried += 1
    for way in (os.mkdir, lambda p: open(p, "w"), os.mkfifo,
                lambda p: os.symlink("x", p)):
        got = raised(way, folder.rstrip("/") + "/cwm-attack-marker")
        check(folder, got, "EROFS", "EACCES", "ENOENT")
    if n_tried > 600:
        break
check("files", n_tried > 20, True)
for name in ("/usr", "/dev", "/tmp", "/"):
    check(name + " removed", raised(os.rmdir, name), "EROFS", "EBUSY",
          "EACCES", "EPERM", "ENOTEMPTY")
for name in ("/dev/null", "/dev/zero", "/dev/full"):
    check(name, raised(os.open, name, os.O_RDWR), "came through")
held()

#: program run_a_file
#: No program of the host or of one's own can be run or mapped.
import mmap
with open("script", "wb") as f:
    f.write(b"#!/usr/lib/python3\n" + b"\x90" * 8192)
os.chmod("script", 0o755)
fd = os.open("script", os.O_RDONLY)
for name in ("script", "/bin/sh", "/usr/bin/python3", sys.executable):
    check("execv " + name, raised(os.execv, name, ["x"]), "EPERM")
check("fexecve", raised(os.execve, fd, ["x"], {}), "EPERM")
check("execveat", call(322, fd, b"", 0, 0, 0x1000), "EPERM")
check("a map that runs", raised(mmap.mmap, fd, 4096,
                                prot=mmap.PROT_READ | mmap.PROT_EXEC,
                                flags=mmap.MAP_PRIVATE), "EPERM", "EACCES")
check("a library", raised(ctypes.CDLL, os.path.abspath("script")), "OSError")
check("memfd_create", raised(os.memfd_create, "x"), "EPERM")
check("memfd_secret", call(447, 0), "ENOSYS")
for kind in (0o020600, 0o060600):
    check("mknod", raised(os.mknod, "node", kind, os.makedev(1, 1)), "ENOSYS")
held()
