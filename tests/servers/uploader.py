#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Clients whose request has more body than the server reads: how many get the whole response?

uploader.py PORT METHOD PATH BYTES COUNT reads-on|stops [HEADER:VALUE...]

stops     Python's own http.client: a client that gives up at its first send error, without reading, as most libraries do.
reads-on  goes on after a send error and reads what is there, through a receive buffer of 8 KiB: what does not fit is still with the server.

A response is complete when it ends as its framing says: http.client compares with Content-Length and the last chunk. One that only
the end of the connection frames (HTTP/1.0) is compared with what a client got that had nothing more to send. Prints "complete=N of COUNT".
"""

import http.client
import socket
import sys

RECEIVE_BUFFER_BYTES = 8 << 10
SEND_BUFFER_BYTES = 64 << 10  # an upload does not fit in whole, as on a network
PATIENCE_S = 15


class ReadsOn:
    """A socket on which no send fails, as far as its user is told."""

    def __init__(self, sock):
        self.sock = sock

    def sendall(self, data):
        try:
            self.sock.sendall(data)
        except OSError:
            pass

    def __getattr__(self, name):
        return getattr(self.sock, name)


class Client(http.client.HTTPConnection):
    def __init__(self, port, reads_on):
        super().__init__("127.0.0.1", port)
        self.reads_on = reads_on

    def connect(self):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        sock.settimeout(PATIENCE_S)
        sock.connect((self.host, self.port))
        self.sock = ReadsOn(sock) if self.reads_on else sock


def ask(port, method, path, body_bytes, headers, reads_on, announced=0):
    """The response and its body; OSError or HTTPException when it was lost."""
    client = Client(port, reads_on)
    try:
        if announced:
            headers = dict(headers, **{"Content-Length": str(announced)})
        client.request(method, path, body=bytes(body_bytes) if body_bytes else None, headers=headers)
        response = client.getresponse()
        return response, response.read()
    finally:
        client.close()


def main():
    port, method, path, body_bytes, count = int(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
    reads_on = {"reads-on": True, "stops": False}[sys.argv[6]]
    headers = dict(argument.split(":", 1) for argument in sys.argv[7:])
    whole = None
    complete = 0
    lost = {}
    for _ in range(count):
        try:
            response, body = ask(port, method, path, body_bytes, headers, reads_on)
            if response.length is None and not response.chunked:
                if whole is None:
                    whole = ask(port, method, path, 0, headers, reads_on, announced=body_bytes)[1]
                if body != whole:
                    raise http.client.IncompleteRead(body, len(whole) - len(body))
            complete += 1
        except (OSError, http.client.HTTPException) as error:
            name = type(error).__name__
            lost[name] = lost.get(name, 0) + 1
    print(f"complete={complete} of {count}", *(f"{name}={times}" for name, times in sorted(lost.items())))
    return 0 if complete == count else 1


if __name__ == "__main__":
    sys.exit(main())
