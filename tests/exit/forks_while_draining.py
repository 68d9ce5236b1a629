# SPDX-License-Identifier: MIT
"""
A server that closes its first connection with input unread, forks while that drains, and waits for its child. The child exits 2 s later, with
the second connection's input unread.
"""
import os
import socket
import sys
import time

listener = socket.create_server(("127.0.0.1", 0))
print("listening %d" % listener.getsockname()[1], flush=True)


def unread():
    connection, _ = listener.accept()
    while len(connection.recv(65536, socket.MSG_PEEK)) < 4096:
        time.sleep(0.01)
    return connection


unread().close()
time.sleep(0.2)
child = os.fork()
if child == 0:
    second = unread()
    time.sleep(2)
    os._exit(7)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
