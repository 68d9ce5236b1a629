# The helper ends and begins anew around calls that the kernel makes for one thread only. What it had begun is never left undone.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	HARD=$BUILD/tests/hard
}

@test "helper: of threads that stop it at the same time, the last one starts it again" {
	run -0 timeout 60 "$HARD/pauses"
	[ "$output" = $'rounds 200\nunread: the peer reads -104' ] || fail "$output"
	use graceful-close
	run -0 timeout 60 "${preloaded[@]}" "$HARD/pauses"
	[ "$output" = $'rounds 200\nunread: the peer reads 0' ] || fail "$output"
}

@test "helper: where no thread can be made any more, nothing is left that only a thread would end" {
	local how
	unshare --pid true 2>/dev/null || skip "no new PID namespaces here"
	use graceful-close
	for how in unshare "unshare credentials" setns "setns credentials"; do
		# shellcheck disable=SC2086 # words
		run -0 timeout 60 "$HARD/no_threads" $how
		[ "$output" = "left: 0" ] || fail "$how, without lastack: $output"
		# shellcheck disable=SC2086
		run -0 timeout 60 "${preloaded[@]}" "$HARD/no_threads" $how
		[ "$output" = "left: 0" ] || fail "$how: $output"
	done
}

@test "helper: a user namespace that is refused leaves everything as it was" {
	run -0 timeout 60 "$HARD/no_threads" refused
	plain=$output
	[[ $plain == *"= -1, errno 22"*"the peer reads -104" ]] || fail "$plain"
	use graceful-close
	run -0 timeout 60 "${preloaded[@]}" "$HARD/no_threads" refused
	[ "$output" = "${plain/reads -104/reads 0}" ] || fail "$output"
}
