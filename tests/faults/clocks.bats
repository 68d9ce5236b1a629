# Clocks that jump, and clocks of another time namespace. All instants are of CLOCK_MONOTONIC; what it is cannot be changed, but differs between
# namespaces. The machine's own clock is everybody's: it is not set here, the program's view of it is (libfaketime).

bats_require_minimum_version 1.5.0

FAKETIME=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1

setup() {
	# shellcheck source=tests/faults/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
	faults_setup
	policy short <<-'END'
		[close-wait]
		after 1s = shutdown
	END
}

teardown() {
	stop_all
}

@test "clock: the time of day is set back by an hour, and on by two: bounds hold, and nothing is early" {
	[ -e "$FAKETIME" ] || skip "no libfaketime"
	local clock=$WORK/clock
	echo "+0" >"$clock"
	start server env "${variables[@]}" LASTACK_POLICY="$WORK/short.policy" FAKETIME_TIMESTAMP_FILE="$clock" FAKETIME_NO_CACHE=1 \
		FAKETIME_DONT_FAKE_MONOTONIC=1 LD_PRELOAD="$BUILD/liblastack.so $FAKETIME" "$PYTHON" "$APPS/../faults/forks.py" 0
	port=$(port_of server)
	echo "-1h" >"$clock"
	tell server hang-up
	wait_until 10 says "$WORK/server.out" '^hung up'
	wait_until 10 says "$WORK/lastack.log" 'action=shutdown .*result=ok'
	[ "$(sed -n 's/.*action=shutdown.* idle_ms=\([0-9]*\).*/\1/p' "$WORK/lastack.log")" -ge 1000 ]
	echo "+1h" >"$clock"
	tell server serve
	wait_until 10 says "$WORK/server.out" '^served'
	commands_cope
	tell server time
	wait_until 10 says "$WORK/server.out" '^time'
	# The jump was one: the program saw it.
	[ $(($(sed -n 's/^time //p' "$WORK/server.out") - $(date +%s))) -gt 3000 ]
}

@test "clock: a server of another time namespace, hours ahead or behind" {
	local offset
	unshare --time --monotonic 1 true 2>/dev/null || skip "no time namespace"
	for offset in 86400 -1000; do
		rm -f "$WORK/lastack.log"
		start server unshare --time --monotonic $offset --boottime $offset -- env "${variables[@]}" LASTACK_POLICY="$WORK/short.policy" \
			LD_PRELOAD="$BUILD/liblastack.so" "$PYTHON" "$APPS/../faults/forks.py" 0
		port=$(port_of server)
		tell server hang-up
		wait_until 10 says "$WORK/server.out" '^hung up'
		commands_cope
		# Of what is to come nothing is said: no age of centuries.
		run -0 connections "map(select(.local == \"127.0.0.1:$port\") | .age) | max | . < 100000"
		[ "$output" = true ]
		wait_until 10 says "$WORK/lastack.log" 'action=shutdown .*result=ok'
		stop server
	done
}
