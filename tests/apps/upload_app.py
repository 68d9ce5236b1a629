# SPDX-License-Identifier: MIT
"""The sin, in the wild: an application that refuses an upload by its size, without reading it.

The server closes the connection with the upload unread; the kernel sends an RST; the explanation is lost.
"""

ANSWER_BYTES = 200 * 1024
# Bytes whose order can be checked by whoever receives them (tests/apps/request.h).
ANSWER = bytes(ord("a") + i % 23 for i in range(ANSWER_BYTES))


def application(environ, start_response):
    if environ["REQUEST_METHOD"] == "POST":
        start_response(
            "413 Payload Too Large",
            [("Content-Type", "text/plain"), ("Content-Length", str(ANSWER_BYTES)), ("Connection", "close")],
        )
        return [ANSWER]
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "14")])
    return [b"still serving\n"]
