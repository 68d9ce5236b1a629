# LASTACK_LOG is no file, is full, or has lost its reader: the server neither waits nor dies, and what was lost is counted.

bats_require_minimum_version 1.5.0

setup() {
	# shellcheck source=tests/faults/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
	faults_setup
	plain "$CONVERSES"
}

teardown() {
	stop_all
}

# logs_to WHERE: the conversation is the same.
logs_to() {
	variables=(LASTACK_DIR="$WORK/regions" LASTACK_LOG="$1")
	preload "$CONVERSES"
	nobody_noticed
}

@test "log: a directory, a FIFO that nobody reads, a link, no such folder: one line at start" {
	mkdir "$WORK/directory"
	mkfifo "$WORK/fifo"
	ln -s "$WORK/victim" "$WORK/link"
	for where in directory fifo link missing/log; do
		logs_to "$WORK/$where"
		[ "$(sort -u "$WORK/said")" = "lastack: the log named by LASTACK_LOG cannot be written: going on without" ]
	done
	[ ! -e "$WORK/victim" ]
}

@test "log: a disk that is full: the server goes on" {
	[ -w /dev/full ] || skip "no /dev/full"
	logs_to /dev/full
	[ ! -s "$WORK/said" ]
}

@test "log: a FIFO whose reader has gone, or does not read: the server neither ends nor waits" {
	local reader
	mkfifo "$WORK/fifo"
	exec {reader}<>"$WORK/fifo"
	# Full: not one line more goes in.
	timeout 1 "$PYTHON" -c 'import os, sys
fd = os.open(sys.argv[1], os.O_WRONLY | os.O_NONBLOCK)
try:
	while True: os.write(fd, b"x" * 4096)
except BlockingIOError: pass' "$WORK/fifo"
	plain "$CONVERSES"
	logs_to "$WORK/fifo"
	exec {reader}>&-
	plain "$CONVERSES"
	# Gone after the first line: SIGPIPE would end it.
	timeout 20 head -n 1 "$WORK/fifo" >"$WORK/first" 3>&- &
	reader=$!
	logs_to "$WORK/fifo"
	wait $reader
	grep -q 'action=' "$WORK/first"
}

# Standard error is what the shell makes of it: `into` runs it with the program's arguments.
standard_error() {
	variables=(LASTACK_DIR="$WORK/regions" LASTACK_LOG="$2")
	around=(bash -c "$1" "$PYTHON")
	plain "$CONVERSES"
	preload "$CONVERSES"
	nobody_noticed
}

@test "log: standard error is a pipe that is full, or that nobody holds any more, or closed" {
	local full='exec 2> >(sleep 300 >/dev/null) && sleeper=$! && head -c 65536 /dev/zero >&2; timeout 20 "$@"; status=$?; kill $sleeper; exit $status'
	local gone='exec 2> >(exec true); wait $!; "$@"'
	local log
	for log in stderr "$WORK/missing/log"; do
		standard_error "$full" "$log"
		standard_error "$gone" "$log"
		standard_error 'exec 2>&-; "$@"' "$log"
	done
}

@test "log: files of the server may not grow: no SIGXFSZ" {
	# As its own first line fits, and no more.
	for blocks in 0 1; do
		around=(bash -c "(ulimit -f $blocks; exec \"\$@\") | cat; exit \${PIPESTATUS[0]}" limited)
		plain "$CONVERSES"
		[ "$blocks" -eq 0 ] || head -c 1000 /dev/zero >"$WORK/log"
		logs_to "$WORK/log"
	done
}

@test "log: lines that found no room are counted by the next that does, and report says so" {
	local program='import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print("listening", server.getsockname()[1], flush=True)
for command in iter(input, "end"):
	client = socket.create_connection(server.getsockname())
	accepted = server.accept()[0]
	client.send(b"unread")
	accepted.close()
	client.close()
	print(command, flush=True)'
	private_mounts "mkdir -p '$WORK/disk'; mount -t tmpfs -o size=64k none '$WORK/disk'"
	start server env LASTACK_DIR="$WORK/regions" LASTACK_LOG="$WORK/disk/log" LASTACK_POLICY="$WORK/all.policy" \
		LD_PRELOAD="$BUILD/liblastack.so" "$PYTHON" -c "$program"
	port_of server >/dev/null
	"${around[@]}" sh -c "cat /dev/zero >'$WORK/disk/full' || true"
	for i in 1 2 3; do
		tell server "$i"
		wait_until 10 says "$WORK/server.out" "^$i\$"
		wait_until 10 drains_are "$i"
	done
	run lastack report
	[[ $output == *"off: log: lines of the log"* ]]
	"${around[@]}" rm "$WORK/disk/full"
	tell server 4
	wait_until 10 drains_are 4
	tell server end
	wait_until 10 ended "${pid_of[server]}"
	"${around[@]}" cat "$WORK/disk/log" >"$WORK/lastack.log"
	[ "$(grep -c 'action=drain' "$WORK/lastack.log")" -eq 1 ] || fail "$(cat "$WORK/lastack.log")"
	grep -q 'lost_lines=3$' "$WORK/lastack.log"
}

drains_are() {
	[ "$(lastack report -J --min-age 0s | jq '.counters | .drain_delivered + .drain_reset_by_peer')" -eq "$1" ]
}
