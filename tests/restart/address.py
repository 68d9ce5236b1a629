#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Can the address of a server that has ended be bound again at once?

address.py [PREFIX...]: the server (leaves.py) is started behind the prefix, in each way of ending, without and with SO_REUSEADDR; the client
is here. A line each: "WAY plain|reuse free|in-use".
"""

import errno
import os
import socket
import subprocess
import sys

WAYS = {
    # who the server ends with, and what the client does meanwhile
    "unused": "no connection at all",
    "peer-first": "the client closes, then the server",
    "server-first": "the server closes, then the client",
    "unread": "the server closes with an upload unread; the client reads to the end and closes",
    "unread-then-gone": "the same, and the server exits at once",
    "unread-meanwhile": "the same, and the client has not closed when the address is bound again",
    "asks-for-reset": "the server sets SO_LINGER {1,0} and closes",
    "gone": "the server exits with the connection open; the client closes then",
    "child-holds": "a child has the connection when the server exits",
}
UPLOAD_BYTES = 100000


def start(prefix, way, reuse):
    server = os.path.join(os.path.dirname(os.path.abspath(__file__)), "leaves.py")
    return subprocess.Popen(
        [*prefix, "/usr/bin/python3", server, way, str(reuse)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def client(port, way):
    sock = socket.create_connection(("127.0.0.1", port), timeout=20)
    if way == "peer-first":
        sock.close()
        return None
    try:
        if way.startswith("unread"):
            sock.sendall(bytes(UPLOAD_BYTES))
        elif way in ("server-first", "asks-for-reset", "gone"):
            sock.sendall(b"?")
        elif way == "child-holds":
            assert sock.recv(1) == b"!"
        if way in ("child-holds", "unread-meanwhile"):
            return sock
        while sock.recv(4096):
            pass
    except ConnectionError:
        pass
    sock.close()
    return None


def bind_again(port, reuse):
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
        try:
            sock.bind(("127.0.0.1", port))
            sock.listen()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return "in-use"
        return "free"


def play(prefix, way, reuse):
    server = start(prefix, way, reuse)
    port = int(server.stdout.readline().split()[1])
    held = None if way == "unused" else client(port, way)
    if way != "gone":
        assert server.stdout.readline() == "done\n"
    server.stdin.close()
    server.wait(timeout=20)
    free = bind_again(port, reuse)
    if held:
        held.close()
    return free


for name in WAYS:
    for how in (0, 1):
        print(name, "reuse" if how else "plain", play(sys.argv[1:], name, how), flush=True)
