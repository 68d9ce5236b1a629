# More connections in a bounded state than `max` chooses among: each is acted on.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
}

teardown() {
	stop_all
}

@test "steps: thousands at once are each acted on" {
	[ "$(ulimit -H -n)" -ge 10000 ] || skip "needs 10,000 descriptors"
	policy log <<-'END'
		[close-wait]
		after 1s = log
	END
	use "$WORK/log.policy"
	start server "${preloaded[@]}" "$PYTHON" "$APPS/forgetful.py"
	order server listen 127.0.0.1 0
	(
		ulimit -S -n 10000
		"$PYTHON" -c 'import socket, sys
kept = [socket.create_connection(("127.0.0.1", int(sys.argv[1]))) for _ in range(4200)]' "$answer"
	)
	wait_until 30 logged_lines 4200
}

logged_lines() {
	[ "$(grep -s -c 'action=log .*result=ok' "$WORK/lastack.log")" -eq "$1" ]
}
