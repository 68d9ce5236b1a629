# SPDX-License-Identifier: MIT
"""
inetd.py [--holds] COMMAND...: starts the command for each connection, which is its standard input and output. --holds: keeps the
connection itself as well.
"""
import os
import signal
import socket
import sys

words = sys.argv[1:]
holds = words[0] == "--holds" and words.pop(0)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
listener = socket.create_server(("127.0.0.1", 0))
print("listening %d" % listener.getsockname()[1], flush=True)
held = []
while True:
    connection, _ = listener.accept()
    if os.fork() == 0:
        for number in 0, 1:
            os.dup2(connection.fileno(), number)
        os.execvp(words[0], words)
    held.append(connection) if holds else connection.close()
