# What the hooks must not change: results, errno and effects of every function that is interposed. Each program here writes down what it
# got; with lastack and without, that is the same.

bats_require_minimum_version 1.5.0

setup() {
	BUILD=${BUILD:-build}
	TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	[[ $BUILD == /* ]] || BUILD=$TOP/$BUILD
	LIBRARY=$BUILD/liblastack.so
	PROGRAMS=$BUILD/tests/shim
	WORK=$BATS_TEST_TMPDIR
	printf '[close]\naction = graceful\nlinger = always\n' >"$WORK/always.policy"
	# shellcheck source=tests/shim/calls.bash
	source "$TOP/tests/shim/calls.bash"
}

# preloaded POLICY COMMAND...
preloaded() {
	local policy=$1
	shift
	env LASTACK_DIR="$WORK/regions" LASTACK_LOG=none LASTACK_POLICY="$policy" LD_PRELOAD="$LIBRARY" "$@"
}

fail_with() {
	echo "$*"
	return 1
}

# transcript FILE COMMAND...: what it says, and how it ends.
transcript() {
	local file=$1 status=0
	shift
	"$@" >"$file" 2>&1 3>&- </dev/null || status=$?
	echo "status $status" >>"$file"
}

# same PROGRAM [POLICY...]: its transcript with every policy is the one without lastack.
same() {
	local program=$1 policy
	shift
	[ $# -gt 0 ] || set -- observe graceful-close
	transcript "$WORK/plain" timeout 70 "$PROGRAMS/$program"
	grep -q -x 'status 0' "$WORK/plain"
	for policy in "$@"; do
		transcript "$WORK/with" preloaded "$policy" timeout 70 "$PROGRAMS/$program"
		diff "$WORK/plain" "$WORK/with"
	done
}

@test "hooks: close, dup, dup2, dup3, fcntl" {
	same descriptors
	same fortified/descriptors
}

@test "hooks: close_range and closefrom, over holes, with CLOEXEC and UNSHARE" {
	same ranges
	same fortified/ranges
}

@test "hooks: fclose and freopen on sockets" {
	same streams
	same fortified/streams
}

@test "hooks: connections made on stacks that end in nothing" {
	same coroutines
	same fortified/coroutines
}

# system_calls COMMAND...: those between the marks, counted by name.
system_calls() {
	timeout 70 strace -o "$WORK/strace" "$@" >&2 3>&-
	awk '/^getpriority/ { on = !on; next } on { sub(/\(.*/, ""); count[$0]++ }
		END { for (name in count) print name, count[name] }' "$WORK/strace" | sort
}

@test "hooks: messages and files cost no system call of ours" {
	strace -o /dev/null true || skip "strace may not trace here"
	system_calls env "$PROGRAMS/paths" >"$WORK/plain"
	[ "$(wc -l <"$WORK/plain")" -gt 8 ]
	for policy in observe graceful-close; do
		system_calls env LASTACK_DIR="$WORK/regions" LASTACK_POLICY="$policy" LD_PRELOAD="$LIBRARY" "$PROGRAMS/paths" >"$WORK/$policy"
	done
	diff "$WORK/plain" "$WORK/observe"
	# Over AF_UNIX a message may give a connection away: before each of the 1,000 the kernel is asked whether its two parts can be read; and of each
	# of the two sockets, once, what it is.
	printf '%s\n' 'getsockopt 2' 'rt_sigprocmask 2000' | sort - "$WORK/plain" | diff - "$WORK/graceful-close"
}

@test "hooks: every way to read" {
	same reading
	same fortified/reading
}

@test "hooks: every way to write" {
	same writing
	same fortified/writing
	[ "$(grep -c ': signals = [1-9]' "$WORK/plain")" -ge 3 ]
}

@test "hooks: the fortified program really calls the checked forms" {
	local name
	! readelf -p .comment "$PROGRAMS/fortified/reading" | grep -q clang || skip "clang checks at compile time only"
	for name in __read_chk __recv_chk __recvfrom_chk; do
		nm -D --undefined-only "$PROGRAMS/fortified/reading" | grep -q -w "$name"
	done
}

@test "hooks: descriptors passed by SCM_RIGHTS" {
	same passing
	same fortified/passing
}

