# A server whose connection is held by two processes: the parent accepts and forks, the child keeps the connection until it is told
# to end (a line on standard input). Both forget that the peer has closed.
import os
import socket
import sys

listener = socket.create_server(("127.0.0.1", 0))
print("listening", listener.getsockname()[1], flush=True)
connection = listener.accept()[0]
ready, child_ready = os.pipe()
go, parent_go = os.pipe()
child = os.fork()
if child == 0:
    os.close(parent_go)
    os.write(child_ready, b"x")
    os.read(go, 1)
    os._exit(0)
os.read(ready, 1)
print("shared", flush=True)
sys.stdin.readline()
os.close(parent_go)
os.waitpid(child, 0)
print("alone", flush=True)
sys.stdin.readline()
