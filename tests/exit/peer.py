# SPDX-License-Identifier: MIT
"""
A client that does not go: peer.py PORT HOW
    stubborn    uploads 100,000 bytes, reads nothing, closes nothing
    idle        reads the whole answer, and keeps the connection
It obeys lines of its standard input: "read" prints how many bytes come until the end, or how that went wrong.
"""
import socket
import sys

port, how = int(sys.argv[1]), sys.argv[2]
client = socket.socket()
if how == "stubborn":
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
client.connect(("127.0.0.1", port))
client.sendall(b"answer 32768\n" + (b"x" * 100000 if how == "stubborn" else b""))
if how == "idle":
    got = 0
    while got < 32768:
        got += len(client.recv(65536))
    print("answered", flush=True)
client.settimeout(30)
for line in sys.stdin:
    got = 0
    try:
        while data := client.recv(65536):
            got += len(data)
        print("read", got, flush=True)
    except OSError as error:
        print("read", got, type(error).__name__, flush=True)
