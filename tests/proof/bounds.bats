# What each bound does, on a server that forgets connections (tests/apps/request.h: "forget"), and that every drain ends.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
}

teardown() {
	stop_all
}

# bounded_server: under the policy on standard input
bounded_server() {
	policy bound
	use "$WORK/bound.policy"
	start server "${preloaded[@]}" "$PROGRAMS/thread_per_connection"
	port=$(port_of server)
}

in_state() { # COUNT STATE
	sockets_are "$1" state "$2" "sport = :$port"
}

# A client that the server forgets; it hangs up at once.
forget_me() {
	local socket
	exec {socket}<>"/dev/tcp/127.0.0.1/$port"
	echo 'forget 0' >&"$socket"
	exec {socket}>&-
}

# A client that the server forgets; it has shut down its writing side and goes on waiting for an answer.
start_patient_client() {
	start client "$PROGRAMS/half_closing_client" "$port" 0 stall
}

logged() { # COUNT ACTION [RESULT]
	[ "$(grep -s -c "action=$2 .*result=${3:-ok}" "$WORK/lastack.log")" = "$1" ]
}

@test "close-wait: log writes one line and changes nothing" {
	bounded_server <<-'END'
		[close-wait]
		after 1s = log
	END
	forget_me
	wait_until 3 logged 1 log
	stays 2 in_state 1 close-wait
	logged 1 log
}

@test "close-wait: shutdown sends a FIN, the waiting client sees the end of the stream" {
	bounded_server <<-'END'
		[close-wait]
		after 1s = shutdown
	END
	start_patient_client
	wait_until 3 in_state 1 close-wait
	wait_until 4 says "$WORK/client.out" 'received 0 of 0 .*end of stream'
	logged 1 shutdown
}

@test "close-wait: reset sends an RST" {
	bounded_server <<-'END'
		[close-wait]
		after 1s = reset
	END
	start_patient_client
	wait_until 3 in_state 1 close-wait
	wait_until 4 says "$WORK/client.out" 'received 0 of 0 .*reset by peer'
	wait_until 2 sockets_are 0 state connected "sport = :$port"
	logged 1 reset
	alive server
}

@test "close-wait: keepalive ends what has no peer any more, and spares a client that waits" {
	[ "$(id -u)" -eq 0 ] || skip "shortening the peer's FIN-WAIT-2 needs a network of our own: root"
	private_network
	"${network[@]}" sh -c 'echo 1 >/proc/sys/net/ipv4/tcp_fin_timeout'
	bounded_server <<-'END'
		[close-wait]
		after 1s = keepalive
	END
	start_patient_client
	start gone "$PROGRAMS/half_closing_client" "$port" 0 stall
	wait_until 3 in_state 2 close-wait
	stop gone
	wait_until 20 in_state 1 close-wait
	stays 3 in_state 1 close-wait
	[ "$(cat "$WORK/client.out")" = stalled ]
}

@test "close-wait: mild steps come before strong ones" {
	bounded_server <<-'END'
		[close-wait]
		after 1s = log
		after 3s = shutdown
	END
	forget_me
	wait_until 2 logged 1 log
	in_state 1 close-wait
	logged 0 shutdown
	wait_until 4 in_state 0 close-wait
	logged 1 shutdown
}

@test "close-wait: beyond max the oldest is acted on at once" {
	bounded_server <<-'END'
		[close-wait]
		after 1h = shutdown
		max = 3
	END
	start oldest "$PROGRAMS/half_closing_client" "$port" 0 stall
	wait_until 3 in_state 1 close-wait
	forget_me
	forget_me
	wait_until 3 in_state 3 close-wait
	stays 1 in_state 3 close-wait
	forget_me
	wait_until 4 says "$WORK/oldest.out" 'end of stream'
	stays 1 in_state 3 close-wait
}

# A client that takes its answer and stays: only a bound ends the drain. (bash sends line by line, so whether the second line
# is there when the server closes is a matter of luck: hence `linger = always` in the policies.)
stay_connected() {
	local socket answer
	exec {socket}<>"/dev/tcp/127.0.0.1/$port"
	printf 'answer 10\nthis upload stays unread' >&"$socket"
	read -r -N 10 -t 5 answer <&"$socket"
	[ "$answer" = abcdefghij ]
	staying+=("$socket")
}

# Drains hold descriptors: this many more than at the start.
drains_are() {
	descriptors_are $((before + $1)) "${pid_of[server]}"
}

# A server that says all it has to say, shuts down its writing side, and keeps its descriptor for good.
start_half_closing_server() {
	policy bound
	use "$WORK/bound.policy"
	start server "${preloaded[@]}" "$PYTHON" -c 'import socket, threading
s = socket.create_server(("127.0.0.1", 0))
print("listening", s.getsockname()[1], flush=True)
kept = []
def serve(c):
    c.sendall(b"all\n"); c.shutdown(socket.SHUT_WR)
    while c.recv(100): pass
while True:
    kept.append(s.accept()[0])
    threading.Thread(target=serve, args=(kept[-1],), daemon=True).start()'
	port=$(port_of server)
}

