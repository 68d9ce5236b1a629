# bounded-half-close: whoever has been sent our FIN answers it, or lets go. The shipped times divided by 120: a minute is half a second.

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/policies/story.bash
	source "$BATS_TEST_DIRNAME/story.bash"
	hasten bounded-half-close 120
}

teardown() {
	stop_all
}

# A server that says all it has to say, shuts down its writing side, and keeps its descriptor for good.
half_closing_server() {
	use "$WORK/bounded-half-close.policy"
	start server "${preloaded[@]}" "$PYTHON" -c 'import socket, threading
listener = socket.create_server(("127.0.0.1", 0))
print("listening", listener.getsockname()[1], flush=True)
kept = []
def serve(connection):
    connection.shutdown(socket.SHUT_WR)
    try:
        while connection.recv(100): pass
    except OSError: pass
while True:
    kept.append(listener.accept()[0])
    threading.Thread(target=serve, args=(kept[-1],), daemon=True).start()'
	port=$(port_of server)
}

@test "bounded-half-close: a silent peer is probed, then reset; one that still sends is left alone" {
	half_closing_server
	start_peer silent read read # its second read learns of the RST
	wait_until 10 has_keepalive fin-wait-2
	start_peer sender trickle
	wait_until 20 logged 1 reset
	wait_until 5 in_state 1 fin-wait-2
	stays 2 in_state 1 fin-wait-2
	[ ! -s "$WORK/sender.out" ] || run ! grep trickled "$WORK/sender.out"
}

# orphans STATE WORD...: peers that hear nothing leave this state to the kernel, two with the policy and two without.
orphans() {
	local state=$1 with
	shift
	serve thread_per_connection "$WORK/bounded-half-close.policy"
	start_peer first "$@"
	start_peer second "$@"
	with=$port
	start plain "$PROGRAMS/thread_per_connection"
	port=$(port_of plain)
	start_peer third "$@"
	wait_until 20 in_state 1 "$state"
	port=$with
	wait_until 20 in_state 0 "$state"
	port=$(port_of plain)
	in_state 1 "$state"
	stays 1 in_state 1 "$state"
	alive server
}

@test "bounded-half-close: a FIN that nobody acknowledges is given up soon after the close, not after minutes" {
	orphans fin-wait-1 deaf answer+10
}

@test "bounded-half-close: so is the last FIN, in LAST-ACK" {
	orphans last-ack deaf after-eof+10 fin
}
