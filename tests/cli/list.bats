# lastack list and report over a server that runs, is stopped, and was killed; FILTER and -o. The server (thread_per_connection) is asked
# by three clients to forget them, and one more stays.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	use observe
	start server "${preloaded[@]}" "$PROGRAMS/thread_per_connection"
	port=$(port_of server)
	server=${pid_of[server]}
	forgotten && forgotten && forgotten
	exec {open}<>"/dev/tcp/127.0.0.1/$port"
	wait_until 5 stand CLOSE-WAIT L1 3
	wait_until 5 stand ESTABLISHED - 1
}

teardown() {
	[ -z "${server:-}" ] || kill -CONT "$server" 2>/dev/null || true
	stop_all
}

# A client that asks to be forgotten, and hangs up.
forgotten() {
	local socket
	exec {socket}<>"/dev/tcp/127.0.0.1/$port"
	echo 'forget 0' >&"$socket"
	exec {socket}>&-
}

stand() { # STATE VERDICT COUNT
	[ "$(connections "map(select(.state == \"$1\" and .verdict == \"$2\")) | length")" -eq "$3" ]
}

# finds COUNT FILTER...: so many lines and objects, and the JSON tells the same connections as the table.
finds() {
	local wanted=$1
	shift
	run -0 --separate-stderr lastack list -o FD "$@"
	[ "$((${#lines[@]} - 1))" -eq "$wanted" ] || fail "\"$*\" finds $((${#lines[@]} - 1)), not $wanted"
	# shellcheck disable=SC2154 # run sets it
	[ -z "$stderr" ]
	[ "$(lastack list -J "$@" | jq -r '.connections[].fd' | sort -n)" = "$(tail -n +2 <<<"$output" | tr -d ' ' | sort -n)" ]
}

# told_in_full: what list says of the three and the one.
told_in_full() {
	run -0 --separate-stderr lastack list
	[ "${#lines[@]}" -eq 5 ] && [ -z "$stderr" ]
	[ "$(grep -cE "^ *$server +[0-9]+ CLOSE-WAIT +>=[0-9]+m?s read +0 127.0.0.1:$port +127.0.0.1:[0-9]+ server +[0-9]+ L1 +application" <<<"$output")" -eq 3 ] || fail "$output"
	[ "$(grep -cE "^ *$server +[0-9]+ ESTABLISHED +[0-9]+m?s - +0 127.0.0.1:$port " <<<"$output")" -eq 1 ] || fail "$output"
}

@test "list: a running server: a line a connection, with every column" {
	run -0 lastack list
	[[ ${lines[0]} =~ ^\ *PID\ +FD\ +STATE\ +AGE\ +EOF\ +UNREAD\ +LOCAL\ +PEER\ +ROLE\ +TID\ +VERDICT\ +NEXT ]]
	told_in_full
}

@test "list: a server that is stopped by SIGSTOP is read as if it ran" {
	kill -STOP "$server"
	wait_until 5 grep -q '^State:[[:space:]]*T' "/proc/$server/status" # a signal takes its time
	told_in_full
	run -1 timeout 10 "$LASTACK" report --min-age 0s "$WORK/regions/$server.region"
	[[ $output == "3 connections  L1 "* ]]
	run -0 lastack table "$server"
}

@test "list: after kill -9 the region still says what stood where" {
	local dead=$server
	kill -KILL "$dead"
	wait_until 5 ended "$dead"
	run -1 --separate-stderr lastack report --min-age 0s "$WORK/regions/$dead.region"
	[[ $output == "3 connections  L1 eof-read-not-closed"*"thread_per_connection (pid $dead)"* && -z $stderr ]] || fail "$output $stderr"
	[[ $output == *"connections opened: 4 accepted, 0 connected"* ]]
	run -1 lastack report --min-age 0s "$dead"
	[[ $output == "3 connections  L1 "* ]]
	run -1 lastack report --min-age 0s -J "$WORK/regions/$dead.region"
	[ "$(jq -r '.groups[0] | "\(.verdict) \(.count) \(.pids)"' <<<"$output")" = "L1 3 [$dead]" ]
	stand CLOSE-WAIT L1 3
	# The kernel closed for the dead, and knows the connection whose other end is still open here: it is the referee.
	stand FIN-WAIT-2 - 1 # an orphan: no leak
	[ "$(connections 'map("\(.state) \(.alive)") | unique | tostring')" = '["CLOSE-WAIT false","FIN-WAIT-2 true"]' ]
	exec {open}>&-
	wait_until 5 stand FIN-WAIT-2 - 0
	[ "$(connections 'map(.next) | unique | tostring')" = '[null]' ]
}

@test "list: each FILTER finds what it says" {
	local peer
	peer=$(connections '.[] | select(.state == "ESTABLISHED") | .peer')
	finds 4
	finds 3 state close-wait
	finds 3 'state half-closed'
	finds 1 state established
	finds 0 state time-wait
	finds 4 "sport = :$port"
	finds 0 "dport = :$port"
	finds 1 dport = ":${peer##*:}"
	finds 3 eof read
	finds 0 eof unread
	finds 3 verdict L1
	finds 3 verdict eof-read-not-closed
	finds 0 verdict L2
	finds 4 pid "$server"
	finds 0 pid 1
	finds 4 age '<' 5m
	finds 0 age '>' 5m
	finds 0 'age < 0s'
	finds 4 'age >= 0s'
	finds 3 "state close-wait and pid $server and age<1h"
	finds 0 "state close-wait and dport = :${peer##*:}"
}

@test "list: -o chooses columns, in that order, in any case, also twice" {
	run -0 lastack list -o STATE,PID state established
	[[ ${lines[0]} =~ ^STATE\ +PID$ && ${lines[1]} =~ ^ESTABLISHED\ +$server$ && ${#lines[@]} -eq 2 ]]
	run -0 lastack list -o pid,verdict,pid verdict L1
	[[ ${lines[0]} =~ ^\ *PID\ VERDICT\ +PID$ && ${lines[3]} =~ ^\ *$server\ L1\ +$server$ && ${#lines[@]} -eq 4 ]]
	run -0 lastack list state established -o fd
	[[ ${#lines[@]} -eq 2 ]]
}

@test "list: a wrong filter or column: status 2 and a sentence with what to write" {
	local filter
	for filter in 'state closewait' 'sport = :99999' 'age > 5' 'eof maybe' 'verdict L8' 'pid self' 'pid 1 or pid 2' 'foo'; do
		run -2 --separate-stderr lastack list "$filter"
		[[ -z $output && $stderr == 'lastack: filter: "'*'": write '* ]] || fail "$filter: $stderr"
	done
	run -2 --separate-stderr lastack list state
	[[ -z $output && $stderr == *"ends too early: write "* ]]
	run -2 --separate-stderr lastack list -o PID,FDS
	[[ -z $output && $stderr == *'"FDS" is no column: write some of PID FD '* ]]
	run -2 --separate-stderr lastack list -o ''
	[[ -z $output && $stderr == *'write some of PID FD '* ]]
	run -2 --separate-stderr lastack list -o ,PID
	[[ -z $output && $stderr == *'write some of PID FD '* ]]
}

@test "report: --fail-on makes findings only of that verdict, and a PID is one server's" {
	run -1 lastack report --min-age 0s
	run -1 lastack report --min-age 0s --fail-on L1
	run -0 lastack report --min-age 0s --fail-on L2
	[[ $output == "3 connections  L1 "* ]]
	run -1 lastack report --min-age 0s --fail-on L2 --fail-on eof-read-not-closed
	run -1 lastack report --min-age 0s "$server"
	run -0 lastack report --min-age 1h
	[[ $output == "no leaks: "* ]]
	run -6 lastack report $$
}
