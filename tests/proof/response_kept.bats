# A response that an RST would destroy: gunicorn answers 413 to an upload that the application does not read, and closes. The
# client is still sending; its receive buffer is small (tests/apps/uploading_client.c).

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
	if [ "$(id -u)" -eq 0 ]; then
		private_network
	fi
}

teardown() {
	stop_all
}

must_capture() {
	[ "$(id -u)" -eq 0 ] || skip "capturing packets needs root"
}

@test "gunicorn: without lastack responses are lost to the server's RST" {
	must_capture
	use_nothing
	upload_server
	capture_resets "$upload_port"
	run upload_clients
	echo "$output"
	[ "$(complete_of "$output")" -lt 20 ]
	[ "$(resets_seen)" -gt 0 ]
}

@test "gunicorn: under observe the loss is the same" {
	use observe
	upload_server
	run upload_clients
	echo "$output"
	[ "$(complete_of "$output")" -lt 20 ]
}

@test "gunicorn: under graceful-close every response is complete, and the server sends no RST" {
	must_capture
	use graceful-close
	upload_server
	capture_resets "$upload_port"
	run upload_clients
	echo "$output"
	[ "$output" = "complete=20 of 20, reset=0" ]
	[ "$(resets_seen)" -eq 0 ]
	still_serves "$upload_port"
	run ! grep -v '\[INFO\]' "$WORK/gunicorn.err"
}

@test "gunicorn: under graceful-close nothing is held once the clients are gone" {
	use graceful-close
	upload_server
	worker=$(pgrep -P "${pid_of[gunicorn]}")
	still_serves "$upload_port" # whatever is opened once is open now
	before=$(descriptors "$worker")
	run -0 upload_clients
	wait_until 5 descriptors_are "$before" "$worker"
	wait_until 5 sockets_are 0 state established state close-wait state fin-wait-1 state last-ack "sport = :$upload_port"
}
