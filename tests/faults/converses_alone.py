# A server and its clients in one process with one thread: for a user who may have no more.
import socket
import sys

server = socket.create_server(("127.0.0.1", 0))
for i in range(5):
    client = socket.create_connection(server.getsockname())
    accepted = server.accept()[0]
    client.send(b"request")
    accepted.send(b"x" * 5000)
    numbers = client.fileno(), accepted.fileno()
    if i % 2:
        accepted.recv(7)
    accepted.close()
    if i % 2:
        print(len(client.recv(5000)), client.recv(1), numbers)
    client.close()
sys.exit(3)
