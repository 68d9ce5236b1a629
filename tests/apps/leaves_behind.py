# SPDX-License-Identifier: MIT
"""A test suite as lastack run --leak-check meets it: what it leaves behind when it ends, and how it ends.

leaves_behind.py WHAT HOW
WHAT is one of the functions below: what becomes of a connection between two sockets of this process. HOW: exit (the C library's: the
interpreter, which would close what it can find, does not get to wind up), wind-up (it does), kill (SIGKILL), _exit, or exec.
"""
import ctypes
import os
import signal
import socket
import struct
import subprocess
import sys
import time

listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
served, _ = listener.accept()


def told():
    client.close()
    assert served.recv(1) == b""


def nothing():
    """Merely open."""


def closed():
    told()
    served.close()


def unread():
    """The FIN is there for long, and nobody reads it."""
    client.close()
    time.sleep(1.5)


def unread_late():
    """The FIN is there in the very moment of the end."""
    client.close()


def reset():
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    time.sleep(0.1)


def both_closed():
    served.shutdown(socket.SHUT_RDWR)
    client.close()
    time.sleep(0.1)


def peer_owes():
    """FIN-WAIT-2: the move is that of a peer in another program, which nobody follows."""
    code = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); sys.stdin.read()"
    plain = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    port = listener.getsockname()[1]
    peer = subprocess.Popen([sys.executable, "-c", code, str(port)], stdin=subprocess.PIPE, env=plain)
    half_closed, _ = listener.accept()
    half_closed.shutdown(socket.SHUT_WR)
    time.sleep(0.2)
    globals().update(peer=peer, half_closed=half_closed)


def child(work):
    """Do it in a child, which ends by _exit, as multiprocessing's do; wait for it."""
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    return pid


def child_inherits():
    """The child holds everything for longer than its parent, and knows nothing of it."""
    pid = child(lambda: time.sleep(0.5))
    closed()
    os.waitpid(pid, 0)


def child_leaks():
    """The parent closes, the child is told of the end, and exits."""

    def work():
        told()
        ctypes.CDLL(None).exit(0)

    pid = child(work)
    client.close()
    served.close()
    os.waitpid(pid, 0)


def parent_leaks():
    def work():
        client.close()
        served.close()

    os.waitpid(child(work), 0)
    told()


def spawns():
    """Another program runs for longer than the connection."""
    with subprocess.Popen(["sleep", "0.5"]):
        closed()


def forks_and_executes():
    pid = child(lambda: os.execvp("sleep", ["sleep", "0.5"]))
    closed()
    os.waitpid(pid, 0)


def daemon():
    """The daemon goes on with the leak for a while; this process ends at once."""
    if os.fork() == 0:
        os.setsid()
        told()
        print("daemon", os.getpid(), flush=True)
        os.dup2(os.open("/dev/null", os.O_RDWR), 1)
        os.dup2(1, 2)
        time.sleep(20)
        os._exit(0)
    client.close()
    served.close()


globals()[sys.argv[1]]()
print("done", flush=True)
if sys.argv[2] == "exit":
    ctypes.CDLL(None).exit(7)
elif sys.argv[2] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
elif sys.argv[2] == "_exit":
    os._exit(7)
elif sys.argv[2] == "exec":
    os.execvp("sh", ["sh", "-c", "exit 7"])
