# SPDX-License-Identifier: MIT
"""Python's own server with a process for each request: its children answer, close, and end by os._exit()."""
import socketserver


class Answer(socketserver.StreamRequestHandler):
    rbufsize = 0

    def handle(self):
        count = int(self.rfile.readline().split()[1])
        self.wfile.write(bytes(97 + i % 23 for i in range(count)))


class Server(socketserver.ForkingMixIn, socketserver.TCPServer):
    request_queue_size = 64


with Server(("127.0.0.1", 0), Answer) as server:
    print("listening %d" % server.server_address[1], flush=True)
    server.serve_forever()
