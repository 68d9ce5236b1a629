# Forking servers: the parent closes its descriptor of every connection at once, and that must end nothing, because the child
# holds it. Under graceful-close, with a close that always lingers.

bats_require_minimum_version 1.5.0

TRANSFERS=50
listen=TCP-LISTEN:0,bind=127.0.0.1,fork,reuseaddr

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
	head -c 1000000 /dev/urandom >"$WORK/data"
	wanted=$(sha256sum <"$WORK/data")
	policy always <<-'END'
		[close]
		action = graceful
		linger = always
	END
}

teardown() {
	stop_all
}

# each_of COUNT COMMAND...: run it COUNT times, eight at a time; how many printed the right checksum.
each_of() {
	local count=$1 i
	shift
	for ((i = 0; i < count; i++)); do
		((i % 8 == 7)) && wait_for_transfers
		"$@" >"$WORK/transfer.$i" 2>>"$WORK/transfer.err" 3>&- </dev/null &
		transfers+=($!)
	done
	wait_for_transfers
	cat "$WORK"/transfer.[0-9]* | grep -c -x -F -e "$wanted"
}

wait_for_transfers() {
	[ ${#transfers[@]} -eq 0 ] || wait "${transfers[@]}"
	transfers=()
}

socat_server() {
	start socat "${preloaded[@]}" socat -d -d "$@"
	wait_until 5 says "$WORK/socat.err" 'listening on' || fail "$(cat "$WORK/socat.err")"
	port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$WORK/socat.err")
}

download() {
	timeout 20 socat -u "TCP:127.0.0.1:$port" - | sha256sum
}

# The client half-closes; the answer is the checksum that the server computed.
upload() {
	timeout 20 socat -t 20 - "TCP:127.0.0.1:$port" <"$WORK/data"
}

no_server_errors() {
	run ! grep -E ' [EF] ' "$WORK/socat.err"
}

@test "fork: socat's children send 50 files whole although the parent closes each connection at once" {
	use graceful-close
	socat_server -U "$listen" "OPEN:$WORK/data,rdonly"
	[ "$(each_of $TRANSFERS download)" -eq $TRANSFERS ]
	no_server_errors
}

@test "fork: socat's children receive 50 half-closed uploads whole and answer them" {
	use "$WORK/always.policy"
	socat_server "$listen" SYSTEM:sha256sum
	[ "$(each_of $TRANSFERS upload)" -eq $TRANSFERS ]
	no_server_errors
}

@test "fork: a program that inherits the connection across exec answers 50 uploads" {
	use "$WORK/always.policy"
	socat_server "$listen" EXEC:sha256sum,nofork
	[ "$(each_of $TRANSFERS upload)" -eq $TRANSFERS ]
	no_server_errors
}

# Half a second for 2 MB: the parent has closed long before the child has sent all.
slow_answer() {
	"$PROGRAMS/half_closing_client" "$server_port" 2000000 0.5 >&2 && echo "$wanted"
}

@test "fork: a fork-per-connection server answers 24 half-closed clients whole" {
	use "$WORK/always.policy"
	start server "${preloaded[@]}" "$PROGRAMS/fork_per_connection"
	server_port=$(port_of server)
	[ "$(each_of 24 slow_answer)" -eq 24 ]
}

ssh_key() {
	ssh-keygen -q -t ed25519 -N '' -f "$WORK/$1"
}

ssh_to_server() {
	timeout 20 ssh -F none -p "$port" -i "$WORK/client_key" -o BatchMode=yes -o StrictHostKeyChecking=no \
		-o UserKnownHostsFile="$WORK/known_hosts" -o LogLevel=ERROR root@127.0.0.1 "$@"
}

ssh_download() {
	ssh_to_server "cat '$WORK/data'" | sha256sum
}

ssh_upload() {
	ssh_to_server sha256sum <"$WORK/data"
}

@test "fork: sshd, which forks, executes itself and locks itself in, serves as if lastack were not there" {
	[ "$(id -u)" -eq 0 ] || skip "this sshd logs in root: needs root"
	ssh_key host_key
	ssh_key client_key
	cp "$WORK/client_key.pub" "$WORK/authorized_keys"
	[ -d /run/sshd ] || mkdir -m 0755 /run/sshd
	use "$WORK/always.policy"
	port=$(free_port)
	start sshd "${preloaded[@]}" /usr/sbin/sshd -D -e -f /dev/null -p "$port" -h "$WORK/host_key" \
		-o ListenAddress=127.0.0.1 -o AuthorizedKeysFile="$WORK/authorized_keys" -o StrictModes=no \
		-o PermitRootLogin=prohibit-password -o PidFile=none -o UsePAM=no
	wait_until 10 says "$WORK/sshd.err" 'Server listening' || fail "$(cat "$WORK/sshd.err")"
	[ "$(each_of 8 ssh_download)" -eq 8 ]
	[ "$(each_of 8 ssh_upload)" -eq 8 ]
	run ! grep -i -E 'error|fatal|killed|broken|disconnect.*preauth' "$WORK/sshd.err"
}

@test "fork: a bound spares a connection that a child holds too, and ends it when the child is gone" {
	policy bound <<-'END'
		[close-wait]
		after 1s = shutdown
	END
	use "$WORK/bound.policy"
	start server "${preloaded[@]}" "$PYTHON" "$APPS/shares_with_child.py"
	port=$(port_of server)
	exec {socket}<>"/dev/tcp/127.0.0.1/$port"
	wait_until 5 says "$WORK/server.out" shared
	exec {socket}>&-
	wait_until 5 says "$WORK/lastack.log" 'action=shutdown .*result=shared'
	stays 1 sockets_are 1 state close-wait "sport = :$port"
	tell server go
	wait_until 5 says "$WORK/server.out" alone
	wait_until 5 sockets_are 0 state close-wait "sport = :$port"
	says "$WORK/lastack.log" 'action=shutdown .*result=ok'
	tell server end
}

@test "fork: a connection that is handed on without a counted fork is never ended by our close" {
	local how ways=(spawn vfork-dup2 vfork-execl exec-background _Fork syscall-fork)
	[ "$(id -u)" -ne 0 ] || ways+=(pid-namespace)
	for how in "${ways[@]}"; do
		use_nothing
		run -0 timeout 20 "$PROGRAMS/hands_on" "$how"
		[ "$output" = "client got answer:hello" ] || fail "without lastack, $how: $output"
		use graceful-close
		run -0 timeout 20 "${preloaded[@]}" "$PROGRAMS/hands_on" "$how"
		[ "$output" = "client got answer:hello" ] || fail "$how: $output"
	done
}
