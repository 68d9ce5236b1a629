# [exit] action = handover: the process ends at once, and a detached child drains. That child has the draining sockets and nothing else.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/exit/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
	[ "$(id -u)" -ne 0 ] || private_network
	exit_policies 1h
	printf '[close]\naction = graceful\nidle = 1h\ntotal = 1h\n' >>"$WORK/handover.policy"
	preload handover
}

teardown() {
	[ -z "${heir:-}" ] || kill -KILL "$heir" 2>/dev/null || true
	stop_all
}

# The child of this test's server, by what the region says. Sets heir.
find_heir() {
	wait_until 10 shown 1
	heir=$(connections '.[0].pid')
	[ "$(cat "/proc/$heir/comm")" = lastack-drain ]
}

shown() {
	[ "$(connections 'map(select(.draining)) | length')" -eq "$1" ]
}

@test "handover: the child has the socket and no other descriptor, no folder, no terminal, no handler, and a session of its own" {
	cd "$WORK"
	meets return stubborn
	ends_with server 7
	find_heir
	[ "$(readlink "/proc/$heir/fd/"* | grep -c -v '^socket:')" -eq 0 ]
	descriptors_are 1 "$heir"
	[ "$(readlink "/proc/$heir/cwd")" = / ]
	[ "$(tr '\0' ' ' <"/proc/$heir/cmdline" | sed 's/ *$//')" = lastack-drain ]
	[ "$(ps -o sid=,tty= -p "$heir" | tr -s ' ')" = " $heir ?" ] || [ "$(ps -o sid= -p "$heir" | tr -d ' ')" -eq "$heir" ]
	[ "$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$heir/status")" = 0000000000000000 ]
	[ "$(sed -n 's/^Threads:[[:space:]]*//p' "/proc/$heir/status")" -eq 1 ]
}

