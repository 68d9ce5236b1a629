# Processes that are killed, stopped, or too many; limits on them, and on memory.

bats_require_minimum_version 1.5.0

OWN_KIB=40000 # code and tables, and the region of a program whose address space is limited

setup() {
	# shellcheck source=tests/faults/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
	faults_setup
	use "$WORK/all.policy"
}

teardown() {
	stop_all
}

# children PID: their pids.
children() {
	cat "/proc/$1/task/$1/children"
}

@test "killed: what a server leaves that was killed with connections open and draining is read by the commands" {
	start server "${preloaded[@]}" "$PYTHON" "$APPS/../faults/holds.py"
	port_of server >/dev/null
	lastack list -J | jq -e '[.connections[] | select(.state == "ESTABLISHED")] | length == 2' >/dev/null
	kill -KILL "${pid_of[server]}"
	wait_until 10 ended "${pid_of[server]}"
	commands_cope
	[ -s "$WORK/regions/${pid_of[server]}.region" ]
	run lastack report "$WORK/regions/${pid_of[server]}.region"
	[[ $output == *"1 accepted, 1 connected"* ]]
	# Nothing of it is said to be alive.
	run -0 connections 'map(select(.state == "ESTABLISHED") | .alive) | tostring'
	[[ $output != *true* ]] || fail "$output"
}

@test "killed: a forked child that holds connections: they end, the parent's are followed and bounded as before" {
	local child
	policy short <<-'END'
		[close-wait]
		after 500ms = shutdown
	END
	use "$WORK/short.policy"
	start server "${preloaded[@]}" "$PYTHON" "$APPS/../faults/forks.py" 1
	port_of server >/dev/null
	wait_until 10 says "$WORK/server.out" '^forked'
	child=$(children "${pid_of[server]}")
	# The peer closes both: the one that the child holds as well is nobody's to end.
	tell server hang-up
	wait_until 10 says "$WORK/lastack.log" 'action=shutdown .*result=shared'
	kill -KILL "$child"
	wait_until 10 says "$WORK/lastack.log" 'action=shutdown .*result=ok'
	commands_cope
	tell server end
	wait_until 10 ended "${pid_of[server]}"
	never_twice
	[ -z "$(off)" ]
}

# Microseconds of a line of the log, or now.
instant_of() { # PATTERN
	date -d "$(sed -n "s/^time=\([^ ]*\) .*$1.*/\1/p" "$WORK/lastack.log")" +%s%6N
}

@test "stopped: a server goes on where it was, and the time counts against none of its connections" {
	local stopped=${FAULT_SECONDS:-3} asked went ran
	policy short <<-'END'
		[close-wait]
		after 2s = shutdown
	END
	use "$WORK/short.policy"
	start server "${preloaded[@]}" "$PYTHON" "$APPS/../faults/forks.py" 0
	port=$(port_of server)
	asked=${EPOCHREALTIME/./}
	tell server hang-up
	wait_until 10 says "$WORK/server.out" '^hung up'
	kill -STOP "${pid_of[server]}"
	ran=$((${EPOCHREALTIME/./} - asked))
	# It can do nothing, and nothing is done; the commands read it.
	stays "$stopped" sockets_are 1 state close-wait "sport = :$port"
	commands_cope
	went=${EPOCHREALTIME/./}
	kill -CONT "${pid_of[server]}"
	wait_until 20 sockets_are 0 state close-wait "sport = :$port"
	wait_until 10 says "$WORK/lastack.log" 'action=shutdown .*result=ok'
	# Within one look (an eighth of the bound) of what it may take while it runs.
	ran=$((ran + $(instant_of action=shutdown) - went))
	((ran >= 1700000)) || fail "shut down after running for $ran us: $(cat "$WORK/lastack.log")"
	tell server serve
	wait_until 10 says "$WORK/server.out" '^served'
}

@test "stopped: a drain that was to end meanwhile goes on, and nothing is lost" {
	policy drain <<-'END'
		[close]
		action = graceful
		idle = 20s
		total = 3s
	END
	use "$WORK/drain.policy"
	start server "${preloaded[@]}" "$PYTHON" "$APPS/../faults/uploads.py" server
	start client "$PYTHON" "$APPS/../faults/uploads.py" client "$(port_of server)"
	wait_until 10 says "$WORK/server.out" '^closed'
	kill -STOP "${pid_of[server]}"
	stays "${FAULT_SECONDS:-4}" alive client
	kill -CONT "${pid_of[server]}"
	stays 1 alive client
	tell client all
	wait_until 10 says "$WORK/lastack.log" 'action=drain'
	grep -q 'action=drain .*result=delivered' "$WORK/lastack.log" || fail "$(cat "$WORK/lastack.log")"
	wait_until 10 says "$WORK/client.out" '^got 5000$'
}

