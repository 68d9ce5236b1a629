# lastack run --leak-check: a command that leaves connections behind ends with status 99 and a report; all others as they would without it.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	unset LD_PRELOAD LASTACK_POLICY LASTACK_MODE LASTACK_DIR
	export LASTACK_STACKS=0 # what takes time; one test looks at them
	folders_before=$(folders)
}

teardown() {
	stop_all
}

folders() {
	find /dev/shm /tmp -maxdepth 1 -name 'lastack-leak-check.*' | sort
}

check() {
	timeout 60 "$LASTACK" run --leak-check -- "$@"
}

# leaks VERDICT WHAT HOW: reported so, with status 99
leaks() {
	run -99 --separate-stderr check "$PYTHON" "$APPS/leaves_behind.py" "$2" "$3"
	# shellcheck disable=SC2154 # run sets stderr
	[[ $stderr == *'leak check: 1 connection was left'*"1 connection  $1 "* ]] || fail "$2, $3: $stderr"
	[[ $stderr == *"which has ended"* ]] || fail "$2, $3: $stderr"
	[[ $output == *done ]] || fail "$2, $3: $output"
}

# spares STATUS WHAT HOW: no leak, the command's own status
spares() {
	run "-$1" --separate-stderr check "$PYTHON" "$APPS/leaves_behind.py" "$2" "$3"
	[[ $stderr == *'leak check: no connection was left half-closed' ]] || fail "$2, $3: $stderr"
	[[ $output == *done ]] || fail "$2, $3: $output"
}

@test "leak check: told of the end and not closed, not told, gone but held: each is a leak, however its process exits" {
	leaks L1 told exit
	leaks L2 unread exit
	leaks L5 reset exit
	leaks L5 both_closed exit
}

@test "leak check: a process that is killed, or calls _exit, has left what it was told of" {
	leaks L1 told kill
	leaks L1 told _exit
	leaks L2 unread kill
}

@test "leak check: what is closed, merely open, the peer's move, or a FIN of the last moment is no leak" {
	spares 7 closed exit
	spares 7 nothing exit
	spares 7 peer_owes exit
	spares 7 unread_late exit
	spares 0 told wind-up # the interpreter closes it
	spares 137 nothing kill
	spares 7 told exec
}

@test "leak check: a leak of a child is told; a child that only inherits is not" {
	leaks L1 child_leaks exit
	leaks L1 parent_leaks exit
	spares 7 child_inherits exit
	spares 7 spawns exit
	spares 7 forks_and_executes exit
}

@test "leak check: a program that another one executes is looked at too" {
	unset LASTACK_STACKS
	run -99 --separate-stderr check sh -c "sh -c '$PROGRAMS/reads_never_closes </dev/null; exit 3'; exit 4"
	[[ $stderr == *'1 connection  L1 '*'next move: application; reads_never_clo'*'main at '* ]] || fail "$stderr"
}

@test "leak check: a daemon that goes on is told as it is, and is left alone" {
	run -99 --separate-stderr check "$PYTHON" "$APPS/leaves_behind.py" daemon exit
	[[ $stderr == *'still runs: what it holds is told as it is now'*'1 connection  L1 '* ]] || fail "$stderr"
	local pid
	pid=$(sed -n 's/^daemon //p' <<<"$output")
	kill "$pid" || fail "the daemon has ended"
}

@test "leak check: the status of a leak is as asked for; the command's own is passed on, also that of a signal" {
	run -42 timeout 60 "$LASTACK" run --leak-check=42 -- "$PYTHON" "$APPS/leaves_behind.py" told exit
	local wanted
	for wanted in 0 1 99 125 255; do
		run "-$wanted" check sh -c "exit $wanted"
	done
	# shellcheck disable=SC2016 # for that shell
	run -143 check sh -c 'kill -TERM $$'
	run -127 check no-such-command-anywhere
	run -126 check "$WORK"
	for wanted in 0 256 -1 x 9x ''; do
		run -2 --separate-stderr "$LASTACK" run "--leak-check=$wanted" -- touch "$WORK/ran"
		[[ $stderr == *"is no status: write one from 1 to 255"* ]] || fail "$wanted: $stderr"
	done
	[ ! -e "$WORK/ran" ]
}