@test "handover: list shows the connection as draining, by the child; the peer's close ends both" {
	meets return stubborn
	ends_with server 7
	find_heir
	stop peer
	wait_until 10 ended "$heir"
	run ! ls "$WORK"/regions/*.region
	heir=
}

@test "handover: SIGTERM ends the child in order, a hang-up does not" {
	meets return stubborn
	ends_with server 7
	find_heir
	kill -HUP "$heir"
	kill -PIPE "$heir"
	kill -USR1 "$heir"
	kill -ALRM "$heir"
	stays 1 shown 1
	kill -TERM "$heir"
	wait_until 10 ended "$heir"
	run ! ls "$WORK"/regions/*.region
	says "$WORK/lastack.log" "pid=$heir .*action=exit rule=exit result=evicted"
	heir=
}

@test "handover: kill -9 of the child leaves the connection to the kernel, and nothing that list or report would show as held" {
	meets return stubborn
	ends_with server 7
	find_heir
	kill -KILL "$heir"
	wait_until 10 ended "$heir"
	heir=
	[ "$(connections 'map(select(.draining)) | length')" -eq 0 ]
	run -0 lastack report
	stop peer
	wait_until 10 sockets_are 0 state fin-wait-1 state fin-wait-2 state close-wait state last-ack
	[ "$(connections length)" -eq 0 ] || fail "$(lastack list)"
}

@test "handover: kill -9 of the server while its child drains changes nothing for the child" {
	meets return stubborn
	kill -KILL "${pid_of[server]}" 2>/dev/null || true
	wait "${pid_of[server]}" || true
	unset "pid_of[server]"
	if wait_until 2 shown 1; then
		find_heir
		stays 1 shown 1
	fi
}

@test "handover: a pipe's reader gets its end at once" {
	start server bash -c '"$@" | cat; echo "end of the pipe"' bash "${preloaded[@]}" "$ENDS" 1 return
	start peer "$PYTHON" "$EXITS/peer.py" "$(port_of server)" stubborn
	wait_until 20 says "$WORK/server.out" '^end of the pipe'
	ends_with server 0
	find_heir
}

@test "handover: a terminal is free at once" {
	type script >/dev/null || skip "script(1) is not there"
	start server script -qefc "${preloaded[*]} $ENDS 1 return" /dev/null
	wait_until 10 says "$WORK/server.out" '^listening'
	start peer "$PYTHON" "$EXITS/peer.py" "$(tr -d '\r' <"$WORK/server.out" | sed -n 's/^listening //p')" stubborn
	ends_with server 7
	find_heir
	[ "$(ps -o tty= -p "$heir" | tr -d ' ')" = '?' ]
}

@test "handover: the file system that the server stood in can be unmounted at once" {
	[ "$(id -u)" -eq 0 ] || skip "mounting needs root"
	mkdir "$WORK/mount"
	# shellcheck disable=SC2016
	start server unshare --mount bash -c 'mount=$1; shift; mount -t tmpfs none "$mount" && cd "$mount" && { "$@"; cd /; umount "$mount" && echo unmounted; }' \
		bash "$WORK/mount" "${preloaded[@]}" "$ENDS" 1 return
	start peer "$PYTHON" "$EXITS/peer.py" "$(port_of server)" stubborn
	ends_with server 0
	says "$WORK/server.out" '^unmounted'
	find_heir
}

@test "handover: the process ends when its child has let go of all, however slow that is" {
	strace -o /dev/null true || skip "strace may not trace here"
	mkdir "$WORK/folder"
	start server strace -D -qq -f -o "$WORK/strace" -e trace=chdir -e inject=chdir:delay_enter=300000 \
		env -C "$WORK/folder" "${preloaded[@]}" "$ENDS" 1 return
	start peer "$PYTHON" "$EXITS/peer.py" "$(port_of server)" stubborn
	ends_with server 7
	mapfile -t standing < <(find /proc -maxdepth 2 -name cwd -lname "$WORK/folder" 2>/dev/null)
	[ ${#standing[@]} -eq 0 ] || fail "$(grep -h -E '^(Name|State|Pid|PPid|TracerPid):' "${standing[@]/%cwd/status}")"
	says "$WORK/strace" 'chdir.*DELAYED'
	find_heir
}

@test "handover: a parent that waits for all its children, of any kind, waits for the server only" {
	start server "$PYTHON" "$EXITS/waits_for_all.py" "${preloaded[@]}" "$ENDS" 1 return
	start peer "$PYTHON" "$EXITS/peer.py" "$(port_of server)" stubborn
	ends_with server 0
	grep -q -x 'waited for: server 7' "$WORK/server.out" || fail "$(cat "$WORK/server.out")"
	[ "$(grep -c 'waited for' "$WORK/server.out")" -eq 1 ]
	find_heir
}

@test "handover: where no process can be made, the server drains itself" {
	strace -o /dev/null true || skip "strace may not trace here"
	exit_policies 1s
	start server strace -qq -o "$WORK/strace" -e trace=clone -e inject=clone:error=EAGAIN "${preloaded[@]}" "$ENDS" 1 return
	start peer "$PYTHON" "$EXITS/peer.py" "$(port_of server)" stubborn
	ends_with server 7
	says "$WORK/strace" 'EAGAIN.*INJECTED'
	says "$WORK/lastack.log" 'action=exit rule=exit result=total'
}

@test "handover: the child keeps nothing of the server's memory, private or shared, and delivers all the same" {
	local how kib
	for how in thread main; do
		: >"$WORK/lastack.log"
		start server "${preloaded[@]}" "$PYTHON" "$EXITS/large.py" "$how"
		port_of server >/dev/null
		wait_until 20 ended "${pid_of[server]}"
		find_heir
		kib=$(sed -n 's/^RssAnon:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/$heir/status")
		((kib < 20000)) || fail "$how: $kib KiB of its own"
		# Segments of System V and shared memory of any kind are as if their last user had ended.
		! grep -E ' (rw|r-)-s .*(SYSV|/dev/zero)' "/proc/$heir/maps" || fail "$how: $(cat /proc/$heir/maps)"
		kill -TERM "$(cat "$WORK/client")" # the peer takes its answer, and closes
		wait_until 20 ended "$heir"
		says "$WORK/server.answer" '^1000000 end$' || fail "$(cat "$WORK/server.answer")"
		heir=
	done
}
