# SPDX-License-Identifier: MIT
"""Read a capture: which end sent FIN, the ACK of the other's FIN, and RST, in what order.

Only struct is needed. Ethernet, IPv4 and IPv6 without extension headers, TCP; timestamps in nanoseconds (tcpdump
--nano) or microseconds. A capture that is still being written is read up to its last whole packet.
"""
import struct
import threading
from collections import namedtuple

FIN, SYN, RST, ACK = 1, 2, 4, 16
MAGIC = {0xA1B2C3D4: 1000, 0xA1B23C4D: 1}  # what a capture begins with, and the unit of its fractions in ns

Segment = namedtuple("Segment", "at_ns source sport destination dport seq ack flags bytes")


def decode(packet, at_ns):
    kind, = struct.unpack_from(">H", packet, 12)
    if kind == 0x0800 and packet[23] == 6:
        tcp = 14 + (packet[14] & 15) * 4
        end = 14 + struct.unpack_from(">H", packet, 16)[0]
        source, destination = packet[26:30], packet[30:34]
    elif kind == 0x86DD and packet[20] == 6:
        tcp = 54
        end = 54 + struct.unpack_from(">H", packet, 18)[0]
        source, destination = packet[22:38], packet[38:54]
    else:
        return None
    sport, dport, seq, ack, offset, flags = struct.unpack_from(">HHIIBB", packet, tcp)
    return Segment(at_ns, source, sport, destination, dport, seq, ack, flags, end - tcp - (offset >> 4) * 4)


def before(a, b):
    """Sequence numbers wrap."""
    return (a - b) & 0xFFFFFFFF > 0x7FFFFFFF


class Conversation:
    """One connection, between `us` (a port) and the peer. events: ("us", "FIN", at_ns) and so on.

    FIN      the first of an end; what is sent again is not told
    ACK      the first segment of an end that acknowledges the other's FIN; told before the FIN that it may carry
    RST      told once until the other end speaks
    PROBE    keepalive: a segment without data, one below what was sent last; told once until something else is told
    Data and their ACKs are not told.
    """

    def __init__(self, us_port, peer_port):
        self.ports = {us_port: "us", peer_port: "peer"}
        self.events = []
        self.next = {}      # end -> the sequence number that follows what it has sent
        self.acked = {}     # end -> what it has acknowledged last
        self.fin = {}       # end -> the number after its FIN
        self.fin_at_ns = {}
        self.acked_fin = set()
        self.data_end = {}  # end -> the number after its data
        self.data_acked_at_ns = {}

    def take(self, segment):
        end = self.ports[segment.sport]
        other = "peer" if end == "us" else "us"
        after = (segment.seq + segment.bytes + bool(segment.flags & (SYN | FIN))) & 0xFFFFFFFF
        if segment.flags & RST:
            self.tell(end, "RST", segment)
            return
        if segment.flags & ACK:
            self.acked[end] = segment.ack
            if other in self.data_end and not before(segment.ack, self.data_end[other]):
                self.data_acked_at_ns.setdefault(other, segment.at_ns)
            if other in self.fin and end not in self.acked_fin and not before(segment.ack, self.fin[other]):
                self.acked_fin.add(end)
                self.tell(end, "ACK", segment)
        if segment.flags & FIN and end not in self.fin:
            self.fin[end] = after
            self.fin_at_ns[end] = segment.at_ns
            self.tell(end, "FIN", segment)
        if segment.bytes:
            if end not in self.data_end or before(self.data_end[end], segment.seq + segment.bytes):
                self.data_end[end] = (segment.seq + segment.bytes) & 0xFFFFFFFF
                self.data_acked_at_ns.pop(end, None)
        elif not segment.flags & (SYN | FIN) and end in self.next and segment.seq == (self.next[end] - 1) & 0xFFFFFFFF:
            self.tell(end, "PROBE", segment)
        if end not in self.next or before(self.next[end], after):
            self.next[end] = after

    def tell(self, end, what, segment):
        if what in ("RST", "PROBE") and self.events and self.events[-1][:2] == (end, what):
            return
        self.events.append((end, what, segment.at_ns))

    def __str__(self):
        return " ".join("%s:%s" % event[:2] for event in self.events)


class Tape:
    """A capture that is still being written. A connection is named by the two ports."""

    def __init__(self, path):
        self.path, self.at, self.order, self.unit_ns = path, 0, None, 1
        self.kept = {}
        self.lock = threading.Lock()

    def conversation(self, us_port, peer_port):
        with self.lock:
            self.read()
            kept = list(self.kept.get(frozenset((us_port, peer_port)), ()))
        found = Conversation(us_port, peer_port)
        for segment in kept:
            found.take(segment)
        return found

    def read(self):
        for segment in self.segments():
            name = frozenset((segment.sport, segment.dport))
            if segment.flags & (SYN | ACK) == SYN and name in self.kept and self.kept[name][0].seq != segment.seq:
                del self.kept[name]
            self.kept.setdefault(name, []).append(segment)

    def segments(self):
        """What has come since it was asked last, up to the last whole packet."""
        with open(self.path, "rb") as file:
            file.seek(self.at)
            data = file.read()
        at = 0
        if not self.order and len(data) >= 24:
            self.order = "<" if struct.unpack_from("<I", data)[0] in MAGIC else ">"
            self.unit_ns = MAGIC[struct.unpack_from(self.order + "I", data)[0]]
            assert struct.unpack_from(self.order + "I", data, 20)[0] == 1, "a capture, but not of Ethernet"
            at = 24
        while self.order and at + 16 <= len(data):
            seconds, fraction, kept, _ = struct.unpack_from(self.order + "IIII", data, at)
            if at + 16 + kept > len(data):
                break
            segment = decode(data[at + 16:at + 16 + kept], seconds * 10**9 + fraction * self.unit_ns)
            at += 16 + kept
            if segment:
                yield segment
        self.at += at
