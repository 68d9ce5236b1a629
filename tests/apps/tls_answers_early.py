# SPDX-License-Identifier: MIT
"""The sin over TLS: the server answers before the upload has come, and closes.

tls_answers_early.py serve CERTIFICATE KEY: prints "listening PORT".
tls_answers_early.py PORT: ten clients, one after the other, which send all they have, say close_notify, and only then read. Prints
"complete N of 10".
"""
import signal
import socket
import ssl
import sys

SECONDS, CLIENTS = 60, 10
ANSWER = b"abcdefgh" * 4096
UPLOAD = b"x" * (1 << 20)


def serve(certificate, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))
    print("listening", listener.getsockname()[1], flush=True)
    while True:
        plain = listener.accept()[0]
        connection = context.wrap_socket(plain, server_side=True)
        connection.recv(100)
        connection.sendall(ANSWER)
        connection.close()


def is_complete(port):
    context = ssl._create_unverified_context()
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 64 << 10)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 10)
    plain.connect(("127.0.0.1", port))
    connection = context.wrap_socket(plain)
    answer = b""
    try:
        connection.sendall(UPLOAD)
        connection.settimeout(10)
        while len(answer) < len(ANSWER) and (data := connection.recv(4096)):
            answer += data
        connection.unwrap()
    except OSError:
        pass  # an end without close_notify, too: the server says none
    connection.close()
    return answer == ANSWER


signal.alarm(SECONDS)
if sys.argv[1] == "serve":
    serve(sys.argv[2], sys.argv[3])
print("complete", sum(is_complete(int(sys.argv[1])) for _ in range(CLIENTS)), "of", CLIENTS)
