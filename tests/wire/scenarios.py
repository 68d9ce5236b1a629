# SPDX-License-Identifier: MIT
"""The termination table as it is to be seen on the wire: policies, and what each row of the table promises under them.

`us` is the program under test, preloaded; `peer` is plain TCP. Steps are separated by ";":
    us|peer COMMAND [= ANSWER]   a command of actor.py; ANSWER is a value or the name of an errno, else it must simply succeed
    us=STATE peer=STATE          what ss says of each end, now or within 10 s (CLOSED: the kernel has no such connection)
    stays SECONDS us=STATE ...   the same, all that time
    deaf END, hears END          from now on the segments to this end are lost before its TCP sees them; they are on the wire
    orphan                       our connection belongs to no process any more
    peer resets                  an RST with the number that we expect, though no socket of the peer sends it
`close!` and `fin!`: the FIN is on the wire when the call returns. `close~`: before the last byte of our data is acknowledged.

`wire` is all of FIN, the ACK of the other's FIN, and RST, in order. Data, their ACKs and what is sent again are not told; keepalive
probes (PROBE) only where a row speaks of them.

`under` names what a policy must promise, or with "-" must not, for the row to be played under it. "hurry": under a copy whose times have
been made shorter with sed, so that nobody waits for minutes; all other rows are played under the shipped file itself. `only` is
"accepted": the row says nothing of connections that we have made; "queued": nor do we accept it; "small": the peer's receive buffer is. A row of the table is named by its number in facts/termination-table.md, else by "closing", "rst" and so on.
"""
from collections import namedtuple

# ---- policies: name, shipped file, what it promises, what is changed in it with sed ----------------------------------------------------

Policy = namedtuple("Policy", "name file promises sed", defaults=("",))
POLICIES = [
    Policy("none",               None,                 ""),
    Policy("observe",            "observe",            ""),
    Policy("bounded-close-wait", "bounded-close-wait", "close-wait"),
    Policy("bounded-half-close", "bounded-half-close", "fin-wait-2 last-ack"),
    Policy("graceful-close",     "graceful-close",     "graceful"),
    Policy("always",             "graceful-close",     "graceful always", r"s/^linger( *)= needed/linger\1= always/"),
    Policy("no-reset",           "no-reset",           "graceful refuse"),
    Policy("graceful-exit",      "graceful-exit",      "graceful exit"),
    Policy("legacy-server",      "legacy-server",      "close-wait last-ack fin-wait-2 graceful exit refuse"),
]

# For rows that say "hurry": 30s is 300 ms, 60s is 600 ms, 5m is 5 s; of a drain, 5s is 500 ms and 30s is 3 s.
HURRY = r"/^after/ { s/([0-9]+)s\b/\10ms/; s/([0-9]+)m\b/\1s/ }; /^\[close\]/,$ { /^(idle|total)/ s/([0-9]+)s\b/\100ms/ }"

# A promise is kept by a section of the file. What a file has, its line above must promise.
SECTIONS = {
    "close-wait": r"^\[close-wait\]", "last-ack": r"^\[last-ack\]", "fin-wait-2": r"^\[fin-wait-2\]", "graceful": r"^\[close\]\n(.*\n)*?action *= graceful",
    "exit": r"^\[exit\]\n(.*\n)*?action *= (drain|handover)", "refuse": r"^\[reset\]\n(.*\n)*?action *= refuse",
}

# ---- the table ---------------------------------------------------------------------------------------------------------------------------

Row = namedtuple("Row", "row name under steps wire only", defaults=("",))
OURS = "us:FIN peer:ACK peer:FIN us:ACK"
THEIRS = "peer:FIN us:ACK us:FIN peer:ACK"

