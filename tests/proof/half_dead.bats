# Bounds hold whatever the application does: enforcement depends on none of its threads. A client has shut down its side and waits for
# an answer; the server (tests/apps/half_dead.c) will never look at it. The kernel and the client judge.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
}

teardown() {
	stop_all
}

# A server that is half dead in that way, with one client waiting in CLOSE-WAIT; ended after 0.5 s.
half_dead() {
	policy bound <<-'END'
		[close-wait]
		after 500ms = shutdown
	END
	use "$WORK/bound.policy"
	start server "${preloaded[@]}" "$PROGRAMS/half_dead" "$1"
	port=$(port_of server)
	start client "$PROGRAMS/half_closing_client" "$port" 0 stall
	wait_until 5 says "$WORK/server.out" 'half dead'
}

# The waiting client reads the end of the stream, in order; the server, as half dead as before, holds a connection that is over.
ended_in_order() {
	wait_until 20 says "$WORK/client.out" 'received 0 of 0 .*end of stream' || fail "$(cat "$WORK/client.out")"
	sockets_are 0 state close-wait "sport = :$port"
	alive server
	wait_until 5 one_is_dead
}

threads_are() {
	[ "$(find "/proc/${pid_of[server]}/task" -mindepth 1 -maxdepth 1 | wc -l)" -eq "$1" ]
}

one_is_dead() {
	[ "$(connections 'map(select(.role == "server" and .verdict == "L5")) | length')" -eq 1 ]
}

@test "half dead: a bound holds where all threads wait for one another" {
	half_dead deadlock
	ended_in_order
}

@test "half dead: a bound holds where all threads spin and make no system call" {
	half_dead spin
	ended_in_order
}

# The connections of the blocked calls are open at both ends, and in no bounded state.
@test "half dead: a bound holds where all threads are blocked in recv, send and accept, and wakes none of them" {
	half_dead blocked
	ended_in_order
	sockets_are 2 state established "sport = :$port"
	wait_until 5 threads_are 5 # and the helper, and who watches the policy file
}

@test "half dead: a bound holds where the only thread is in a signal handler that does not return" {
	half_dead handler
	ended_in_order
}

@test "half dead: a bound holds where every thread blocks all signals" {
	half_dead deaf
	ended_in_order
	kill -KILL "${pid_of[server]}" # it hears nothing else
}

stopped() {
	[ "$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status")" = T ]
}

# For longer than the bound.
stop_for_a_while() {
	kill -STOP "$1"
	wait_until 5 stopped "$1"
	stays 3 sockets_are 2 state close-wait "sport = :$port"
	kill -CONT "$1"
}

@test "stopped by SIGSTOP: after SIGCONT bounds hold as before, and who is being answered is not charged for that time" {
	policy bound <<-'END'
		[close-wait]
		after 3s = reset
	END
	use "$WORK/bound.policy"
	start server "${preloaded[@]}" "$PYTHON" "$APPS/forgetful.py"
	order server listen 127.0.0.1 0
	port=$answer
	start forgotten bash -c "exec socat -t 60 - TCP:127.0.0.1:$port </dev/null"
	wait_until 5 sockets_are 1 state close-wait "sport = :$port"
	start answered bash -c "exec socat -t 60 - TCP:127.0.0.1:$port </dev/null"
	wait_until 5 sockets_are 2 state close-wait "sport = :$port"
	order server say this
	stays 1 sockets_are 2 state close-wait "sport = :$port" # two looks at least: it moves no more
	stop_for_a_while "${pid_of[server]}"
	stays 1 sockets_are 2 state close-wait "sport = :$port"
	order server say and that
	wait_until 5 says "$WORK/answered.out" 'and that' || fail "$(cat "$WORK/server.err" "$WORK/lastack.log")"
	wait_until 10 ended "${pid_of[forgotten]}"
	alive answered
	alive server
}
