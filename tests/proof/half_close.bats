# Half-close is legal: `nc -N`, ssh, rsync and HTTP clients shut down their writing side and go on receiving. The server's end is
# in CLOSE-WAIT all that time, and a bound on CLOSE-WAIT must not cut it while output moves.

bats_require_minimum_version 1.5.0

BYTES=20000000

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
	policy bound <<-'END'
		[close-wait]
		after 1s = reset
	END
}

teardown() {
	stop_all
}

in_close_wait() {
	[ "$(sockets state close-wait "sport = :$port")" -gt 0 ]
}

@test "close-wait: a client that takes 5 s to receive 20 MB is not cut by a bound of 1 s" {
	use "$WORK/bound.policy"
	start server "${preloaded[@]}" "$PROGRAMS/thread_per_connection"
	port=$(port_of server)
	start client "$PROGRAMS/half_closing_client" "$port" $BYTES 6
	wait_until 3 in_close_wait
	wait_until 15 says "$WORK/client.out" received
	cat "$WORK/client.out"
	grep -q "received $BYTES of $BYTES in [5-9]\..*end of stream" "$WORK/client.out"
}

@test "close-wait: python3 -m http.server answers a half-closed slow client to the end under a bound of 1 s" {
	mkdir "$WORK/site"
	head -c $BYTES /dev/zero >"$WORK/site/big"
	use "$WORK/bound.policy"
	start server "${preloaded[@]}" "$PYTHON" -u -m http.server --bind 127.0.0.1 --directory "$WORK/site" 0
	wait_until 15 says "$WORK/server.out" '^Serving'
	port=$(sed -n 's/^Serving .* port \([0-9]*\) .*/\1/p' "$WORK/server.out")
	start client "$PROGRAMS/half_closing_client" "$port" $BYTES 6 /big
	wait_until 3 in_close_wait
	wait_until 15 says "$WORK/client.out" received
	cat "$WORK/client.out"
	grep -q "received 2.* of $BYTES in [5-9]\..*end of stream" "$WORK/client.out"
}

@test "close-wait: a client that has stopped receiving is cut by the same bound" {
	use "$WORK/bound.policy"
	start server "${preloaded[@]}" "$PROGRAMS/thread_per_connection"
	port=$(port_of server)
	start client "$PROGRAMS/half_closing_client" "$port" $BYTES stall
	wait_until 3 in_close_wait
	wait_until 5 says "$WORK/client.out" 'received .*reset by peer'
	alive server
}
