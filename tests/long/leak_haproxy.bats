# A half-closed leak in a real proxy: haproxy in TCP mode with a long `timeout tunnel` and neither client-fin nor server-fin, before a
# program that is stuck. A client that has said its request and hung up leaves two connections there for an hour: its own in CLOSE-WAIT,
# the one to the program in FIN-WAIT-2.

bats_require_minimum_version 1.5.0

LEAKS=5

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	start backend "$PYTHON" "$APPS/stuck_backend.py"
	backend_port=$(port_of backend)
}

teardown() {
	stop_all
}

proxy() {
	proxy_port=$(free_port)
	cat >"$WORK/haproxy.cfg" <<-CFG
		defaults
			mode tcp
			timeout connect 5s
			timeout client 1h
			timeout server 1h
			timeout tunnel 1h
		listen tunnel
			bind 127.0.0.1:$proxy_port
			server program 127.0.0.1:$backend_port
	CFG
	start haproxy "${preloaded[@]}" /usr/sbin/haproxy -db -f "$WORK/haproxy.cfg"
	wait_until 15 listens "$proxy_port" || fail "haproxy: $(cat "$WORK/haproxy.err")"
}

waits_for_us() {
	sockets_are "$1" state close-wait "sport = :$proxy_port"
}

waits_for_the_program() {
	sockets_are "$1" state fin-wait-2 "dport = :$backend_port"
}

@test "haproxy leak: without lastack both connections of every client that hung up stay, half-closed" {
	use_nothing
	proxy
	stuck_clients "$LEAKS" "$proxy_port"
	wait_until 5 waits_for_us $LEAKS
	wait_until 5 waits_for_the_program $LEAKS
	stays 2 waits_for_us $LEAKS # longer than the bounds of the next tests
	waits_for_the_program $LEAKS
}

@test "haproxy leak: report names both: L1 on the client's side, L6 on the program's" {
	use observe
	proxy
	stuck_clients "$LEAKS" "$proxy_port"
	wait_until 5 reported_are $LEAKS L1 # none is reported in its first second
	wait_until 5 reported_are $LEAKS L6
	waits_for_us $LEAKS
	waits_for_the_program $LEAKS
	[ "$(connections 'map(select(.verdict == "L1") | .role + " " + .state + " " + .local) | unique | join(" ")')" = \
		"server CLOSE-WAIT 127.0.0.1:$proxy_port" ]
	[ "$(connections 'map(select(.verdict == "L6") | .role + " " + .state + " " + .peer) | unique | join(" ")')" = \
		"client FIN-WAIT-2 127.0.0.1:$backend_port" ]
}

@test "haproxy leak: legacy-server with shorter times ends both connections of each, harms no neighbour, and haproxy serves on" {
	use "$(scaled legacy-server)"
	proxy
	start_neighbours "$proxy_port"
	stuck_clients "$LEAKS" "$proxy_port"
	wait_until 5 waits_for_us $((LEAKS + 1)) # and the neighbour that has shut down its side
	wait_until 15 waits_for_the_program 1
	waits_for_us 1
	neighbours_are_unharmed
	NEIGHBOUR_SECONDS=1 start_neighbours "$proxy_port"
	neighbours_are_unharmed
	run -0 grep -c 'action=shutdown rule=close-wait result=ok role=server' "$WORK/lastack.log"
	[ "$output" -eq $LEAKS ]
	[ ! -s "$WORK/haproxy.err" ] || fail "$(cat "$WORK/haproxy.err")"
}
