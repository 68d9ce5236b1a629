# Out of descriptors (limit 64, six drains): for every call that makes one, the application gets as many as without lastack. Drains give way.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	RUNS_OUT=$BUILD/tests/hard/runs_out
}

@test "limits: every maker of descriptors gets as many as without lastack" {
	local call
	for call in $(sed -n 's/^\tIS("\([a-z0-9_-]*\)".*/\1/p' "$TOP/tests/hard/runs_out.c"); do
		use_nothing
		timeout 30 "$RUNS_OUT" "$call" >>"$WORK/plain"
		use graceful-close
		timeout 30 "${preloaded[@]}" "$RUNS_OUT" "$call" >>"$WORK/graceful"
	done
	[ "$(wc -l <"$WORK/plain")" -gt 20 ]
	diff "$WORK/plain" "$WORK/graceful"
	[ "$(grep -c 'action=drain .*result=evicted' "$WORK/lastack.log")" -ge 60 ]
}
