# A server that holds one connection with itself until it is told something.
import socket

server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
accepted = server.accept()[0]
print("listening", server.getsockname()[1], flush=True)
input()
