# SPDX-License-Identifier: MIT
"""Two networks of our own, joined by a veth pair: `us`, where the program under test runs, and `peer`.

Each is held by a process that ends when we do, so nothing is left behind however we end. What the kernel says (ss), what
is dropped (nftables) and what is captured (tcpdump, on our side of the wire) is asked here.
"""
import os
import shutil
import subprocess
import time

ADDRESS = {4: {"us": "10.77.0.1", "peer": "10.77.0.2"}, 6: {"us": "fd77::1", "peer": "fd77::2"}}
STATES = {"ESTAB": "ESTABLISHED", "UNCONN": "CLOSED", "SYN-RECV": "SYN-RECEIVED"}

RULES = """
table inet wire {
	set deaf4 { type inet_service . inet_service; }
	set deaf6 { type inet_service . inet_service; }
	chain input {
		type filter hook input priority 0;
		meta nfproto ipv4 tcp sport . tcp dport @deaf4 drop
		meta nfproto ipv6 tcp sport . tcp dport @deaf6 drop
		%s
	}
}
"""


class Missing(Exception):
    """What this machine cannot do."""


def missing():
    """Why nothing of this can run here, or None."""
    if os.getuid() != 0:
        return "making networks and capturing packets needs root"
    for tool in ("ip", "ss", "nft", "nsenter", "unshare", "tcpdump"):
        if not shutil.which(tool):
            return "no %s (make deps)" % tool
    tried = subprocess.run(["unshare", "--net", "sh", "-c", "ip link add w0 type veth peer name w1 && nft list ruleset"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=20)
    return tried.stderr.strip().splitlines()[-1] if tried.returncode else None


class Network:
    def __init__(self, folder, loss_percent=0, delay_ms=0):
        self.folder = folder
        self.holders, self.captures, self.notes = {}, [], []
        self.loses = loss_percent > 0
        for end in ("us", "peer"):
            holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "ip link set lo up && echo ready && read end"],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            if holder.stdout.readline() != "ready\n":
                raise Missing("no private network")
            self.holders[end] = holder
        self.run("us", "ip", "link", "add", "wire", "type", "veth", "peer", "name", "wire",
                 "netns", str(self.holders["peer"].pid))
        for end in ("us", "peer"):
            for family, length in ((4, "24"), (6, "64")):
                self.run(end, "ip", "address", "add", "%s/%s" % (ADDRESS[family][end], length), "dev", "wire",
                         *(["nodad"] if family == 6 else []))
            self.run(end, "ip", "link", "set", "wire", "up")
        self.disturb(loss_percent, delay_ms)

    def disturb(self, loss_percent, delay_ms):
        """netem where the kernel has it; else nftables lose segments, and nothing delays them."""
        drop = ""
        if loss_percent or delay_ms:
            netem = ["tc", "qdisc", "add", "dev", "wire", "root", "netem", "delay", "%dms" % delay_ms,
                     "loss", "%d%%" % loss_percent]
            if all(self.try_run(end, *netem) for end in ("us", "peer")):
                self.notes.append("netem: %d %% loss and %d ms each way" % (loss_percent, delay_ms))
            else:
                drop = "meta l4proto tcp numgen random mod 100 < %d drop" % loss_percent if loss_percent else ""
                self.notes.append("no netem in this kernel: %d %% loss by nftables, no delay" % loss_percent)
        for end in ("us", "peer"):
            self.run(end, "nft", "-f", "-", input=RULES % drop)

    def prefix(self, end):
        return ["nsenter", "--net=/proc/%d/ns/net" % self.holders[end].pid]

    def run(self, end, *command, input=None):
        return subprocess.run(self.prefix(end) + list(command), check=True, text=True, input=input, timeout=30,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE).stdout

    def try_run(self, end, *command):
        return subprocess.run(self.prefix(end) + list(command), timeout=30, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0

    def deafen(self, end, family, sport, dport):
        """Segments from the one to the other port are dropped before TCP of that end sees them. They are captured."""
        self.run(end, "nft", "add", "element", "inet", "wire", "deaf%d" % family, "{ %d . %d }" % (sport, dport))

    def undeafen(self, end, family, sport, dport):
        self.run(end, "nft", "delete", "element", "inet", "wire", "deaf%d" % family, "{ %d . %d }" % (sport, dport))

    def state(self, end, sport, dport):
        """The kernel's word, as RFC 9293 writes it; CLOSED where the kernel knows no such connection."""
        said = self.run(end, "ss", "-tanH", "sport = :%d and dport = :%d" % (sport, dport)).split()
        return STATES.get(said[0], said[0]) if said else "CLOSED"

    def capture(self, name, expression="tcp"):
        """From now on. The path of the capture."""
        path = os.path.join(self.folder, name + ".pcap")
        capture = subprocess.Popen(self.prefix("us") + ["tcpdump", "--immediate-mode", "-U", "-n", "-s", "128", "-B", "65536",
                                                        "-Z", "root", "--nano", "-i", "wire", "-w", path, expression],
                                   stderr=subprocess.PIPE, text=True)
        self.captures.append(capture)
        for line in capture.stderr:
            if "listening on" in line:
                return path
        raise Missing("tcpdump ended")

    def end_captures(self):
        """Returns how many packets the kernel could not hand over: 0, or the capture is not whole."""
        lost = 0
        for capture in self.captures:
            capture.terminate()
            for line in capture.stderr:
                if "dropped by kernel" in line:
                    lost += int(line.split()[0])
            capture.wait(10)
        self.captures = []
        return lost

    def close(self):
        self.end_captures()
        for holder in self.holders.values():
            holder.stdin.close()
            holder.wait(10)


def wait_for(seconds, question, pause=0.01):
    """Ask until the answer is true; the last answer."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer or time.monotonic() > deadline:
            return answer
        time.sleep(pause)
