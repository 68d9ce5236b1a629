# The JSON of list, report and table is as tests/schemas says, with and without connections, and for damaged regions too.

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

# valid_text NAME: of standard input
valid_text() {
	"$PYTHON" -c 'import json, sys, jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
jsonschema.Draft202012Validator(schema).validate(json.load(sys.stdin))' "$TOP/tests/schemas/$1.json"
}

# valid COMMAND ARGUMENT...: its JSON, which stays in $WORK/COMMAND.json
valid() {
	lastack "$@" -J >"$WORK/$1.json" || [ "$1 $?" = 'report 1' ] || fail "$*: status $?"
	valid_text "$1" <"$WORK/$1.json"
}

all_valid() {
	valid list
	valid report --min-age 0s
	valid table
}

# finds COMMAND JQ-FILTER: something of the kind that is to be validated is really there
finds() {
	jq -e "$2" "$WORK/$1.json" >"$WORK/found" || fail "$1: no $2"
}

at() {
	wait_until 10 says "$WORK/sin.out" "^step $1 " || fail "no step $1: $(cat "$WORK/sin.err")"
}

@test "schema: without any region" {
	all_valid
	finds list '.connections == []'
	finds report '.groups == []'
}

@test "schema: a leak, with stacks" {
	use observe
	start sin "${preloaded[@]}" "$PROGRAMS/reads_never_closes"
	at open
	all_valid
	tell sin go
	at eof-read
	all_valid
	finds list '.connections[0].verdict == "L1"'
	finds report '.groups[0].opened_by | length > 0'
	finds report '.groups[0].opened_by[] | select(.function == "main" and .line > 0)'
	finds report '.groups[0].told_of_eof_by | length > 0'
	finds report '.groups[0].opened_by[0].build_id | length == 40'
}

@test "schema: what a policy will do, and would do" {
	policy bound <<-'END'
		[close-wait]
		after 1h = reset
	END
	use "$WORK/bound.policy"
	start sin "${preloaded[@]}" "$PROGRAMS/reads_never_closes"
	at open
	tell sin go
	at eof-read
	all_valid
	finds list '.connections[0].next | .action == "reset" and .in > 3500 and .in <= 3600 and .observe == false'
	stop sin
	start sin env LASTACK_MODE=observe "${preloaded[@]}" "$PROGRAMS/reads_never_closes"
	at open
	tell sin go
	at eof-read
	all_valid
	finds list ".connections[] | select(.pid == ${pid_of[sin]}) | .next | .action == \"reset\" and .observe"
}

@test "schema: never accepted, and closed with unread data" {
	use observe
	start sin "${preloaded[@]}" "$PROGRAMS/never_accepts"
	at in-backlog
	all_valid
	finds list '.connections[] | select(.verdict == "L4" and .fd == -1)'
	finds report '.groups[] | select(.verdict == "L4" and .opened_by == [])'
	stop sin
	start sin "${preloaded[@]}" "$PROGRAMS/closes_unread"
	at request-unread
	tell sin go
	at closed
	all_valid
	finds report '.groups[] | select(.verdict == "L7")'
}

@test "schema: IPv6, and times in seconds" {
	use observe
	start server "${preloaded[@]}" "$PYTHON" -c 'import socket, sys
s = socket.create_server(("::1", 0), family=socket.AF_INET6)
c = socket.create_connection(s.getsockname()[:2])
d, _ = s.accept()
c.shutdown(socket.SHUT_WR)
assert d.recv(1) == b""
print("listening 0", flush=True)
sys.stdin.readline()'
	port_of server
	all_valid
	finds list '[.connections[].local | startswith("[::1]:")] | all and length == 2'
	finds list '[.connections[].role] | sort == ["client", "server"]'
	valid report --min-age 90m
	finds report '.min_age == 5400'
}

@test "schema: they refuse what they should" {
	local name
	for name in list report table; do
		valid "$name"
		jq '.schema = "lastack.other/1"' "$WORK/$name.json" >"$WORK/other.json"
		run -1 valid_text "$name" <"$WORK/other.json"
		jq '.more = 1' "$WORK/$name.json" >"$WORK/other.json"
		run -1 valid_text "$name" <"$WORK/other.json"
	done
}
