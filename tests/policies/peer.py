# SPDX-License-Identifier: MIT
"""A peer for the stories: peer.py PORT WORD...

Each WORD is a step: a request line with "+" for blanks ("answer+10"), or
  fin      shut down our writing side
  deaf     hear nothing any more: neither data nor acknowledgements (a socket filter)
  upload   send until the other side stops it, or for 1 MiB
  read     read to the end; says how many bytes, and how it ended
  trickle  send a byte every 50 ms until it fails
After the steps it says "ready" (before "read" and "trickle"), and stays until the end of its standard input, which is a pipe of its maker.
"""
import ctypes
import socket
import sys
import time

SO_ATTACH_FILTER = 26


class Filter(ctypes.Structure):
    _fields_ = [("code", ctypes.c_ushort), ("jt", ctypes.c_ubyte), ("jf", ctypes.c_ubyte), ("k", ctypes.c_uint)]


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.POINTER(Filter))]


def deaf(peer):
    nothing = Filter(6, 0, 0, 0)  # BPF_RET: keep 0 bytes
    program = Program(1, ctypes.pointer(nothing))
    peer.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, bytes(program))


stopped = []
request = b""


def upload(peer):
    """In one piece with the request: what waits unread when the server closes is no matter of luck."""
    try:
        peer.sendall(request + bytes(1 << 20))
    except OSError as error:
        stopped.append(error.strerror)  # the socket will not tell it again


def read(peer):
    count, ending = 0, "end of stream"
    try:
        while True:
            data = peer.recv(4096)
            if not data:
                break
            count += len(data)
    except OSError as error:
        ending = error.strerror
    print(f"read {count}, then {stopped[0] if stopped else ending}", flush=True)


def trickle(peer):
    try:
        while True:
            peer.send(b"x")
            time.sleep(0.05)
    except OSError as error:
        print("trickled, then", error.strerror, flush=True)


connection = socket.socket()
connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
connection.connect(("127.0.0.1", int(sys.argv[1])))
ready = False
for word in sys.argv[2:]:
    if word in ("read", "trickle") and not ready:
        print("ready", flush=True)
        ready = True
    if "+" in word:
        request = word.replace("+", " ").encode() + b"\n"
        continue
    if request and word != "upload":
        connection.sendall(request)
    if word == "fin":
        connection.shutdown(socket.SHUT_WR)
    else:
        globals()[word](connection)
    request = b""
if request:
    connection.sendall(request)
if not ready:
    print("ready", flush=True)
sys.stdin.read()
