# The helper is a thread that the C library does not know: what the library does for all threads must hold for it too.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
}

teardown() {
	stop_all
}

@test "helper: it gives up root when the server does" {
	[ "$(id -u)" -eq 0 ] || skip "only root has privileges to drop"
	use bounded-close-wait
	run -0 timeout 20 "${preloaded[@]}" "$PROGRAMS/drops_privileges"
	[[ $output == *"uid 65534 thread lastack"* ]]
	run ! grep -v '^uid 65534 ' <<<"$output"
}

@test "helper: it does not keep a process whose only thread ends by a raw exit" {
	use bounded-close-wait
	run -7 timeout 10 "${preloaded[@]}" "$PROGRAMS/drops_privileges" exit
}
