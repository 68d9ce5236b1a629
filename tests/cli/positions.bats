# Positions that only the kernel can tell, and those that it cannot: list, report and table say which is which. Dead descriptors,
# handshakes, other holders, other networks, folders that are closed to us.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	use observe
}

teardown() {
	stop_all
}

# A program in python from standard input, started as NAME, preloaded or not; it has said "ready" when this returns.
program() { # NAME [plain]
	local preloaded=("${preloaded[@]}")
	[[ ${2:-} != plain ]] || preloaded=()
	{
		echo 'import os, socket, struct, sys'
		cat
		echo 'print("ready", flush=True)'
		echo 'sys.stdin.readline()'
	} >"$WORK/$1.py"
	start "$1" "${preloaded[@]}" "$PYTHON" "$WORK/$1.py"
	wait_until 10 says "$WORK/$1.out" '^ready' || fail "$1: $(cat "$WORK/$1.err")"
}

@test "list: a connection in the handshake is in SYN-SENT, in no cell of the table, and says whom it calls" {
	private_network
	# One connection fills a backlog of none; the second waits.
	program caller <<-'END'
		l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen(0)
		made = []
		for i in range(2):
		    s = socket.socket(); s.setblocking(False); made.append(s)
		    try:
		        s.connect(l.getsockname())
		    except BlockingIOError:
		        pass
	END
	wait_until 5 sockets_are 1 state syn-sent
	[ "$(connections 'map(select(.state == "SYN-SENT" and .verdict == "-" and (.peer | startswith("127.0.0.1:")))) | length')" -eq 1 ] ||
		fail "$(lastack list)"
	[ "$(connections 'map(select(.role == "client" and .state == "ESTABLISHED")) | length')" -eq \
		"$(lastack table -J | jq '.rows[0].client.connections')" ]
}

@test "report: a descriptor whose connection was reset unseen is dead for as long as report has watched it" {
	program holder <<-'END'
		l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen()
		c = socket.create_connection(l.getsockname()); a, _ = l.accept()
		c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
		c.close()
	END
	[ "$(connections 'map(select(.state == "CLOSED")) | map("\(.verdict) \(.age) \(.age_is_lower_bound) \(.fd >= 0)") | join(",")')" = \
		"L5 0 true true" ] || fail "$(lastack list -J)"
	run -1 --separate-stderr lastack report --fail-on L5 --min-age 300ms
	[[ $output == *"1 connection  L5 dead-fd"* ]] || fail "$output"
	[[ $output =~ L5.*oldest\ \>=(3|4|5|6|7|8|9)[0-9][0-9]ms|L5.*oldest\ \>=[0-9]+s ]] || fail "$output"
}

@test "report: no dead descriptor, no second look" {
	program idle <<-'END'
		l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen()
		c = socket.create_connection(l.getsockname()); a, _ = l.accept()
	END
	run -0 timeout 4 env LASTACK_DIR="$WORK/regions" "$LASTACK" report --min-age 5s
}

@test "list -J: all holders of a connection that parent and child share" {
	program family <<-'END'
		l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen()
		c = socket.create_connection(l.getsockname()); a, _ = l.accept()
		d = os.dup(a.fileno())
		if os.fork() == 0:
		    os.close(d)
		    sys.stdin.readline()
		    os._exit(0)
	END
	wait_until 5 holders_are '[2,1]'
}

# The accepted connection: how many descriptors each process has of it.
holders_are() {
	[ "$(connections '.[] | select(.role == "server") | .holders | group_by(.pid) | map(length) | sort | reverse | tostring')" = "$1" ]
}

