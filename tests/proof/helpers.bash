# SPDX-License-Identifier: MIT
# Shared by the tests of this folder and by tests/demo.sh: start and stop programs, ask the kernel and lastack, and the scenarios
# that both of them play. Nothing sleeps for luck: whoever waits, waits for a fact, and not for ever.
#
# The caller sets WORK: an empty folder of its own, where logs, policies and regions go.

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD:-build}
[[ $BUILD == /* ]] || BUILD=$TOP/$BUILD
LASTACK=$BUILD/lastack
APPS=$TOP/tests/apps
PROGRAMS=$BUILD/tests/apps
PYTHON=/usr/bin/python3
export NO_COLOR=1

# ---- programs ----------------------------------------------------------------------------------------------------------

# A prefix for programs that run in a network of their own: (nsenter ...), or nothing.
network=()
# A prefix for programs that are preloaded: (env ... lastack run -p POLICY --), or nothing.
preloaded=()
declare -gA pid_of=() stdin_of=()

# use POLICY...: programs started from now on are preloaded with these policies, each a shipped name or a file.
use() {
	local policy
	preloaded=(env LASTACK_DIR="$WORK/regions" LASTACK_LOG="$WORK/lastack.log" "$LASTACK" run)
	for policy in "$@"; do
		preloaded+=(-p "$policy")
	done
	preloaded+=(--)
}

use_nothing() {
	preloaded=()
}

# policy NAME: a policy file from standard input; use "$WORK/NAME.policy".
policy() {
	cat >"$WORK/$1.policy"
}

# scaled POLICY: a shipped one with the times of its bounds cut down for a test (30 s to 0.5 s, 60 s to 1 s, 5 min to 2 s); its file.
scaled() {
	sed 's/^after 30s/after 500ms/; s/^after 60s/after 1s/; s/^after 5m /after 2s /' "$TOP/policies/$1.policy" >"$WORK/$1-scaled.policy"
	echo "$WORK/$1-scaled.policy"
}

lastack() {
	"${network[@]}" env LASTACK_DIR="$WORK/regions" "$LASTACK" "$@"
}

# start NAME COMMAND...: in the background. What it says goes to $WORK/NAME.out and NAME.err, its pid to pid_of[NAME]. Its
# standard input is a pipe: tell NAME LINE.
start() {
	local name=$1 input
	shift
	rm -f "$WORK/$name.in" "$WORK/$name.out" "$WORK/$name.err" # what an earlier one said is not to be taken for its word
	mkfifo "$WORK/$name.in"
	exec {input}<>"$WORK/$name.in"
	"${network[@]}" "$@" <"$WORK/$name.in" >"$WORK/$name.out" 2>"$WORK/$name.err" 3>&- {input}>&- &
	pid_of[$name]=$!
	stdin_of[$name]=$input
}

tell() {
	echo "$2" >&"${stdin_of[$1]}"
}

# order NAME LINE: the same, and waits for a line of answer, whose last word goes to `answer`.
order() {
	local lines
	lines=$(said_lines "$1")
	tell "$1" "${*:2}"
	wait_until 15 has_said_more "$1" "$lines" || fail "$1: $(cat "$WORK/$1.err")" || return 1
	# shellcheck disable=SC2034 # the caller's
	answer=$(sed -n "$((lines + 1))s/.* //p" "$WORK/$1.out")
}

said_lines() {
	grep -s -c '' "$WORK/$1.out" || true
}

has_said_more() { # NAME LINES
	[[ $(said_lines "$1") -gt $2 ]] || ended "${pid_of[$1]}"
}

alive() {
	kill -0 "${pid_of[$1]}" 2>/dev/null
}

# stop NAME: by its pid; SIGTERM, and SIGKILL after 5 s. Fails when it had crashed.
stop() {
	local name=$1 pid=${pid_of[$1]:-} input=${stdin_of[$1]:-} status=0
	[[ $pid ]] || return 0
	if kill -TERM "$pid" 2>/dev/null && ! wait_until 5 ended "$pid"; then
		kill -KILL "$pid"
	fi
	wait "$pid" 2>/dev/null || status=$?
	exec {input}>&-
	unset "pid_of[$name]" "stdin_of[$name]"
	case $status in
	132 | 134 | 135 | 136 | 139) fail "$name crashed: status $status" ;;
	esac
}

stop_all() {
	local name
	for name in "${!pid_of[@]}"; do
		stop "$name"
	done
}

# Gone, or a zombie that only waits to be waited for.
ended() {
	local state
	state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null)
	[[ ! $state || $state == Z ]]
}

# wait_until SECONDS COMMAND...: try the command every 50 ms until it holds.
wait_until() {
	local deadline=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	until "$@"; do
		((${EPOCHREALTIME/./} < deadline)) || return 1
		sleep 0.05
	done
}

# stays SECONDS COMMAND...: the command holds now, and all that time.
stays() {
	local deadline=$((${EPOCHREALTIME/./} + $1 * 1000000))
	shift
	while "$@"; do
		((${EPOCHREALTIME/./} < deadline)) || return 0
		sleep 0.05
	done
	return 1
}

says() { # FILE PATTERN
	grep -q -e "$2" "$1" 2>/dev/null
}

has_said_or_ended() { # NAME PATTERN
	says "$WORK/$1.out" "$2" || ended "${pid_of[$1]}"
}

# Does somebody listen on this port?
listens() {
	[ "$(ss -tlnH "sport = :$1" | wc -l)" -eq 1 ]
}

# stuck_clients COUNT PORT: say what they want, and are gone for good.
stuck_clients() {
	local socket i
	for ((i = 0; i < $1; i++)); do
		exec {socket}<>"/dev/tcp/127.0.0.1/$2"
		echo stuck >&"$socket"
		exec {socket}>&-
	done
}

# The port that a server has said it listens on ("listening PORT").
port_of() {
	wait_until 15 has_said_or_ended "$1" '^listening '
	says "$WORK/$1.out" '^listening ' || fail "$1 does not listen: $(cat "$WORK/$1.err")" || return 1
	sed -n 's/^listening //p' "$WORK/$1.out"
}

# A port that is free now, for servers that cannot choose one.
free_port() {
	"${network[@]}" "$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

fail() {
	echo "$*" >&2
	return 1
}

# private_network: programs started from now on share a network in which they are alone (root only).
private_network() {
	network=()
	start network unshare --net sh -c 'ip link set lo up && echo ready && exec sleep 300'
	wait_until 5 says "$WORK/network.out" ready || fail "no private network: $(cat "$WORK/network.err")"
	network=(nsenter --net="/proc/${pid_of[network]}/ns/net")
}

# ---- what the kernel says ----------------------------------------------------------------------------------------------

# sockets FILTER...: how many TCP sockets ss finds.
sockets() {
	"${network[@]}" ss -tanH "$@" | wc -l
}

sockets_are() { # COUNT FILTER...
	local wanted=$1
	shift
	[[ $(sockets "$@") -eq $wanted ]]
}

# The state of the connection with this cookie (hexadecimal) as RFC 9293 writes it; nothing where the kernel knows no such.
state_of_cookie() {
	"${network[@]}" ss -tanOeH | sed -n "s/^\([A-Z0-9-]*\) .* sk:$1\( .*\)\?$/\1/p" |
		sed 's/^ESTAB$/ESTABLISHED/; s/^SYN-RECV$/SYN-RECEIVED/; s/^UNCONN$/CLOSED/'
}

descriptors() { # PID...
	local pid count=0
	for pid in "$@"; do
		count=$((count + $(find "/proc/$pid/fd" -mindepth 1 | wc -l)))
	done
	echo "$count"
}

descriptors_are() { # COUNT PID...
	local wanted=$1
	shift
	[[ $(descriptors "$@") -eq $wanted ]]
}

# capture_resets PORT: from now on, RSTs that come from this port. resets_seen tells how many.
capture_resets() {
	start capture tcpdump --immediate-mode -U -n -i lo -w "$WORK/resets.pcap" \
		"tcp[tcpflags] & tcp-rst != 0 and src port $1"
	wait_until 10 says "$WORK/capture.err" 'listening on' || fail "tcpdump: $(cat "$WORK/capture.err")"
}

resets_seen() {
	stop capture
	tcpdump -n -r "$WORK/resets.pcap" 2>/dev/null | wc -l
}

# ---- what lastack says -------------------------------------------------------------------------------------------------

# connections JQ-FILTER: over the connections that `lastack list -J` shows.
connections() {
	lastack list -J | jq -r ".connections | $1"
}

# ---- scenario: a Node server that forgets its upgraded sockets ------------------------------------------------------------

LEAK_CLIENTS=10

leak_server() {
	start node "${preloaded[@]}" node "$APPS/node_upgrade.js"
	leak_port=$(port_of node)
}

# One client: asks for an upgrade, reads the answer to its end, hangs up.
upgrade_and_hang_up() {
	local socket line
	exec {socket}<>"/dev/tcp/127.0.0.1/$1"
	printf 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n' >&"$socket"
	while IFS= read -r -t 10 line <&"$socket" && [[ $line != $'\r' ]]; do :; done
	exec {socket}>&-
	[[ $line == $'\r' ]]
}

leak_clients() {
	local i
	for ((i = 0; i < LEAK_CLIENTS; i++)); do
		upgrade_and_hang_up "$leak_port" || fail "client $i got no answer"
	done
}

stuck() {
	sockets state close-wait "sport = :$leak_port"
}

stuck_are() {
	[[ $(stuck) -eq $1 ]]
}

still_serves() { # PORT
	[[ $("${network[@]}" curl -sS --max-time 5 "http://127.0.0.1:$1/") == "still serving" ]]
}

# The connections that report groups.
leaks_are() {
	[ "$(lastack report -J | jq '[.groups[].count] | add')" = "$1" ]
}

# ---- scenario: clients that no bound may harm ------------------------------------------------------------------------------

# Through PORT to tests/apps/stuck_backend.py: a healthy one, and a half-closed one whose answer takes so long. Longer than any bound.
NEIGHBOUR_SECONDS=4

start_neighbours() { # PORT
	start neighbours "$PYTHON" "$APPS/good_neighbours.py" "$1" $NEIGHBOUR_SECONDS
}

neighbours_are_unharmed() {
	wait_until 30 ended "${pid_of[neighbours]}"
	neighbours_say_so neighbours
}

neighbours_say_so() { # NAME: of the program that is the neighbours
	says "$WORK/$1.out" '^half-closed \([0-9]*\) of \1, then end of stream' &&
		says "$WORK/$1.out" '^healthy \([0-9]*\) of \1, then end of stream' ||
		fail "$(cat "$WORK/$1.out" "$WORK/$1.err")"
}

# The connections that `lastack report` has under that verdict.
reported() {
	lastack report -J | jq "[.groups[] | select(.verdict == \"$1\") | .count] | add // 0"
}

reported_are() { # COUNT VERDICT
	[ "$(reported "$2")" = "$1" ]
}

# ---- scenario: gunicorn answers an upload that nobody reads ----------------------------------------------------------------

UPLOADS=20
ANSWER_BYTES=$((200 * 1024))

upload_server() {
	start gunicorn "${preloaded[@]}" "$PYTHON" /usr/bin/gunicorn --workers 1 --bind 127.0.0.1:0 --pythonpath "$APPS" \
		--no-sendfile upload_app:application
	wait_until 20 says "$WORK/gunicorn.err" 'Booting worker' || fail "gunicorn: $(cat "$WORK/gunicorn.err")"
	upload_port=$(sed -n 's|.*Listening at: http://127.0.0.1:\([0-9]*\).*|\1|p' "$WORK/gunicorn.err")
}

# Prints "complete=N of 20, reset=N".
upload_clients() {
	"${network[@]}" "$PROGRAMS/uploading_client" "$upload_port" "$UPLOADS" 1 "$ANSWER_BYTES" http
}

complete_of() { # "complete=N of ..."
	sed -n 's/^complete=\([0-9]*\) of.*/\1/p' <<<"$1"
}

# ---- scenario: nginx -----------------------------------------------------------------------------------------------------

# A configuration with one file of 1 KiB in $WORK/site, and logs in $WORK.
nginx_folder() {
	mkdir -p "$WORK/site"
	head -c 1024 /dev/zero | tr '\0' x >"$WORK/site/index.html"
	chmod a+rx "$WORK" "$WORK/site" && chmod a+r "$WORK/site/index.html"
}

# nginx_server NAME: takes a free port; tries again when someone else was faster. Sets nginx_port.
nginx_server() {
	local name=$1 tries=0
	while ((tries++ < 3)); do
		nginx_port=$(free_port)
		cat >"$WORK/$name.conf" <<-END
			daemon off;
			worker_processes 2;
			pid $WORK/$name.pid;
			error_log $WORK/error.log warn;
			events { worker_connections 1024; }
			http {
				access_log off;
				client_body_temp_path $WORK/nginx-body;
				server { listen 127.0.0.1:$nginx_port; root $WORK/site; }
			}
		END
		start "$name" "${preloaded[@]}" nginx -e "$WORK/error.log" -c "$WORK/$name.conf"
		wait_until 10 nginx_answers_or_ended "$name"
		alive "$name" && return 0
		stop "$name"
	done
	fail "nginx: $(cat "$WORK/error.log" "$WORK/$name.err")"
}

nginx_answers_or_ended() {
	curl -s --max-time 2 -o /dev/null "http://127.0.0.1:$nginx_port/" || ended "${pid_of[$1]}"
}
