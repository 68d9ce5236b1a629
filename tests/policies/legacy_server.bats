# legacy-server: everything at once, for a server that nobody will change. The shipped times divided by 60.

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/policies/story.bash
	source "$BATS_TEST_DIRNAME/story.bash"
	hasten legacy-server 60
}

teardown() {
	stop_all
}

@test "legacy-server: a forgotten connection, a deaf peer, an upload and a slow reader: each gets what its own policy says, side by side" {
	serve thread_per_connection "$WORK/legacy-server.policy"
	start slow "$PROGRAMS/half_closing_client" "$port" 20000000 3
	start_patient_client
	start_peer deaf deaf answer+10
	run "$PROGRAMS/uploading_client" "$port" 5 1 "$ANSWER_BYTES" plain
	[ "$output" = "complete=5 of 5, reset=0" ]
	wait_until 20 says "$WORK/patient.out" 'received 0 of 0 .*end of stream'
	wait_until 20 in_state 0 fin-wait-1
	wait_until 30 says "$WORK/slow.out" 'received 20000000 of 20000000 .*end of stream'
	logged 1 shutdown
	logged 0 reset
	holds 1 # the forgotten one's descriptor is the application's
}

@test "legacy-server: has every section of the policies that it stands for, with their values" {
	local name
	for name in bounded-close-wait bounded-half-close graceful-close graceful-exit no-reset; do
		lastack policy explain -J "$name" | jq -S '.rules[] | del(.source, .line, .hidden_by)' >"$WORK/$name.json"
		lastack policy explain -J legacy-server | jq -S '.rules[] | del(.source, .line, .hidden_by)' >"$WORK/all.json"
		jq -e -n --slurpfile some "$WORK/$name.json" --slurpfile all "$WORK/all.json" '$some - $all == []' || fail "$name"
	done
	jq -e -s 'length == 8' "$WORK/all.json"
}
