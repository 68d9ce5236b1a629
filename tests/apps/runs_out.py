# A server that runs out of descriptors (limit 64) after it has closed six connections with unread data, whose clients stay. Prints how
# many more connections it could accept.
import os
import resource
import socket
import subprocess
import sys

CLIENTS = """
import socket, sys
clients = []
for i in range(70):
    client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    client.send(b"x" * 100)
    clients.append(client)
print("connected", flush=True)
sys.stdin.read()
"""

listener = socket.create_server(("127.0.0.1", 0), backlog=100)
without_shim = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
clients = subprocess.Popen([sys.executable, "-c", CLIENTS, str(listener.getsockname()[1])], env=without_shim,
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)
clients.stdout.readline()
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
for _ in range(6):
    listener.accept()[0].close()
held = []
try:
    while True:
        held.append(listener.accept()[0])
except OSError as error:
    print(len(held), error)
clients.stdin.close()
clients.wait()
