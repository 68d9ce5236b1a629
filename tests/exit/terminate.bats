# SIGTERM under [exit]: its default action drains first, and all that a program or its parent can ask is as without lastack.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/exit/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
	exit_policies
	preload drain
}

teardown() {
	stop_all
}

# same COMMAND...: what it says, and its status, are as without lastack. Of signals the shell says more than that.
same() {
	local plain=0 with=0
	"$@" >"$WORK/plain" 2>&1 3>&- || plain=$?
	"${preloaded[@]}" "$@" >"$WORK/with" 2>&1 3>&- || with=$?
	[ -s "$WORK/plain" ] || [ "$plain" -ne 0 ]
	[ "$plain" -eq "$with" ]
	diff "$WORK/plain" "$WORK/with"
}

@test "SIGTERM: Python is told of the default action, gets what it sets, and its parent sees what it would" {
	same "$PYTHON" -c 'import os, signal, sys
print(signal.getsignal(signal.SIGTERM))
print(signal.signal(signal.SIGTERM, lambda *_: print("handled", flush=True)))
os.kill(os.getpid(), signal.SIGTERM)
print(signal.signal(signal.SIGTERM, signal.SIG_DFL) is signal.SIG_DFL)
print(signal.signal(signal.SIGTERM, signal.SIG_IGN), signal.signal(signal.SIGTERM, signal.SIG_DFL))
child = os.fork()
if child == 0:
    os.kill(os.getpid(), signal.SIGTERM)
print(os.waitpid(child, 0)[1])
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGTERM)'
}

@test "SIGTERM: bash, its wait, its traps and its children" {
	# shellcheck disable=SC2016
	same bash -c 'sleep 60 & kill -TERM $!; wait $!; echo $?
trap "echo trapped" TERM; kill -TERM $$; trap -p TERM; trap - TERM
(trap "" TERM; kill -TERM $BASHPID; sh -c "kill -TERM \$\$; echo ignored")
sh -c "kill -TERM \$\$"; echo $?
perl -e "kill TERM => \$\$"; echo $?
kill -TERM $$; echo not reached'
}

@test "SIGTERM: a program that is executed inherits no handler, and what is ignored stays ignored" {
	# shellcheck disable=SC2016
	same bash -c 'env -u LD_PRELOAD grep Sig[CIB] /proc/self/status; trap "" TERM; env -u LD_PRELOAD grep Sig[CIB] /proc/self/status; grep Sig[CIB] /proc/self/status'
}

@test "SIGTERM: what was set with posix_spawn, and what a vfork child sets, is that child's" {
	same "$PYTHON" -c 'import os, signal, subprocess, sys
env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
show = ["grep", "Sig[CIB]", "/proc/self/status"]
print(subprocess.run(show, env=env, capture_output=True, text=True).stdout)
child = os.posix_spawnp("grep", show, env, setsigdef=[signal.SIGTERM], setsigmask=[])
print(os.waitpid(child, 0)[1], signal.getsignal(signal.SIGTERM))
child = subprocess.Popen(["sleep", "60"])
child.terminate()
print(child.wait())'
}

# Is a sleep cut short by a signal that has no effect?
# shellcheck disable=SC2016
interrupted='unless (fork) { select undef, undef, undef, .2; kill TERM => 1; exit }
	print "$$: ", select(undef, undef, undef, .6) < 0 ? "interrupted\n" : "slept\n"'

@test "SIGTERM: process 1 of a PID namespace is not ended by it" {
	[ "$(id -u)" -eq 0 ] || skip "a namespace needs root"
	# shellcheck disable=SC2016
	same unshare --pid --fork --kill-child "$PYTHON" -c 'import os, signal, time
print(os.getpid(), signal.getsignal(signal.SIGTERM))
os.kill(1, signal.SIGTERM)
child = os.fork()
if child == 0:
    os.kill(1, signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
print(os.waitpid(child, 0)[1])
print("alive")'
	same unshare --pid --fork --kill-child perl -e "$interrupted"
}

@test "SIGTERM: a process whose first child in a new PID namespace is its init" {
	[ "$(id -u)" -eq 0 ] || skip "a namespace needs root"
	same "$PYTHON" -c 'import ctypes, os, signal
libc = ctypes.CDLL(None)
print(libc.unshare(0x20000000))
child = os.fork()
if child == 0:
    os.kill(1, signal.SIGTERM)
    print("init is alive", flush=True)
    os._exit(3)
print(os.waitpid(child, 0)[1])'
	same perl -e "syscall(272, 0x20000000); unless (fork) { $interrupted; exit } wait"
}

@test "SIGTERM: a seccomp sandbox that allows nothing dies of the signal, and of no system call" {
	same "$BUILD/tests/exit/sandboxed"
}

@test "SIGTERM: a multithreaded server drains whichever thread gets it" {
	start server "${preloaded[@]}" "$BUILD/tests/exit/threads" "$CLIENTS"
	upload_to "$(port_of server)" >"$WORK/clients" &
	wait_until 20 says "$WORK/server.out" '^served'
	kill -TERM "${pid_of[server]}"
	ends_with server 143
	wait $!
	[ "$(cat "$WORK/clients")" = 'complete=4 of 4, reset=0' ]
}

@test "SIGTERM: other threads that go on writing get EPIPE, and the status is that of the exit" {
	start server "${preloaded[@]}" "$BUILD/tests/exit/threads" "$CLIENTS" writing
	upload_to "$(port_of server)" >"$WORK/clients" &
	wait_until 20 says "$WORK/server.out" '^served'
	kill -TERM "${pid_of[server]}"
	ends_with server 143
	wait $! || true
	run ! grep 'reset=[1-9]' "$WORK/clients"
}

@test "SIGTERM: a process without any connection keeps the default action, which wakes a sleep that no handler does" {
	local caught
	use graceful-exit
	caught=$("${preloaded[@]}" grep SigCgt /proc/self/status)
	[ "$caught" = "$(grep SigCgt /proc/self/status)" ] || fail "$caught"
	# The parent of a vfork sleeps so until its child executes something.
	start parent "${preloaded[@]}" "$BUILD/tests/exit/vforks"
	wait_until 10 says "$WORK/parent.out" waits
	kill -TERM "${pid_of[parent]}"
	wait_until 3 ended "${pid_of[parent]}" # its child stays for 20 s
}
