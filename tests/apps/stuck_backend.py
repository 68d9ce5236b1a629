# SPDX-License-Identifier: MIT
"""What stands behind a proxy or a port forward: a program that is stuck, for some of its connections, and works for others.

stuck_backend.py: a plain TCP server, prints "listening PORT" and ends with its standard input. A client says in a line what it wants:
    stuck       its end is read, and never answered: the connection is never closed
    talk N      N lines after the client's end, a tenth of a second each, then the end
    echo        each further line comes back, up to the client's end
"""
import signal
import socketserver
import sys
import threading
import time

SECONDS = 60
never = threading.Event()


class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        words = self.rfile.readline().split()
        if words[0] == b"echo":
            for line in self.rfile:
                self.wfile.write(line)
            return
        self.rfile.read()
        if words[0] == b"stuck":
            never.wait()
        for number in range(int(words[1])):
            time.sleep(0.1)
            self.wfile.write(b"%d\n" % number)


signal.alarm(SECONDS)
socketserver.ThreadingTCPServer.daemon_threads = True
server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("listening", server.server_address[1], flush=True)
sys.stdin.readline()
