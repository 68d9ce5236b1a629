# leak-check: for test suites. Says early what stands half-closed, changes nothing. The shipped times divided by 4.

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/policies/story.bash
	source "$BATS_TEST_DIRNAME/story.bash"
	hasten leak-check 4
}

teardown() {
	stop_all
}

@test "leak-check: a forgotten connection is in the log within seconds, and stands as it stood" {
	serve thread_per_connection "$WORK/leak-check.policy"
	start_patient_client
	wait_until 10 logged 1 log
	stays 1 in_state 1 close-wait
	holds 1
	[ "$("${network[@]}" ss -tanoH state close-wait "sport = :$port" | grep -c timer:)" -eq 0 ]
	[ "$(wc -l <"$WORK/lastack.log")" -eq 1 ]
	[[ $(cat "$WORK/lastack.log") == *close-wait* ]]
}
