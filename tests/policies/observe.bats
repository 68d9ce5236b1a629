# observe: looks, counts and shows; changes nothing.

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/policies/story.bash
	source "$BATS_TEST_DIRNAME/story.bash"
}

teardown() {
	stop_all
}

threads() {
	find "/proc/${pid_of[server]}/task" -mindepth 1 -maxdepth 1 | wc -l
}

threads_are() {
	[ "$(threads)" -eq "$1" ]
}

@test "observe: a forgotten connection stays forgotten, an unread upload still draws an RST, and no thread is started" {
	serve thread_per_connection observe
	start_patient_client
	start_peer uploader answer+10 upload read
	wait_until 10 says "$WORK/uploader.out" 'then \(Connection reset by peer\|Broken pipe\)'
	stays 1 in_state 1 close-wait
	wait_until 5 threads_are 1
	holds 1
	[ ! -s "$WORK/lastack.log" ]
	[ "$(connections '[.[] | select(.verdict == "L1")] | length')" = 1 ]
}
