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

@test "limits: who may have no more inotify instances costs no drain its end" {
	local few=(unshare --user --map-root-user sh -c "echo 3 >/proc/sys/user/max_inotify_instances && exec \"\$@\"" few)
	"${few[@]}" true 2>/dev/null || skip "no limit of our own can be set here"
	run -0 timeout 60 "${few[@]}" "$BUILD/tests/hard/few"
	plain=$output
	run -0 timeout 60 env LASTACK_DIR="$WORK/regions" LASTACK_LOG=none "${few[@]}" "$LASTACK" run -p graceful-close -- "$BUILD/tests/hard/few"
	[ "$output" = "$plain" ] || fail "$output"
}

@test "limits: a program that limits its address space after its first connection has room left" {
	local program='import mmap, resource, socket
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
accepted = server.accept()[0]
resource.setrlimit(resource.RLIMIT_AS, (200 << 20, 200 << 20))
print("room", len(mmap.mmap(-1, 16 << 20)))'
	ulimit -S -n 1024
	for policy in observe legacy-server; do
		use "$policy"
		[ "$(timeout 30 "${preloaded[@]}" "$PYTHON" -c "$program")" = "room $((16 << 20))" ]
	done
}
