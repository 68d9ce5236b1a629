# SPDX-License-Identifier: MIT
"""Streams and datagrams that are not TCP, half-closed and held, beside a TCP server that forgets its connections.

not_tcp.py: prints "listening PORT" of the TCP server, and "half-closed KIND..." of what this kernel has. At a line of standard input each of
them says something where that is still open, and closes with data unread; prints "alive KIND..." of those where it arrived.
"""
import select
import signal
import socket
import sys

SECONDS = 60
IPPROTO_MPTCP = 262


def unix():
    return socket.socketpair()


def mptcp():
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)
    client.connect(listener.getsockname())
    return client, listener.accept()[0]


def udp():
    ends = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
    for end in ends:
        end.bind(("127.0.0.1", 0))
    ends[0].connect(ends[1].getsockname())
    ends[1].connect(ends[0].getsockname())
    return ends


def half_close(ends):
    if ends[0].type == socket.SOCK_STREAM:
        ends[0].shutdown(socket.SHUT_WR)
        assert ends[1].recv(1) == b""
    return ends


def is_alive(ends):
    ends[1].sendall(b"still there")
    arrived = ends[0].recv(5) == b"still"
    for end in ends:
        end.close()
    return arrived


signal.alarm(SECONDS)
held = {}
for make in (unix, udp, mptcp):
    try:
        held[make.__name__] = half_close(make())
    except OSError as error:
        print(make.__name__, error, file=sys.stderr)
server = socket.create_server(("127.0.0.1", 0))
print("half-closed", *held, flush=True)
print("listening", server.getsockname()[1], flush=True)
forgotten = []
while True:
    ready = select.select([server, sys.stdin], [], [])[0]
    if server in ready:
        forgotten.append(server.accept()[0])
        continue
    if not sys.stdin.readline():
        break
    print("alive", *(name for name, ends in held.items() if is_alive(ends)), flush=True)
