# [reset] action = refuse: where the application has asked for an RST by SO_LINGER {1,0}, its last close sends a FIN.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
	# shellcheck source=tests/proof/orders.bash
	source "$BATS_TEST_DIRNAME/orders.bash"
	printf '[reset]\naction = refuse\n' | policy refuse
	printf '[reset]\naction = allow\n' | policy allow
}

teardown() {
	stop_all
}

# ends_by_reset: a connection of which the server asks for an RST.
ends_by_reset() {
	both_ends
	order server 'linger 1 0'
}

ends_by_reset_again() {
	connect_ends
	order server 'linger 1 0'
}

client_reads() { # RESULT
	order client read
	[ "$result" = "$1" ] || fail "the client reads: $result"
}

RESET='Connection reset by peer'

logged() { # COUNT RESULT
	[ "$(grep -s -c "action=refuse-reset rule=reset result=$2 " "$WORK/lastack.log")" = "$1" ]
}

@test "reset: refused, a close sends a FIN, and until then the application reads what it has set" {
	use "$WORK/refuse.policy"
	ends_by_reset
	order server options
	[ "$result" = 'timeout 0 linger 1 0' ]
	order server close
	client_reads 0
	logged 1 ok
	# Each connection by itself.
	connect_ends
	order server close
	client_reads 0
	logged 1 ok
	ends_by_reset_again
	order server close
	client_reads 0
	logged 2 ok
}

@test "reset: refused, no RST is on the wire" {
	tcpdump --version >/dev/null 2>&1 && [ "$(id -u)" -eq 0 ] || skip "a capture needs tcpdump, and root"
	private_network
	use "$WORK/refuse.policy"
	ends_by_reset
	capture_resets "$port"
	order server close
	client_reads 0
	order client close
	[ "$(resets_seen)" -eq 0 ]
}

@test "reset: refused with unread data, the peer reads the whole answer and the end" {
	use "$WORK/refuse.policy"
	ends_by_reset
	order client 'send 5000'
	order server readable
	order server 'send 60000'
	sent=$result
	order server close
	client_reads "$sent"
	order client close
	wait_until 10 is_gone
}

@test "reset: allowed, it is sent; and without a policy" {
	use "$WORK/allow.policy"
	ends_by_reset
	order server close
	client_reads "$RESET"
	logged 0 ok
	stop server
	stop client
	use graceful-close
	ends_by_reset
	order server close
	client_reads "$RESET"
}

@test "reset: in observe mode it is sent, and counted as one that would have been refused" {
	policy refuse <<-'END'
		[reset]
		action = refuse
	END
	use "$WORK/refuse.policy"
	preloaded=(env LASTACK_MODE=observe "${preloaded[@]}")
	ends_by_reset
	order server close
	client_reads "$RESET"
	logged 1 would
	logged 0 ok
	[ "$(lastack report -J | jq .counters.would_refuse)" -eq 1 ]
}

@test "reset: refused at the last close of several numbers" {
	use "$WORK/refuse.policy"
	ends_by_reset
	order server dup
	order server close
	connections_before=$(sockets "sport = :$port and dport = :$client_port")
	[ "$connections_before" -eq 1 ]
	logged 0 ok
	# Onto the other number something else is put.
	order server previous
	order server dup2
	client_reads 0
	logged 1 ok
}

# held_by COUNT: processes hold the server's end.
held_by() {
	[ "$("${network[@]}" ss -tnpH state established "sport = :$port" | grep -o 'pid=[0-9]*' | sort -u | wc -l)" -eq "$1" ]
}

@test "reset: refused when a child closes last, and until then it reads what was set" {
	use "$WORK/refuse.policy"
	ends_by_reset
	order server fork
	wait_until 5 held_by 1 # its parent has closed, which sends nothing
	order server options
	[ "$result" = 'timeout 0 linger 1 0' ] || fail "$result"
	logged 0 ok
	order server close
	client_reads 0
	logged 1 ok
}

@test "reset: known limit: what a program inherits by exec is not followed, and its close is as it was asked for" {
	use "$WORK/refuse.policy"
	ends_by_reset
	begin_order server 'exec exec FD>&-'
	client_reads "$RESET"
}
