# Three hundred connections to itself, each opened from another depth of calls, so that each has a call stack of its own; then closed.
import socket
import sys

listener = socket.create_server(("127.0.0.1", 0), backlog=400)
sys.setrecursionlimit(2000)


def deeper(depth, kept):
    if depth:
        return deeper(depth - 1, kept)
    client = socket.create_connection(listener.getsockname())
    kept.append((client, listener.accept()[0]))


kept = []
for depth in range(300):
    deeper(depth, kept)
for client, server in kept:
    client.close()
    server.close()
print("done", len(kept))
