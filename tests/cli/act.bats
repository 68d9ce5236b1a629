# lastack act: one connection ended by hand, of a process that knows nothing of it. ss is the referee.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	# Forgets what its clients close; not preloaded.
	use_nothing
	start server "$PROGRAMS/thread_per_connection"
	port=$(port_of server)
}

teardown() {
	stop_all
}

forgotten() { # sets target
	start client "$PROGRAMS/half_closing_client" "$port" 0 stall
	wait_until 5 sockets_are 1 state close-wait "sport = :$port"
	target=${pid_of[server]}:$(ss -tnpH state close-wait "sport = :$port" | sed -n 's/.*fd=\([0-9]*\).*/\1/p')
}

@test "act: shutdown sends the FIN that the server owes, and the server keeps its descriptor" {
	forgotten
	run -0 lastack act "$target" shutdown --yes
	[[ $output == *CLOSE-WAIT* ]]
	wait_until 5 sockets_are 0 state close-wait "sport = :$port"
	wait_until 5 says "$WORK/client.out" 'end of stream'
	[ -e "/proc/${target/://fd/}" ]
	alive server
}

@test "act: reset sends an RST" {
	forgotten
	run -0 lastack act "$target" reset --yes
	wait_until 5 says "$WORK/client.out" 'reset by peer'
	sockets_are 0 state close-wait "sport = :$port"
	alive server
}

@test "act: keepalive starts the probes, and a peer that has only half-closed stays" {
	forgotten
	run -0 lastack act "$target" keepalive --yes
	ss -tnoH state close-wait "sport = :$port" | grep -q keepalive
	sockets_are 1 state close-wait "sport = :$port"
}

@test "act: without a terminal it does not ask and does nothing" {
	forgotten
	run -2 lastack act "$target" shutdown </dev/null
	[[ $output == *"write --yes"* ]]
	sockets_are 1 state close-wait "sport = :$port"
}

@test "act: at a terminal it asks, says who dies of SIGPIPE and who else holds it, and no is no" {
	forgotten
	ask() { # ANSWER
		timeout 20 script -qec "'$LASTACK' act $target shutdown" /dev/null <<<"$1" >"$WORK/asked" 2>&1
	}
	ask n
	says "$WORK/asked" 'Go on\?'
	says "$WORK/asked" 'does not handle SIGPIPE'
	sockets_are 1 state close-wait "sport = :$port"
	ask y
	wait_until 5 sockets_are 0 state close-wait "sport = :$port"
}

@test "act: what is not there, is no connection, or is not ours to touch is said" {
	run -6 lastack act 999999:3 shutdown --yes
	run -6 lastack act "${pid_of[server]}:999" shutdown --yes
	run -6 lastack act "${pid_of[server]}:1" shutdown --yes
	run -2 lastack act "${pid_of[server]}" shutdown --yes
	run -2 lastack act "${pid_of[server]}:3" kill --yes
	[ "$(id -u)" -eq 0 ] || skip "needs root, to be somebody else"
	forgotten
	cp "$LASTACK" "$WORK/lastack"
	chmod a+rx "$WORK" "$WORK/.." "$WORK/../.."
	run -5 setpriv --reuid=nobody --regid=nogroup --clear-groups "$WORK/lastack" act "$target" shutdown --yes
	sockets_are 1 state close-wait "sport = :$port"
}
