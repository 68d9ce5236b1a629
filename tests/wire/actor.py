# SPDX-License-Identifier: MIT
"""One end of a connection, on command: the program under test as well as its peer.

Reads a command a line and answers each by a line, "ok VALUE" or "no ERRNO-NAME". Plain blocking calls, one connection at a time. Ends
with its standard input, or by itself when nothing is said for two minutes.
"""
import ctypes
import errno
import fcntl
import os
import signal
import socket
import struct
import sys
import termios
import threading
import time

PATIENCE_S = 20
libc = ctypes.CDLL(None, use_errno=True)

listener = connection = None
receive_buffer = 0


def made(family):
    made_socket = socket.socket(family, socket.SOCK_STREAM)
    if receive_buffer:
        made_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    return made_socket


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def be_patient():
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        connection.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", PATIENCE_S, 0))


def listen(address):
    global listener
    listener = made(family_of(address))
    listener.bind((address, 0))
    listener.listen(16)
    return listener.getsockname()[1]


def accept():
    global connection
    connection, peer = listener.accept()
    be_patient()
    return peer[1]


def connect(address, port):
    global connection
    connection = made(family_of(address))
    be_patient()
    connection.connect((address, int(port)))
    return connection.getsockname()[1]


def rcvbuf(size):
    global receive_buffer
    receive_buffer = int(size)


def send(size):
    connection.sendall(b"x" * int(size))


def give(size):
    """Sent, and acknowledged."""
    send(size)
    end = time.monotonic() + PATIENCE_S / 2
    while struct.unpack("i", fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)))[0] and time.monotonic() < end:
        time.sleep(0.002)


def push(size):
    """What goes without waiting; how much that was."""
    try:
        return connection.send(b"x" * int(size), socket.MSG_DONTWAIT)
    except BlockingIOError:
        return 0


def trickle(seconds):
    """A byte every 50 ms."""
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        connection.sendall(b"x")
        time.sleep(0.05)


def recv(size):
    left = int(size)
    while left:
        got = connection.recv(left)
        if not got:
            return "end"
        left -= len(got)


def eof():
    """To the end of the stream; how much came."""
    size = 0
    while True:
        got = connection.recv(65536)
        if not got:
            return size
        size += len(got)


def linger(on, seconds):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", int(on), int(seconds)))


def close():
    """When it returned: what the call sends has been sent by then."""
    connection.close()
    return time.time_ns()


def fin():
    connection.shutdown(socket.SHUT_WR)
    return time.time_ns()


def leave():
    """exit(3): Python would close the sockets first."""
    libc.exit(0)


def unspecified():
    """connect(AF_UNSPEC), which Python does not offer."""
    if libc.connect(connection.fileno(), b"\0" * 16, 16) < 0:
        raise OSError(ctypes.get_errno(), "connect")


def thread():
    """From now on this is a program with threads."""
    threading.Thread(target=time.sleep, args=(0,)).start()


def rebind(address, port):
    """Can the address be listened on anew, without SO_REUSEADDR?"""
    listener.close()
    with made(family_of(address)) as again:
        again.bind((address, int(port)))
        again.listen(1)


def forge(source, sport, destination, dport, seq):
    """An RST that no socket of ours sends."""
    family = family_of(source)
    addresses = socket.inet_pton(family, source) + socket.inet_pton(family, destination)
    header = struct.pack(">HHIIBBHHH", int(sport), int(dport), int(seq), 0, 5 << 4, 4, 0, 0, 0)
    words = struct.unpack(">%dH" % ((len(addresses) + 4 + len(header)) // 2), addresses + struct.pack(">HH", 6, len(header)) + header)
    total = sum(words)
    total = (total & 0xFFFF) + (total >> 16)
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP) as raw:
        raw.bind((source, 0))
        raw.sendto(header[:16] + struct.pack(">H", checksum) + header[18:], (destination, 0))


def forget():
    """Ready for the next: whatever is left is closed."""
    global listener, connection
    for left in (listener, connection):
        if left:
            left.close()
    listener = connection = None


COMMANDS = {
    "listen": listen, "accept": accept, "connect": connect, "rcvbuf": rcvbuf, "send": send, "give": give, "push": push, "trickle": trickle,
    "recv": recv, "eof": eof, "linger": linger, "close": close, "fin": fin, "unspecified": unspecified, "thread": thread, "rebind": rebind,
    "forge": forge, "forget": forget,
    "shut-rd": lambda: connection.shutdown(socket.SHUT_RD),
    "shut-rdwr": lambda: connection.shutdown(socket.SHUT_RDWR),
    "unlisten": lambda: listener.close(),
    "exit": leave,
    "terminate": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
}

while True:
    signal.alarm(120)
    line = sys.stdin.readline().split()
    if not line:
        break
    try:
        value = COMMANDS[line[0]](*line[1:])
        print("ok", "" if value is None else value, flush=True)
    except OSError as error:
        print("no", errno.errorcode.get(error.errno, error), flush=True)
