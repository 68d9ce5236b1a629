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
	[[ ! ${sockets:-} ]] || rm -r "$sockets"
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

@test "plugins: constructors that open and destructors that close, 60 times, leave nothing behind" {
	local plain
	start plugged "$HARD/plugged" churn "$PLUGINS" 60
	port_of plugged >/dev/null
	plain=$(descriptors "${pid_of[plugged]}")
	stop plugged
	use "${ACTING[@]}"
	start plugged "${preloaded[@]}" "$HARD/plugged" churn "$PLUGINS" 60
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

PROGRAMS_BESIDE=(descriptors reading)

# beside LIBRARY [VARIABLE=VALUE...]: programs that write down what each call gives them, with that library preloaded, and with ours before and
# behind it: the same.
beside() {
	local other=$1 program order
	shift
	[ -e "$other" ] || skip "$other is not here"
	for program in "${PROGRAMS_BESIDE[@]}"; do
		timeout 70 env "$@" LD_PRELOAD="$other" "$BUILD/tests/shim/$program" >"$WORK/plain.txt" 2>&1 </dev/null
		for order in "$other:$LIBRARY" "$LIBRARY:$other"; do
			timeout 70 env "$@" LASTACK_DIR="$WORK/regions" LASTACK_POLICY=graceful-close LD_PRELOAD="$order" \
				"$BUILD/tests/shim/$program" >"$WORK/ours.txt" 2>&1 </dev/null || fail "$program with $order"
			sed -i 's/ ([0-9]*)\]/]/' "$WORK/plain.txt" "$WORK/ours.txt" # socket_wrapper says its pid
			diff "$WORK/plain.txt" "$WORK/ours.txt" || fail "$program with $order"
		done
	done
}

# enforced_beside LIBRARY [VARIABLE=VALUE...]: and a close is graceful.
enforced_beside() {
	local other=$1 order
	beside "$@"
	shift
	for order in "$other:$LIBRARY" "$LIBRARY:$other"; do
		run -0 timeout 70 env "$@" LASTACK_DIR="$WORK/regions" LASTACK_POLICY=graceful-close LD_PRELOAD="$order" "$HARD/giving" block
		[ "$output" = $'given: open\nanother: graceful' ]
	done
}

LIBRARIES=/usr/lib/x86_64-linux-gnu

@test "preloads: jemalloc" {
	enforced_beside "$LIBRARIES/libjemalloc.so.2"
}

@test "preloads: tcmalloc" {
	enforced_beside "$LIBRARIES/libtcmalloc_minimal.so.4"
}

@test "preloads: libfaketime" {
	enforced_beside "$LIBRARIES/faketime/libfaketime.so.1" FAKETIME='@2020-01-01 00:00:00'
}

@test "preloads: libeatmydata" {
	enforced_beside "$LIBRARIES/libeatmydata.so"
}

@test "preloads: stdbuf" {
	enforced_beside /usr/libexec/coreutils/libstdbuf.so _STDBUF_O=0
}

@test "preloads: libsocket_wrapper, whose sockets are not what they seem" {
	sockets=$(mktemp -d) # its crash is its own where the name is longer than an address of AF_UNIX
	PROGRAMS_BESIDE=(descriptors)
	beside "$LIBRARIES/libsocket_wrapper.so" SOCKET_WRAPPER_DIR="$sockets" SOCKET_WRAPPER_DEFAULT_IFACE=1
}

@test "sanitizers: the library uses no function of the C library on memory and strings, which they replace" {
	run -1 sh -c 'nm -D --undefined-only "$1" | grep -E " (mem|str|wcs|bcmp|bcopy|bzero)"' - "$LIBRARY"
}

@test "unwinding: exceptions and cancellation pass through hooked calls, and frames are registered with the program's unwinder" {
	run -0 timeout 30 "$HARD/throws"
	[ "$output" = $'thrown 1, destroyed 1\ncancelled, destroyed 1\nregistered and deregistered' ]
	plain=$output
	use "${ACTING[@]}"
	run -0 timeout 30 "${preloaded[@]}" "$HARD/throws"
	[ "$output" = "$plain" ]
}

@test "loading: with everything bound at once, with the loader's statistics, and with an auditor" {
	local way
	use "${ACTING[@]}"
	for way in LD_BIND_NOW=1 LD_DEBUG=statistics "LD_AUDIT=$PLUGINS/auditor.so"; do
		run -0 --separate-stderr timeout 30 env "$way" "${preloaded[@]}" "$HARD/giving" block
		[[ $output == *$'given: open\nanother: graceful' ]] || fail "$way: $output"
	done
}
