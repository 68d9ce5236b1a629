# bounded-close-wait: a peer that hung up is owed a FIN within a minute. The shipped times divided by 40.

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/policies/story.bash
	source "$BATS_TEST_DIRNAME/story.bash"
	hasten bounded-close-wait 40
}

teardown() {
	stop_all
}

@test "bounded-close-wait: a forgotten connection is probed, then ended by our FIN; the descriptor stays the application's" {
	serve thread_per_connection "$WORK/bounded-close-wait.policy"
	start_patient_client
	wait_until 10 has_keepalive close-wait
	logged 0 shutdown
	wait_until 10 in_state 0 close-wait
	wait_until 10 says "$WORK/patient.out" 'received 0 of 0 .*end of stream'
	logged 1 keepalive
	logged 1 shutdown
	logged 0 reset
	holds 1
}

@test "bounded-close-wait: beside it a half-closed client that is still being answered gets all of it" {
	serve thread_per_connection "$WORK/bounded-close-wait.policy"
	start slow "$PROGRAMS/half_closing_client" "$port" 20000000 3
	start_patient_client # a second one in CLOSE-WAIT: the first has sent its FIN already, or will at once
	wait_until 20 logged 1 shutdown
	wait_until 30 says "$WORK/slow.out" received
	grep -q 'received 20000000 of 20000000 .*end of stream' "$WORK/slow.out" || fail "$(cat "$WORK/slow.out")"
	logged 1 shutdown
}