@test "hooks: socket, connect, accept, listen, shutdown, setsockopt, epoll_ctl" {
	same opening
	same fortified/opening
}

@test "hooks: what is not interposed because the kernel refuses it on a socket, it refuses" {
	same refused
}

@test "hooks: threads that block in a call can be cancelled" {
	same cancelling
	[ "$(grep -c 'cancelled 1, cleaned up 1' "$WORK/plain")" -eq 6 ]
}

@test "hooks: fork, vfork, _Fork and clone, all forms of exec, posix_spawn, system, popen, SIGPIPE, prctl" {
	same processes observe graceful-close "$WORK/always.policy"
	same fortified/processes observe "$WORK/always.policy"
}

@test "hooks: what SIGTERM does, who waits for it, who dies of it; _exit, _Exit, quick_exit" {
	ulimit -c 0
	printf '[exit]\naction = drain\n[close]\naction = graceful\n' >"$WORK/exit.policy"
	same signals observe graceful-close "$WORK/exit.policy"
	same fortified/signals observe "$WORK/exit.policy"
}

@test "hooks: makers of descriptors that are not followed: open, fopen, pipe, eventfd" {
	same makes
	same fortified/makes
}

@test "hooks: unshare and setns, while a connection drains" {
	same namespaces observe "$WORK/always.policy"
	same fortified/namespaces observe "$WORK/always.policy"
}

@test "hooks: other names of the same functions: __close, __connect, _IO_fclose" {
	same aliases
	same fortified/aliases
}

@test "hooks: setuid and all other changes of credentials, in every thread, with connections open" {
	same credentials
	same fortified/credentials
	grep -q 'uid 65534 65534 65534' "$WORK/plain" || [ "$(id -u)" -ne 0 ]
}

# undefined_in PROGRAM...: the functions that programs call, not by syscall(2), not by another function of the C library.
undefined_in() {
	local program
	for program in "$@"; do
		nm -D --undefined-only "$program"
	done | sed -n -E 's/^ +[Uw] ([A-Za-z0-9_]+).*/\1/p' | sort -u
}

@test "hooks: every function of calls.def is called by one of these programs itself" {
	! readelf -p .comment "$PROGRAMS/fortified/reading" | grep -q clang || skip "clang checks at compile time only"
	mapfile -t programs < <(find "$PROGRAMS" -maxdepth 2 -type f -executable ! -name '*.so')
	undefined_in "${programs[@]}" >"$WORK/direct"
	[ "$(wc -l <"$WORK/direct")" -gt 80 ]
	names_of_calls | sort >"$WORK/wanted"
	run comm -23 "$WORK/wanted" "$WORK/direct"
	[ -z "$output" ] || fail_with "in no program of tests/shim: $output"
}

@test "hooks: the library is really there in these tests" {
	preloaded graceful-close grep -q -F "$LIBRARY" /proc/self/maps
	run preloaded no-such-policy "$PROGRAMS/opening"
	[[ $output == lastack:* ]]
}

@test "hooks: exported is what export.map and calls.def name, and nothing else" {
	nm -D --defined-only "$LIBRARY" | awk '{ print $3 }' | sort >"$WORK/exported"
	sed -n -E 's/^[[:space:]]+([A-Za-z0-9_]+);$/\1/p' "$TOP/src/shim/export.map" | sort >"$WORK/mapped"
	names_of_calls | sort >"$WORK/called"
	[ "$(wc -l <"$WORK/exported")" -gt 40 ]
	diff "$WORK/mapped" "$WORK/exported"
	diff "$WORK/called" "$WORK/exported"
}

@test "hooks: the library needs the C library only" {
	readelf -d "$LIBRARY" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' >"$WORK/needed"
	grep -q -x 'libc\.so\.6' "$WORK/needed"
	run -1 grep -v -E '^(libc\.so\.6|ld-linux.*|liburcu-(bp|common)\.so.*)$' "$WORK/needed"
}

@test "hooks: no stack of the library is executable, and nothing in it is bound lazily" {
	readelf -l -W "$LIBRARY" | grep GNU_STACK | grep -q -w RW
	readelf -d "$LIBRARY" | grep -E 'FLAGS_1.*NOW' | grep -E -q 'NODELETE.*INITFIRST|INITFIRST.*NODELETE'
}
