# LASTACK_MODE=observe (run --observe): a policy decides, counts and shows, and nothing happens. legacy-server, the times divided by 120.

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/policies/story.bash
	source "$BATS_TEST_DIRNAME/story.bash"
	hasten legacy-server 120
	use "$WORK/legacy-server.policy"
	preloaded=("${preloaded[@]:0:${#preloaded[@]}-1}" --observe --)
}

teardown() {
	stop_all
}

next() {
	lastack list -o NEXT 'state close-wait' | tail -n +2
}

next_is() { # PATTERN
	[[ $(next) =~ ^$1$ ]]
}

counts() { # JQ-FILTER
	lastack report -J --min-age 1h >"$WORK/report.json" || [ $? -eq 1 ] # an abortive close is a finding
	jq -e ".counters | $1" "$WORK/report.json" >"$WORK/found" || fail "not $1: $(jq .counters "$WORK/report.json")"
}

@test "dry run: list tells what would come, then what would have come; the connection stands as it stood" {
	start server "${preloaded[@]}" "$PROGRAMS/thread_per_connection"
	port=$(port_of server)
	start_patient_client
	wait_until 10 next_is 'would (keepalive|shutdown) in .*'
	wait_until 10 next_is 'would have shut down .* ago'
	[ "$(connections '.[0].held_back.action')" = shutdown ]
	wait_until 10 logged 1 reset would # the policy has no further step
	next_is 'would have shut down .* ago' # the first that would have ended it
	in_state 1 close-wait
	run ! has_keepalive close-wait
	[ ! -s "$WORK/patient.out" ] || [ "$(cat "$WORK/patient.out")" = stalled ]
	holds 1
	counts '.would_keepalive == 1 and .would_shutdown == 1 and .would_reset == 1'
	counts '.acted_keepalive == 0 and .acted_shutdown == 0 and .acted_reset == 0'
	run lastack report
	[[ $output == *'held back by LASTACK_MODE=observe: 0 log, 1 keepalive, 1 shutdown, 1 reset'* ]] || fail "$output"
	[[ $output == *'policy actions: 0 log, 0 keepalive, 0 shutdown, 0 reset, 0 failed'* ]] || fail "$output"
}

@test "dry run: a close that would be graceful is counted, and draws the RST that it draws without lastack" {
	start server "${preloaded[@]}" "$PROGRAMS/thread_per_connection"
	port=$(port_of server)
	start_peer uploader answer+10 upload read
	wait_until 10 says "$WORK/uploader.out" 'then \(Connection reset by peer\|Broken pipe\)'
	wait_until 5 in_state 0 connected
	counts '.would_graceful == 1 and .closed_graceful == 0 and .closed_reset == 1'
	run lastack report
	[[ $output == *'held back by LASTACK_MODE=observe: 1 graceful closes'* ]] || fail "$output"
}

@test "dry run: a reset that would be refused is counted, and is sent" {
	start sin "${preloaded[@]}" "$PROGRAMS/linger_reset"
	wait_until 10 says "$WORK/sin.out" '^step open '
	tell sin go
	tell sin go
	wait_until 10 says "$WORK/sin.out" '^the peer: Connection reset by peer'
	counts '.would_refuse >= 1 and .reset_refused == 0'
}
