# Other libraries in the process: plugins that come and go, other preloads, other allocators, sanitizers, auditors.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	HARD=$BUILD/tests/hard
	PLUGINS=$HARD/plugins
	LIBRARY=$BUILD/liblastack.so
}

teardown() {
	stop_all
}

ACTING=(graceful-close bounded-close-wait)

opened_in() { # PATTERN: the plugins that the report names, in one line
	lastack report -J | jq -r '.groups[].opened_by[].module' | grep -o 'alpha.so\|omega.so' | sort -u | tr '\n' ' '
}

both_are_named() {
	[ "$(opened_in)" = 'alpha.so omega.so ' ]
}

@test "plugins: what an unloaded one has opened is reported by its name, and not by that of the next one in its place" {
	use observe
	start plugged "${preloaded[@]}" "$HARD/plugged" keep "$PLUGINS"
	port_of plugged >/dev/null
	run grep -c -e alpha -e omega "/proc/${pid_of[plugged]}/maps"
	[ "$output" -eq 0 ]
	wait_until 20 both_are_named || fail "$(lastack report)"
	lastack report | grep -q 'opened_by_alpha at'
	lastack report | grep -q 'opened_by_omega at'
}

no_connections() {
	[ "$(connections "[.[] | select(.pid == ${pid_of[plugged]} and .alive and .fd >= 0)] | length")" -eq 0 ]
}

@test "plugins: constructors that open and destructors that close, 200 times, leave nothing behind" {
	local plain
	start plugged "$HARD/plugged" churn "$PLUGINS" 200
	port_of plugged >/dev/null
	plain=$(descriptors "${pid_of[plugged]}")
	stop plugged
	use "${ACTING[@]}"
	start plugged "${preloaded[@]}" "$HARD/plugged" churn "$PLUGINS" 200
	port_of plugged >/dev/null
	wait_until 20 descriptors_are "$((plain + 1))" "${pid_of[plugged]}" # and the log
	wait_until 10 no_connections || fail "$(lastack list)"
	[ "$(lastack report -J | jq '.groups | length')" -eq 0 ]
}

@test "plugins: one that is bound past every preload is seen at the next look" {
	use observe
	start plugged "${preloaded[@]}" "$HARD/plugged" deep "$PLUGINS" 20
	port_of plugged >/dev/null
	wait_until 10 no_connections || fail "$(lastack list)"
}

built_with() { # SANITIZER PROGRAM
	readelf -d "$HARD/$1/$2" | grep -q "lib$1\.so" || skip "this compiler links its $1 statically"
}

@test "sanitizers: lastack run lets a program built with AddressSanitizer run, and enforces in it" {
	built_with asan giving
	use "${ACTING[@]}"
	run -0 timeout 70 "${preloaded[@]}" "$HARD/asan/giving" block
	[ "$output" = $'given: open\nanother: graceful' ]
}

@test "sanitizers: AddressSanitizer's own options stay in force" {
	built_with asan giving
	use observe
	run -0 timeout 70 env ASAN_OPTIONS=verbosity=1 "${preloaded[@]}" "$HARD/asan/giving" block
	[[ $output == *"AddressSanitizer Init done"* ]]
}

@test "sanitizers: preloaded behind AddressSanitizer by hand" {
	built_with asan giving
	local asan
	asan=$(ldd "$HARD/asan/giving" | awk '/libasan/ { print $3 }')
	run -0 timeout 70 env LASTACK_DIR="$WORK/regions" LASTACK_POLICY=graceful-close LD_PRELOAD="$asan:$LIBRARY" \
		"$HARD/asan/giving" block
	[ "$output" = $'given: open\nanother: graceful' ]
}

@test "sanitizers: a program built with ThreadSanitizer runs with our thread beside its own, without a report" {
	local i
	built_with tsan cancels
	timeout 70 "$HARD/cancels" >"$WORK/plain.txt" 2>/dev/null <<<end
	use "${ACTING[@]}"
	for i in 1 2 3; do
		timeout 70 "${preloaded[@]}" "$HARD/tsan/cancels" >"$WORK/ours.txt" 2>"$WORK/ours.err" <<<end || fail "$i: $(cat "$WORK/ours.err")"
		diff "$WORK/plain.txt" "$WORK/ours.txt"
		says "$WORK/ours.err" '^a later close: graceful'
		run -1 grep Sanitizer "$WORK/ours.err"
	done
}
