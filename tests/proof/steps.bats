# The steps of a bounded state one after the other, and `max`: which connection goes first, and how often. On a server that forgets
# connections (tests/apps/forgetful.py).

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
	mode=()
}

teardown() {
	stop_all
}

# Under the policy on standard input.
forgetful_server() {
	policy steps
	use "$WORK/steps.policy"
	preloaded=("${mode[@]}" "${preloaded[@]}")
	start server "${preloaded[@]}" "$PYTHON" "$APPS/forgetful.py"
	order server listen 127.0.0.1 0
	port=$answer
}

# client ADDRESS: one that hangs up; the server sees it in CLOSE-WAIT from that address.
client() {
	socat -u OPEN:/dev/null "TCP:127.0.0.1:$port,bind=$1"
	wait_until 5 stands "$1"
}

stands() {
	sockets_are 1 state close-wait "sport = :$port and dst $1"
}

gone() {
	sockets_are 0 state close-wait "sport = :$port and dst $1"
}

actions() {
	sed -n 's/.*action=\([a-z]*\) .*/\1/p' "$WORK/lastack.log" 2>/dev/null | tr '\n' ' '
}

actions_are() {
	[ "$(actions)" = "$1" ]
}

# The peer's address of each line of the log, in their order.
acted_on() {
	sed -n 's/.*peer=\([0-9.]*\):.*/\1/p' "$WORK/lastack.log"
}

@test "steps: of one state come one at a time, each when its time without progress is up, a probe before our FIN before the RST" {
	forgetful_server <<-'END'
		[fin-wait-2]
		after 2900ms = reset
		after 500ms  = log
		after 2100ms = shutdown
		after 1300ms = keepalive
	END
	order server listen-half-close 127.0.0.1 0
	port=$answer
	exec {peer}<>"/dev/tcp/127.0.0.1/$port"
	in_fin_wait_2="state fin-wait-2 ( sport = :$port )"
	wait_until 10 actions_are 'log '
	wait_until 10 actions_are 'log keepalive '
	# shellcheck disable=SC2086 # words of a filter
	[[ $(ss -tanoH $in_fin_wait_2) == *timer:\(keepalive* ]]
	wait_until 10 actions_are 'log keepalive shutdown '
	# shellcheck disable=SC2086
	sockets_are 1 $in_fin_wait_2
	wait_until 10 actions_are 'log keepalive shutdown reset '
	# shellcheck disable=SC2086
	sockets_are 0 $in_fin_wait_2
	run ! read -r -t 5 -u "$peer" # the RST: not only the end of the stream, but an error
	[ "$status" -eq 1 ]
	sed -n 's/.*idle_ms=//p' "$WORK/lastack.log" | paste -s -d ' ' | {
		read -r log keepalive shutdown reset
		((log >= 500 && keepalive >= 1300 && shutdown >= 2100 && reset >= 2900))
	}
	exec {peer}>&-
}

@test "max: the one that has been in the state longest goes first, whatever its number, and no more than needed" {
	forgetful_server <<-'END'
		[close-wait]
		after 1h = log
		after 2h = shutdown
		max = 2
	END
	for i in 2 3 4 5; do
		start "client$i" socat -u STDIN "TCP:127.0.0.1:$port,bind=127.0.0.$i"
		wait_until 5 sockets_are 1 state established "sport = :$port and dst 127.0.0.$i"
	done
	for i in 4 2 5; do
		stop "client$i"
		wait_until 5 sockets_are 1 state close-wait "sport = :$port and dst 127.0.0.$i"
	done
	wait_until 10 gone 127.0.0.4
	stop client3
	wait_until 10 gone 127.0.0.2
	stays 1 sockets_are 2 state close-wait "sport = :$port"
	stands 127.0.0.5
	stands 127.0.0.3
	[ "$(acted_on | paste -s -d ' ')" = "127.0.0.4 127.0.0.2" ]
	actions_are 'shutdown shutdown '
}

# Three clients of which one is too many, and time to look again.
one_too_many() {
	local i
	for i in 2 3 4; do
		client "127.0.0.$i"
	done
	wait_until 10 actions_are "$1 "
	stays 1 actions_are "$1 "
	[ "$(acted_on)" = 127.0.0.2 ]
	sockets_are 3 state close-wait "sport = :$port"
}

@test "max: what a mild action leaves where it is, is acted on once, and not at each look" {
	forgetful_server <<-'END'
		[close-wait]
		after 1h = log
		max = 2
	END
	one_too_many log
}

@test "max: what observing would do, it says once" {
	mode=(env LASTACK_MODE=observe)
	forgetful_server <<-'END'
		[close-wait]
		after 1h = reset
		max = 2
	END
	one_too_many reset
	grep -q 'action=reset .*result=would' "$WORK/lastack.log"
}

results_are() { # COUNT RESULT
	[ "$(grep -s -c "action=shutdown .*result=$2" "$WORK/lastack.log")" = "$1" ]
}

@test "out of descriptors: what could not be done is done as soon as there is one" {
	limited=(bash -c 'ulimit -n 64 && exec "$@"' limited)
	mode=("${limited[@]}")
	forgetful_server <<-'END'
		[close-wait]
		after 500ms = shutdown
	END
	for i in 2 3 4; do
		start "client$i" socat -u STDIN "TCP:127.0.0.1:$port,bind=127.0.0.$i"
		wait_until 5 sockets_are 1 state established "sport = :$port and dst 127.0.0.$i"
	done
	order server fill
	for i in 2 3 4; do
		stop "client$i"
	done
	wait_until 10 results_are 3 failed
	stays 1 sockets_are 3 state close-wait "sport = :$port"
	results_are 3 failed # said once
	order server free
	wait_until 10 sockets_are 0 state close-wait "sport = :$port"
	results_are 3 ok
}
