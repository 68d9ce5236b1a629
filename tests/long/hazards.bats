# Hazards of changing how a socket closes, each on a server that is told what to do (tests/apps/forgetful.py). What others prove is in
# tests/hazards.table.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
}

teardown() {
	stop_all
}

# A deaf server under the policy on standard input, or a shipped one.
deaf_server() {
	if [ $# -gt 0 ]; then
		use "$1"
	else
		policy hazard
		use "$WORK/hazard.policy"
	fi
	start server "${preloaded[@]}" "$PYTHON" "$APPS/forgetful.py"
	order server listen-deaf 127.0.0.1 0
	port=$answer
}

# A client that has sent what nobody will read; its descriptor goes to `client`.
uploading_client() {
	exec {client}<>"/dev/tcp/127.0.0.1/$port"
	printf 'nobody reads this' >&"$client"
	wait_until 5 has_unread
}

has_unread() {
	queued 1 '[^0]' state established "sport = :$port"
}

# queued COLUMN PATTERN FILTER...: what ss shows as received and unread (1), or sent and not acknowledged (2), of one connection
queued() {
	[[ $(ss -tanH "${@:3}" | awk -v column="$1" '{ print $(column + ($1 ~ /[A-Z]/)) }') == $2* ]]
}

# What the client reads to the end of its stream, which must be one, and not a reset.
client_reads() {
	run -0 timeout 5 cat <&"$client"
	[ "$output" = "$1" ]
}

client_is_reset() {
	run -1 timeout 5 cat <&"$client"
	[[ $output == *"Connection reset by peer"* ]]
}

draining() {
	sockets_are "$1" state fin-wait-2 "sport = :$port"
}

ENDLESS='[close]
action = graceful
linger = always
idle = 1h
total = 1h'

@test "close: a drain outlives every loop over descriptors, which finds nothing of it" {
	deaf_server <<<"$ENDLESS"
	uploading_client
	order server close
	wait_until 5 draining 1
	before=$(descriptors "${pid_of[server]}")
	order server close-all-from 300 # behind what bash and bats hand down
	[ "$answer" = 0 ]
	descriptors_are "$before" "${pid_of[server]}"
	draining 1
	printf 'and this' >&"$client"
	wait_until 5 queued 1 0 state fin-wait-2 "sport = :$port"
	client_reads ''
}

@test "close: the FIN goes out at the close, however long the drain may take" {
	deaf_server <<<"$ENDLESS"
	uploading_client
	order server say the answer
	order server close
	client_reads 'the answer'
	wait_until 5 draining 1
}

@test "close: an application that asks for a reset gets it, under graceful-close too" {
	deaf_server graceful-close
	uploading_client
	order server close-by-reset
	client_is_reset
	wait_until 5 sockets_are 0 state connected exclude time-wait "sport = :$port"
}

@test "close: where no reset threatens, graceful-close holds nothing" {
	deaf_server graceful-close
	exec {client}<>"/dev/tcp/127.0.0.1/$port"
	wait_until 5 sockets_are 1 state established "sport = :$port"
	order server say hello
	wait_until 5 queued 2 0 state established "sport = :$port" # all is acknowledged
	before=$(descriptors "${pid_of[server]}")
	order server close
	descriptors_are $((before - 1)) "${pid_of[server]}"
	wait_until 5 draining 1
	[[ $(ss -tanepH state fin-wait-2 "sport = :$port") != *users:* ]]
	client_reads hello
}

@test "close: a client that goes on sending is cut when the total time is up" {
	deaf_server <<-'POLICY'
		[close]
		action = graceful
		idle = 1h
		total = 2s
	POLICY
	uploading_client
	order server close
	{ while sleep 0.1; do echo more; done >&"$client"; } 2>/dev/null &
	sender=$!
	wait_until 10 says "$WORK/lastack.log" 'action=drain .*result=total'
	wait_until 5 sockets_are 0 state connected exclude time-wait "sport = :$port"
	wait_until 5 ended $sender # by the reset
}

@test "close: a rule leaves the peers that expect a reset as they are" {
	deaf_server <<-'POLICY'
		[close]
		action = graceful

		[close health-checks]
		match = remote 127.0.0.5
		action = plain
	POLICY
	capture_resets "$port"
	for address in 127.0.0.4 127.0.0.5; do
		start "client$address" bash -c "echo unread | exec socat -t 60 - TCP:127.0.0.1:$port,bind=$address"
		wait_until 5 queued 1 '[^0]' state connected "sport = :$port and dst $address"
		order server close
	done
	wait_until 5 sockets_are 0 state connected exclude time-wait "sport = :$port and dst 127.0.0.5"
	wait_until 5 ended "${pid_of[client127.0.0.5]}"
	stop capture
	[ "$(tcpdump -n -r "$WORK/resets.pcap" dst 127.0.0.5 2>/dev/null | wc -l)" -gt 0 ]
	[ "$(tcpdump -n -r "$WORK/resets.pcap" dst 127.0.0.4 2>/dev/null | wc -l)" -eq 0 ]
}

@test "close: a TLS server that answers early keeps its answer, and swallows what the client still says, its close_notify too" {
	openssl req -x509 -newkey rsa:2048 -nodes -keyout "$WORK/key.pem" -out "$WORK/cert.pem" -days 2 -subj /CN=localhost 2>/dev/null
	use graceful-close
	start server "${preloaded[@]}" "$PYTHON" "$APPS/tls_answers_early.py" serve "$WORK/cert.pem" "$WORK/key.pem"
	port=$(port_of server)
	capture_resets "$port"
	run -0 timeout 60 "$PYTHON" "$APPS/tls_answers_early.py" "$port"
	[ "$output" = "complete 10 of 10" ]
	wait_until 10 sockets_are 0 state connected exclude time-wait "sport = :$port"
	[ "$(resets_seen)" -eq 0 ]
	[ "$(grep -c 'action=drain .*result=delivered' "$WORK/lastack.log")" -ge 1 ]
}

@test "close: what a graceful close leaves is a TIME-WAIT that list shows, and no option cuts it short" {
	deaf_server graceful-close
	uploading_client
	order server close
	exec {client}>&-
	wait_until 5 sockets_are 1 state time-wait "sport = :$port"
	[ "$(connections 'map(.state) | join(" ")')" = TIME-WAIT ]
	run -0 lastack list 'state time-wait'
	[[ $output == *":$port "* ]]
}

@test "bound: a number stays the application's after shutdown and reset, and reads as a connection that is over" {
	deaf_server <<-'POLICY'
		[close-wait]
		after 300ms = shutdown

		[close-wait reset]
		match = remote 127.0.0.5
		after 300ms = reset
	POLICY
	for address in 127.0.0.4 127.0.0.5; do
		before=$(sockets_held)
		socat -u OPEN:/dev/null "TCP:127.0.0.1:$port,bind=$address"
		wait_until 10 says "$WORK/lastack.log" "action=.*result=ok .*peer=$address"
		wait_until 5 sockets_are 0 state connected exclude time-wait "sport = :$port"
		[ "$(sockets_held)" -eq $((before + 1)) ]
		order server read
		[[ $answer == 0 || $answer == E* ]] # not EBADF: the end, or an error of the connection's
		[ "$answer" != EBADF ]
	done
}

sockets_held() {
	find "/proc/${pid_of[server]}/fd" -lname 'socket:*' | wc -l
}

@test "bound: looking at a connection does not consume its pending error" {
	deaf_server <<-'POLICY'
		[close-wait]
		after 200ms = log
	POLICY
	start first socat -u STDIN "TCP:127.0.0.1:$port"
	wait_until 5 sockets_are 1 state established "sport = :$port"
	"$PYTHON" -c 'import socket, struct, sys
c = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))' "$port"
	wait_until 5 sockets_are 1 state connected "sport = :$port"
	# Each turn looks at all: so it has looked at the dead one when it acts on what came later.
	stop first
	wait_until 5 says "$WORK/lastack.log" action=log
	order server read
	[ "$answer" = ECONNRESET ]
}

