# lastack list --coverage: what the hooks of a running process do not see, counted by asking the kernel.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	mkdir -m 0700 "$WORK/regions"
	use observe
}

teardown() {
	stop_all
}

at() {
	wait_until 10 says "$WORK/sin.out" "^step $1 " || fail "no step $1: $(cat "$WORK/sin.err")"
}

# covered JQ-FILTER: what is said of the program
covered() {
	lastack list --coverage -J >"$WORK/coverage.json" || [ $? -eq 1 ]
	jq -e ".processes[] | select(.pid == ${pid_of[sin]}) | $1" "$WORK/coverage.json" >/dev/null
}

@test "coverage: a program of which everything is seen is no finding" {
	start sin "${preloaded[@]}" "$PROGRAMS/out_of_sight"
	at seen
	run -0 lastack list --coverage
	[[ ${lines[0]} == *PID*EXE*TRACKING*CONNECTIONS*UNSEEN*LOST*OUTSIDE*IO-URING*DROPPED* ]]
	[[ ${lines[1]} == *out_of_sight*full* ]]
	covered '.connections == 1 and .unseen == 0 and .lost == 0 and .outside == 0'
}

@test "coverage: connections opened and closed past the hooks are counted, and list shows where they stand" {
	start sin "${preloaded[@]}" "$PROGRAMS/out_of_sight"
	at seen
	tell sin go
	at unseen
	run -1 lastack list --coverage
	covered '.connections == 2 and .unseen == 1 and .lost == 0'
	[ "$(connections "map(select(.pid == ${pid_of[sin]} and .state == \"ESTABLISHED\" and .role == \"server\")) | length")" = 2 ]
	tell sin go
	at lost
	covered '.connections == 1 and .unseen == 1 and .lost == 1'
	# Closed by nobody that lastack knows: the kernel says where it stands.
	[ "$(connections 'map(select(.state == "FIN-WAIT-2" and .verdict == "-")) | length')" = 1 ]
}

@test "coverage: a connection that nobody saw being opened gets its verdict all the same" {
	start sin "${preloaded[@]}" "$PROGRAMS/out_of_sight"
	at seen
	tell sin go
	at unseen
	tell sin go
	at lost
	tell sin go
	at stuck
	connections 'map(select(.verdict == "L2" and .tid == 0)) | length' | grep -q -x 1
	run -1 lastack report --min-age 0s --fail-on L2
}

@test "coverage: a sandbox, a split descriptor table and a ring are named" {
	local way
	for way in seccomp split ring; do
		start sin "${preloaded[@]}" "$PROGRAMS/out_of_sight" $way
		at seen
		tell sin go
		at unseen
		case $way in
		ring) says "$WORK/sin.out" 'no io_uring' || covered '.io_uring == 1 and .tracking == "full"' ;;
		*) covered ".tracking == \"$way\"" ;;
		esac
		stop sin
	done
}

@test "coverage: a connection that a program without lastack holds too" {
	start sin "${preloaded[@]}" "$PYTHON" -c 'import os, socket, subprocess, sys
s = socket.create_server(("127.0.0.1", 0))
c = socket.create_connection(s.getsockname())
a, _ = s.accept()
a.set_inheritable(True)
e = dict(os.environ); del e["LD_PRELOAD"]
p = subprocess.Popen(["sleep", "60"], env=e, close_fds=False)
print("step held ", flush=True)
sys.stdin.readline()
p.kill(); p.wait()
print("step alone ", flush=True)
sys.stdin.readline()'
	at held
	wait_until 5 covered '.connections == 2 and .outside == 1'
	tell sin go
	at alone
	covered '.outside == 0'
}

@test "coverage: what no preloaded library sees is listed, and the JSON is as its schema says" {
	lastack list --coverage >"$WORK/text"
	lastack list --coverage -J >"$WORK/json"
	"$PYTHON" -c 'import json, sys, jsonschema
jsonschema.Draft202012Validator(json.load(open(sys.argv[1]))).validate(json.load(open(sys.argv[2])))' \
		"$TOP/tests/schemas/coverage.json" "$WORK/json"
	local id
	for id in $(jq -r '.never_seen[].id' "$WORK/json"); do
		grep -q "^  $id: " "$WORK/text"
	done
	[ "$(jq '.never_seen | length' "$WORK/json")" -eq "$(grep -c '^UNSEEN(' "$TOP/src/cli/unseen.def")" ]
	grep -q '^  io_uring: ' "$WORK/text"
}

@test "coverage: it takes no filter" {
	run -2 lastack list --coverage pid 1
	[[ $output == *"takes no filter"* ]]
}
