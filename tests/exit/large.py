# SPDX-License-Identifier: MIT
"""
large.py thread|main: a server of 300 MB, private, shared and of System V, that answers an upload with 1,000,000 bytes and ends, from a thread or the
main one. Its client, which is in no way preloaded, reads only when it gets SIGTERM. In the folder above its regions: `client`, its pid;
`server.answer`, what it has read.
"""
import ctypes
import mmap
import os
import socket
import subprocess
import sys
import threading

CLIENT = """
import os, signal, socket, sys
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
peer.send(b"x" * 100000)
with open(sys.argv[2] + "/client", "w") as file:
    file.write(str(os.getpid()))
signal.sigwait({signal.SIGTERM})
total = 0
try:
    while data := peer.recv(65536):
        total += len(data)
    how = "end"
except OSError as error:
    how = os.strerror(error.errno)
with open(sys.argv[2] + "/server.answer", "w") as file:
    file.write(f"{total} {how}\\n")
"""

folder = os.path.dirname(os.environ["LASTACK_DIR"])
listener = socket.create_server(("127.0.0.1", 0))
plain = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
client = subprocess.Popen([sys.executable, "-c", CLIENT, str(listener.getsockname()[1]), folder], env=plain, start_new_session=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
small = [bytes(1000) for _ in range(100000)]
large = bytearray(b"x") * (100 << 20)
shared = mmap.mmap(-1, 100 << 20)
shared.write(b"x" * (100 << 20))
libc = ctypes.CDLL(None)
libc.shmat.restype = ctypes.c_void_p
segment = libc.shmget(0, 1 << 20, 0o600)
libc.shmat(segment, None, 0)
libc.shmctl(segment, 0, None)  # IPC_RMID: gone with its last user
print("listening", listener.getsockname()[1], flush=True)
connection = listener.accept()[0]
connection.recv(1)
connection.sendall(bytes(1000000))
if sys.argv[1] == "thread":
    threading.Thread(target=os._exit, args=(0,)).start()
    threading.Event().wait()
os._exit(0)
