# The keepalive discriminator: of three clients whose server has forgotten them in CLOSE-WAIT, one has gone, one's host has gone, and one has
# only shut down its side and still reads. The bound does nothing but probe. ss and the segments decide.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
}

teardown() {
	stop_all
}

GONE=127.0.0.2 UNREACHABLE=127.0.0.3 READING=127.0.0.4

# A client that shuts down its side and goes on reading, for a minute.
half_closed() { # NAME ADDRESS
	start "$1" bash -c "exec socat -t 60 - TCP:127.0.0.1:$port,bind=$2 </dev/null"
	wait_until 5 stands "$2"
}

stands() {
	sockets_are 1 state close-wait "sport = :$port and dst $1"
}

stands_no_more() {
	sockets_are 0 state connected exclude time-wait "sport = :$port and dst $1"
}

all_are_probed() {
	[ "$(grep -c action=keepalive "$WORK/lastack.log")" -eq 3 ]
}

# segments FILTER...: of those that were captured.
segments() {
	tcpdump -n -r "$WORK/all.pcap" "$@" 2>/dev/null | wc -l
}

position() { # ADDRESS: state and verdict, as lastack lists them
	connections "map(select(.peer | startswith(\"$1:\")) | .state + \" \" + .verdict) | join(\" \")"
}

@test "keepalive: who has gone is found by the RST, whose host has gone by silence, and a half-closed reader is left alone" {
	[ "$(id -u)" -eq 0 ] || skip "shortening FIN-WAIT-2 and dropping segments need a network of our own: root"
	private_network
	"${network[@]}" sh -c 'echo 1 >/proc/sys/net/ipv4/tcp_fin_timeout'
	policy probe <<-'POLICY'
		[close-wait]
		after 500ms = keepalive
	POLICY
	use "$WORK/probe.policy"
	start server "${preloaded[@]}" "$PYTHON" "$APPS/forgetful.py"
	order server listen 127.0.0.1 0
	port=$answer
	start capture tcpdump --immediate-mode -U -n -i lo -w "$WORK/all.pcap" "tcp port $port"
	wait_until 10 says "$WORK/capture.err" 'listening on' || fail "tcpdump: $(cat "$WORK/capture.err")"

	"${network[@]}" socat -u OPEN:/dev/null "TCP:127.0.0.1:$port,bind=$GONE"
	wait_until 5 stands $GONE
	half_closed unreachable $UNREACHABLE
	half_closed reading $READING
	"${network[@]}" nft "add table ip gone; add chain ip gone in { type filter hook input priority 0; };
		add rule ip gone in ip saddr $UNREACHABLE drop; add rule ip gone in ip daddr $UNREACHABLE drop"
	# The kernel of the one that has gone has forgotten it: only then can a probe find out.
	wait_until 10 sockets_are 0 state fin-wait-2 "src $GONE"
	wait_until 10 all_are_probed

	wait_until 20 stands_no_more $GONE
	stands $UNREACHABLE
	stands $READING
	[ "$(position $GONE)" = "CLOSED L5" ]
	wait_until 40 stands_no_more $UNREACHABLE
	stands $READING
	[ "$(position $UNREACHABLE)" = "CLOSED L5" ]
	[ "$(position $READING)" = "CLOSE-WAIT L1" ]
	alive reading

	# It is a client like any other.
	order server say here you are
	wait_until 5 says "$WORK/reading.out" 'here you are'
	stop capture
	[ "$(segments "src $GONE and tcp[tcpflags] & tcp-rst != 0")" -eq 1 ]
	[ "$(segments "src 127.0.0.1 and dst $UNREACHABLE and tcp[tcpflags] = tcp-ack")" -ge 3 ]
	[ "$(segments "src 127.0.0.1 and dst $READING and tcp[tcpflags] = tcp-ack")" -ge 4 ] # of its FIN, and three probes
	[ "$(segments "src $READING and tcp[tcpflags] = tcp-ack")" -ge 4 ]                   # of the SYN, and of three probes
	[ "$(segments "src 127.0.0.1 and not dst $UNREACHABLE and tcp[tcpflags] & (tcp-fin | tcp-rst) != 0")" -eq 0 ]
	alive server
}
