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

@test "out of memory for sockets: drains give way, the oldest first, and the server accepts" {
	use graceful-close
	# Of 64 numbers the drains have those from 56 on.
	run -0 timeout 30 env SCARCE_ABOVE=56 LD_PRELOAD="$BUILD/tests/hard/plugins/scarce.so" \
		"${preloaded[@]}" "$PYTHON" "$APPS/runs_out.py"
	[[ $output != "0 "* ]] || fail "$output"
	[ "$(grep -c 'action=drain .*result=evicted' "$WORK/lastack.log")" -ge 6 ]
}

@test "out of space: on a file system of any small size the server goes on, tracked or not" {
	[ "$(id -u)" -eq 0 ] || skip "needs root, to mount a small file system"
	local size
	mkdir "$WORK/small"
	for size in 64 128 200 256 300 400; do
		unshare --mount sh -c 'mount -t tmpfs -o "size=$1k,mode=700" none "$2" && shift 2 && exec "$@"' \
			sh "$size" "$WORK/small" timeout 30 env LASTACK_DIR="$WORK/small" LD_PRELOAD="$BUILD/liblastack.so" \
			"$PYTHON" "$APPS/many_connections.py" >"$WORK/many.out" || fail "at $size KiB: status $?"
		[ "$(cat "$WORK/many.out")" = "done 300" ]
	done
}
