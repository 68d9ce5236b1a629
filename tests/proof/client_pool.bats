# The client's half-closed leak: http.client connections that idle in a pool after the server has closed them.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
}

teardown() {
	stop_all
}

pool() {
	start pool "${preloaded[@]}" "$PYTHON" "$APPS/idle_pool.py" 5 "$@"
	wait_until 15 says "$WORK/pool.out" '^pooled ' || fail "$(cat "$WORK/pool.err")"
	port=$(sed -n 's/^pooled //p' "$WORK/pool.out")
	wait_until 5 sockets_are 5 state close-wait "dport = :$port"
}

@test "http.client pool: connections that the server closed are L2, the client's, their FIN unread" {
	use observe
	pool
	[ "$(connections 'length')" -eq 5 ]
	[ "$(connections 'map(.state) | unique | join(" ")')" = CLOSE-WAIT ]
	[ "$(connections 'map(.verdict) | unique | join(" ")')" = L2 ]
	[ "$(connections 'map(.role) | unique | join(" ")')" = client ]
	[ "$(connections 'map(.eof) | unique | join(" ")')" = unread ]
	[ "$(connections 'map(.unread) | unique | join(" ")')" = 0 ]
	[ "$(connections 'map(.peer) | unique | join(" ")')" = "127.0.0.1:$port" ]
	run -0 lastack list "eof unread and dport = :$port"
	[ "$(grep -c L2 <<<"$output")" -eq 5 ]
	sockets_are 5 state close-wait "dport = :$port"
}

@test "http.client pool: a bound for clients of that port ends them, and the pool's process lives" {
	policy bound <<-'END'
		[close-wait pool]
		match = role client, eof unread, remote 127.0.0.0/8
		after 1s = shutdown
	END
	use "$WORK/bound.policy"
	pool
	wait_until 4 sockets_are 0 state close-wait "dport = :$port"
	alive pool
	[ ! -s "$WORK/pool.err" ]
}

@test "http.client pool: legacy-server with shorter times ends them, and harms no neighbour in the same process" {
	use "$(scaled legacy-server)"
	start backend "$PYTHON" "$APPS/stuck_backend.py"
	pool "$(port_of backend)" $NEIGHBOUR_SECONDS
	wait_until 10 sockets_are 0 state close-wait "dport = :$port"
	alive pool
	wait_until 30 says "$WORK/pool.out" '^healthy '
	wait_until 10 says "$WORK/pool.out" '^half-closed '
	neighbours_say_so pool
	[ "$(grep -c 'action=shutdown .*result=ok role=client' "$WORK/lastack.log")" -eq 5 ]
	[ ! -s "$WORK/pool.err" ]
}

@test "http.client pool: a rule for servers leaves a client's connections alone" {
	policy bound <<-'END'
		[close-wait servers]
		match = role server
		after 1s = shutdown
	END
	use "$WORK/bound.policy"
	pool
	stays 3 sockets_are 5 state close-wait "dport = :$port"
}
