#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Uploads in flight when the server answers and closes: complete answers, and RSTs from the server.

WIRE_CONNECTIONS (10000) connections a line, WIRE_AT_ONCE (64) at once, half of them over IPv6; --only WORD... plays the lines that have all these words.
Exit status 0 when what is promised holds (no RST before the answer was delivered, no answer lost), 1 when not, 77 with the reason
when nothing can be played here.
"""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import namedtuple

from network import ADDRESS, Network, missing, wait_for
from scenarios import POLICIES
from segments import FIN, RST, SYN, Tape
from table import BUILD, environment_of

UPLOAD_BYTES, ANSWER_BYTES = 1 << 20, 64 << 10
AT_ONCE = int(os.environ.get("WIRE_AT_ONCE", 64))
PATIENCE_S = 30
UPSTREAM = 7999
MARK_PORTS = 700  # no client has one of these
EARLY = os.path.join(BUILD, "tests/wire/early")

# A server that answers early and closes (early.c), and nginx before one that does (with proxy_request_buffering off). Uploads in flight: the clients take turns,
# see uploads.c. Uploads that begin after the close: nothing is unread then, and nginx's heuristic has nothing to go by.
Line = namedtuple("Line", "clients server policy promised")
FLYING, LATE = ("small", "stops"), ("late-small", "late-stops")
LINES = [
    Line(FLYING, "early",                  None,             False),
    Line(FLYING, "early",                  "graceful-close", True),
    Line(FLYING, "nginx lingering off",    None,             False),
    Line(FLYING, "nginx lingering off",    "graceful-close", True),
    Line(FLYING, "nginx lingering on",     None,             False),
    Line(FLYING, "nginx lingering always", None,             False),
    Line(LATE,   "early",                  None,             False),
    Line(LATE,   "early",                  "graceful-close", False),
    Line(LATE,   "early",                  "always",         True),
    Line(LATE,   "nginx lingering on",     None,             False),
    Line(LATE,   "nginx lingering always", None,             False),
    Line(LATE,   "nginx lingering off",    "graceful-close", False),
    Line(LATE,   "nginx lingering off",    "always",         True),
]

NGINX = """
daemon off;
user root;
worker_processes 2;
worker_rlimit_nofile 16384;
pid %(folder)s/nginx.pid;
error_log %(folder)s/error.log warn;
events { worker_connections 8192; }
http {
	access_log off;
	client_body_temp_path %(folder)s/body;
	proxy_temp_path %(folder)s/proxy;
	server {
		listen %(port)d backlog=1024 sndbuf=512k;
		listen [::]:%(port)d backlog=1024 sndbuf=512k;
		root %(folder)s;
		client_max_body_size 0;
		lingering_close %(lingering)s;
		location /upload {
			proxy_pass http://127.0.0.1:%(upstream)d;
			proxy_http_version 1.1;
			proxy_request_buffering off;
		}
	}
}
"""


class Counts:
    """RSTs of the server, and those that came before the client had closed. Reads the capture from time to time."""

    def __init__(self, tape, port):
        self.tape, self.port = tape, port
        self.resets = self.early = 0
        self.finished, self.reset, self.begun = set(), set(), set()

    def read(self):
        with self.tape.lock:
            for segment in self.tape.segments():
                client = (segment.destination, segment.dport) if segment.sport == self.port else (segment.source, segment.sport)
                if segment.flags & SYN:  # the port may have been another's
                    if segment.sport != self.port:
                        self.begun.add(client + (segment.seq,))
                    self.finished.discard(client)
                    self.reset.discard(client)
                elif segment.sport != self.port:
                    if segment.flags & (FIN | RST):
                        self.finished.add(client)
                elif segment.flags & RST and client not in self.reset:
                    self.reset.add(client)
                    self.resets += 1
                    self.early += client not in self.finished


def preload(name, folder):
    """The environment for a policy of scenarios.py."""
    return environment_of(next(policy for policy in POLICIES if policy.name == (name or "none")), folder)


def start(network, line, port, folder):
    if line.server == "early":
        command = [EARLY, str(port), "plain"]
    else:
        with open(os.path.join(folder, "nginx.conf"), "w") as file:
            file.write(NGINX % {"folder": folder, "port": port, "upstream": UPSTREAM, "lingering": line.server.split()[-1]})
        command = ["nginx", "-e", os.path.join(folder, "error.log"), "-c", os.path.join(folder, "nginx.conf")]
    return started(network, ["env"] + preload(line.policy, folder) + command, port)


def started(network, command, port):
    server = subprocess.Popen(network.prefix("us") + command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    if not wait_for(PATIENCE_S, lambda: network.run("us", "ss", "-tlnH", "sport = :%d" % port)):
        raise SystemExit("%s does not listen" % command)
    return server


def mark(network, port, counts):
    """A last connection: when it is read of, all before it has been."""
    network.run("peer", sys.executable, "-c", "import socket; socket.create_connection(('%s', %d), source_address=('', %d))" % (
        ADDRESS[4]["us"], port, MARK_PORTS + port % 100))

    def is_read():
        counts.read()
        return any(client[1] == MARK_PORTS + port % 100 for client in counts.finished)
    if not wait_for(PATIENCE_S, is_read):
        raise SystemExit("the capture ends before its end")


def play(network, line, number, connections, folder):
    port = 8000 + number
    server = start(network, line, port, folder)
    ends = "(tcp[tcpflags] & (tcp-syn|tcp-rst|tcp-fin) != 0 or (ip6 and ip6[53] & 7 != 0)) and tcp port %d" % port
    counts = Counts(Tape(network.capture("uploads-%d" % number, ends)), port)
    begun = time.monotonic()
    complete = 0
    for family in (4, 6):
        clients = subprocess.run(network.prefix("peer") + [os.path.join(BUILD, "tests/wire/uploads"), ADDRESS[family]["us"], str(port),
                                 str(connections // 2), str(AT_ONCE), str(UPLOAD_BYTES), str(ANSWER_BYTES),
                                 "plain" if line.server == "early" else "http", *line.clients], stdout=subprocess.PIPE, text=True,
                                 timeout=500)
        if clients.returncode:
            raise SystemExit("the clients ended with status %d" % clients.returncode)
        complete += int(clients.stdout.split()[0].split("=")[1])
    seconds = time.monotonic() - begun
    mark(network, port, counts)
    network.end_captures()
    total = connections // 2 * 2
    lost = total + 1 - len(counts.begun)
    server.terminate()
    server.wait(PATIENCE_S)
    bad = lost or (line.promised and (complete != total or counts.early))
    print("%-20s %-24s %-16s %6d of %-6d %6d %6d %7.1f s  %s" % (
        ", ".join(line.clients), line.server, line.policy or "-", complete, total, counts.resets, counts.early, seconds,
        "THE CAPTURE LACKS %d CONNECTIONS" % lost if lost else "NOT AS PROMISED" if bad else "as promised" if line.promised else ""), flush=True)
    return not bad


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="*", default=[])
    asked = parser.parse_args()
    reason = missing() or (None if shutil.which("nginx") else "no nginx (make deps)")
    if reason:
        print("skipped: " + reason)
        return 77
    connections = int(os.environ.get("WIRE_CONNECTIONS", 10000))
    folder = tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    os.chmod(folder, 0o755)
    with open(os.path.join(folder, "answer"), "wb") as file:
        file.write(bytes(ord("a") + position % 23 for position in range(ANSWER_BYTES)))
    network = Network(folder)
    upstream = started(network, [EARLY, str(UPSTREAM), "http", str(ANSWER_BYTES)], UPSTREAM)
    good = True
    print("%-20s %-24s %-16s %16s %6s %6s" % ("clients", "server", "policy", "answers complete", "RSTs", "early"))
    try:
        for number, line in enumerate(LINES):
            words = [*line.clients, *line.server.split(), line.policy or "plain", "promised" if line.promised else ""]
            if all(word in words for word in asked.only):
                good &= play(network, line, number, connections, folder)
    finally:
        upstream.terminate()
        network.close()
        shutil.rmtree(folder)
    print("RSTs: connections that the server reset; early: before the client had closed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
