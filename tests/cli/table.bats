# lastack table: Table 154 with the number of connections in every cell, for people and as JSON (tests/schemas/table.json).

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

at() { # NAME STEP
	wait_until 10 says "$WORK/$1.out" "^step $2 " || fail "no step $2: $(cat "$WORK/$1.out" "$WORK/$1.err")"
}

# valid FILE: what the schema says of it
valid() {
	"$PYTHON" -c 'import json, sys, jsonschema
jsonschema.Draft202012Validator(json.load(open(sys.argv[1]))).validate(json.load(open(sys.argv[2])))' \
		"$TOP/tests/schemas/table.json" "$1"
}

# counted [PID]: "SIDE STATE COUNT" of every cell that is not empty. Rows share cells: each is told once.
counted() {
	lastack table "$@" -J | jq -r '[.rows[] | {client, server} | to_entries[] |
		select(.value.connections > 0) | "\(.key) \(.value.state) \(.value.connections)"] | unique[]'
}

counted_is() { # LINES [PID]
	local wanted=$1
	shift
	[ "$(counted "$@")" = "$wanted" ]
}

@test "table: without connections every cell is nought, and the JSON is as the schema says" {
	run -0 --separate-stderr lastack table -J
	# shellcheck disable=SC2154 # run sets it
	[ -z "$stderr" ]
	echo "$output" >"$WORK/table.json"
	valid "$WORK/table.json"
	[ "$(jq '[.rows[] | .client, .server | .connections] | unique | tostring' "$WORK/table.json")" = '"[0]"' ]
}

@test "table: the rows are numbered, the first eight are Table 154's in its order" {
	local table
	table=$(lastack table -J)
	jq -e '[.rows[].number] == [range(1; (.rows | length) + 1)]' <<<"$table"
	jq -e '[.rows[] | select(.table_154) | .number] == [range(1; 9)]' <<<"$table"
	jq -e '[.rows[] | select(.table_154) | .client.state] == ["ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-1", "FIN-WAIT-2",
		"FIN-WAIT-2", "TIME-WAIT", "TIME-WAIT", "CLOSED"]' <<<"$table"
	jq -e '[.rows[] | select(.table_154) | .server.state] == ["ESTABLISHED", "ESTABLISHED", "CLOSE-WAIT", "CLOSE-WAIT",
		"LAST-ACK", "LAST-ACK", "CLOSED", "CLOSED"]' <<<"$table"
}

@test "table: every step of Table 154 is named once" {
	local step table
	table=$(lastack table -J | jq -r '.rows[] | select(.table_154) | .client, .server | .step')
	for step in "Client Close Step #1 Transmit" "Client Close Step #1 Receive / Step #2 Transmit" \
		"Client Close Step #2 Receive" "Server Close Step #1 Transmit" \
		"Server Close Step #1 Receive / Step #2 Transmit" "Server Close Step #2 Receive"; do
		[ "$(grep -cxF "$step" <<<"$table")" -eq 1 ] || fail "$step: $table"
	done
}

@test "table: for people the rest stands below a heading, in lines of at most 160, without colour" {
	run -0 --separate-stderr lastack table
	[ "$(grep -c '^ *# *CLIENT *N .* SERVER *N ' <<<"$output")" -eq 2 ]
	[ "$(sed -n '/^Beyond Table 154/,$p' <<<"$output" | grep -c '^ *8 ')" -eq 0 ]
	[ "$(sed '/^Beyond Table 154/,$d' <<<"$output" | grep -c '^ *[1-8] [A-Z]')" -eq 8 ]
	sed -n '/^Beyond Table 154/,$p' <<<"$output" | grep -q '^ *9 '
	[ "$(grep -c '.\{161\}' <<<"$output")" -eq 0 ]
	[[ $output != *$'\e'* ]]
}

@test "table: a connection moves from cell to cell as the kernel moves it" {
	start sin "${preloaded[@]}" "$PROGRAMS/reads_never_closes"
	at sin open
	counted_is "server ESTABLISHED 1" || fail "$(counted)"
	lastack table -J >"$WORK/table.json"
	valid "$WORK/table.json"
	tell sin go
	at sin eof-read
	counted_is "server CLOSE-WAIT 1" || fail "$(counted)"
	lastack table | grep -q '^ *4 FIN-WAIT-2 *0 .* CLOSE-WAIT *1 '
}

@test "table: all processes are counted, with PID only that one" {
	start one "${preloaded[@]}" "$PROGRAMS/reads_never_closes"
	start two "${preloaded[@]}" "$PROGRAMS/reads_never_closes"
	at one open
	at two open
	tell two go
	at two eof-read
	counted_is "$(printf 'server %s 1\n' CLOSE-WAIT ESTABLISHED)" || fail "$(counted)"
	counted_is "server ESTABLISHED 1" "${pid_of[one]}" || fail "$(counted "${pid_of[one]}")"
	counted_is "server CLOSE-WAIT 1" "${pid_of[two]}" || fail "$(counted "${pid_of[two]}")"
}

@test "table: who shuts down first is on the client's side, whoever accepted" {
	# A server that shuts down first, and a peer that goes on: FIN-WAIT-2.
	start server "${preloaded[@]}" "$PYTHON" -c 'import socket, sys
s = socket.create_server(("127.0.0.1", 0))
print("listening", s.getsockname()[1], flush=True)
c, _ = s.accept()
c.shutdown(socket.SHUT_WR)
sys.stdin.readline()'
	port=$(port_of server)
	exec {socket}<>"/dev/tcp/127.0.0.1/$port"
	wait_until 10 counted_is "client FIN-WAIT-2 1" || fail "$(counted)"
	exec {socket}>&-
	wait_until 10 counted_is "client TIME-WAIT 1" || fail "$(counted)"
}
