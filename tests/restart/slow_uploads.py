#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Clients that are in the midst of an upload, which the server has answered, until a line comes on standard input: slow_uploads.py PORT COUNT

Says "uploading" when each has sent what it sends at first. After the line they send the rest and read on to the end, through a receive buffer
of 8 KiB. Prints "complete=N of COUNT".
"""

import socket
import sys

UPLOAD_BYTES = 256 << 10
AT_FIRST = 64 << 10
RECEIVE_BUFFER_BYTES = 8 << 10
PATIENCE_S = 20


def begin(port):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    sock.settimeout(PATIENCE_S)
    sock.connect(("127.0.0.1", port))
    sock.sendall(f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {UPLOAD_BYTES}\r\n\r\n".encode() + bytes(AT_FIRST))
    return sock


def end(sock):
    response = b""
    try:
        sock.sendall(bytes(UPLOAD_BYTES - AT_FIRST))
        while more := sock.recv(65536):
            response += more
    except OSError:
        pass  # what has come counts
    head, _, body = response.partition(b"\r\n\r\n")
    length = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return bool(length) and len(body) == int(length[0])


def main():
    port, count = int(sys.argv[1]), int(sys.argv[2])
    socks = [begin(port) for _ in range(count)]
    print("uploading", flush=True)
    sys.stdin.readline()
    print(f"complete={sum(end(sock) for sock in socks)} of {count}", flush=True)


main()
