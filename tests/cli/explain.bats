# lastack explain: one connection as a story, with the kernel's word for where it stands.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	mkdir -m 0700 "$WORK/regions"
}

teardown() {
	stop_all
}

# sin NAME POLICY...: a program of tests/apps, stopped at its first step
sin() {
	local name=$1
	shift
	use "$@"
	start sin "${preloaded[@]}" "$PROGRAMS/$name"
}

at() {
	wait_until 10 says "$WORK/sin.out" "^step $1 " || fail "no step $1: $(cat "$WORK/sin.err")"
}

# Regions are found in no order: one that an earlier program has left does not count.
target() {
	connections '[.[] | select(.alive)][0] | "\(.pid):\(.fd)"'
}

valid() {
	"$PYTHON" -c 'import json, sys, jsonschema
jsonschema.Draft202012Validator(json.load(open(sys.argv[1]))).validate(json.load(sys.stdin))' "$TOP/tests/schemas/explain.json"
}

@test "explain: a leak is told from its accept to what the policy will do" {
	policy bound <<-'END'
		[close-wait]
		after 1h = keepalive
		after 2h = shutdown
		max = 7
		[close]
		action = graceful
	END
	sin reads_never_closes "$WORK/bound.policy"
	at open
	run -0 lastack explain "$(target)"
	[[ $output == *"position: ESTABLISHED"* ]]
	[[ $output == *"no rule governs it as it stands"* ]]
	tell sin go
	at eof-read
	wait_until 5 test "$(connections '.[0].next.action')" = keepalive
	run -1 lastack explain "$(target)"
	[[ $output =~ accepted,\ thread\ ${pid_of[sin]}.*main.*told\ of\ the\ peer ]]
	[[ $output == *"row 3 of the termination table, server: waits for its application to say that it is ready to close"* ]]
	[[ $output == *"verdict: L1"*"next move: application"* ]]
	[[ $output =~ "after 1h00m"\ +"keepalive"\ +"in 59m" ]]
	[[ $output == *"never more than 7 at once"* ]]
	[[ $output == *"a close by the application would send a FIN"* ]]
	lastack explain "$(target)" -J >"$WORK/explain.json" || [ $? -eq 1 ]
	valid <"$WORK/explain.json"
	jq -e '.time_line | map(.ago) | . == (sort | reverse)' "$WORK/explain.json"
	jq -e '.time_line[0].stack | map(.function) | index("main")' "$WORK/explain.json"
}

@test "explain: unread data is what makes a close an RST, and what a graceful one drains" {
	sin never_reads observe
	at data-unread
	run -0 lastack explain "$(target)"
	[[ $output == *"a close by the application would send an RST, which destroys what the peer has not read yet"* ]]
	dead=$(target)
	stop sin
	run lastack explain "$dead"
	[[ $output == *"no rule governs it"* && $output != *"a close by the application"* ]] || fail "$output"
	sin never_reads graceful-close
	at data-unread
	run -0 lastack explain "$(target)"
	[[ $output == *"a close by the application would send a FIN; lastack then drains what is unread"* ]]
}

@test "explain: what is no connection of ours is said, and a wrong target is told how to write it" {
	sin reads_never_closes observe
	at open
	run -6 lastack explain "${pid_of[sin]}:999"
	[[ $output == *"lastack list 'pid ${pid_of[sin]}'"* ]]
	run -6 lastack explain 999999:3
	for wrong in 12 12: :3 a:b 12:3x ''; do
		run -2 lastack explain "$wrong"
		[[ $output == *"write PID:FD"* ]]
	done
	lastack explain "$(target)" -J | valid
}
