# SPDX-License-Identifier: MIT
"""
One end of TCP connections, of which each step is ordered by a line of standard input: for tests in which the order of two ends matters. Each
line is answered by "N: RESULT", N counting from 1.

by_order.py listen           says "listening PORT"
by_order.py connect PORT

Orders, of the newest connection: accept, connect; send BYTES; recv (once), read (to the end: how many bytes), sip BYTES TIMES SECONDS; fin;
close; reset (close by RST); window BYTES (before connect); timeout MS, linger2 SECONDS, linger ON SECONDS; options; dup (the newest from now on), previous (back
from it), dup2 (something else onto the number); fork (a child that does the rest), exec COMMAND (FD: the number), exit STATUS; readable.
"""
import os
import select
import socket
import struct
import sys
import time

server = None
if sys.argv[1] == "listen":
    server = socket.create_server(("127.0.0.1", 0))
    print("listening", server.getsockname()[1], flush=True)
connections = [None]
window = 0


def linger(connection, on, seconds):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", on, seconds))


def follow(order, words):
    global window
    connection = connections[-1]
    if order == "accept":
        connections.append(server.accept()[0])
        return connections[-1].getpeername()[1]
    if order == "connect":
        connections.append(socket.socket())
        if window:
            connections[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        connections[-1].connect(("127.0.0.1", int(sys.argv[2])))
        return connections[-1].getsockname()[1]
    if order == "window":
        window = int(words[0])
    elif order == "send":
        connection.setblocking(False)
        sent = connection.send(b"x" * int(words[0]))
        connection.setblocking(True)
        return sent
    elif order == "recv":
        return len(connection.recv(65536))
    elif order == "read":
        total = 0
        while got := len(connection.recv(65536)):
            total += got
        return total
    elif order == "sip":
        total = 0
        for _ in range(int(words[1])):
            time.sleep(float(words[2]))
            total += len(connection.recv(int(words[0])))
        return total
    elif order == "fin":
        connection.shutdown(socket.SHUT_WR)
    elif order == "close":
        connection.close()
    elif order == "reset":
        linger(connection, 1, 0)
        connection.close()
    elif order == "timeout":
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(words[0]))
    elif order == "linger2":
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_LINGER2, int(words[0]))
    elif order == "linger":
        linger(connection, int(words[0]), int(words[1]))
    elif order == "dup":
        connections.append(connection.dup())
    elif order == "previous":
        connections.pop()
    elif order == "dup2":
        os.dup2(1, connection.detach())
    elif order == "fork":
        if child := os.fork():
            connection.close()
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    elif order == "exec":
        os.set_inheritable(connection.fileno(), True)
        os.execvp("sh", ["sh", "-c", " ".join(words).replace("FD", str(connection.fileno()))])
    elif order == "exit":
        os._exit(int(words[0]))
    elif order == "options":
        on, seconds = struct.unpack("ii", connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))
        return f"timeout {connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)} linger {on} {seconds}"
    elif order == "readable":
        return bool(select.select([connection], [], [], 20)[0])
    else:
        return "unknown"
    return "done"


number = 0
while line := sys.stdin.readline():
    number += 1
    order, *words = line.split()
    try:
        result = follow(order, words)
    except OSError as error:
        result = os.strerror(error.errno)
    print(f"{number}: {result}", flush=True)
