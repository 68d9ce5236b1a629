# A half-closed leak in a port forward: `ssh -L` to a program that is stuck. A client that has hung up leaves ssh a connection in CLOSE-WAIT,
# and the session's sshd one to the program in FIN-WAIT-2, until the whole login ends. First ssh is preloaded, then sshd.

bats_require_minimum_version 1.5.0

LEAKS=5

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	[ "$(id -u)" -eq 0 ] || skip "this sshd logs in root: needs root"
	start backend "$PYTHON" "$APPS/stuck_backend.py"
	backend_port=$(port_of backend)
}

teardown() {
	stop_all
}

# The arguments are a prefix: who is preloaded.
sshd_server() {
	[ -d /run/sshd ] || mkdir -m 0755 /run/sshd
	ssh-keygen -q -t ed25519 -N '' -f "$WORK/host_key"
	ssh-keygen -q -t ed25519 -N '' -f "$WORK/client_key"
	sshd_port=$(free_port)
	start sshd "$@" /usr/sbin/sshd -D -e -f /dev/null -p "$sshd_port" -h "$WORK/host_key" \
		-o "AuthorizedKeysFile=$WORK/client_key.pub" -o StrictModes=no -o ListenAddress=127.0.0.1 \
		-o PermitRootLogin=yes -o UsePAM=no
	wait_until 10 says "$WORK/sshd.err" 'Server listening' || fail "$(cat "$WORK/sshd.err")"
}

forward() {
	forward_port=$(free_port)
	start ssh "$@" ssh -N -F none -p "$sshd_port" -i "$WORK/client_key" -o BatchMode=yes -o StrictHostKeyChecking=no \
		-o UserKnownHostsFile="$WORK/known_hosts" -o LogLevel=ERROR -o ExitOnForwardFailure=yes \
		-L "127.0.0.1:$forward_port:127.0.0.1:$backend_port" root@127.0.0.1
	wait_until 15 listens "$forward_port" || fail "ssh: $(cat "$WORK/ssh.err")"
}

waits_for_ssh() {
	sockets_are "$1" state close-wait "sport = :$forward_port"
}

waits_for_the_program() {
	sockets_are "$1" state fin-wait-2 "dport = :$backend_port"
}

@test "ssh leak: without lastack both connections of every client that hung up stay, half-closed" {
	sshd_server
	forward
	stuck_clients "$LEAKS" "$forward_port"
	wait_until 5 waits_for_ssh $LEAKS
	wait_until 5 waits_for_the_program $LEAKS
	stays 2 waits_for_ssh $LEAKS # longer than the bounds of the next tests
	waits_for_the_program $LEAKS
}

@test "ssh leak: report names ssh's connections, L1, and those of the session's sshd, L6" {
	use observe
	sshd_server "${preloaded[@]}"
	forward "${preloaded[@]}"
	stuck_clients "$LEAKS" "$forward_port"
	wait_until 5 reported_are $LEAKS L1 || fail "$(lastack list)"
	wait_until 5 reported_are $LEAKS L6 || fail "$(lastack list --coverage) $(lastack list)"
	[ "$(connections 'map(select(.verdict == "L1") | .role + " " + .state + " " + .local) | unique | join(" ")')" = \
		"server CLOSE-WAIT 127.0.0.1:$forward_port" ]
	[ "$(connections 'map(select(.verdict == "L6") | .role + " " + .state + " " + .peer) | unique | join(" ")')" = \
		"client FIN-WAIT-2 127.0.0.1:$backend_port" ]
	[ "$(connections "map(select(.verdict == \"L1\") | .pid) | unique | join(\" \")")" = "${pid_of[ssh]}" ]
	waits_for_ssh $LEAKS
	waits_for_the_program $LEAKS
}

@test "ssh leak: legacy-server with shorter times ends ssh's connections, and harms no neighbour in the same forward" {
	use "$(scaled legacy-server)"
	sshd_server
	forward "${preloaded[@]}"
	start_neighbours "$forward_port"
	stuck_clients "$LEAKS" "$forward_port"
	wait_until 5 waits_for_ssh $((LEAKS + 1)) # and the neighbour that has shut down its side
	wait_until 15 waits_for_ssh 1
	neighbours_are_unharmed
	run -0 grep -c 'action=shutdown rule=close-wait result=ok role=server' "$WORK/lastack.log"
	[ "$output" -eq $LEAKS ]
	alive ssh
	[ ! -s "$WORK/ssh.err" ] || fail "$(cat "$WORK/ssh.err")"
}

@test "ssh leak: legacy-server with shorter times ends those of sshd, and harms no neighbour in the same session" {
	use "$(scaled legacy-server)"
	sshd_server "${preloaded[@]}"
	forward
	start_neighbours "$forward_port"
	stuck_clients "$LEAKS" "$forward_port"
	wait_until 5 waits_for_the_program $((LEAKS + 1))
	wait_until 15 waits_for_the_program 1
	neighbours_are_unharmed
	run -0 grep -c 'action=reset rule=fin-wait-2 result=ok role=client' "$WORK/lastack.log"
	[ "$output" -eq $LEAKS ]
	alive ssh
}
