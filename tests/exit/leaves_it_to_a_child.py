# SPDX-License-Identifier: MIT
"""
A server whose child answers when it has exited itself, with status 5. The answer is 40 bytes; the child reads all that is sent before.
"""
import os
import socket
import time

listener = socket.create_server(("127.0.0.1", 0))
print("listening %d" % listener.getsockname()[1], flush=True)
connection, _ = listener.accept()
parent = os.getpid()
if os.fork() == 0:
    listener.close()
    while os.getppid() == parent:
        time.sleep(0.01)
    connection.settimeout(10)
    got = 0
    while got < 100013:
        got += len(connection.recv(65536))
    connection.sendall(b"y" * 40)
    os._exit(0)
os._exit(5)