ROWS = [
    # -- we close first: the left column
    Row("1-8", "we close first, the peer follows", "",
        "peer give 10; us recv 10; us send 20; peer recv 20; us=ESTABLISHED peer=ESTABLISHED; us close!; us=FIN-WAIT-2 peer=CLOSE-WAIT;"
        "peer eof = 0; peer close; us=TIME-WAIT peer=CLOSED", OURS),
    Row("1-8", "we shut down, the peer goes on sending and then follows, we close at last", "",
        "us fin!; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer give 1000; us recv 1000; peer close; us eof = 0; us=TIME-WAIT peer=CLOSED; us close", OURS),
    Row("2", "our FIN is not acknowledged: FIN-WAIT-1", "",
        "deaf us; us close!; us=FIN-WAIT-1 peer=CLOSE-WAIT; hears us; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer close; us=TIME-WAIT peer=CLOSED", OURS),
    Row("2", "our FIN is lost and sent again", "",
        "deaf peer; us close!; us=FIN-WAIT-1 peer=ESTABLISHED; hears peer; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer close; us=TIME-WAIT peer=CLOSED",
        OURS),
    Row("2-6", "the peer's FIN comes while ours waits for its ACK", "",
        "deaf us; us close!; us=FIN-WAIT-1 peer=CLOSE-WAIT; peer close; us=FIN-WAIT-1 peer=LAST-ACK; hears us; us=TIME-WAIT peer=CLOSED", OURS),
    Row("7", "an RST ends TIME-WAIT", "",
        "us close!; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer close; us=TIME-WAIT peer=CLOSED; peer resets; us=CLOSED", OURS + " peer:RST"),
    Row("1", "a response that fills the peer's window: the FIN follows its last byte", "",
        "us push 400000; us close~; peer eof; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer close; us=TIME-WAIT peer=CLOSED", OURS),

    Row("1", "a full send buffer, in a program with threads: the FIN follows its last byte", "-graceful",
        "us thread; us push 9000000; us close~; peer eof; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer close; us=TIME-WAIT peer=CLOSED", OURS),
    Row("1", "a full send buffer, in a program with threads: the FIN follows when nobody sends any more", "graceful",
        "us thread; us push 9000000; us close; peer eof; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer close; us=TIME-WAIT peer=CLOSED", OURS),

    # -- the peer closes first: the right column
    Row("1-8", "the peer closes first, we answer and follow", "",
        "peer fin; us=CLOSE-WAIT peer=FIN-WAIT-2; us eof = 0; us send 50; peer recv 50; us close!; peer eof = 0; us=CLOSED peer=TIME-WAIT", THEIRS),
    Row("3", "an end of file that nobody reads does no harm", "",
        "peer fin; us=CLOSE-WAIT peer=FIN-WAIT-2; us close!; us=CLOSED peer=TIME-WAIT", THEIRS),
    Row("4", "we shut down in CLOSE-WAIT, and close what is closed already", "",
        "peer fin; us=CLOSE-WAIT peer=FIN-WAIT-2; us fin!; us=CLOSED peer=TIME-WAIT; us close", THEIRS),
    Row("5", "our FIN is not acknowledged: LAST-ACK", "",
        "peer fin; us=CLOSE-WAIT peer=FIN-WAIT-2; deaf us; us close!; us=LAST-ACK peer=TIME-WAIT; hears us; us=CLOSED peer=TIME-WAIT", THEIRS),

    # -- both at once
    Row("closing", "both FINs cross, the descriptor closed", "",
        "deaf us; deaf peer; us close!; peer close; us=FIN-WAIT-1 peer=FIN-WAIT-1; hears us; us=CLOSING peer=FIN-WAIT-1; hears peer;"
        "us=TIME-WAIT peer=TIME-WAIT", "us:FIN peer:FIN us:ACK peer:ACK"),
    Row("closing", "both FINs cross, the descriptor held", "",
        "deaf us; deaf peer; us fin!; peer close; us=FIN-WAIT-1 peer=FIN-WAIT-1; hears us; us=CLOSING peer=FIN-WAIT-1; hears peer;"
        "us=TIME-WAIT peer=TIME-WAIT; us close", "us:FIN peer:FIN us:ACK peer:ACK"),
    Row("closing", "both FINs cross while we drain", "graceful",
        "peer give 10; us push 10; peer recv 10; deaf us; deaf peer; us close!; peer close; us=FIN-WAIT-1 peer=FIN-WAIT-1; hears us; us=CLOSING;"
        "hears peer; us=TIME-WAIT peer=TIME-WAIT", "us:FIN peer:FIN us:ACK peer:ACK"),

    # -- closed with unread data
    Row("rst", "ESTABLISHED, unread data: the close resets", "-graceful",
        "peer give 10; us send 20; peer recv 20; us close; us=CLOSED peer=CLOSED", "us:RST"),
    Row("1-8", "ESTABLISHED, unread data: the close drains", "graceful",
        "peer give 10; us send 20; us close!; peer eof = 20; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer give 30000; stays 0.3 us=FIN-WAIT-2 peer=CLOSE-WAIT;"
        "peer close; us=TIME-WAIT peer=CLOSED", OURS),
    Row("rst", "CLOSE-WAIT, unread data: the close resets", "-graceful",
        "peer give 10; peer fin; us=CLOSE-WAIT peer=FIN-WAIT-2; us close; us=CLOSED peer=CLOSED", "peer:FIN us:ACK us:RST"),
    Row("3-6", "CLOSE-WAIT, unread data: the close sends FIN", "graceful",
        "peer give 10; peer fin; us=CLOSE-WAIT peer=FIN-WAIT-2; us push 20; us close!; peer eof = 20; us=CLOSED peer=TIME-WAIT", THEIRS),
    Row("rst", "FIN-WAIT-1, unread data: the close resets", "-graceful",
        "peer give 10; deaf us; us fin!; us=FIN-WAIT-1 peer=CLOSE-WAIT; us close; us=CLOSED peer=CLOSED", "us:FIN peer:ACK us:RST"),
    Row("2-6", "FIN-WAIT-1, unread data: the close drains", "graceful",
        "peer give 10; deaf us; us fin!; us=FIN-WAIT-1 peer=CLOSE-WAIT; us close; stays 0.3 us=FIN-WAIT-1 peer=CLOSE-WAIT; hears us;"
        "us=FIN-WAIT-2 peer=CLOSE-WAIT; peer close; us=TIME-WAIT peer=CLOSED", OURS),
    Row("rst", "FIN-WAIT-2, unread data: the close resets", "-graceful",
        "us fin!; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer give 10; us close; us=CLOSED peer=CLOSED", "us:FIN peer:ACK us:RST"),
    Row("4-6", "FIN-WAIT-2, unread data: the close drains", "graceful",
        "us fin!; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer give 10; us close; stays 0.3 us=FIN-WAIT-2 peer=CLOSE-WAIT; peer close; us=TIME-WAIT peer=CLOSED",
        OURS),
    Row("rst", "LAST-ACK, unread data: the close resets", "-graceful",
        "peer give 10; peer fin; us=CLOSE-WAIT peer=FIN-WAIT-2; deaf us; us fin!; us=LAST-ACK peer=TIME-WAIT; us close; us=CLOSED", "peer:FIN us:ACK us:FIN peer:ACK us:RST"),
    Row("5-6", "LAST-ACK, unread data: the close waits for the ACK", "graceful",
        "peer give 10; peer fin; us=CLOSE-WAIT peer=FIN-WAIT-2; deaf us; us fin!; us=LAST-ACK peer=TIME-WAIT; us close; hears us; us=CLOSED peer=TIME-WAIT", THEIRS),
    Row("rst", "SHUT_RD, then unread data: the close resets", "-graceful",
        "us shut-rd; peer give 10; us close; us=CLOSED peer=CLOSED", "us:RST"),
    Row("1-8", "SHUT_RD, then unread data: the close drains", "graceful",
        "us shut-rd; peer give 10; us close!; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer close; us=TIME-WAIT peer=CLOSED", OURS),

    # -- data that come after the close
    Row("rst", "the peer sends after our close: the orphan resets", "-graceful",
        "us send 20; peer recv 20; us close!; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer give 10; us=CLOSED peer=CLOSED", "us:FIN peer:ACK us:RST"),
    Row("1-8", "the peer sends after our close, the response not acknowledged: drained", "graceful",
        "deaf us; us push 20; us close!; us=FIN-WAIT-1 peer=CLOSE-WAIT; hears us; us=FIN-WAIT-2; peer give 10; stays 0.3 us=FIN-WAIT-2 peer=CLOSE-WAIT;"
        "peer eof = 20; peer close; us=TIME-WAIT peer=CLOSED", OURS),
    Row("1-8", "the peer sends after our close, the response acknowledged: drained", "always",
        "us send 20; peer recv 20; us close!; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer give 10; stays 0.3 us=FIN-WAIT-2 peer=CLOSE-WAIT; peer close;"
        "us=TIME-WAIT peer=CLOSED", OURS),
    Row("1-8", "the peer sends after our close, an upload of several segments, the response acknowledged: drained", "graceful",
        "peer give 10; us recv 10; peer give 10; us recv 10; us send 20; peer recv 20; us close!; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer give 10;"
        "stays 0.3 us=FIN-WAIT-2 peer=CLOSE-WAIT; peer close; us=TIME-WAIT peer=CLOSED", OURS),
    Row("rst", "SHUT_RDWR, then data: the kernel resets, whatever the policy", "",
        "us shut-rdwr; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer give 10; us=CLOSED peer=CLOSED; us close", "us:FIN peer:ACK us:RST"),

    # -- drains end
    Row("1-8", "drain: a peer that neither sends nor closes is left to the kernel", "graceful hurry",
        "peer give 10; us close!; us=FIN-WAIT-2 peer=CLOSE-WAIT; orphan; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer close; us=TIME-WAIT peer=CLOSED", OURS),
    Row("rst", "drain: a peer that sends again after the bound is reset", "graceful hurry",
        "peer give 10; us close!; us=FIN-WAIT-2 peer=CLOSE-WAIT; orphan; peer give 10; us=CLOSED peer=CLOSED", "us:FIN peer:ACK us:RST"),
    Row("rst", "drain: a peer that sends for ever is reset", "graceful hurry",
        "peer give 10; us close!; peer trickle 12 = ECONNRESET|EPIPE; us=CLOSED peer=CLOSED", "us:FIN peer:ACK us:RST"),
    Row("rst", "drain: a peer that sends too much is reset", "graceful",
        "peer give 10; us close!; peer send 40000000 = ECONNRESET|EPIPE; us=CLOSED peer=CLOSED", "us:FIN peer:ACK us:RST"),
    Row("rst", "drain: a peer that resets ends it", "graceful",
        "peer give 10; us close!; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer linger 1 0; peer close; us=CLOSED peer=CLOSED", "us:FIN peer:ACK peer:RST"),

    # -- the application asks for an RST
    Row("rst", "SO_LINGER {1,0} in ESTABLISHED", "-refuse", "us linger 1 0; us close; us=CLOSED peer=CLOSED", "us:RST"),
    Row("1-8", "SO_LINGER {1,0} in ESTABLISHED is refused", "refuse",
        "us linger 1 0; us close!; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer close; us=TIME-WAIT peer=CLOSED", OURS),
    Row("1-8", "SO_LINGER {1,0} with unread data is refused", "refuse",
        "peer give 10; us push 20; us linger 1 0; us close!; peer eof = 20; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer close; us=TIME-WAIT peer=CLOSED", OURS),
    Row("rst", "SO_LINGER {1,0} in CLOSE-WAIT", "-refuse",
        "peer fin; us=CLOSE-WAIT peer=FIN-WAIT-2; us linger 1 0; us close; us=CLOSED peer=CLOSED", "peer:FIN us:ACK us:RST"),
    Row("3-6", "SO_LINGER {1,0} in CLOSE-WAIT is refused", "refuse",
        "peer fin; us=CLOSE-WAIT peer=FIN-WAIT-2; us linger 1 0; us close!; us=CLOSED peer=TIME-WAIT", THEIRS),
    Row("rst", "SO_LINGER {1,0} in FIN-WAIT-2", "-refuse",
        "us fin!; us=FIN-WAIT-2 peer=CLOSE-WAIT; us linger 1 0; us close; us=CLOSED peer=CLOSED", "us:FIN peer:ACK us:RST"),
    Row("4-6", "SO_LINGER {1,0} in FIN-WAIT-2 is refused", "refuse",
        "us fin!; us=FIN-WAIT-2 peer=CLOSE-WAIT; us linger 1 0; us close; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer close; us=TIME-WAIT peer=CLOSED", OURS),
    Row("5", "SO_LINGER {1,0} in LAST-ACK: gone, and nothing is sent", "-refuse",
        "peer fin; us=CLOSE-WAIT peer=FIN-WAIT-2; deaf us; us fin!; us=LAST-ACK peer=TIME-WAIT; us linger 1 0; us close; us=CLOSED peer=TIME-WAIT", THEIRS),
    Row("rst", "connect(AF_UNSPEC) resets, whatever the policy", "", "us unspecified; us=CLOSED peer=CLOSED; us close", "us:RST"),

    # -- the peer resets
    Row("rst", "the peer resets in ESTABLISHED", "",
        "peer linger 1 0; peer close; us=CLOSED peer=CLOSED; us eof = ECONNRESET; us close", "peer:RST"),
    Row("rst", "the peer resets in CLOSE-WAIT", "",
        "peer fin; us=CLOSE-WAIT peer=FIN-WAIT-2; peer linger 1 0; peer close; us=CLOSED peer=CLOSED; us send 1 = EPIPE; us close", "peer:FIN us:ACK peer:RST"),
    Row("rst", "the peer resets in FIN-WAIT-1", "",
        "deaf peer; us fin!; us=FIN-WAIT-1 peer=ESTABLISHED; peer linger 1 0; peer close; us=CLOSED peer=CLOSED; us close", "us:FIN peer:RST"),
    Row("rst", "the peer resets in FIN-WAIT-2", "",
        "us fin!; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer linger 1 0; peer close; us=CLOSED peer=CLOSED; us close", "us:FIN peer:ACK peer:RST"),
    Row("rst", "the peer resets in LAST-ACK", "",
        "peer fin; us=CLOSE-WAIT peer=FIN-WAIT-2; deaf peer; us close!; us=LAST-ACK peer=FIN-WAIT-2; peer linger 1 0; peer close; us=CLOSED peer=CLOSED",
        "peer:FIN us:ACK us:FIN peer:RST"),
    Row("rst", "the peer resets in CLOSING", "",
        "deaf us; deaf peer; us close!; peer fin; us=FIN-WAIT-1 peer=FIN-WAIT-1; hears us; us=CLOSING; peer linger 1 0; peer close;"
        "us=CLOSED peer=CLOSED", "us:FIN peer:FIN us:ACK peer:RST"),

    # -- half-closed states
    Row("3", "CLOSE-WAIT without progress lasts", "-close-wait",
        "peer fin; us=CLOSE-WAIT peer=FIN-WAIT-2; stays 1.5 us=CLOSE-WAIT peer=FIN-WAIT-2; us close!; us=CLOSED peer=TIME-WAIT", THEIRS),
    Row("3-6", "CLOSE-WAIT without progress: our FIN is sent", "close-wait hurry",
        "peer fin; us=CLOSE-WAIT peer=FIN-WAIT-2; peer eof = 0; us=CLOSED peer=TIME-WAIT; us eof = 0; us send 1 = EPIPE; us close", THEIRS),
    Row("3-6", "CLOSE-WAIT, an end of file that nobody reads: our FIN is sent behind what is queued", "close-wait hurry",
        "us push 100; peer fin; us=CLOSE-WAIT peer=FIN-WAIT-2; peer eof = 100; us=CLOSED peer=TIME-WAIT; us close", THEIRS),
    Row("3", "CLOSE-WAIT, a client that is still being answered is not cut", "hurry",
        "peer fin; us=CLOSE-WAIT peer=FIN-WAIT-2; us trickle 2; us close!; us=CLOSED peer=TIME-WAIT", THEIRS),
    Row("4", "FIN-WAIT-2 with the descriptor held lasts", "-fin-wait-2",
        "us fin!; us=FIN-WAIT-2 peer=CLOSE-WAIT; stays 1.5 us=FIN-WAIT-2 peer=CLOSE-WAIT; peer close; us=TIME-WAIT peer=CLOSED", OURS),
    Row("rst", "FIN-WAIT-2 with the descriptor held, a silent peer: reset", "fin-wait-2 hurry",
        "us fin!; us=FIN-WAIT-2 peer=CLOSE-WAIT; us=CLOSED peer=CLOSED; us close", "us:FIN peer:ACK us:RST"),
    Row("rst", "CLOSE-WAIT, a client that takes nothing any more: no FIN could pass what is queued, so an RST", "close-wait hurry",
        "us push 9000000; peer fin; us=CLOSE-WAIT peer=FIN-WAIT-2; us=CLOSED peer=CLOSED; us close", "peer:FIN us:ACK us:RST", "small"),
    Row("rst", "CLOSE-WAIT, a client that has fallen silent: our FIN, and then the end (Linux sends no RST in LAST-ACK)", "close-wait hurry",
        "peer fin; us=CLOSE-WAIT peer=FIN-WAIT-2; deaf peer; us=LAST-ACK peer=FIN-WAIT-2; us=CLOSED peer=FIN-WAIT-2; us close",
        "peer:FIN us:ACK us:FIN"),
    Row("4", "FIN-WAIT-2 after the close: the kernel ends it, in the policy's time", "fin-wait-2 hurry",
        "us close!; us=FIN-WAIT-2 peer=CLOSE-WAIT; us=CLOSED; peer close; peer=CLOSED", "us:FIN peer:ACK peer:FIN us:RST"),
    Row("4", "FIN-WAIT-2, a peer that goes on sending is not cut", "hurry",
        "us fin!; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer trickle 6; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer close; us eof; us=TIME-WAIT peer=CLOSED", OURS),

    # -- the process ends
    Row("1-8", "exit with nothing unread", "", "us exit; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer close; us=TIME-WAIT peer=CLOSED", OURS),
    Row("rst", "exit with unread data resets", "-exit", "peer give 10; us push 20; us exit; us=CLOSED peer=CLOSED", "us:RST"),
    Row("1-8", "exit with unread data drains", "exit",
        "peer give 10; us push 20; us exit; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer eof = 20; peer close; us=TIME-WAIT peer=CLOSED", OURS),
    Row("1-8", "SIGTERM with unread data drains", "exit",
        "peer give 10; us push 20; us terminate; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer eof = 20; peer close; us=TIME-WAIT peer=CLOSED", OURS),
    Row("rst", "SIGTERM with unread data resets", "-exit", "peer give 10; us terminate; us=CLOSED peer=CLOSED", "us:RST"),
    Row("rst", "SIGKILL with unread data resets, whatever the policy", "", "peer give 10; us kill; us=CLOSED peer=CLOSED", "us:RST"),
    Row("1-8", "exit while we drain: the peer that goes on sending is reset", "graceful -exit",
        "peer give 10; us close!; us=FIN-WAIT-2 peer=CLOSE-WAIT; us exit; orphan; peer give 10; us=CLOSED peer=CLOSED", "us:FIN peer:ACK us:RST"),

    # -- listeners, and the address afterwards
    Row("rst", "a listener that is closed resets who waits in it", "",
        "us unlisten; us=CLOSED peer=CLOSED", "us:RST", "queued"),
    Row("7", "the address after our close: TIME-WAIT keeps it", "",
        "us close!; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer close; us=TIME-WAIT peer=CLOSED; us rebind = EADDRINUSE", OURS, "accepted"),
    Row("8", "the address after the peer's close is free at once", "",
        "peer fin; us=CLOSE-WAIT peer=FIN-WAIT-2; us close!; us=CLOSED peer=TIME-WAIT; us rebind", THEIRS, "accepted"),
    Row("rst", "the address after a reset is free at once", "-graceful",
        "peer give 10; us close; us=CLOSED peer=CLOSED; us rebind", "us:RST", "accepted"),
    Row("7", "the address after a drain: TIME-WAIT keeps it", "graceful",
        "peer give 10; us close!; us=FIN-WAIT-2 peer=CLOSE-WAIT; peer close; us=TIME-WAIT peer=CLOSED; us rebind = EADDRINUSE", OURS, "accepted"),
]
