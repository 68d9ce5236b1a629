# SPDX-License-Identifier: MIT
"""Python's subprocess (vfork, then close_range in the parent's memory) with live connections in the parent.

Writes a transcript; lines "unread:" tell what a peer got whose connection was closed with unread data.
"""
import os
import select
import socket
import subprocess
import threading

PATIENCE_S = 20
listener = socket.create_server(("127.0.0.1", 0))


def connection():
    peer = socket.create_connection(listener.getsockname(), PATIENCE_S)
    accepted, _ = listener.accept()
    return peer, accepted


def rest_of(peer):
    got = b""
    try:
        while more := peer.recv(100):
            got += more
    except ConnectionResetError:
        return "reset"
    return got


def carries(peer, accepted):
    peer.sendall(b"x")
    accepted.sendall(accepted.recv(1))
    return peer.recv(1) == b"x"


def close_unread(peer, accepted):
    peer.sendall(b"unread")
    select.select([accepted], [], [], PATIENCE_S)
    accepted.close()
    print("unread:", rest_of(peer))
    peer.close()


def answer_on(fd):
    return ["sh", "-c", f"sleep 0.1; echo answer >&{fd}"]


kept = connection()

# The child closes everything; the parent keeps it, and it is still the parent's alone.
for options in ({"close_fds": True}, {"close_fds": False}, {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}):
    pair = connection()
    subprocess.run(["true"], check=True, **options)
    print(sorted(options), carries(*pair), carries(*kept))
    close_unread(*pair)

# The child gets one.
pair = connection()
with subprocess.Popen(answer_on(pair[1].fileno()), pass_fds=[pair[1].fileno()]):
    pair[1].close()
    print("pass_fds", rest_of(pair[0]))

pair = connection()
with subprocess.Popen(["sh", "-c", "sleep 0.1; echo answer"], stdout=pair[1]):
    pair[1].close()
    print("stdout", rest_of(pair[0]))

pair = connection()
pair[1].set_inheritable(True)
with subprocess.Popen(answer_on(pair[1].fileno()), close_fds=False):
    pair[1].close()
    print("set_inheritable", rest_of(pair[0]))

# It is not for the child to say: it fails before it becomes another program.
pair = connection()
try:
    subprocess.run(["/nonexistent/program"], check=False)
except FileNotFoundError as error:
    print(error)
close_unread(*pair)

# Many at once, while connections come and go.
wrong = []


def work(number):
    for _ in range(8):
        pair = connection_of_own(number)
        subprocess.run(["true"], check=True)
        if not carries(*pair):
            wrong.append(number)
        pair[1].close()
        if rest_of(pair[0]) != b"":
            wrong.append(number)


own = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]


def connection_of_own(number):
    peer = socket.create_connection(own[number].getsockname(), PATIENCE_S)
    return peer, own[number].accept()[0]


threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("wrong", wrong, carries(*kept))
close_unread(*connection())
if os.environ.get("STOP_TO_BE_SEEN"):
    print("ready", flush=True)
    input()
