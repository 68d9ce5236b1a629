# no-reset: no close of this server sends an RST.

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/policies/story.bash
	source "$BATS_TEST_DIRNAME/story.bash"
	hasten no-reset 5
}

teardown() {
	stop_all
}

# endings POLICY...: what the peers of linger_reset see, once with both ends open and once behind their own FIN; without policies: not preloaded.
endings() {
	if (($#)); then use "$@"; else use_nothing; fi
	start sin "${preloaded[@]}" "$PROGRAMS/linger_reset"
	for step in open reset-when-open half-closed reset-when-half-closed; do
		wait_until 10 says "$WORK/sin.out" "^step $step " || fail "no step $step: $(cat "$WORK/sin.err")"
		tell sin go
	done
	wait_until 10 two_endings
	endings=$(sed -n 's/^the peer: //p' "$WORK/sin.out" | tr '\n' ',')
	stop sin
}

two_endings() {
	[ "$(grep -c '^the peer: ' "$WORK/sin.out")" -eq 2 ]
}

@test "no-reset: SO_LINGER {1,0} ends with a FIN, in ESTABLISHED and in CLOSE-WAIT; without the policy with an RST" {
	endings "$WORK/no-reset.policy"
	[ "$endings" = 'end of stream,end of stream,' ] || fail "$endings"
	endings
	[ "$endings" = 'Connection reset by peer,Connection reset by peer,' ] || fail "$endings"
}

@test "no-reset: health checks that expect the RST are exempted by a file named first" {
	policy mine <<-'END'
		[reset health-check]
		match = remote 127.0.0.0/8, role server
		action = allow
	END
	endings "$WORK/mine.policy" "$WORK/no-reset.policy"
	[ "$endings" = 'Connection reset by peer,Connection reset by peer,' ] || fail "$endings"
}

@test "no-reset: a refused RST does not come by way of unread data either, and the answer arrives" {
	use "$WORK/no-reset.policy"
	start server "${preloaded[@]}" "$PYTHON" -c 'import socket, struct
listener = socket.create_server(("127.0.0.1", 0))
print("listening", listener.getsockname()[1], flush=True)
while True:
    connection, _ = listener.accept()
    connection.recv(4)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.sendall(bytes(65536))
    connection.close()'
	port=$(port_of server)
	start_peer uploader upload read
	wait_until 10 says "$WORK/uploader.out" 'read 65536, then end of stream'
}
