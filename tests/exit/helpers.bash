# SPDX-License-Identifier: MIT
# Shared by the tests of this folder: servers that end, and their clients.

# shellcheck source=tests/proof/helpers.bash
source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
EXITS=$TOP/tests/exit
ENDS=$BUILD/tests/exit/ends
BYTES=32768
CLIENTS=4

# Two policies, each with time enough for a loaded machine.
exit_policies() {
	local action
	for action in drain handover; do
		policy "$action" <<-END
			[exit]
			action = $action
			total = ${1:-60s}
		END
	done
}

# As `lastack run`, but in the process that is waited for, and with the policy as it is.
preload() { # POLICY
	preloaded=(env LASTACK_DIR="$WORK/regions" LASTACK_LOG="$WORK/lastack.log" LASTACK_POLICY="$WORK/$1.policy" LD_PRELOAD="$BUILD/liblastack.so")
}

# All RSTs, of whatever port.
capture_all_resets() {
	start capture tcpdump --immediate-mode -U -n -i lo -w "$WORK/resets.pcap" 'tcp[tcpflags] & tcp-rst != 0'
	wait_until 10 says "$WORK/capture.err" 'listening on' || fail "tcpdump: $(cat "$WORK/capture.err")"
}

upload_to() { # PORT
	"${network[@]}" "$PROGRAMS/uploading_client" "$1" "$CLIENTS" "$CLIENTS" "$BYTES" plain
}

# ends_with NAME STATUS: it ends, and that is how its parent sees it; 128 more for a signal.
ends_with() {
	local seen=0
	wait_until 30 ended "${pid_of[$1]}" || fail "$1 does not end"
	wait "${pid_of[$1]}" || seen=$?
	unset "pid_of[$1]"
	[ "$seen" -eq "$2" ] || fail "status $seen"
}

# ends_by WAY: a server ends in this way under its clients. Prints what they got, and the status.
ends_by() {
	local status=0 clients
	start "$1" "${preloaded[@]}" "$ENDS" "$CLIENTS" "$1"
	upload_to "$(port_of "$1")" >"$WORK/$1.clients" &
	clients=$!
	if [ "$1" = pause ]; then
		wait_until 20 says "$WORK/$1.out" '^served'
		kill -TERM "${pid_of[$1]}"
	fi
	wait_until 30 ended "${pid_of[$1]}" || fail "the server does not end"
	wait "${pid_of[$1]}" || status=$?
	unset "pid_of[$1]"
	wait $clients || true
	echo "$1: $(cat "$WORK/$1.clients"), status $status"
}

# A server that ends in this way has one client (peer.py), which behaves like this and stays.
meets() { # WAY HOW
	start server "${preloaded[@]}" "$ENDS" 1 "$1"
	start peer "$PYTHON" "$EXITS/peer.py" "$(port_of server)" "$2"
	wait_until 20 says "$WORK/server.out" '^served' || fail "not served: $(cat "$WORK/server.err" "$WORK/peer.err")"
}

heir() {
	pgrep -x lastack-drain
}

heirs_are() { # COUNT
	[ "$(heir | wc -l)" -eq "$1" ]
}

# Counters, summed, as report tells: "at exit: N drained, M handed over".
at_exit() {
	lastack report | sed -n 's/^at exit: //p'
}