@test "leak check: the command has the streams, the arguments and the policy it would have" {
	run -0 --separate-stderr check cat <<<'input'
	[ "$output" = input ]
	# shellcheck disable=SC2016 # for that shell
	run -0 --separate-stderr check sh -c 'echo "$LASTACK_POLICY" "$@"' sh a 'b  c'
	[ "$output" = "$TOP/policies/leak-check.policy a b  c" ]
	run -0 --separate-stderr timeout 60 "$LASTACK" run -p observe --leak-check -- printenv LASTACK_POLICY
	[ "$output" = "$TOP/policies/observe.policy" ]
}

@test "leak check: nothing is left of it: no folder, no region, no process" {
	leaks L1 told kill
	spares 7 closed exit
	[ "$(folders)" = "$folders_before" ] || fail "$(folders)"
}

@test "leak check: a signal to the runner alone goes on to the command, which may handle it" {
	# shellcheck disable=SC2016 # for that shell
	start runner "$LASTACK" run --leak-check -- sh -c 'trap "echo got; exit 3" TERM USR1; echo ready; while :; do sleep 0.05; done'
	wait_until 20 says "$WORK/runner.out" ready
	kill -USR1 "${pid_of[runner]}"
	wait_until 20 says "$WORK/runner.out" got
	local status=0
	wait "${pid_of[runner]}" || status=$?
	[ "$status" -eq 3 ]
	[ "$(grep -c got "$WORK/runner.out")" -eq 1 ]
}

is_stopped() {
	[ "$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status")" = T ]
}

@test "leak check: when the command stops so does the runner; continued, both go on" {
	# shellcheck disable=SC2016 # for that shell
	start runner "$LASTACK" run --leak-check -- sh -c 'echo pid $$; read -r line; echo "read $line"'
	wait_until 20 says "$WORK/runner.out" '^pid '
	local pid
	pid=$(sed -n 's/^pid //p' "$WORK/runner.out")
	kill -STOP "$pid"
	wait_until 20 is_stopped "${pid_of[runner]}"
	kill -CONT "${pid_of[runner]}"
	tell runner on
	wait_until 20 says "$WORK/runner.out" 'read on'
	wait "${pid_of[runner]}"
}

@test "leak check: ^C on a terminal reaches the command once" {
	run -0 timeout 60 "$PYTHON" - "$LASTACK" <<-'END'
		import os, pty, signal, sys
		pid, terminal = pty.fork()
		if pid == 0:
		    os.execv(sys.argv[1], ["lastack", "run", "--leak-check", "--", "python3", "-u", "-c", """
		import signal, time
		count = 0
		def on_signal(*_):
		    global count
		    count += 1
		signal.signal(signal.SIGINT, on_signal)
		print("ready")
		while not count: time.sleep(0.01)
		print("first")
		time.sleep(0.5)
		print("signals:", count)
		"""])
		said = b""
		while b"ready" not in said: said += os.read(terminal, 100)
		# The runner is held back until the command has its own: two at once would be one.
		os.kill(pid, signal.SIGSTOP)
		os.write(terminal, b"\x03")
		while b"first" not in said: said += os.read(terminal, 100)
		os.kill(pid, signal.SIGCONT)
		try:
		    while True:
		        more = os.read(terminal, 100)
		        if not more: break
		        said += more
		except OSError: pass
		_, status = os.waitpid(pid, 0)
		assert status == 0, (status, said)
		assert b"signals: 1\r\n" in said, said
	END
}

@test "leak check: more short-lived children than a region has room for hide nothing" {
	run -99 --separate-stderr check "$PYTHON" -c 'import ctypes, os, socket
listener = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(listener.getsockname())
served, _ = listener.accept()
for i in range(100):
    pid = os.fork()
    if pid == 0: os._exit(0)
    os.waitpid(pid, 0)
client.close()
assert served.recv(1) == b""
ctypes.CDLL(None).exit(0)'
	[[ $stderr == *'1 connection  L1 '* ]] || fail "$stderr"
}
