#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Short connections to an HTTP server, one after another from a few threads, until told to end.

load.py PORT [BODY-BYTES]     GET; half of them POST with so much body, whose answer is as good when it comes early

Says "loading" once it has begun. A line on standard input is answered with the counts so far; the end of it, or "end", ends the load:
"complete=N refused=N lost=N". Lost is what was connected and did not get the whole response.
"""

import os
import socket
import sys
import threading
import time

AT_ONCE = 4
PAUSE_S = 0.002  # a load, not a flood: others work on this machine
PATIENCE_S = 10
SECONDS = 120

counts = {"complete": 0, "refused": 0, "lost": 0}
lock = threading.Lock()
over = threading.Event()


def is_whole(response):
    head, _, body = response.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(body) == int(value)
    return False


def ask(port, body_bytes):
    sock = socket.socket()
    try:
        sock.settimeout(PATIENCE_S)
        try:
            sock.connect(("127.0.0.1", port))
        except ConnectionRefusedError:
            return "refused"
        method = "POST" if body_bytes else "GET"
        head = f"{method} / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        if body_bytes:
            head += f"Content-Length: {body_bytes}\r\n"
        sock.sendall(head.encode() + b"\r\n" + bytes(body_bytes))
        response = b""
        while more := sock.recv(65536):
            response += more
        return "complete" if is_whole(response) else "lost"
    except OSError:
        return "lost"
    finally:
        sock.close()


def worker(port, body_bytes):
    while not over.is_set():
        what = ask(port, body_bytes)
        with lock:
            counts[what] += 1
        time.sleep(PAUSE_S)


def say():
    with lock:
        print(*(f"{name}={count}" for name, count in counts.items()), flush=True)


def main():
    port, body_bytes = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    threads = [threading.Thread(target=worker, args=(port, body_bytes * (i % 2))) for i in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    watchdog = threading.Timer(SECONDS, os._exit, (1,))
    watchdog.daemon = True
    watchdog.start()
    print("loading", flush=True)
    for line in sys.stdin:
        if line.strip() == "end":
            break
        say()
    over.set()
    for thread in threads:
        thread.join()
    say()
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
