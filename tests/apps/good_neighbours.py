# SPDX-License-Identifier: MIT
"""Clients that no bound may harm, beside those that leak: to stuck_backend.py, through whatever stands before it.

good_neighbours.py PORT SECONDS
One has shut down its side and is being answered all that time, ten lines a second; one talks to and fro all that time. Prints
    half-closed N of N, then end of stream
    healthy N of N, then end of stream
"""
import socket
import sys
import threading
import time


def half_closed(port, count):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"talk %d\n" % count)
        connection.shutdown(socket.SHUT_WR)
        return "half-closed", lines_of(connection)


def lines_of(connection):
    lines, end = 0, "end of stream"
    try:
        for line in connection.makefile("rb"):
            lines += line == b"%d\n" % lines
    except OSError as error:
        end = error.strerror
    return lines, end


def healthy(port, count):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"echo\n")
        lines = connection.makefile("rb")
        for number in range(count):
            connection.sendall(b"%d\n" % number)
            if lines.readline() != b"%d\n" % number:
                return "healthy", (number, "a wrong answer")
            time.sleep(0.1)
        connection.shutdown(socket.SHUT_WR)
        return "healthy", (count, "end of stream" if not lines.read() else "more than was sent")


def run(client, port, count):
    name, (lines, end) = client(port, count)
    print(f"{name} {lines} of {count}, then {end}\n", end="", flush=True)


def main(port, seconds):
    threads = [threading.Thread(target=run, args=(client, port, seconds * 10)) for client in (half_closed, healthy)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
