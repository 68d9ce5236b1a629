# SPDX-License-Identifier: MIT
"""The sin: it reads every connection to its end, or not at all, and forgets it. On any address, as server and as client.

forgetful.py: obeys lines of standard input, answers each with one line, and ends with it. Addresses are IPv4 or IPv6.
    listen ADDRESS PORT             accept there, read to the end, forget              -> "listening PORT"
    listen-both ADDRESS PORT        the same for IPv4 clients of an IPv6 address, too   -> "listening PORT"
    listen-deaf ADDRESS PORT        accept there, read nothing                         -> "listening PORT"
    listen-half-close ADDRESS PORT  send our FIN first, then read to the end, forget   -> "listening PORT"
    listen-and-close ADDRESS PORT   accept there and close at once: a peer for others  -> "listening PORT"
    connect ADDRESS PORT            connect, read to the end, forget                   -> "connected PORT", the local one
Of the connection that came last:
    say TEXT                        send it a line                                     -> "said BYTES"
    read                            read from it                                       -> "read BYTES" or "read ERROR"
    close, close-by-reset           close it; with SO_LINGER {1,0}                     -> "closed 1"
And of descriptors:
    fill                            open as many as there may be                       -> "opened COUNT"
    free                            close one of those                                 -> "closed 1"
    close-all-from NUMBER           whatever is open from there on                     -> "closed COUNT"
PORT 0 is one that the kernel chooses.
"""
import errno
import os
import selectors
import signal
import socket
import struct
import sys

SECONDS = 60

signal.alarm(SECONDS)
events = selectors.DefaultSelector()
kept = []
fillers = []


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def accept(listener, manner):
    connection = listener.accept()[0]
    if manner == "listen-and-close":
        connection.close()
        return
    kept.append(connection)
    if manner == "listen-half-close":
        connection.shutdown(socket.SHUT_WR)
    if manner != "listen-deaf":
        events.register(connection, selectors.EVENT_READ, lambda: read(connection))


def read(connection):
    if not connection.recv(4096):
        events.unregister(connection)


def receive(connection):
    try:
        return len(connection.recv(4096))
    except OSError as error:
        return errno.errorcode[error.errno]


def close(connection, by_reset):
    if connection in events.get_map():
        events.unregister(connection)
    if by_reset:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
    return 1


def close_from(number):
    closed = 0
    for fd in range(number, 5000):
        try:
            os.close(fd)
            closed += 1
        except OSError:
            pass
    os.closerange(number, 5000)
    return closed


def fill():
    try:
        while True:
            fillers.append(os.open("/dev/null", os.O_RDONLY))
    except OSError:
        return len(fillers)


def obey():
    line = sys.stdin.readline()
    if not line:
        sys.exit()
    words = line.split()
    if words[0] == "say":
        print("said", kept[-1].send(line[4:].encode()), flush=True)
        return
    if words[0] == "read":
        print("read", receive(kept[-1]), flush=True)
        return
    if words[0] in ("close", "close-by-reset"):
        print("closed", close(kept.pop(), words[0] == "close-by-reset"), flush=True)
        return
    if words[0] == "fill":
        print("opened", fill(), flush=True)
        return
    if words[0] == "free":
        os.close(fillers.pop())
        print("closed 1", flush=True)
        return
    if words[0] == "close-all-from":
        print("closed", close_from(int(words[1])), flush=True)
        return
    if words[0] == "connect":
        connection = socket.create_connection((words[1], int(words[2])))
        kept.append(connection)
        events.register(connection, selectors.EVENT_READ, lambda: read(connection))
        print("connected", connection.getsockname()[1], flush=True)
        return
    listener = socket.create_server((words[1], int(words[2])), family=family(words[1]),
                                    dualstack_ipv6=words[0] == "listen-both")
    kept.append(listener)
    events.register(listener, selectors.EVENT_READ, lambda: accept(listener, words[0]))
    print("listening", listener.getsockname()[1], flush=True)


events.register(sys.stdin, selectors.EVENT_READ, obey)
while True:
    for key, _ in events.select():
        key.data()