@test "list: closed here and held by a stranger: L3, with the stranger's pid and number" {
	program stranger plain <<-'END'
		u = socket.socket(socket.AF_UNIX); u.bind(sys.path[0] + "/door"); u.listen()
		if os.fork() == 0:
		    v, _ = u.accept()
		    fds = socket.recv_fds(v, 1, 1)[1]
		    print("holds", os.getpid(), fds[0], flush=True)
		    v.send(b"x")
		    v.recv(1)
		    os._exit(0)
	END
	program giver <<-'END'
		l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen()
		c = socket.create_connection(l.getsockname()); a, _ = l.accept()
		v = socket.socket(socket.AF_UNIX); v.connect(sys.path[0] + "/door")
		socket.send_fds(v, [b"x"], [a.fileno()])
		v.recv(1)
		a.close()
	END
	wait_until 5 says "$WORK/stranger.out" '^holds'
	read -r _ pid number < <(grep '^holds' "$WORK/stranger.out")
	[ "$(connections '.[] | select(.role == "server") | "\(.state) \(.verdict) \(.mover) \(.pid) \(.fd)"')" = \
		"ESTABLISHED L3 other holder $pid $number" ] || fail "$(lastack list)"
}

# A server of nobody's in a network of its own, with one connection in CLOSE-WAIT; its regions and a copy of the command are
# where nobody can reach them.
elsewhere() {
	[ "$(id -u)" -eq 0 ] || skip "only root can become somebody else"
	mkdir "$WORK/build" "$WORK/regions"
	cp "$BUILD/lastack" "$BUILD/liblastack.so" "$WORK/build"
	chmod a+rx "$WORK" "$WORK/.." "$WORK/../.."
	chmod 0700 "$WORK/regions"
	chown nobody "$WORK/regions"
	as_nobody=(setpriv --reuid=nobody --regid=nogroup --clear-groups env LASTACK_DIR="$WORK/regions")
	private_network
	preloaded=("${as_nobody[@]}" "$WORK/build/lastack" run --)
	program server <<-'END'
		l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen()
		c = socket.create_connection(l.getsockname()); a, _ = l.accept()
		c.close()
		a.recv(1)
	END
	network=()
}

@test "list: another network is entered by root, and for others the region's last word is shown as such" {
	elsewhere
	[ "$(connections 'map(.state) | sort | tostring')" = '["CLOSE-WAIT","FIN-WAIT-2"]' ] || fail "$(lastack list)"
	run -0 --separate-stderr "${as_nobody[@]}" "$WORK/build/lastack" list verdict L1
	[ "${#lines[@]}" -eq 2 ]
	[[ ${lines[1]} == *" CLOSE-WAIT "*" L1 "* ]] || fail "$output"
	# shellcheck disable=SC2154 # run sets it
	[[ $stderr == *"process ${pid_of[server]} is in another network namespace"* ]] || fail "$stderr"
}

@test "list, report, table: a folder of regions that is closed to us: status 5" {
	local command
	elsewhere
	chown root "$WORK/regions"
	for command in list report table; do
		run -5 --separate-stderr "${as_nobody[@]}" "$WORK/build/lastack" "$command"
		[[ -z $output && $stderr == "lastack: $WORK/regions: permission denied"* ]] || fail "$output $stderr"
	done
}

@test "list: a region of an earlier boot is history, told as such, and its cookies name nobody of today" {
	program server <<-'END'
		l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen()
		c = socket.create_connection(l.getsockname()); a, _ = l.accept()
		c.close()
		a.recv(1)
	END
	mkdir "$WORK/before"
	cp "$WORK/regions/${pid_of[server]}.region" "$WORK/before/1.region"
	# The boot's id: 16 bytes from 24 on.
	printf 'another boot id.' | dd of="$WORK/before/1.region" bs=1 seek=24 conv=notrunc status=none
	run -0 --separate-stderr env LASTACK_DIR="$WORK/before" "$LASTACK" list -o STATE,VERDICT,NEXT
	[[ $output == *"CLOSE-WAIT L1 "*"process has ended"* && $output != *FIN-WAIT-2* ]] || fail "$output"
	[[ $stderr == *"1.region: of an earlier boot"* ]]
	run -1 --separate-stderr "$LASTACK" report "$WORK/before/1.region"
	[[ $output == *"1 connection  L1 "*", which has ended"* ]] || fail "$output"
}