@test "many: 500 children, each with a connection of its own and all of its parent's" {
	plain "$PYTHON" "$APPS/../faults/many_children.py" 500
	grep -q '^served 500, children 500, statuses {7: 500}$' "$WORK/plain" || skip "no 500 children here: $(cat "$WORK/plain" "$WORK/plain.err")"
	preload "$PYTHON" "$APPS/../faults/many_children.py" 500
	nobody_noticed
	off_is processes
	commands_cope
	# The region went with the last of them.
	[ -z "$(ls "$WORK/regions")" ]
}

@test "many: the limit on processes leaves none for the helper" {
	needs_root
	# A user that has no other process.
	local user=$((1000000 + $$)) visible
	around=(setpriv --reuid="$user" --regid="$user" --clear-groups prlimit --nproc=1)
	variables=(LASTACK_DIR="/dev/shm/lastack-$user" LASTACK_LOG=stderr)
	visible=$(mktemp -d)
	chmod 0755 "$visible"
	cp "$WORK/all.policy" "$visible"
	"${around[@]}" test -r "$BUILD/liblastack.so" || skip "others may not read the build"
	cp "$APPS/../faults/converses_alone.py" "$visible"
	plain "$PYTHON" "$visible/converses_alone.py"
	[ "$(tail -n 1 "$WORK/plain")" = "status 3" ]
	timeout 30 "${around[@]}" env "${variables[@]}" LASTACK_POLICY="$visible/all.policy" LD_PRELOAD="$BUILD/liblastack.so" \
		"$PYTHON" "$visible/converses_alone.py" >"$WORK/with" 2>"$WORK/lastack.log" || echo "status $?" >>"$WORK/with"
	rm -rf "$visible" "/dev/shm/lastack-$user"
	diff "$WORK/plain" "$WORK/with"
	off_is helper
	grep -q 'off=helper error=EAGAIN' "$WORK/lastack.log"
}

@test "memory: with as little address space as the program needs, and more" {
	local size least=
	# ld.so says itself when the library does not fit, and goes on without.
	for size in 3000 4000 6000 8000 10000 12000 14000 16000 20000 24000 32000 64000 128000 256000 512000; do
		around=(bash -c "ulimit -v $size; exec \"\$@\"" limited)
		plain "$CONVERSES"
		[ "$(tail -n 1 "$WORK/plain")" = "status 17" ] || continue
		least=${least:-$size}
		preload "$CONVERSES"
		# What the library takes, the program lacks; then it may end as it does for want of memory, but not by a signal.
		if ((size < least + OWN_KIB)); then
			[[ $(tail -n 1 "$WORK/with") =~ ^status\ (1?[0-9]?[0-9])$ ]] && ((BASH_REMATCH[1] <= 127)) || fail "at ${size} KiB"
			continue
		fi
		nobody_noticed || fail "at ${size} KiB"
		never_twice
		echo "$size $(off | xargs) $(sort -u "$WORK/said" | xargs)"
		echo "$size" >>"$WORK/sizes"
	done
	[ "$(wc -l <"$WORK/sizes")" -ge 4 ]
}

@test "descriptors: none is left when the first connection comes" {
	local program='import resource, socket, os
server = socket.socket()
server.bind(("127.0.0.1", 0))
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
held = []
try:
	while True: held.append(os.open("/dev/null", os.O_RDONLY))
except OSError as error:
	print(error.errno, len(held))
server.listen()
for number in held[-8:]: os.close(number)
for i in range(3):
	client = socket.create_connection(server.getsockname())
	accepted = server.accept()[0]
	accepted.send(b"x")
	print(client.recv(1), client.fileno(), accepted.fileno())
	accepted.close()'
	plain "$PYTHON" -c "$program"
	preload "$PYTHON" -c "$program"
	nobody_noticed
	off_is tracking
	grep -q 'off=tracking error=EMFILE' "$WORK/lastack.log"
}
