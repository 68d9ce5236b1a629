# Servers with a process for each connection, which answers and ends at once, with the client's upload unread: nothing is lost.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/exit/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
	exit_policies
	printf '[close]\naction = graceful\n' | tee -a "$WORK/drain.policy" >>"$WORK/handover.policy"
}

teardown() {
	stop_all
}

# serves POLICY COMMAND...: what its clients get; nothing is left running behind it.
serves() {
	if [ "$1" = nothing ]; then use_nothing; else preload "$1"; fi
	shift
	start server "${preloaded[@]}" "$@"
	run upload_to "$(port_of server)"
	wait_until 20 childless "${pid_of[server]}" || fail "children are left: $(pgrep -l -P "${pid_of[server]}")"
	stop server
	wait_until 10 heirs_are 0
}

childless() {
	! pgrep -P "$1" >"$WORK/children"
}

# keeps COMMAND...: all answers, which are lost without lastack.
keeps() {
	serves nothing "$@"
	[[ $output != *"complete=4 of 4"* ]]
	for name in drain handover; do
		serves $name "$@"
		[ "$output" = 'complete=4 of 4, reset=0' ] || fail "$name: $output"
	done
}

@test "a process for each connection: C, with exit" {
	keeps "$BUILD/tests/exit/forks" exit
}

@test "a process for each connection: C, with _exit" {
	keeps "$BUILD/tests/exit/forks" _exit
}

@test "a process for each connection: C, which closes before it exits" {
	keeps "$PROGRAMS/fork_per_connection"
}

@test "a process for each connection: Python's ForkingMixIn" {
	keeps "$PYTHON" "$EXITS/forking.py"
}

@test "a process for each connection: Perl" {
	keeps perl "$EXITS/forking.pl"
}

# inetd POLICY ARGUMENT...: inetd with such services; all in a PID namespace, where every process may be looked at, and inetd is a child of
# the first one.
inetd() {
	[ "$(id -u)" -eq 0 ] || skip "a PID namespace needs root"
	if [ "$1" = nothing ]; then use_nothing; else preload "$1"; fi
	shift
	# shellcheck disable=SC2016
	start server unshare --pid --fork --kill-child --mount-proc sh -c '"$@"; true' sh "$PYTHON" "$EXITS/inetd.py" "$@"
}

end_inetd() {
	kill -KILL "$(pgrep -P "${pid_of[server]}")"
	stop server
}

# inetd_gives POLICY COMMAND...: what the clients of such a service get.
inetd_gives() {
	if [ "$1" = nothing ]; then use_nothing; else preload "$1"; fi
	inetd "$1" "${preloaded[@]}" "${@:2}"
	run upload_to "$(port_of server)"
	end_inetd
}

inetd_keeps() {
	inetd_gives nothing "$@"
	[[ $output != *"complete=4 of 4"* ]]
	for name in drain handover; do
		inetd_gives $name "$@"
		[ "$output" = 'complete=4 of 4, reset=0' ] || fail "$name: $output"
	done
}

@test "inetd: a shell script whose standard input and output are the connection" {
	inetd_keeps sh "$EXITS/answer.sh"
}

@test "inetd: Perl, and what is left in a stream" {
	inetd_keeps perl "$EXITS/answer.pl"
}

@test "inetd: Python, by os._exit()" {
	inetd_keeps "$PYTHON" "$EXITS/answer.py"
}

@test "inetd: a connection that inetd holds as well is left as it is" {
	preload drain
	inetd drain --holds "${preloaded[@]}" perl "$EXITS/answer.pl"
	start peer "$PYTHON" "$EXITS/peer.py" "$(port_of server)" stubborn
	wait_until 10 sockets_are 1 state established "sport = :$(port_of server)"
	wait_until 10 childless "$(pgrep -f "^$PYTHON $EXITS/inetd.py")"
	end_inetd
	[ ! -s "$WORK/lastack.log" ]
	[ ! -e "$WORK/regions" ] || [ -z "$(ls "$WORK/regions")" ]
}
