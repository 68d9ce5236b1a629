# A server of Debian's that loses responses today, with no setting and no application: Python's own. `make show-servers` has the others.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	# shellcheck source=tests/servers/servers.bash
	source "$BATS_TEST_DIRNAME/servers.bash"
	[ "$(id -u)" -eq 0 ] || skip "capturing packets needs root"
}

teardown() {
	stop_all
}

@test "python3 -m http.server: a client that sends more than is read loses the file; under graceful-close none does" {
	use_nothing
	outcome http.server
	[ "$reads_on" -lt "$CLIENTS" ]
	[ "$stops" -lt "$CLIENTS" ]
	[ "$resets" -gt 0 ]
	mv "$WORK/said" "$WORK/said.without"
	use graceful-close
	outcome http.server
	[ "$reads_on" -eq "$CLIENTS" ]
	[ "$stops" -eq "$CLIENTS" ]
	[ "$resets" -eq 0 ]
	# Nothing new in its log; and the client's end of the story is no error any more.
	[ -z "$(comm -13 "$WORK/said.without" "$WORK/said")" ]
}
