# What lastack costs does not grow with what a program has done: 100,000 connections, 10,000 threads, 2,000 children. And none of its
# descriptors is to be seen where there is no drain.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	HARD=$BUILD/tests/hard
	policy all <<-'END'
		[close]
		action = graceful
		linger = always
		[close-wait]
		after 300ms = shutdown
	END
	[ "$(id -u)" -eq 0 ] || skip "needs a network of its own, for the ports: root"
	private_network
}

teardown() {
	stop_all
}

# size_of NAME: what the process and its region are now.
size_of() {
	local pid=${pid_of[$1]}
	sed -n 's/^\(VmRSS\|VmData\|Threads\|FDSize\):[[:space:]]*\([0-9]*\).*/\1 \2/p' "/proc/$pid/status"
	echo "mappings $(wc -l <"/proc/$pid/maps")"
	echo "region $(stat -c %b "$WORK/regions/$pid.region" 2>/dev/null || echo 0)"
}

# grew LIMIT_KB NAME KEY: by how much, when that is too much.
grew() {
	local before after
	before=$(sed -n "s/^$3 //p" "$WORK/$2.warm")
	after=$(sed -n "s/^$3 //p" "$WORK/$2.end")
	((after - before <= $1)) || echo "$2: $3 grew from $before to $after"
}

reaches() { # STEP NAME...
	local step=$1 name
	shift
	for name in "$@"; do
		says "$WORK/$name.out" "^step $step" || ended "${pid_of[$name]}" || return 1
	done
}

# does MODE COUNT: without lastack, under observe, and under a policy that drains and bounds; at once.
does() {
	local name grown
	local without_log=(env LASTACK_DIR="$WORK/regions" LASTACK_LOG=none "$LASTACK" run)
	start plain "$HARD/grows" "$1" $(($2 / 100)) # what it says does not depend on how often
	start observe "${without_log[@]}" -p observe -- "$HARD/grows" "$@"
	start all "${without_log[@]}" -p "$WORK/all.policy" -- "$HARD/grows" "$@"
	wait_until 100 reaches warm plain observe all
	for name in observe all; do
		size_of "$name" >"$WORK/$name.warm"
	done
	for name in plain observe all; do
		tell "$name" next
	done
	wait_until 100 reaches end plain observe all
	for name in observe all; do
		says "$WORK/$name.out" '^step end' || fail "$name: $(cat "$WORK/$name.out" "$WORK/$name.err")"
		size_of "$name" >"$WORK/$name.end"
		grown=$(
			grew 300 "$name" VmRSS
			grew 300 "$name" VmData
			grew 0 "$name" Threads
			grew 2 "$name" mappings
			grew 0 "$name" region
		)
		[[ ! $grown ]] || fail "$grown"
	done
	for name in plain observe all; do
		tell "$name" next
	done
	wait_until 10 reaches over plain observe all
	# The drains are over before the process is.
	wait_until 10 descriptors_are "$(sed -n '1s/^open //p' "$WORK/all.out")" "${pid_of[all]}"
	for name in plain observe all; do
		tell "$name" next
		wait_until 10 ended "${pid_of[$name]}"
		stop "$name"
		# As many descriptors as at the start.
		[ "$(grep '^open' "$WORK/$name.out" | uniq -c | sed 's/^ *//; s/ .*//')" = 2 ] || fail "$name: $(cat "$WORK/$name.out")"
		sed -i '/^open/d' "$WORK/$name.out"
	done
	diff "$WORK/plain.out" "$WORK/observe.out"
	# Its close is the one difference that the policy asks for.
	diff <(sed 's/^closed: -104$/closed: 0/' "$WORK/plain.out") "$WORK/all.out"
}

@test "growth: 100,000 connections leave nothing behind, and get the numbers that they would have got" {
	does connections 100000
}

@test "growth: 10,000 threads with a connection each leave nothing behind" {
	does threads 10000
}

@test "growth: 2,000 children that close what they inherited leave no holder and no process behind" {
	does children 2000
}
