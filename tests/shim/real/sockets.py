# SPDX-License-Identifier: MIT
"""What Python's own modules make of sockets, descriptors, processes and users. Says what came of each."""
import os
import socket
import struct
import subprocess
import sys

nobody = 65534 if os.geteuid() == 0 else os.getuid()


def pair():
    client = socket.create_connection(server.getsockname())
    return client, server.accept()[0]


def in_a_child(name, act):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        try:
            act()
            print(name, os.getresuid(), os.getresgid())
        except OSError as error:
            print(name, error.strerror)
        sys.stdout.flush()
        os._exit(0)
    os.waitpid(child, 0)


def executes(name, act):
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        act()
        os._exit(127)
    print(name, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


server = socket.create_server(("127.0.0.1", 0))

# Reading, each way, to the end.
client, accepted = pair()
client.sendall(b"0123456789" * 8)
client.shutdown(socket.SHUT_WR)
room = bytearray(10)
print(accepted.recv(10), accepted.recv_into(room), accepted.recvfrom(10)[0], accepted.recvmsg(10)[0])
print(os.read(accepted.fileno(), 10), os.readv(accepted.fileno(), [room, bytearray(1)]))
into = os.pipe()
print(os.splice(accepted.fileno(), into[1], 10), os.read(into[0], 10))
while accepted.recv(100):
    pass
accepted.sendmsg([b"an ", b"answer"])
accepted.close()
print(client.makefile().read())
client.close()

# More names for it.
client, accepted = pair()
copy = accepted.dup()
os.dup2(accepted.fileno(), 50, inheritable=False)
os.dup2(accepted.fileno(), 51)
other = os.dup(51)
accepted.close()
copy.close()
os.close(50)
os.closerange(51, 52)
os.write(other, b"still here")
os.close(other)
print(client.recv(100), client.recv(100))
client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
client.close()

# Given away.
client, accepted = pair()
left, right = socket.socketpair()
socket.send_fds(left, [b"x"], [accepted.fileno()])
accepted.close()
_, numbers, _, _ = socket.recv_fds(right, 1, 1)
os.write(numbers[0], b"by another name")
os.close(numbers[0])
print(client.recv(100), client.recv(100))
client.close()

# Processes.
words = ["sh", "-c", "echo from the child; exit 3"]
sys.stdout.flush()
print(subprocess.run(words, stdout=subprocess.PIPE, check=False).stdout)
print(os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn("/bin/sh", words, os.environ), 0)[1]))
print(os.waitstatus_to_exitcode(os.waitpid(os.posix_spawnp("sh", words, os.environ), 0)[1]))
print(os.waitstatus_to_exitcode(os.system("exit 4")))
executes("execv", lambda: os.execv("/bin/sh", words))
executes("execve", lambda: os.execve("/bin/sh", words, os.environ))
executes("fexecve", lambda: os.execve(os.open("/bin/sh", os.O_RDONLY), words, os.environ))

# Users.
in_a_child("setuid", lambda: os.setuid(nobody))
in_a_child("seteuid", lambda: os.seteuid(nobody))
in_a_child("setreuid", lambda: os.setreuid(nobody, nobody))
in_a_child("setresuid", lambda: os.setresuid(nobody, nobody, nobody))
in_a_child("setgid", lambda: os.setgid(nobody))
in_a_child("setegid", lambda: os.setegid(nobody))
in_a_child("setregid", lambda: os.setregid(nobody, nobody))
in_a_child("setresgid", lambda: os.setresgid(nobody, nobody, nobody))
in_a_child("setgroups", lambda: os.setgroups([nobody]))
in_a_child("initgroups", lambda: os.initgroups("nobody", nobody))

child, terminal = os.forkpty()
if child == 0:
    print("from a terminal", flush=True)
    os._exit(os.isatty(0))
said = b""
while not said.endswith(b"\n"):
    said += os.read(terminal, 100)
print(said, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
