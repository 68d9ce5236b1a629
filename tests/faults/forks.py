# Holds a connection in CLOSE-WAIT once it is told "hang-up", and so does its child, when it was told to have one (argument 1).
import os
import socket
import sys
import time

server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
accepted = server.accept()[0]
print("listening", server.getsockname()[1], flush=True)
if sys.argv[1] == "1":
    child = os.fork()
    if child == 0:
        client.close()
        while True:
            os.read(os.pipe()[0], 1)
    print("forked", flush=True)
for command in iter(input, "end"):
    if command == "hang-up":
        client.close()
        accepted.recv(1)
        print("hung up", flush=True)
    if command == "serve":
        other = socket.create_connection(server.getsockname())
        served = server.accept()[0]
        served.send(b"x")
        other.recv(1)
        print("served", flush=True)
    if command == "time":
        print("time", int(time.time()), flush=True)