@test "bound and close: MPTCP, Unix and UDP sockets are left alone" {
	policy hazard <<-'POLICY'
		[close-wait]
		after 200ms = reset
		[fin-wait-2]
		after 200ms = reset
		[close]
		action = graceful
		linger = always
	POLICY
	use "$WORK/hazard.policy"
	start server "${preloaded[@]}" "$PYTHON" "$APPS/not_tcp.py"
	wait_until 10 says "$WORK/server.out" '^half-closed' || fail "$(cat "$WORK/server.err")"
	said=$(sed -n 's/^half-closed //p' "$WORK/server.out")
	[[ $said == *unix* && $said == *udp* ]]
	[[ $said == *mptcp* ]] || skip "this kernel has no MPTCP; Unix and UDP sockets are left alone"
	# A TCP connection of the same process, that came later, is ended meanwhile.
	port=$(port_of server)
	socat -u OPEN:/dev/null "TCP:127.0.0.1:$port"
	wait_until 5 says "$WORK/lastack.log" 'action=reset .*result=ok'
	tell server go on
	wait_until 5 says "$WORK/server.out" "^alive $said\$" || fail "$(cat "$WORK/server.out" "$WORK/server.err")"
	[ "$(wc -l <"$WORK/lastack.log")" -eq 1 ]
}