@test "fin-wait-2: a held descriptor that Linux would keep for ever is bounded, a client that still sends is not" {
	start_half_closing_server <<-'END'
		[fin-wait-2]
		after 1s = reset
	END
	# Neither closes; one is silent, one goes on uploading.
	exec {silent}<>"/dev/tcp/127.0.0.1/$port" {sending}<>"/dev/tcp/127.0.0.1/$port"
	while sleep 0.2; do echo more; done >&"$sending" &
	sender=$!
	wait_until 5 in_state 2 fin-wait-2
	wait_until 10 logged 1 reset ok
	in_state 1 fin-wait-2
	stays 2 in_state 1 fin-wait-2
	kill "$sender"
	wait_until 10 in_state 0 fin-wait-2
	exec {silent}>&- {sending}>&-
}

@test "legacy-server: a forgotten connection is probed first, and what is answered early arrives" {
	local said
	use legacy-server
	start server "${preloaded[@]}" "$PROGRAMS/thread_per_connection"
	port=$(port_of server)
	start_patient_client
	wait_until 5 in_state 1 close-wait
	wait_until 5 test "$(connections '.[0].next.action')" = keepalive
	said=$("$PROGRAMS/uploading_client" "$port" 5 1 "$ANSWER_BYTES" plain)
	[ "$(complete_of "$said")" = 5 ] || fail "$said"
}

@test "close: a drain ends after its idle time though the peer stays" {
	bounded_server <<-'END'
		[close]
		action = graceful
		linger = always
		idle = 3s
	END
	stay_connected # whatever is opened once is open now
	wait_until 8 logged 1 drain acknowledged
	before=$(descriptors "${pid_of[server]}")
	stay_connected
	wait_until 5 drains_are 1
	wait_until 8 drains_are 0
	logged 2 drain acknowledged
}

@test "close: whether a drain has delivered is known: by list as long as it lasts, by the log when it ends" {
	local reader
	bounded_server <<-'END'
		[close]
		action = graceful
		linger = always
		idle = 3s
	END
	stay_connected
	wait_until 5 in_state 1 fin-wait-2
	lastack list -o STATE,NEXT | grep -q '^FIN-WAIT-2 drain, delivered: waits for the FIN$' || fail "$(lastack list)"
	# It takes nothing: its window closes.
	exec {reader}<>"/dev/tcp/127.0.0.1/$port"
	echo 'answer 1000000' >&"$reader"
	wait_until 10 in_state 1 fin-wait-1
	lastack list -o STATE,NEXT | grep -Eq '^FIN-WAIT-1 drain, [0-9.]+[KM]iB not delivered$' || fail "$(lastack list)"
	wait_until 8 logged 1 drain acknowledged
	wait_until 8 logged 1 drain idle
	grep -Eq 'result=acknowledged .* unacked_bytes=0( |$)' "$WORK/lastack.log"
	grep -Eq 'result=idle .* unacked_bytes=[1-9][0-9]+( |$)' "$WORK/lastack.log" || fail "$(cat "$WORK/lastack.log")"
	exec {reader}>&-
}

@test "close: time in which the process was stopped is not the client's, and ends no drain" {
	bounded_server <<-'END'
		[close]
		action = graceful
		linger = always
		idle = 2s
		total = 3s
	END
	stay_connected
	wait_until 5 in_state 1 fin-wait-2
	kill -STOP "${pid_of[server]}"
	sleep 3.5 # longer than both
	kill -CONT "${pid_of[server]}"
	stays 1 logged 0 drain acknowledged
	wait_until 8 logged 1 drain acknowledged
}

@test "close: an address that an orderly end keeps in use is said, where nothing lets it be bound again" {
	local reuse
	use graceful-close
	for reuse in 0 1; do
		rm -f "$WORK/lastack.log"
		run -0 timeout 30 "${preloaded[@]}" "$PYTHON" -c '
import socket, sys
l = socket.socket(); l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(sys.argv[1]))
l.bind(("127.0.0.1", 0)); l.listen()
c = socket.create_connection(l.getsockname()); a, _ = l.accept()
c.send(b"unread"); a.recv(1)
a.close()
assert c.recv(1) == b""
c.close()
while True:
    with open(sys.argv[2]) as log:
        if "action=drain" in log.read():
            break
' "$reuse" "$WORK/lastack.log"
		[ "$(grep -c 'result=delivered .* address_in_use=60s$' "$WORK/lastack.log")" -eq $((1 - reuse)) ] || fail "$reuse: $(cat "$WORK/lastack.log")"
	done
}

@test "close: no more drains at once than max" {
	bounded_server <<-'END'
		[close]
		action = graceful
		linger = always
		idle = 30s
		max = 2
	END
	stay_connected
	wait_until 5 in_state 1 fin-wait-2
	before=$(($(descriptors "${pid_of[server]}") - 1))
	for i in 2 3 4 5; do
		stay_connected
	done
	wait_until 5 drains_are 2
	stays 1 drains_are 2
	logged 3 drain evicted
	alive server
}

@test "close: a client that uploads for ever is cut at the byte limit" {
	bounded_server <<-'END'
		[close]
		action = graceful
		linger = always
		drain = 1MiB
	END
	run timeout 10 bash -c "exec 5<>/dev/tcp/127.0.0.1/$port; echo 'answer 10' >&5; exec cat /dev/zero >&5"
	[ "$status" -ne 124 ] # it was told to stop: an RST
	wait_until 2 logged 1 drain drain-limit
	wait_until 3 sockets_are 0 state connected exclude time-wait "sport = :$port"
}
