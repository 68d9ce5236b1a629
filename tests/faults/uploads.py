# "server": answers an upload of which it has read the beginning, and closes. "client PORT": uploads until it is told that this is all, then reads.
import select
import socket
import sys

if sys.argv[1] == "server":
    server = socket.create_server(("127.0.0.1", 0))
    print("listening", server.getsockname()[1], flush=True)
    accepted = server.accept()[0]
    accepted.recv(10)
    accepted.sendall(b"x" * 5000)
    accepted.close()
    print("closed", flush=True)
    input()
    sys.exit()
client = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
while not select.select([sys.stdin], [], [], 0.05)[0]:
    client.send(b"y" * 1000)
client.send(b"y" * 1000)
client.shutdown(socket.SHUT_WR)
got = 0
while part := client.recv(4096):
    got += len(part)
print("got", got, flush=True)
input()
