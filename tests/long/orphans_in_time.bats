# What a half-close or a close leaves behind: FIN-WAIT-1, CLOSING, LAST-ACK, FIN-WAIT-2, with a descriptor and without. A peer that has gone is
# given up in the time of the policy; one that reads slowly is not.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/orphans.bash
	source "$BATS_TEST_DIRNAME/../proof/orphans.bash"
	[ "$(id -u)" -eq 0 ] || skip "a silent peer needs a network of our own: root"
	private_network
}

teardown() {
	stop_all
}

# How long ago, in ms, the log's last line said it had happened: to be compared with a time of date +%s%3N.
logged_at() {
	date -d "$(sed -n 's/^time=\([^ ]*\).*/\1/p' "$WORK/lastack.log" | tail -n 1)" +%s%3N
}

@test "held fin-wait-1: a peer that has gone is reset in time, however often we repeat ourselves" {
	local began
	bound fin-wait-1 2s
	both_ends
	silence
	order server 'send 1000'
	began=$(date +%s%3N)
	order server fin
	in_state 1 fin-wait-1
	wait_until 30 logged 1 fin-wait-1
	# Retransmissions are further and further apart: were they progress, there would be no 2 s without before 5 s are over.
	[ $(($(logged_at) - began)) -lt 4000 ] || fail "took $(($(logged_at) - began)) ms"
	wait_until 5 is_gone
	order server recv
	[ "$result" = 'Connection reset by peer' ]
}

@test "held closing, held last-ack: a peer that has gone is reset" {
	bound closing 1s last-ack 1s
	both_ends
	silence
	order server fin
	order client fin
	wait_until 5 in_state 1 closing
	wait_until 20 logged 1 closing
	wait_until 5 is_gone

	connect_ends
	order client fin
	wait_until 5 in_state 1 close-wait
	silence
	order server fin
	in_state 1 last-ack
	wait_until 20 logged 1 last-ack
	wait_until 5 is_gone
}

# A client of a small window, which reads ever again: each time that its window opens is progress.
slow_reader() {
	start server "${preloaded[@]}" "$PYTHON" "$APPS/by_order.py" listen
	port=$(port_of server)
	start client "$PYTHON" "$APPS/by_order.py" connect "$port"
	connect_ends 4096
	order server 'send 60000'
	sent=$result
	[ "$sent" -gt 10000 ]
}

@test "orphan: a slow reader that acknowledges is not cut, and gets every byte" {
	bound fin-wait-1 1s closing 1s
	slow_reader
	order server close
	in_state 1 fin-wait-1
	order client 'sip 2048 16 0.2'
	sipped=$result
	in_state 1 fin-wait-1
	order client read
	[ $((sipped + result)) -eq "$sent" ]
}

# orphan: one with output that is never acknowledged.
orphan() {
	both_ends
	silence
	order server 'send 1000'
	order server close
	in_state 1 fin-wait-1
}

@test "orphan: of a peer that has gone nothing is left in time; without lastack it stays" {
	bound fin-wait-1 1s
	orphan
	# The kernel looks at the time at its retransmissions.
	wait_until 4 is_gone
	stop server
	stop client
	"${network[@]}" nft flush ruleset
	use_nothing
	orphan
	stays 4 is_there
}

@test "orphan: in last-ack likewise" {
	bound last-ack 1s
	both_ends
	order client fin
	wait_until 5 in_state 1 close-wait
	silence
	order server 'send 1000'
	order server close
	in_state 1 last-ack
	wait_until 4 is_gone
}

# The seconds that the kernel still keeps the server's end, as ss shows the timer.
timer() {
	"${network[@]}" ss -tanoH "sport = :$port and dport = :$client_port" |
		sed -n -E 's/.*timer:\(timewait,(([0-9]+)min)?(([0-9.]+)(ms|sec))?,.*/\2 \4 \5/p' |
		awk '{ if ($0 ~ /ms/) print 0; else print int($1 * 60 + $2) }'
}

@test "orphan: in fin-wait-2 its time is the policy's; without lastack tcp_fin_timeout" {
	bound fin-wait-2 5s
	both_ends
	order server close
	wait_until 5 in_state 1 fin-wait-2
	"${network[@]}" ss -tanoH "sport = :$port"
	[ "$(timer)" -le 5 ]
	stop server
	stop client
	use_nothing
	both_ends
	order server close
	wait_until 5 in_state 1 fin-wait-2
	[ "$(timer)" -gt 30 ]
}

@test "orphan: in fin-wait-2 a shorter time of the application's own stays" {
	bound fin-wait-2 30s
	both_ends
	order server 'linger2 5'
	order server close
	wait_until 5 in_state 1 fin-wait-2
	[ "$(timer)" -le 5 ] || fail "$(timer)"
}
