# Drains hold descriptors. The application comes first: it runs out no sooner than without lastack.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
}

teardown() {
	stop_all
}

@test "out of descriptors: drains give way, and the server accepts as many as without lastack" {
	use_nothing
	run -0 timeout 30 "$PYTHON" "$APPS/runs_out.py"
	without=$output
	use graceful-close
	run -0 timeout 30 "${preloaded[@]}" "$PYTHON" "$APPS/runs_out.py"
	[ "$output" = "$without" ]
	[ "$(grep -c 'action=drain .*result=evicted' "$WORK/lastack.log")" -ge 6 ]
}
