# graceful-exit: what was answered arrives, also when the process ends. The shipped times divided by 2.

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/policies/story.bash
	source "$BATS_TEST_DIRNAME/story.bash"
	hasten graceful-exit 2
}

teardown() {
	stop_all
}

# ending_server HOW POLICY...: it takes one request out of an upload, answers with 64 KiB, and ends as HOW says with the rest unread.
ending_server() {
	local how=$1
	shift
	if (($#)); then use "$@"; else use_nothing; fi
	start server "${preloaded[@]}" "$PYTHON" -c 'import ctypes, os, signal, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print("listening", listener.getsockname()[1], flush=True)
connection, _ = listener.accept()
connection.recv(4)
connection.sendall(bytes(65536))
how = sys.argv[1]
if how == "exit": ctypes.CDLL(None).exit(7)
if how == "term": os.kill(os.getpid(), signal.SIGTERM)
if how == "abort": os.abort()
os._exit(7)' "$how"
	port=$(port_of server)
}

# ends STATUS: as its parent sees it
ends() {
	local status=0
	wait_until 20 ended "${pid_of[server]}"
	wait "${pid_of[server]}" || status=$?
	[ "$status" -eq "$1" ] || fail "status $status"
}

@test "graceful-exit: exit() with an upload unread: the whole answer arrives, and the status is the program's" {
	ending_server exit "$WORK/graceful-exit.policy"
	start_peer uploader upload read
	wait_until 20 says "$WORK/uploader.out" 'read 65536, then end of stream'
	ends 7
	ending_server exit
	start_peer uploader upload read
	wait_until 20 says "$WORK/uploader.out" 'then \(Connection reset by peer\|Broken pipe\)'
	ends 7
}

@test "graceful-exit: a SIGTERM that nobody handles: the whole answer arrives, and the process has died of SIGTERM" {
	ending_server term "$WORK/graceful-exit.policy"
	start_peer uploader upload read
	wait_until 20 says "$WORK/uploader.out" 'read 65536, then end of stream'
	ends 143
}

@test "graceful-exit: _exit() is an end as exit() is, abort() is what it is" {
	ending_server _exit "$WORK/graceful-exit.policy"
	start_peer uploader upload read
	wait_until 20 says "$WORK/uploader.out" 'read 65536, then end of stream'
	ends 7
	ulimit -c 0
	ending_server abort "$WORK/graceful-exit.policy"
	start_peer uploader upload read
	wait_until 20 says "$WORK/uploader.out" 'then \(Connection reset by peer\|Broken pipe\)'
	ends 134
	unset "pid_of[server]" # no crash to complain of
}

@test "graceful-exit: a peer that stays keeps the process no longer than the policy says" {
	ending_server exit "$WORK/graceful-exit.policy"
	start_peer stays upload
	wait_until 10 sockets_are 1 state fin-wait-1 state fin-wait-2 "sport = :$port" # its window holds the answer, or not all
	ends 7
	alive stays
}

@test "graceful-exit: a server that forks for each connection, answers early and exits loses nothing" {
	serve fork_per_connection "$WORK/graceful-exit.policy"
	run "$PROGRAMS/uploading_client" "$port" 10 2 "$ANSWER_BYTES" plain
	[ "$output" = "complete=10 of 10, reset=0" ]
}
