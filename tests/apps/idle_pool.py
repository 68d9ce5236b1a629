# SPDX-License-Identifier: MIT
"""The sin, in the wild: a pool of idle keep-alive connections that the server has closed long ago.

idle_pool.py COUNT [PORT SECONDS]: http.client connections to a server of its own (another process, not preloaded), which closes each of them
right after its first answer. The pool keeps them and looks at none. Prints "pooled PORT" and ends with its standard input.
With PORT, it is a good neighbour to itself meanwhile: good_neighbours.py in the same process.
"""
import http.client
import http.server
import os
import signal
import subprocess
import sys

import good_neighbours

SECONDS = 60


class ClosesWhenIdle(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 0.5  # seconds of idleness after which the server closes

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"ok\n")

    def log_message(self, *arguments):
        pass


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), ClosesWhenIdle)
    print(server.server_address[1], flush=True)
    server.serve_forever()


def main():
    signal.alarm(SECONDS)
    if sys.argv[1] == "serve":
        serve()
    plain = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    server = subprocess.Popen([sys.executable, __file__, "serve"], env=plain, stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline())
        pool = []
        for _ in range(int(sys.argv[1])):
            connection = http.client.HTTPConnection("127.0.0.1", port)
            connection.request("GET", "/")
            connection.getresponse().read()
            pool.append(connection)
        print("pooled", port, flush=True)
        if len(sys.argv) > 2:
            good_neighbours.main(int(sys.argv[2]), int(sys.argv[3]))
        sys.stdin.readline()
    finally:
        server.kill()
        server.wait()


main()
