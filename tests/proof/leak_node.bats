# A half-closed leak in a real server: seen, explained, bounded. The server is Node with an `upgrade` handler that forgets its
# sockets (tests/apps/node_upgrade.js); ten clients come, are answered, and hang up.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
}

teardown() {
	stop_all
}

@test "node leak: without lastack every client that hung up stays in CLOSE-WAIT" {
	use_nothing
	leak_server
	leak_clients
	wait_until 5 stuck_are 10
	stays 5 stuck_are 10
}

@test "node leak: observe shows all of them in list, told of the FIN and not closed, and changes nothing" {
	use observe
	leak_server
	leak_clients
	wait_until 5 stuck_are 10
	[ "$(connections 'map(select(.state == "CLOSE-WAIT")) | length')" -eq 10 ]
	[ "$(connections 'map(.verdict) | unique | join(" ")')" = L1 ]
	[ "$(connections 'map(.eof) | unique | join(" ")')" = read ]
	[ "$(connections 'map(.role) | unique | join(" ")')" = server ]
	[ "$(connections 'map(.pid) | unique | join(" ")')" = "${pid_of[node]}" ]
	[ "$(connections 'map(.local) | unique | join(" ")')" = "127.0.0.1:$leak_port" ]
	run -0 lastack list 'state close-wait'
	[ "$(grep -c 'CLOSE-WAIT.*L1' <<<"$output")" -eq 10 ]
	stays 3 stuck_are 10 # longer than the bounds of the next tests
	still_serves "$leak_port"
	[ ! -s "$WORK/node.err" ]
}

@test "node leak: report makes one group of them" {
	use observe
	leak_server
	leak_clients
	wait_until 5 stuck_are 10
	wait_until 5 leaks_are 10 # none is reported in its first second
	run -1 lastack report
	[[ $output == *L1* ]]
	run -1 lastack report -J
	[ "$(jq '.groups | length' <<<"$output")" -eq 1 ]
	[ "$(jq -r '.groups[0].verdict' <<<"$output")" = L1 ]
	[ "$(jq '.groups[0].count' <<<"$output")" -eq 10 ]
	[ "$(jq '.groups[0].opened_by | length' <<<"$output")" -gt 0 ]
	[ "$(jq '.groups[0].told_of_eof_by | length' <<<"$output")" -gt 0 ]
}

@test "node leak: under a 2 s bound all are gone from CLOSE-WAIT within 4 s, and the server serves on, silently" {
	policy bound <<-'END'
		[close-wait]
		after 2s = shutdown
	END
	use "$WORK/bound.policy"
	leak_server
	leak_clients
	wait_until 4 stuck_are 0
	still_serves "$leak_port"
	alive node
	[ ! -s "$WORK/node.err" ]
	[ "$(grep -c 'action=shutdown' "$WORK/lastack.log")" -eq 10 ]
}

@test "node leak: bounded-close-wait with shorter times ends the leaked ones, and harms no neighbour in the same process" {
	use "$(scaled bounded-close-wait)"
	leak_server
	wait_until 10 says "$WORK/node.out" '^neighbours '
	port=$(sed -n 's/^neighbours //p' "$WORK/node.out")
	start_neighbours "$port"
	leak_clients
	wait_until 5 sockets_are 1 state close-wait "sport = :$port"
	wait_until 10 stuck_are 0
	sockets_are 1 state close-wait "sport = :$port"
	neighbours_are_unharmed
	[ "$(grep -c 'action=shutdown .*result=ok' "$WORK/lastack.log")" -eq 10 ]
	[ ! -s "$WORK/node.err" ]
}

@test "node leak: LASTACK_MODE=observe decides, and leaves every connection where it is" {
	policy bound <<-'END'
		[close-wait]
		after 1s = shutdown
	END
	use "$WORK/bound.policy"
	preloaded=(env LASTACK_MODE=observe "${preloaded[@]}")
	leak_server
	leak_clients
	wait_until 5 stuck_are 10
	stays 3 stuck_are 10
}
