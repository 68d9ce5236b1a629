# graceful-close: no response is lost to a close. The shipped times divided by 5.

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/policies/story.bash
	source "$BATS_TEST_DIRNAME/story.bash"
	hasten graceful-close 5
}

teardown() {
	stop_all
}

@test "graceful-close: uploads that are answered early all get their answer, and none an RST" {
	serve thread_per_connection "$WORK/graceful-close.policy"
	run "$PROGRAMS/uploading_client" "$port" 10 2 "$ANSWER_BYTES" plain
	[ "$output" = "complete=10 of 10, reset=0" ]
	serve_plainly
	run "$PROGRAMS/uploading_client" "$port" 10 2 "$ANSWER_BYTES" plain
	[ "$(complete_of "$output")" -lt 10 ] || fail "without it: $output"
}

serve_plainly() {
	stop server
	serve thread_per_connection
}

# Descriptors of the application; a drain holds one that is far above.
low_numbers() {
	find "/proc/${pid_of[server]}/fd" -mindepth 1 -name '[0-9]' -o -name '[0-9][0-9]' | sort
}

# What is left is the kernel's own, for a minute.
nobody_holds_it() {
	run -0 ss -tanpH state connected "sport = :$port"
	[[ $output != *users:* ]]
}

@test "graceful-close: the number is free at once; a client that stays is waited for, and then no longer" {
	serve thread_per_connection "$WORK/graceful-close.policy"
	before=$(low_numbers)
	start_peer stays answer+10 upload
	wait_until 10 in_state 1 fin-wait-2
	[ "$(low_numbers)" = "$before" ]
	[ "$(connections '[.[] | select(.draining)] | length')" = 1 ]
	wait_until 10 nobody_holds_it
	logged 1 drain acknowledged || logged 1 drain idle
}
