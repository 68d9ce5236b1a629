# The helper is a thread that the C library does not know: what the library does for all threads must hold for it too.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
}

teardown() {
	stop_all
}

@test "helper: it gives up root when the server does" {
	[ "$(id -u)" -eq 0 ] || skip "only root has privileges to drop"
	use bounded-close-wait
	run -0 timeout 20 "${preloaded[@]}" "$PROGRAMS/drops_privileges"
	# The program has one thread of its own; the helper and the watcher of the policy file have begun anew.
	[ "${#lines[@]}" -eq 3 ]
	run ! grep -v '^uid 65534 ' <<<"$output"
}

@test "helper: it does not keep a process whose only thread ends by a raw exit" {
	use bounded-close-wait
	run -7 timeout 10 "${preloaded[@]}" "$PROGRAMS/drops_privileges" exit
}

@test "helper: its log line goes to the log, whatever the program puts where the log's number was" {
	policy log <<-'END'
		[close-wait]
		after 500ms = log
	END
	ulimit -n 1024
	use "$WORK/log.policy"
	run -0 timeout 20 "${preloaded[@]}" "$PROGRAMS/reuses_numbers" over "$WORK/own"
	[ "$output" = "stray bytes: 0" ]
	grep -q 'action=log' "$WORK/lastack.log"
	run -0 --separate-stderr timeout 20 env LASTACK_DIR="$WORK/regions" LASTACK_LOG=stderr "$LASTACK" run -p "$WORK/log.policy" -- \
		"$PROGRAMS/reuses_numbers"
	[ "$output" = "stray bytes: 0" ]
	# shellcheck disable=SC2154 # set by run
	[[ $stderr == *"action=log"* ]]
}

@test "epoll by syscall(2): a closed descriptor gives no event while its connection drains" {
	use graceful-close
	run -0 timeout 20 "${preloaded[@]}" "$PROGRAMS/epoll_by_syscall"
	[ "$output" = "events after close: 0" ]
}
