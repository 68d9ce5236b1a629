# Signals, cancellation and the ends of threads, in the middle of hooked calls: nothing stays behind that would change a later close.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	HARD=$BUILD/tests/hard
}

teardown() {
	stop_all
}

# The policies of every test: nothing is acted on; and all that acts.
ACTING=(graceful-close bounded-close-wait)

@test "giving: one connection that a blocked message carries leaves every other close graceful" {
	local way
	for way in msg mmsg syscall; do
		use "${ACTING[@]}"
		run -0 timeout 70 "${preloaded[@]}" "$HARD/giving" block "$way"
		[ "$output" = $'given: open\nanother: graceful' ]
		use observe
		run -0 timeout 70 "${preloaded[@]}" "$HARD/giving" block "$way"
		[ "$output" = $'given: open\nanother: reset' ]
	done
}

@test "giving: a thread that is cancelled while it gives leaves every other close graceful" {
	use "${ACTING[@]}"
	run -0 timeout 70 "${preloaded[@]}" "$HARD/giving" cancel msg
	[ "$output" = 'another: graceful' ]
	run -0 timeout 70 "${preloaded[@]}" "$HARD/giving" cancel mmsg
	[ "$output" = 'another: graceful' ]
}

@test "giving: a handler that jumps out of it leaves every other close graceful" {
	local way
	use "${ACTING[@]}"
	for way in msg mmsg syscall; do
		run -0 timeout 70 "${preloaded[@]}" "$HARD/giving" jump "$way"
		[ "$output" = 'another: graceful' ]
	done
}

@test "giving: the child of a fork closes gracefully, whatever its parent's threads were giving" {
	use "${ACTING[@]}"
	run -0 timeout 70 "${preloaded[@]}" "$HARD/giving" fork
	[ "$output" = $'given: open\nanother: graceful\nin the child: graceful' ]
}

# What lastack says of the connections of this process is what the kernel says: state and both ends of each, and no more.
table_is_the_kernels() { # PID
	lastack list -J | jq -r --argjson pid "$1" '.connections[] | select(.pid == $pid and .alive and .fd >= 0) |
		"\(.state) \(.local) \(.peer)"' | sort >"$WORK/table"
	"${network[@]}" ss -tanHpO | grep -F "pid=$1," | grep -v '^LISTEN' | awk '{ print $1, $4, $5 }' |
		sed 's/^ESTAB /ESTABLISHED /; s/^SYN-RECV /SYN-RECEIVED /; s/^UNCONN /CLOSED /' | sort >"$WORK/kernel"
	diff "$WORK/kernel" "$WORK/table" >"$WORK/difference"
}

jumping() { # CALL TIMES GRACEFUL
	start jumps timeout 60 "${preloaded[@]}" "$HARD/jumps" "$1" "$2"
	port_of jumps >/dev/null
	says "$WORK/jumps.out" "^graceful $3 of 16"
	wait_until 10 table_is_the_kernels "$(pgrep -P "${pid_of[jumps]}")" || fail "$1: $(cat "$WORK/difference")"
	[ "$(wc -l <"$WORK/kernel")" -ge 16 ]
	tell jumps end
	wait "${pid_of[jumps]}"
}

@test "jumps: a handler that jumps out of hooked calls hundreds of times leaves closes graceful and the table true" {
	local call
	[ "$(id -u)" -eq 0 ] || skip "only root can make a network that is its own"
	private_network
	for call in accept recv connect; do
		use "${ACTING[@]}"
		jumping "$call" 200 16
		use observe
		jumping "$call" 200 0
	done
	use "${ACTING[@]}"
	jumping close 2500 16
	use observe
	jumping close 200 0
}

@test "cancelling: in every call that can block, deferred and at once, as without lastack, and the table is true afterwards" {
	local policy
	[ "$(id -u)" -eq 0 ] || skip "only root can make a network that is its own"
	private_network
	timeout 70 "$HARD/cancels" >"$WORK/plain.txt" 2>/dev/null <<<end
	[ "$(grep -c 'cancelled 1, cleaned up 1, connection open 1' "$WORK/plain.txt")" -eq 40 ]
	for policy in observe acting; do
		use observe
		[ "$policy" = observe ] || use "${ACTING[@]}"
		start cancels "${preloaded[@]}" "$HARD/cancels"
		wait_until 60 says "$WORK/cancels.err" '^listening ' || fail "$(cat "$WORK/cancels.out")"
		wait_until 10 table_is_the_kernels "${pid_of[cancels]}" || fail "$policy: $(cat "$WORK/difference")"
		tell cancels end
		wait "${pid_of[cancels]}"
		diff "$WORK/plain.txt" "$WORK/cancels.out"
		[ "$policy" = observe ] && continue
		says "$WORK/cancels.err" '^after fclose: close 0, graceful'
		says "$WORK/cancels.err" '^a later close: graceful'
	done
}

@test "cancelling: at any instruction of a close, the connection is closed or still known" {
	use "${ACTING[@]}"
	run -0 timeout 70 "${preloaded[@]}" "$HARD/cancelled_close" 2000
	[[ $output == *"not graceful: 0"* ]]
}

@test "exits: by exit, _exit and quick_exit, 8 times each, while threads block in hooked calls and are busy in others" {
	local how times
	for how in exit _exit quick_exit; do
		for ((times = 0; times < 8; times++)); do
			use observe
			((times % 2)) || use "${ACTING[@]}"
			run -7 timeout 30 "${preloaded[@]}" "$HARD/exits" "$how"
			[ "$output" = "" ]
		done
	done
}

@test "exits: threads that close a socket in their last destructor's last round do not use up the tables of threads" {
	use observe
	start exits "${preloaded[@]}" "$HARD/exits" threads 2300
	wait_until 60 has_said_or_ended exits '^listening '
	says "$WORK/exits.out" '^listening '
	lastack report | grep -q -x 'connections opened: 2301 accepted, 2301 connected'
	wait_until 10 table_is_the_kernels "${pid_of[exits]}" || fail "$(cat "$WORK/difference")"
	[ "$(wc -l <"$WORK/kernel")" -eq 2 ]
}

# stormed STACK ENDING: signals for 3 s, 5,000 a second; what was interrupted has its errno, and the table is the kernel's.
stormed() {
	start storm timeout 60 "${preloaded[@]}" "$HARD/storm" 15000 $1
	port_of storm >/dev/null
	says "$WORK/storm.out" "^wrong errno 0, failed 0, graceful $2"
	[ "$(sed -n 's/.* a second, \([0-9]*\) handled$/\1/p' "$WORK/storm.err")" -gt 500 ] || fail "$(cat "$WORK/storm.err")"
	wait_until 10 table_is_the_kernels "$(pgrep -P "${pid_of[storm]}")" || fail "$(cat "$WORK/difference")"
	[ "$(wc -l <"$WORK/kernel")" -eq 16 ]
	tell storm end
	wait "${pid_of[storm]}"
}

@test "storm: handlers that open, use and close connections, 5,000 times a second in the middle of the same, change nothing" {
	[ "$(id -u)" -eq 0 ] || skip "only root can make a network that is its own"
	private_network
	use "${ACTING[@]}"
	stormed "" graceful
	use observe
	stormed "" reset
}

@test "storm: on the smallest thread stacks there are, and alternate stacks of what the kernel needs and 4 KiB" {
	[ "$(id -u)" -eq 0 ] || skip "only root can make a network that is its own"
	private_network
	use "${ACTING[@]}"
	stormed 4096 graceful
	use observe
	stormed 4096 reset
}
