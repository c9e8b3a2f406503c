# SPDX-License-Identifier: MIT
import gc
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

from work import double


def test_before():
    assert double(1) == 2


def test_exit():
    double("exit")
    os._exit(0)


def test_sys_exit():
    double("sys.exit")
    sys.exit(3)


def test_kill():
    double("kill")
    os.kill(os.getpid(), signal.SIGKILL)


def test_fork():
    double("fork")
    os.fork()


def test_subprocess():
    double("subprocess")
    subprocess.run(["/bin/true"], check=True)


def test_network():
    double("network")
    socket.create_connection(("127.0.0.1", 80), 1)


def test_settrace():
    seen = []
    sys.settrace(lambda frame, event, arg: seen.append(event))
    assert double("settrace") == "settracesettrace"
    sys.settrace(None)
    assert double("unset") == "unsetunset"


def test_write():
    double("write")
    with open("new_file", "w", encoding="utf-8") as file:
        file.write("x")


def test_write_beside():
    double("beside")
    path = os.path.join(os.path.dirname(__file__), "new_file")
    with open(path, "w", encoding="utf-8") as file:
        file.write("x")


def test_private(tmp_path):
    (tmp_path / "file").write_text("private", encoding="utf-8")
    assert double((tmp_path / "file").read_text(encoding="utf-8"))


def test_random():
    double(random.random())
    double(random.SystemRandom().random())


def test_clock():
    double(time.time())


def test_thread():
    thread = threading.Thread(target=double, args=("thread",))
    thread.start()
    thread.join()


def test_forge():
    """The functions that records are told by, from where they are kept."""
    for thing in gc.get_objects():
        if isinstance(thing, dict) and callable(thing.get("tell")):
            thing["tell"](1, "no/such.py::test")
            thing["tell"](99, "\x00" * 1000)
    double("forge")


def test_loop():
    double("loop")
    while True:
        pass


def test_memory():
    double("memory")
    return bytearray(1 << 40)


def test_after():
    assert double([]) == []
