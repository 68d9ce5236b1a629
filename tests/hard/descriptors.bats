# Descriptors that are hard to follow: copied, given away and inherited in unusual ways and orders, closed inside the C library, renamed while
# others use them. Programs write down what they get; with lastack, under a policy that acts on everything soon, that is the same.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	HARD=$BUILD/tests/hard
	policy eager <<-'END'
		[close]
		action = graceful
		linger = always
		[close-wait]
		after 300ms = shutdown
	END
}

teardown() {
	stop_all
}

# transcript FILE COMMAND...: what it says, and how it ends.
transcript() {
	local file=$1 status=0
	shift
	timeout 70 "$@" >"$file" 2>&1 3>&- </dev/null || status=$?
	echo "status $status" >>"$file"
}

# same PROGRAM...: its transcript with each policy is the one without lastack.
same() {
	local policy
	transcript "$WORK/plain" "$HARD/$1" "${@:2}"
	grep -q -x 'status 0' "$WORK/plain" || fail "$(cat "$WORK/plain")"
	for policy in observe graceful-close "$WORK/eager.policy"; do
		use "$policy"
		transcript "$WORK/with" "${preloaded[@]}" "$HARD/$1" "${@:2}"
		diff "$WORK/plain" "$WORK/with" || fail "under $policy"
	done
}

@test "holders: a connection that somebody else still holds is never shut down" {
	same holders
}

@test "holders: nor after 65,536 copies of it" {
	same holders often
	! grep '^no limit' "$WORK/plain" >"$WORK/why" || skip "$(cat "$WORK/why"): needs CAP_SYS_RESOURCE"
}

@test "holders: a child of a fork during another thread's sendmsg still closes gracefully" {
	use graceful-close
	run -0 timeout 60 "${preloaded[@]}" "$HARD/forks_while_giving"
	[ "$output" = $'child: 0\nparent: 0' ]
}

@test "stdio: buffers, failing flushes, freopen, cookies and popen are what they are without lastack" {
	same stdio
}

@test "stdio: what fclose and freopen close is closed gracefully, too" {
	run -0 "$HARD/stdio" fclose freopen nofile
	[ "$output" = $'fclose: -104\nfreopen: -104\nnofile: -104' ]
	use graceful-close
	run -0 "${preloaded[@]}" "$HARD/stdio" fclose freopen nofile
	[ "$output" = $'fclose: 6\nfreopen: 6\nnofile: 6' ]
}

@test "stdio: a stream is not shown as closed while fclose waits for its reader" {
	local policy
	for policy in observe graceful-close; do
		use "$policy"
		start stdio "${preloaded[@]}" "$HARD/stdio"
		wait_until 10 says "$WORK/stdio.out" '^closing'
		fd=$(sed -n 's/^closing fd=//p' "$WORK/stdio.out")
		[ "$(connections ".[] | select(.pid == ${pid_of[stdio]} and .fd == $fd) | .state, .verdict")" = $'ESTABLISHED\n-' ]
		tell stdio next
		wait_until 10 ended "${pid_of[stdio]}"
		stop stdio
	done
}

@test "renamed: dup2 over a connection that another thread reads from" {
	transcript "$WORK/plain" "$HARD/renamed"
	grep -q -x 'status 0' "$WORK/plain" || fail "$(cat "$WORK/plain")"
	for policy in observe graceful-close; do
		use "$policy"
		transcript "$WORK/with" "${preloaded[@]}" "$HARD/renamed"
		diff "$WORK/plain" "$WORK/with" || fail "under $policy"
	done
}

# storm MODE POLICY: nothing that is held was cut; the list tells of nothing else than what the program holds.
storm() {
	local rows row
	use "$2"
	start storm "${preloaded[@]}" "$HARD/storms" "$1"
	wait_until 60 says "$WORK/storm.out" '^step held'
	says "$WORK/storm.out" '^cut: 0$' || fail "$1 under $2: $(cat "$WORK/storm.out")"
	rows=$(lastack list -J | jq -r ".connections[] | select(.pid == ${pid_of[storm]})
		| select((.holders | length > 0) or .verdict != \"-\") | select((.draining | not) and .verdict != \"L4\") | \"fd=\\(.fd) cookie=\\(.cookie) \"")
	while IFS= read -r row; do
		[[ ! $row ]] || says "$WORK/storm.out" "^$row" || fail "$1 under $2: shown and not held: $row"
	done <<<"$rows"
	tell storm next
	wait_until 10 says "$WORK/storm.out" '^step closed'
	rows=$(connections ".[] | select(.pid == ${pid_of[storm]} and (.draining | not)) | select(.verdict != \"-\" and .verdict != \"L4\")")
	[[ ! $rows ]] || fail "$1 under $2: all is closed, and shown: $rows"
	tell storm next
	wait_until 10 ended "${pid_of[storm]}"
	stop storm
}

@test "storms: threads accept, close and copy over the same few numbers: nothing held is cut, and the table is true" {
	[ "$(id -u)" -eq 0 ] || skip "needs a network of its own, for the ports: root"
	private_network
	for policy in "$WORK/eager.policy" observe "$WORK/eager.policy" "$WORK/eager.policy"; do
		storm seen "$policy"
	done
}

@test "storms: the same with calls that no hook sees" {
	[ "$(id -u)" -eq 0 ] || skip "needs a network of its own, for the ports: root"
	private_network
	for policy in "$WORK/eager.policy" observe "$WORK/eager.policy" "$WORK/eager.policy"; do
		storm unseen "$policy"
	done
}

@test "limit: drains give way to every call that can be tried again, so that none fails sooner than without lastack" {
	local call
	for call in accept accept4 socket dup fcntl fcntl-high syscall-dup syscall-socket syscall-openat; do
		run -0 timeout 20 "$HARD/runs_out" "$call"
		without=$output
		use graceful-close
		run -0 timeout 20 env LASTACK_DIR="$WORK/regions" LASTACK_LOG=none "$LASTACK" run -p graceful-close -- "$HARD/runs_out" "$call"
		[ "$output" = "$without" ] || fail "$output; without lastack: $without"
	done
}

@test "limit: a connection lives in the highest number, and at a limit of 8 descriptors" {
	use_nothing
	local policy
	transcript "$WORK/plain" bash -c 'exec 3>&- 4>&- 5>&- 6>&- 7>&-; exec "$1"' sh "$HARD/high_numbers"
	grep -q -x 'status 0' "$WORK/plain" || fail "$(cat "$WORK/plain")"
	for policy in observe graceful-close "$WORK/eager.policy"; do
		transcript "$WORK/with" bash -c 'exec 3>&- 4>&- 5>&- 6>&- 7>&-; exec "$@"' sh env LASTACK_DIR="$WORK/regions" LASTACK_LOG=none \
			"$LASTACK" run -p "$policy" -- "$HARD/high_numbers"
		diff "$WORK/plain" "$WORK/with" || fail "under $policy"
	done
	highest=$(sed -n 's/^highest: //p' "$WORK/plain")
	((highest >= 1000000)) || skip "beyond $highest: this machine's hard limit ends there, and raising it needs CAP_SYS_RESOURCE"
}
