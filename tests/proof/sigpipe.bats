# A policy ends connections; no write on them raises SIGPIPE, whose default action would end the server. What of it is the application's own
# comes as without lastack.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
	# shellcheck source=tests/shim/calls.bash
	source "$BATS_TEST_DIRNAME/../shim/calls.bash"
	HOOKS=$BUILD/tests/shim
	printf '[close-wait]\nafter 500ms = shutdown\n' | policy shutdown
	printf '[close-wait]\nafter 500ms = reset\n' | policy reset
	printf '[close-wait]\nafter 500ms = shutdown\nafter 1500ms = reset\n' | policy both
	# Later than the programs need to fill a buffer for good.
	printf '[close-wait]\nafter 2s = shutdown\n' | policy late
}

teardown() {
	stop_all
}

# under POLICY PROGRAM [ARGUMENT...]
under() {
	use "$WORK/$1.policy"
	timeout 60 "${preloaded[@]}" "$HOOKS/$2" "${@:3}" </dev/null
}

logged() { # COUNT ACTION RESULT
	[ "$(grep -s -c "action=$2 .*result=$3 " "$WORK/lastack.log")" = "$1" ]
}

@test "sigpipe: after a shutdown of ours every way to write fails with EPIPE, and no signal comes" {
	run -0 under shutdown quiet ways
	[ "${#lines[@]}" -ge 24 ]
	[ "$(grep -c ': EPIPE EPIPE, signals 0$' <<<"$output")" -eq "${#lines[@]}" ] || fail "$output"
	# Stdio does not get there by these names.
	comm -23 <(names_of_calls | grep -E 'write|send|splice|fflush' | sort) <(sed 's/:.*//' <<<"$output" | sort) >"$WORK/untried"
	[ ! -s "$WORK/untried" ] || fail "not tried: $(cat "$WORK/untried")"
}

@test "sigpipe: after a reset of ours the first fails with ECONNRESET, the next with EPIPE, and no signal comes" {
	run -0 under reset quiet ways
	[ "${#lines[@]}" -ge 24 ]
	# freopen does not tell what became of its buffer.
	[ "$(grep -c -E ': ECONNRESET EPIPE, signals 0$|^freopen: EPIPE EPIPE, signals 0$' <<<"$output")" -eq "${#lines[@]}" ] || fail "$output"
}

@test "sigpipe: a server that leaves the signal its default action lives on" {
	use "$WORK/shutdown.policy"
	start server "${preloaded[@]}" "$HOOKS/quiet" default
	wait_until 20 says "$WORK/server.out" alive
	printf '%s\n' EPIPE EPIPE alive | diff - "$WORK/server.out"
	[ "$(lastack report -J | jq '.. | .sigpipe_held? // empty')" -eq 2 ]
	run -0 under reset quiet default
	[ "$output" = $'ECONNRESET\nEPIPE\nalive' ]
}

@test "sigpipe: known limit: what stdio writes where its buffer is full has no hook" {
	run -0 under shutdown quiet unbuffered
	[ "$output" = "EPIPE, signals 1" ]
}

@test "sigpipe: writing nothing is as it was" {
	run -0 under shutdown quiet nothing
	[ "${lines[-1]%%,*}" = "$(sed -n 's/^\([0-9]*\): signals = .*/\1: signals = 0/p' <<<"${lines[-1]}")" ]
	grep -q 'writev(fd, &none, 1) = 0' <<<"$output"
	grep -q 'writev(fd, nowhere, nothing + 1) = -1, errno 14' <<<"$output"
}

# own WHOSE: the transcript of what comes while a connection is about to be ended but is not: its send buffer is full.
own() {
	: >"$WORK/now"
	timeout 60 "$HOOKS/own_sigpipe" full "$WORK/now" "$1" >"$WORK/plain"
	[ "$(grep -c 'signals 1' "$WORK/plain")" -eq 4 ]
	rm "$WORK/now"
	use "$WORK/late.policy"
	start writer "${preloaded[@]}" "$HOOKS/own_sigpipe" full "$WORK/now" "$1"
	wait_until 20 logged 1 shutdown output-stuck
	: >"$WORK/now"
	wait_until 20 ended "${pid_of[writer]}"
	diff "$WORK/plain" "$WORK/writer.out"
}

@test "sigpipe: of a connection that the peer has reset it is the application's own" {
	own peer
}

@test "sigpipe: of a side that the application has shut down itself it is its own" {
	own own
}

@test "sigpipe: a writer that is blocked is not woken by a shutdown, and by the reset that follows with ECONNRESET" {
	run -0 under both own_sigpipe blocked
	[ "$(sed 's/, code.*//' <<<"$output")" = $'full\nblocked: ECONNRESET, signals 0\nafter: EPIPE, signals 0' ] || fail "$output"
	logged 1 shutdown output-stuck
	logged 0 shutdown ok
	logged 1 reset ok
}

@test "sigpipe: a thread that is cancelled in a write that is kept quiet leaves the signal unblocked" {
	use "$WORK/late.policy"
	start writer "${preloaded[@]}" "$HOOKS/own_sigpipe" cancelled "$WORK/now"
	wait_until 20 logged 1 shutdown output-stuck
	: >"$WORK/now"
	wait_until 20 ended "${pid_of[writer]}"
	printf '%s\n' full 'cleaned up, SIGPIPE blocked 0' 'cancelled 1' 'cleaned up, SIGPIPE blocked 0' 'cancelled 1' | diff - "$WORK/writer.out"
}

@test "sigpipe: one that somebody else has sent is never taken for ours" {
	run -0 under shutdown own_sigpipe pending
	[ "$(grep -c 'is_pending() = 1' <<<"$output")" -eq 2 ]
	[[ ${lines[-1]} == *'signals = 1,'* ]]
	[ "$(grep -c 'is_pending() = 0' <<<"$output")" -eq 1 ]
	run -0 under shutdown own_sigpipe storm
	[ "$output" = "enough calls 1, wrong 0, signals 2000" ] || fail "$output"
}

# numbers POLICY
numbers() {
	run -0 under "$1" ended_numbers "$1"
	[ "$(grep -c 'another one\|a new connection' <<<"$output")" -eq "$2" ]
	grep 'another one\|a new connection' <<<"$output" >"$WORK/others"
	[ "$(grep -c ': signals$' "$WORK/others")" -eq "$2" ] || fail "$output"
	[ "$(grep -c ': kept quiet$' <<<"$output")" -eq 8 ] || fail "$output"
}

@test "sigpipe: copies and children are kept quiet too, and what gets such a number later is not" {
	numbers shutdown 3
	numbers reset 4
}
