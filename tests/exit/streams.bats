# What is left in the C library's streams at an exit: in a file before anything is waited for, in a pipe as it would have gone.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
}

teardown() {
	stop_all
}

@test "exit: a pipe that nobody reads any more ends the process as without lastack" {
	local policy
	for policy in observe graceful-exit legacy-server; do
		use "$policy"
		run -0 bash -c '"$@" | true; echo "${PIPESTATUS[0]}"' bash "${preloaded[@]}" "$BUILD/tests/exit/buffered" pipe
		[ "$output" = 141 ] || fail "$policy: $output"
	done
}

@test "exit: what is in a file's stream is written before the drains are waited for" {
	use graceful-exit
	start server "${preloaded[@]}" "$BUILD/tests/exit/buffered" file "$WORK/file"
	wait_until 10 says "$WORK/file" 'left in the file'
	alive server # it drains
	kill -KILL "$(pgrep -P "${pid_of[server]}")"
	wait_until 20 ended "${pid_of[server]}"
}
