# A policy that changes under programs: what a child of a fork has, who has given up root, what a dry run does; and what must not change by it:
# the numbers that a program gets, and the connections that are just being closed.

bats_require_minimum_version 1.5.0

# `make reloads` makes more.
EDITS=${EDITS:-2}

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	# shellcheck source=tests/reload/reload.bash
	source "$BATS_TEST_DIRNAME/reload.bash"
	P=$WORK/my.policy
	bound "$P" 1h log
}

teardown() {
	stop_all
}

@test "reload: a file that is written in two halves is never taken in half" {
	local tries gap taken=0 good=0
	use "$P"
	leaks sin
	await_next log
	for ((tries = 0; tries < 8 && good < 1; tries++)); do
		bound "$P" "$((tries + 2))h" log
		await_news $((++taken)) taken
		# The next look is a second after the last: in the middle of what follows.
		sleep 0.8
		gap=${EPOCHREALTIME/./}
		# The first half is a policy, too.
		printf '[close-wait]\nafter 1h = reset\n' >"$P"
		sleep 0.3
		printf 'after 30m = keepalive\n' >>"$P"
		gap=$(((${EPOCHREALTIME/./} - gap) / 1000))
		wait_until 20 next_is keepalive || fail "$(cat "$WORK/lastack.log")"
		# Half a second apart they are two changes: this machine was slow.
		if ((gap > 450)); then
			taken=$(news taken)
			continue
		fi
		await_news $((++taken)) taken
		good=$((good + 1))
	done
	((good == 1)) || skip "this machine does not write two halves within 450 ms"
	news_are 0 refused
}

@test "reload: the child of a fork begins with its parent's policy, and follows the files by itself" {
	use "$P"
	start parent "${preloaded[@]}" "$PYTHON" -c 'import os, socket, sys
def pair():
    s = socket.create_server(("127.0.0.1", 0))
    c = socket.create_connection(s.getsockname())
    d, _ = s.accept()
    c.shutdown(socket.SHUT_WR)
    d.recv(1)
    return s, c, d
kept = pair()
sys.stdin.readline()
child = os.fork()
if child == 0:
    kept = pair()
    print("listening 0", flush=True)
sys.stdin.readline() if child else os.read(0, 1)'
	await_next log
	bound "$P" 1h keepalive
	await_next keepalive
	tell parent fork
	port_of parent >/dev/null
	child=$(pgrep -P "${pid_of[parent]}")
	wait_until 20 next_is keepalive "$child" || fail "$(lastack list)"
	await_news 1 taken
	bound "$P" 1h reset
	await_news 1 taken "$child"
	await_news 2 taken "${pid_of[parent]}"
	wait_until 20 next_is reset "$child" || fail "$(lastack list)"
	kill "$child"
}

@test "reload: whoever may not read the file any more keeps the policy that he has, and says so once" {
	[ "$(id -u)" -eq 0 ] || skip "only root has privileges to drop"
	local who
	use "$P"
	# Two ways: another user, and another root.
	for who in 'os.setuid(65534)' 'os.chroot("/var/empty" if os.path.isdir("/var/empty") else "/proc")'; do
		start "who${#pid_of[@]}" "${preloaded[@]}" "$PYTHON" -c "import os, socket, sys
s = socket.create_server(('127.0.0.1', 0))
c = socket.create_connection(s.getsockname())
d, _ = s.accept()
c.shutdown(socket.SHUT_WR)
d.recv(1)
$who
print('listening 0', flush=True)
sys.stdin.readline()"
		port_of "who$((${#pid_of[@]} - 1))" >/dev/null
	done
	await_watched who0 who1
	bound "$P" 1h reset
	await_news 1 refused "${pid_of[who0]}"
	await_news 1 refused "${pid_of[who1]}"
	says "$WORK/lastack.log" "pid=${pid_of[who0]} .*: this process may not read it\"" || fail "$(cat "$WORK/lastack.log")"
	says "$WORK/lastack.log" "pid=${pid_of[who1]} .*: there is no such file\"" || fail "$(cat "$WORK/lastack.log")"
	next_is log "${pid_of[who0]}"
	next_is log "${pid_of[who1]}"
	stays 1 news_are 2 refused
}

