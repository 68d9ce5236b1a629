# SPDX-License-Identifier: MIT
"""
Functions that no program of a small Debian calls are called from Python by their names, as its ctypes and other languages'
foreign function interfaces do: by dlsym.
"""
import ctypes
import os
import signal
import socket
import sys

libc = ctypes.PyDLL(None, use_errno=True)
exits = ctypes.cast(libc._exit, ctypes.c_void_p)
stack = ctypes.create_string_buffer(65536)
top = (ctypes.addressof(stack) + 65536 - 64) & ~15
room = ctypes.create_string_buffer(16)
null = ctypes.c_void_p(None)


class Part(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class Message(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("name_length", ctypes.c_uint), ("parts", ctypes.POINTER(Part)), ("count", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t), ("flags", ctypes.c_int), ("length", ctypes.c_uint)]


def status(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


part = Part(ctypes.addressof(room), 4)
message = Message(None, 0, ctypes.pointer(part), 1, None, 0, 0, 0)
server = socket.create_server(("127.0.0.1", 0))
client = socket.socket()
address = socket.inet_aton("127.0.0.1")
port = server.getsockname()[1]
name = socket.AF_INET.to_bytes(2, sys.byteorder) + port.to_bytes(2, "big") + address + bytes(8)
print("__connect", libc.__connect(client.fileno(), name, len(name)))
accepted, _ = server.accept()
print("__write", libc.__write(client.fileno(), room, 4), "__send", libc.__send(client.fileno(), room, 4, 0))
whence = ctypes.c_long(-1)
print("pwritev2", libc.pwritev2(client.fileno(), ctypes.byref(part), 1, whence, 0), libc.pwritev64v2(client.fileno(), ctypes.byref(part), 1, whence, 0))
with open("/etc/passwd", "rb") as file:
    print("sendfile", libc.sendfile(client.fileno(), file.fileno(), null, ctypes.c_size_t(4)), os.sendfile(client.fileno(), file.fileno(), 0, 4))
print("sendto", client.sendto(b"data", server.getsockname()))
print("written", len(accepted.recv(28, socket.MSG_WAITALL)))
print("sendmmsg", libc.sendmmsg(client.fileno(), ctypes.byref(message), 1, 0))
fd = accepted.detach()
client.sendall(b"x" * 60)
print("recvmmsg", libc.recvmmsg(fd, ctypes.byref(message), 1, 0, null))
print("recv", libc.recv(fd, room, 4, 0))
print("__read", libc.__read(fd, room, 4), "__recv", libc.__recv(fd, room, 4, 0))
print("__read_chk", libc.__read_chk(fd, room, 4, 16), "__recv_chk", libc.__recv_chk(fd, room, 4, 16, 0))
print("__recvfrom_chk", libc.__recvfrom_chk(fd, room, 4, 16, 0, null, null))
print("preadv2", libc.preadv2(fd, ctypes.byref(part), 1, whence, 0), libc.preadv64v2(fd, ctypes.byref(part), 1, whence, 0))
print("__fcntl", libc.__fcntl(fd, 0, 60), "__dup2", libc.__dup2(60, 61))
print("__close", libc.__close(fd), libc.__close(60), libc.__close(61), libc.__close(61))
client.close()

libc.fdopen.restype = libc._IO_popen.restype = libc.popen.restype = ctypes.c_void_p
stream = ctypes.c_void_p(libc.fdopen(os.dup(1), b"w"))
print("fflush", libc.fflush(stream), "_IO_fclose", libc._IO_fclose(stream))
stream = ctypes.c_void_p(libc._IO_popen(b"exit 6", b"r"))
print("_IO_popen", libc.pclose(stream) >> 8)

for each in ("clone", "__clone"):
    print(each, status(getattr(libc, each)(exits, ctypes.c_void_p(top), signal.SIGCHLD, ctypes.c_void_p(7))))
words = (ctypes.c_char_p * 4)(b"sh", b"-c", b"exit $WORD", None)
environment = (ctypes.c_char_p * 2)(b"WORD=8", None)
for each in ("_Fork", "__fork", "execvpe", "execveat", "closefrom"):
    sys.stdout.flush()
    child = libc._Fork() if each == "_Fork" else libc.__fork()
    if child == 0:
        if each == "execvpe":
            libc.execvpe(b"sh", words, environment)
        elif each == "execveat":
            libc.execveat(-100, b"/bin/sh", words, environment, 0)
        elif each == "closefrom":
            libc.closefrom(3)
            os._exit(len(os.listdir("/proc/self/fd")))
        os._exit(9)
    print(each, status(child))

reads, writes = os.pipe()
child = os.fork()
if child == 0:
    os.write(writes, b"daemon %d" % libc.daemon(1, 1))
    os._exit(0)
print("its parent", status(child))
print(os.read(reads, 20).decode())

# Makers of descriptors: each number is given back.
here = -100  # AT_FDCWD
nothing = b"/dev/null"
numbers = (ctypes.c_int * 2)()
calls = [("open", nothing, 0), ("__open", nothing, 0), ("__open64", nothing, 0), ("__open_2", nothing, 0), ("__open64_2", nothing, 0),
         ("openat", here, nothing, 0), ("__openat_2", here, nothing, 0), ("__openat64_2", here, nothing, 0), ("creat", nothing, 0o600),
         ("creat64", nothing, 0o600), ("epoll_create", 1), ("timerfd_create", 1, 0), ("inotify_init",), ("inotify_init1", 0),
         ("eventfd", 0, 0), ("signalfd", -1, bytes(128), 0), ("memfd_create", b"memory", 0), ("openat64", here, nothing, 0)]
print([libc.close(getattr(libc, call)(*words)) for call, *words in calls])
print([getattr(libc, call)(numbers) or [os.close(number) for number in numbers] for call in ("pipe", "__pipe")])
for call, *words in ("fopen", nothing, b"r"), ("fopen64", nothing, b"r"), ("tmpfile",), ("tmpfile64",):
    function = getattr(libc, call)
    function.restype = ctypes.c_void_p
    print(call, libc.fclose(ctypes.c_void_p(function(*words))))

# Dispositions: what was is returned, as a number.
for each in ("ssignal", "bsd_signal", "sysv_signal", "__sysv_signal", "sigset"):
    function = getattr(libc, each)
    function.restype = ctypes.c_ssize_t
    print(each, [function(signal.SIGTERM, ctypes.c_ssize_t(which)) for which in (1, 0, 0)])
action = ctypes.create_string_buffer(152)
print("__sigaction", libc.__sigaction(signal.SIGTERM, null, action), int.from_bytes(action[:8], sys.byteorder), signal.getsignal(signal.SIGTERM))
sys.stdout.flush()
child = os.fork()
if child == 0:
    libc._Exit(5)
print("_Exit", status(child))
