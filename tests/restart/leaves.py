# SPDX-License-Identifier: MIT
"""A server that ends in one of several ways, for address.py: leaves.py WAY REUSE.

Says "listening PORT", serves one connection, says "done" once it has done what its way says, and exits when its standard input ends.
"""

import fcntl
import os
import socket
import struct
import sys
import termios

WAY, REUSE = sys.argv[1], int(sys.argv[2])


def say(*words):
    print(*words, flush=True)


def wait_for_unread(connection):
    """Until something waits to be read, which is not read."""
    connection.recv(1, socket.MSG_PEEK)
    assert struct.unpack("i", fcntl.ioctl(connection, termios.FIONREAD, b"1234"))[0] > 0


def serve(connection):
    if WAY == "peer-first":
        while connection.recv(4096):
            pass
        connection.close()
    elif WAY == "server-first":
        assert connection.recv(1) == b"?"
        connection.sendall(b"answer")
        connection.close()
    elif WAY in ("unread", "unread-then-gone", "unread-meanwhile"):
        wait_for_unread(connection)
        connection.sendall(b"answer")
        connection.close()
    elif WAY == "asks-for-reset":
        assert connection.recv(1) == b"?"
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    elif WAY == "gone":
        assert connection.recv(1) == b"?"
        os._exit(0)  # with the connection open
    elif WAY == "child-holds":
        if os.fork() == 0:
            listener.close()
            connection.sendall(b"!")
            while connection.recv(4096):
                pass
            os._exit(0)
        connection.close()


listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, REUSE)
listener.bind(("127.0.0.1", 0))
listener.listen()
say("listening", listener.getsockname()[1])
if WAY != "unused":
    connection, _ = listener.accept()
    serve(connection)
say("done")
if WAY not in ("unread-then-gone", "unread-meanwhile"):
    sys.stdin.read()
