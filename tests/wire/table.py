#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Play scenarios.py: each row, under each policy that it speaks of, over IPv4 and IPv6, accepted and connected.

table.py [--policy NAME]... [--row WORD]... [--family 4|6]... [--role accepted|connected]... [--loss PERCENT] [--delay MS] [--at-once N] [--quick]
Exit status 0 when every segment is as promised, 1 when not, 77 with the reason when nothing can be played here.
"""
import argparse
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from network import ADDRESS, Missing, Network, missing, wait_for
from scenarios import HURRY, POLICIES, ROWS, SECTIONS
from segments import Tape

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(TOP, os.environ.get("BUILD", "build"))
PATIENCE_S = 20
SLOW = re.compile(r"stays [1-9]|trickle|orphan|us=CLOSED peer=CLOSED; us close$|us=CLOSED; peer close; peer=CLOSED")
ENDS_THE_PROCESS = ("exit", "terminate", "kill")


class Broken(Exception):
    """A promise that was not kept."""


class Actor:
    """actor.py in one of the networks, preloaded or not."""

    def __init__(self, network, end, environment):
        self.process = subprocess.Popen(network.prefix(end) + ["env"] + environment + [sys.executable, os.path.join(HERE, "actor.py")],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answers = queue.Queue()
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        for line in self.process.stdout:
            self.answers.put(line)
        self.answers.put("no END-OF-PROCESS")

    def tell(self, *words):
        self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.process.stdin.flush()

    def ask(self, *words):
        """Its answer, or "no ERRNO" as Broken."""
        self.tell(*words)
        try:
            answer = self.answers.get(timeout=PATIENCE_S)
        except queue.Empty:
            raise Broken("'%s' is not answered" % " ".join(map(str, words)))
        verdict, _, value = answer.strip().partition(" ")
        if verdict != "ok":
            raise OSError(value)
        return value

    def end(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()


class Play:
    """The rows of one policy, one family and one role, one after the other."""

    def __init__(self, network, tape, environments, policy, family, role):
        self.network, self.tape, self.policy, self.family, self.role = network, tape, policy, family, role
        self.environments, self.environment = environments, environments[False]
        self.us = Actor(network, "us", self.environment)
        self.peer = Actor(network, "peer", [])
        self.former, self.played = [], []
        self.failures = {}

    def rows(self, rows):
        try:
            for hurry in (False, True):
                self.change_to(self.environments[hurry])
                for row in rows:
                    if self.applies(row) and ("hurry" in row.under.split()) == hurry:
                        self.row(row)
            for row, ports in self.played:
                seen = str_of(self.tape.conversation(*ports), row)
                if row not in self.failures and seen != row.wire:
                    self.failures[row] = "afterwards the wire says '%s'" % seen
        finally:
            for actor in self.former + [self.us, self.peer]:
                actor.end()
        return self

    def change_to(self, environment):
        if environment != self.environment:
            self.former.append(self.us)
            self.us, self.environment = Actor(self.network, "us", environment), environment

    def applies(self, row):
        promises = self.policy.promises.split() + ["hurry"]
        wanted = all(word[1:] not in promises if word[0] == "-" else word in promises for word in row.under.split())
        return wanted and (self.role == "accepted" or row.only in ("", "small"))

    def row(self, row):
        self.deaf, self.follows = set(), None
        try:
            self.connect(row.only)
            for step in filter(None, (step.strip() for step in row.steps.split(";"))):
                try:
                    self.step(step)
                except (Broken, OSError, subprocess.SubprocessError) as failure:
                    raise Broken("at '%s': %s; the wire: %s" % (step, failure, self.conversation()))
            if not wait_for(PATIENCE_S, lambda: str_of(self.conversation(), row) == row.wire):
                raise Broken("promised '%s', seen '%s'" % (row.wire, self.conversation()))
            if self.follows and not self.network.loses and self.conversation().fin_at_ns[self.follows] > self.conversation().data_acked_at_ns[self.follows]:
                raise Broken("the FIN was not sent with the last data")
            self.played.append((row, self.ports))
        except (Broken, OSError, subprocess.SubprocessError) as failure:
            self.failures[row] = str(failure) or repr(failure)
        for end in list(self.deaf):
            self.hear(end)
        for end, environment in (("us", self.environment), ("peer", [])):
            try:
                getattr(self, end).ask("forget")
            except (Broken, OSError, BrokenPipeError):
                self.former.append(getattr(self, end))
                setattr(self, end, Actor(self.network, end, environment))

    def connect(self, only):
        passive, active = (self.us, self.peer) if self.role == "accepted" else (self.peer, self.us)
        address = ADDRESS[self.family]["us" if self.role == "accepted" else "peer"]
        self.peer.ask("rcvbuf", 4096 if only == "small" else 0)
        listening = int(passive.ask("listen", address))
        connecting = int(active.ask("connect", address, listening))
        if only != "queued":
            passive.ask("accept")
        self.ports = (listening, connecting) if self.role == "accepted" else (connecting, listening)

    def conversation(self):
        return self.tape.conversation(*self.ports)

    def towards(self, end):
        """The ports of a segment that comes to this end."""
        return self.ports[::-1] if end == "us" else self.ports

    def hear(self, end):
        self.network.undeafen(end, self.family, *self.towards(end))
        self.deaf.discard(end)

    def step(self, step):
        words = step.split()
        if words[0] in ("us", "peer"):
            self.command(step)
        elif words[0] == "deaf":
            self.deaf.add(words[1])
            self.network.deafen(words[1], self.family, *self.towards(words[1]))
        elif words[0] == "hears":
            self.hear(words[1])
        elif words[0] == "stays":
            end = time.monotonic() + float(words[1])
            while time.monotonic() < end:
                self.expect(words[2:], 0)
        elif words[0] == "orphan":
            if not wait_for(PATIENCE_S, self.is_orphan):
                raise Broken("a process holds it still")
        else:
            self.expect(words, PATIENCE_S)

    def command(self, step):
        said, _, wanted = step.partition("=")
        end, verb, *arguments = said.split()
        actor = getattr(self, end)
        mark, verb = (verb[-1], verb[:-1]) if verb[-1] in "!~" else ("", verb)
        if verb in ENDS_THE_PROCESS:
            actor.tell(verb)
            return
        if verb == "resets":
            verb, arguments = "forge", [ADDRESS[self.family]["peer"], self.ports[1], ADDRESS[self.family]["us"], self.ports[0],
                                        self.conversation().acked["us"]]
        elif verb == "rebind":
            arguments = [ADDRESS[self.family][end], self.ports[0]]
        try:
            answer = actor.ask(verb, *arguments)
        except OSError as failure:
            if str(failure) not in wanted.strip().split("|"):
                raise
            return
        if wanted and answer not in wanted.strip().split("|"):
            raise Broken("the answer is '%s'" % answer)
        if mark:
            self.in_time(mark, end, int(answer))

    def in_time(self, mark, end, returned_ns):
        """Our FIN is never later than without us."""
        if mark == "~":
            self.follows = end
            return
        if not wait_for(PATIENCE_S, lambda: end in self.conversation().fin_at_ns):
            raise Broken("no FIN")
        late_ns = self.conversation().fin_at_ns[end] - returned_ns
        if late_ns > 0:
            raise Broken("the FIN left %.3f ms after the call had returned" % (late_ns / 1e6))

    def expect(self, words, seconds):
        wanted = dict(word.split("=") for word in words)
        seen = {}

        def holds():
            for end in wanted:
                seen[end] = self.network.state(end, *(self.ports if end == "us" else self.ports[::-1]))
            return seen == wanted
        if not wait_for(seconds, holds):
            raise Broken("ss says %s" % " ".join("%s=%s" % pair for pair in seen.items()))

    def is_orphan(self):
        said = self.network.run("us", "ss", "-taneH", "sport = :%d and dport = :%d" % self.ports)
        return said and ("ino:" not in said or "ino:0 " in said)


def str_of(conversation, row):
    """Probes count only where a row speaks of them."""
    return str(conversation) if "PROBE" in row.wire else " ".join(word for word in str(conversation).split() if "PROBE" not in word)


def path_of(policy):
    return policy.file and os.path.join(TOP, "policies", policy.file + ".policy")


def environment_of(policy, folder, hurry=False):
    """As shipped, or in a hurry."""
    if not policy.file:
        return []
    path = os.path.join(folder, policy.name + ("-hurry" if hurry else "") + ".policy")
    with open(path, "w") as file:
        subprocess.run(["sed", "-E", "-e", policy.sed, "-e", HURRY if hurry else "", path_of(policy)], stdout=file, check=True)
    return ["LD_PRELOAD=" + os.path.join(BUILD, "liblastack.so"), "LASTACK_POLICY=" + path, "LASTACK_DIR=" + os.path.join(folder, "regions"),
            "LASTACK_LOG=" + os.path.join(folder, "lastack.log")]


def check_promises(policy):
    """Our line for a policy says what its file has."""
    with open(path_of(policy)) as file:
        text = file.read()
    has = {promise for promise, section in SECTIONS.items() if re.search(section, text, re.M)}
    promised = set(policy.promises.split()) & set(SECTIONS)
    return "policies/%s.policy has %s, scenarios.py says %s" % (policy.file, sorted(has), sorted(promised)) if has != promised else None


def arguments():
    parser = argparse.ArgumentParser()
    for name in ("policy", "row", "role"):
        parser.add_argument("--" + name, action="append")
    parser.add_argument("--family", action="append", type=int)
    parser.add_argument("--loss", type=int, default=0)
    parser.add_argument("--delay", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--quick", action="store_true", help="without the rows in which time must pass")
    parser.add_argument("--keep", help="a folder for capture, policies and logs")
    return parser.parse_args()


def main():
    asked = arguments()
    reason = missing()
    if reason:
        print("skipped: " + reason)
        return 77
    folder = asked.keep or tempfile.mkdtemp(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
    os.makedirs(folder, exist_ok=True)
    bad = []
    policies = [policy for policy in POLICIES if not asked.policy or policy.name in asked.policy]
    for policy in list(policies):
        if policy.file and not os.path.exists(path_of(policy)):
            print("%s is not shipped yet: not played" % policy.name)
            policies.remove(policy)
        elif policy.file and check_promises(policy):
            bad.append(check_promises(policy))
    rows = [row for row in ROWS if not asked.row or any(word in row.name for word in asked.row)]
    if asked.loss:  # nobody sends an RST again, and who waits for less than a second cannot wait for what is sent again
        rows = [row for row in rows if "RST" not in row.wire and "hurry" not in row.under]
    if asked.quick:
        rows = [row for row in rows if not SLOW.search(row.steps)]
    network = Network(folder, asked.loss, asked.delay)
    try:
        environments = {policy: [environment_of(policy, folder, hurry) for hurry in (False, True)] for policy in policies}
        tape = Tape(network.capture("wire"))
        with ThreadPoolExecutor(asked.at_once) as pool:
            plays = [pool.submit(lambda *which: Play(network, tape, *which).rows(rows), environments[policy], policy, family, role)
                     for policy in policies for family in asked.family or (4, 6) for role in asked.role or ("accepted", "connected")]
            plays = [play.result() for play in plays]
        lost = network.end_captures()
        if lost:
            bad.append("the capture lacks %d packets" % lost)
    finally:
        network.close()
        if not asked.keep:
            shutil.rmtree(folder)
    return show(rows, policies, plays, network.notes, bad)


def show(rows, policies, plays, notes, bad):
    count = 0
    for row in rows:
        marks = []
        for policy in policies:
            mine = [play for play in plays if play.policy is policy and play.applies(row)]
            broken = [play for play in mine if row in play.failures]
            count += len(mine)
            marks.append("-" if not mine else "%d/%d" % (len(mine) - len(broken), len(mine)) if broken else str(len(mine)))
            bad += ["%s, IPv%d, %s: %s: %s" % (policy.name, play.family, play.role, row.name, play.failures[row]) for play in broken]
        print("%-7s %-86s %-50s %s" % (row.row, row.name, row.wire, " ".join("%3s" % mark for mark in marks)))
    print("columns: " + ", ".join(policy.name for policy in policies))
    for line in notes + bad:
        print(line)
    print("%d played, %d not as promised" % (count, len(bad)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