@test "reload: a dry run stays one, and observe is not watched" {
	use "$P"
	start dry env LASTACK_MODE=observe "${preloaded[@]}" "$PROGRAMS/reads_never_closes"
	use observe
	start observe "${preloaded[@]}" "$PROGRAMS/reads_never_closes"
	by_hand "$TOP/policies/observe.policy"
	start path "${preloaded[@]}" "$PROGRAMS/reads_never_closes"
	for name in dry observe path; do
		wait_until 10 says "$WORK/$name.out" '^step open ' || fail "$(cat "$WORK/$name.err")"
		tell "$name" go
		wait_until 10 says "$WORK/$name.out" '^step eof-read ' || fail "$(cat "$WORK/$name.err")"
	done
	await_watched dry
	bound "$P" 100ms reset
	wait_until 20 says "$WORK/lastack.log" 'action=reset rule=close-wait result=would' || fail "$(cat "$WORK/lastack.log")"
	left_is dry CLOSE-WAIT
	for name in observe path; do
		[ "$(find "/proc/${pid_of[$name]}/task" -mindepth 1 -maxdepth 1 | wc -l)" -eq 1 ]
	done
}

catches_term() { # PID
	local caught
	caught=$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status")
	(((16#$caught >> 14) & 1))
}

@test "reload: SIGTERM is held up by an [exit] rule that comes, and no longer by one that has gone" {
	use "$P"
	leaks sin
	run ! catches_term "${pid_of[sin]}"
	printf '[exit]\naction = drain\n' >"$P"
	await_news 1 taken
	catches_term "${pid_of[sin]}"
	: >"$P"
	await_news 2 taken
	run ! catches_term "${pid_of[sin]}"
}

# The thread of a process that watches.
watcher() { # PID
	local comm
	comm=$(grep -lx lastack-policy "/proc/$1/task/"*/comm)
	comm=${comm%/comm}
	echo "${comm##*/}"
}

@test "reload: a program of one thread always gets the lowest free number" {
	local i edit programs=2
	touch "$WORK/go"
	use "$P" "$P" "$P" "$P"
	for ((i = 0; i < programs; i++)); do
		start "numbers$i" "${preloaded[@]}" "$BUILD/tests/reload/numbers" "$WORK/go"
		port_of "numbers$i" >/dev/null
		await_watched "numbers$i"
		# Each file stays open for a while, so that the program is sure to take a number meanwhile.
		start "slow$i" strace -o "$WORK/slow$i" -e trace=close -e inject=close:delay_enter=20000 -p "$(watcher "${pid_of[numbers$i]}")"
		wait_until 10 says "$WORK/slow$i.err" attached || skip "strace: $(cat "$WORK/slow$i.err")"
	done
	for ((edit = 1; edit <= EDITS; edit++)); do
		bound "$P" "${edit}m" log
		await_news $((edit * programs)) taken
	done
	rm "$WORK/go"
	for ((i = 0; i < programs; i++)); do
		[ "$(grep -c DELAYED "$WORK/slow$i")" -ge $((4 * EDITS)) ] || fail "$(cat "$WORK/slow$i")"
		wait_until 20 says "$WORK/numbers$i.out" '^looked' || fail "$i does not end"
		says "$WORK/numbers$i.out" ', wrong 0$' || fail "$(tail -n 1 "$WORK/numbers$i.out")"
	done
}

@test "reload: a file system that does not answer holds up one change of credentials, and not each" {
	[ "$(id -u)" -eq 0 ] || skip "only root may change who it is"
	use "$P"
	start changes "${preloaded[@]}" "$PYTHON" -c '
import os, socket, sys, time
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
accepted = server.accept()[0]
print("listening", server.getsockname()[1], flush=True)
sys.stdin.readline()
waited = 0
for _ in range(6):
    began = time.monotonic()
    os.seteuid(65534)
    os.seteuid(0)
    waited += time.monotonic() - began > 0.5
print("waited", waited, flush=True)
sys.stdin.readline()'
	port_of changes >/dev/null
	await_watched changes
	start held strace -o "$WORK/held" -e trace=statx -e inject=statx:delay_enter=30000000 -p "$(watcher "${pid_of[changes]}")"
	wait_until 10 says "$WORK/held.err" attached || skip "strace: $(cat "$WORK/held.err")"
	bound "$P" 5m log
	wait_until 5 grep -q '^State:.*tracing stop' "/proc/${pid_of[changes]}/task/$(watcher "${pid_of[changes]}")/status"
	tell changes go
	wait_until 60 says "$WORK/changes.out" '^waited'
	says "$WORK/changes.out" '^waited [01]$' || fail "$(cat "$WORK/changes.out")"
}

# edits FROM PROCESSES: the two policies in turn, EDITS times, each taken up by all processes.
edits() {
	local edit
	for ((edit = $1; edit < $1 + EDITS; edit++)); do
		if ((edit % 2)); then
			printf '[close]\naction = graceful\nlinger = always\n[close-wait]\nafter 1h = log\n' >"$P.new"
		else
			printf '[reset]\naction = refuse\n[fin-wait-2]\nafter 1h = log\n' >"$P.new"
		fi
		mv "$P.new" "$P"
		await_news $((edit * $2)) taken
	done
}

uploads_until() { # FILE: clients that are answered early, till it is gone
	while [ -e "$1" ]; do
		timeout 30 "$PROGRAMS/uploading_client" "$port" 40 4 20000 plain >>"$WORK/clients" || true # plain closes lose some
	done
}

has_ended_all() {
	lastack report -J | jq -e '.counters | .opened_server == .closed_fin + .closed_graceful + .closed_reset
		and .closed_graceful == .drain_delivered + .drain_acknowledged + .drain_reset_by_peer + .drain_idle + .drain_total + .drain_limit + .drain_evicted' >"$WORK/ended"
}

@test "reload: under load, with closes and drains under way in several threads" {
	local before
	use "$P"
	start server "${preloaded[@]}" "$PROGRAMS/thread_per_connection"
	port=$(port_of server)
	"$PROGRAMS/uploading_client" "$port" 5 1 1000 plain
	await_watched server
	before=$(descriptors "${pid_of[server]}")
	touch "$WORK/go"
	start clients uploads_until "$WORK/go"
	edits 1 1
	rm "$WORK/go"
	wait_until 40 ended "${pid_of[clients]}" || fail "the clients do not end"
	stop clients
	[ "$(grep -c '^complete=' "$WORK/clients")" -gt 0 ]
	# Each policy was at work: drains by the one, plain closes by the other.
	wait_until 40 has_ended_all || fail "$(lastack report -J | jq .counters)"
	lastack report -J | jq -e '.counters.closed_graceful > 0 and .counters.closed_fin + .counters.closed_reset > 0' >"$WORK/both" || fail "$(lastack report -J | jq -c .counters) $(tail -n 3 "$WORK/clients")"
	wait_until 10 descriptors_are "$before" "${pid_of[server]}" || fail "$(descriptors "${pid_of[server]}") descriptors, not $before"
	[ ! -s "$WORK/server.err" ]
}

counts_none_open() {
	tell server count
	says "$WORK/server.out" '^served=.* open=0 '
}

@test "reload: closes that become graceful by a change leave no event of a closed descriptor behind" {
	: >"$P"
	use "$P"
	start server "${preloaded[@]}" "$PROGRAMS/epoll_server" level
	port=$(port_of server)
	"$PROGRAMS/uploading_client" "$port" 5 1 1000 plain
	await_watched server
	# These are in the set already when the change comes.
	sockets=()
	for i in 1 2 3 4 5; do
		exec {socket}<>"/dev/tcp/127.0.0.1/$port"
		sockets+=("$socket")
	done
	wait_until 10 sockets_are 5 state established "sport = :$port"
	printf '[close]\naction = graceful\nlinger = always\n' >"$P"
	await_news 1 taken
	for socket in "${sockets[@]}"; do
		echo 'answer 10000' >&"$socket"
		head -c 10000 <&"$socket" | wc -c >>"$WORK/bytes"
		# What comes now comes for a number that is closed.
		head -c 1000 /dev/zero >&"$socket"
	done
	wait_until 10 says "$WORK/bytes" 10000
	for socket in "${sockets[@]}"; do
		exec {socket}>&-
	done
	wait_until 10 sockets_are 0 state connected exclude time-wait "sport = :$port"
	[ "$(sort -u "$WORK/bytes")" = 10000 ]
	# The helper lets go of its numbers a moment later.
	wait_until 10 counts_none_open || fail "$(cat "$WORK/server.out")"
	says "$WORK/server.out" '^served=10 open=0 zombies=0$' || fail "$(cat "$WORK/server.out")"
	run ! grep -v -e 'zombies=0$' -e '^listening' "$WORK/server.out"
	lastack report -J | jq -e '.counters.closed_graceful == 5' || fail "$(lastack report)"
}
