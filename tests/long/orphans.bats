# What a half-close or a close leaves behind, for longer than `make check` has time: slow readers for six times the bound, and what the kernel is left
# to bound. See tests/long/orphans_in_time.bats.

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

@test "held fin-wait-1: a slow reader that acknowledges is not cut, and gets every byte" {
	bound fin-wait-1 2s
	slow_reader
	order server fin
	in_state 1 fin-wait-1
	order client 'sip 1024 48 0.25'
	sipped=$result
	in_state 1 fin-wait-1
	logged 0 fin-wait-1
	order client read
	[ $((sipped + result)) -eq "$sent" ]
	logged 0 fin-wait-1
}

@test "orphan: one whose output waits for the window is left to the kernel: it cannot tell a peer that reads slowly" {
	bound fin-wait-1 1s
	start server "${preloaded[@]}" "$PYTHON" "$APPS/by_order.py" listen
	port=$(port_of server)
	start client "$PYTHON" "$APPS/by_order.py" connect "$port"
	connect_ends 4096
	order server 'send 60000'
	order server close
	stays 8 in_state 1 fin-wait-1
}

@test "orphan: what the application has set itself stays; what it reads is never what we set" {
	bound fin-wait-1 1s
	both_ends
	silence
	order server 'send 1000'
	stays 4 in_state 1 established
	order server options
	[ "$result" = 'timeout 0 linger 0 0' ]
	order server 'timeout 60000'
	order server options
	[ "$result" = 'timeout 60000 linger 0 0' ]
	order server close
	stays 8 in_state 1 fin-wait-1
}
