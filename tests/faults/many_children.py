# So many children at once, each with the listener, and a connection that it has accepted: more than a region has entries for.
import os
import socket
import sys

COUNT = int(sys.argv[1])
server = socket.create_server(("127.0.0.1", 0), backlog=COUNT)
ready, go = os.pipe(), os.pipe()
for i in range(COUNT):
    if os.fork() == 0:
        os.close(go[1])
        accepted = server.accept()[0]
        accepted.sendall(b"x" * 1000)
        os.write(ready[1], b"r")
        os.read(go[0], 1)  # until all are there
        accepted.close()
        os._exit(7)
clients = [socket.create_connection(server.getsockname()) for i in range(COUNT)]
there = 0
while there < COUNT:
    there += len(os.read(ready[0], COUNT))
os.close(go[1])
served = 0
for client in clients:
    got = b""
    while True:
        part = client.recv(4096)
        if not part:
            break
        got += part
    served += len(got) == 1000
statuses = {}
children = 0
for i in range(COUNT):
    status = os.waitstatus_to_exitcode(os.wait()[1])
    statuses[status] = statuses.get(status, 0) + 1
    children += 1
print(f"served {served}, children {children}, statuses {statuses}")
