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
