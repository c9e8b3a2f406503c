# SPDX-License-Identifier: MIT
# No network of any family.

#: program sockets
#: Every family there is with every type, in Python and as a system call.
import socket
for family in range(0, 64):
    for kind in (1, 2, 3, 4, 5, 6, 10):
        check(f"family {family}, type {kind}", call(41, family, kind, 0),
              "EPERM")
for name in ("AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET",
             "AF_VSOCK", "AF_ALG", "AF_CAN", "AF_BLUETOOTH", "AF_RDS",
             "AF_TIPC", "AF_QIPCRTR"):
    if hasattr(socket, name):
        check(name, raised(socket.socket, getattr(socket, name),
                           socket.SOCK_STREAM), "EPERM")
        if name != "AF_UNIX":
            got = raised(socket.socketpair, getattr(socket, name))
            check(name + " pair", got, "ENOSYS")
held()

#: program network_libraries
#: What programs call gets an ordinary exception.
import asyncio
import ssl
import urllib.request
import socket
for where in ("http://127.0.0.1/", "http://localhost/", "http://[::1]/",
              "http://192.0.2.1/", "http://example.org/"):
    check(where, raised(urllib.request.urlopen, where, timeout=1), "EPERM",
          "URLError")
check("getaddrinfo", raised(socket.getaddrinfo, "example.org", 80),
      "gaierror")
check("create_server", raised(socket.create_server, ("", 0)), "EPERM")
check("create_connection", raised(socket.create_connection,
                                  ("127.0.0.1", 22)), "EPERM")


async def serve():
    server = await asyncio.start_server(print, "127.0.0.1", 0)
    check("asyncio's sockets", server.sockets, ())


async def connect():
    await asyncio.open_connection("127.0.0.1", 22)

check("asyncio server", raised(asyncio.run, serve()), "EPERM",
      "came through")
check("asyncio connection", raised(asyncio.run, connect()), "EPERM")
held()

#: program socket_pairs_stay_inside
#: A pair's end cannot be sent, bound or connected anywhere else; where the
#: kernel takes no notice of an address, the bytes are the other end's.
import socket
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
    a, b = socket.socketpair(socket.AF_UNIX, kind)
    b.setblocking(False)
    for where in (b"\0abstract", b"\0/tmp/.X11-unix/X0", "/run/x.sock",
                  "/tmp/x.sock"):
        check(f"bind {where}", raised(a.bind, where), "EPERM")
        check(f"connect {where}", raised(a.connect, where), "EPERM")
        for got in (raised(a.sendto, b"x", where),
                    raised(a.sendmsg, [b"x"], [], 0, where)):
            if got == "came through":
                got = b.recv(10)
            check(f"send to {where}, {kind}", got, "EISCONN", "ECONNREFUSED",
                  "ENOENT", "EPERM", b"x")
    check("listen", raised(a.listen, 1), "EPERM")
    check("accept", raised(a.accept), "EPERM")
    check("setsockopt", raised(a.setsockopt, socket.SOL_SOCKET,
                               socket.SO_SNDBUF, 1 << 30), "EPERM")
held()

#: program sockets_in_flight
#: A socket sent to itself, with standard output and a large file: the pipe
#: and the file stay where no process is, and the host must not wait for them.
#: limits {"wall_ms": 1000}
#: repeat 8
import socket
a, b = socket.socketpair()
os.dup2(b.fileno(), 200)
with open("large", "wb") as f:
    f.write(b"x" * (4 << 20))
    f.flush()
    socket.send_fds(a, [b"x"], [200, 1, 2, f.fileno()])
held()
