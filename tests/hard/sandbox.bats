# Sandboxes: seccomp kills whoever makes a system call too many. A program that locks itself in is left alone from before the filter is there.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	HARD=$BUILD/tests/hard
}

teardown() {
	stop_all
}

said_by() { # NAME COMMAND...
	local name=$1
	shift
	timeout 70 "$@" >"$WORK/$name" 2>&1 3>&- </dev/null || fail "$name: $(cat "$WORK/$name")"
}

# Connections that were closed with unread data, before the sandbox, show that enforcement was at work.
unread() {
	grep '^unread:' "$WORK/$1" | sort -u
}

@test "sandbox: strict mode and killing filters, with TSYNC too, while a helper is at work" {
	said_by plain "$HARD/sandbox"
	use observe
	said_by observed "${preloaded[@]}" "$HARD/sandbox"
	diff "$WORK/plain" "$WORK/observed"
	use graceful-close bounded-close-wait
	said_by enforced "${preloaded[@]}" "$HARD/sandbox"
	diff <(grep -v '^unread:' "$WORK/plain") <(grep -v '^unread:' "$WORK/enforced")
	[ "$(unread plain)" = "unread: the peer reads -104" ]
	[ "$(unread enforced)" = "unread: the peer reads 0" ]
}

ssh_server() {
	[ -d /run/sshd ] || mkdir -m 0755 /run/sshd
	sshd_port=$(free_port)
	start "$1" "${preloaded[@]}" /usr/sbin/sshd -D -e -f /dev/null -p "$sshd_port" -h "$WORK/host_key" \
		-o ListenAddress=127.0.0.1 -o AuthorizedKeysFile="$WORK/authorized_keys" -o StrictModes=no \
		-o PermitRootLogin=prohibit-password -o PidFile=none -o UsePAM=no -o MaxStartups=100 -o LogLevel=VERBOSE
	wait_until 15 says "$WORK/$1.err" 'Server listening' || fail "$(cat "$WORK/$1.err")"
}

log_in() {
	timeout 60 ssh -F none -p "$sshd_port" -i "$WORK/client_key" -o BatchMode=yes -o StrictHostKeyChecking=no \
		-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR root@127.0.0.1 true 3>&- </dev/null
}

# log_in_often: five at a time, LOGINS in all; every one must succeed.
LOGINS=15
log_in_often() {
	local round i pids pid
	for ((round = 0; round < LOGINS / 5; round++)); do
		pids=()
		for ((i = 0; i < 5; i++)); do
			log_in 2>>"$WORK/ssh.err" &
			pids+=($!)
		done
		for pid in "${pids[@]}"; do
			wait "$pid" || fail "a login failed: $(cat "$WORK/ssh.err")" || return 1
		done
	done
}

@test "sandbox: a real sshd, locked in before each login, lets 30 of them in and complains of nothing" {
	local policies
	[ "$(id -u)" -eq 0 ] || skip "this sshd logs in root: needs root"
	ssh-keygen -q -t ed25519 -N '' -f "$WORK/host_key"
	ssh-keygen -q -t ed25519 -N '' -f "$WORK/client_key"
	cp "$WORK/client_key.pub" "$WORK/authorized_keys"
	for policies in observe "graceful-close bounded-close-wait"; do
		# shellcheck disable=SC2086
		use $policies
		ssh_server sshd
		# A client that says no more than this keeps a child in its sandbox: so that we see that there is one, and that it is preloaded.
		exec {silent}<>"/dev/tcp/127.0.0.1/$sshd_port"
		printf 'SSH-2.0-silent\r\n' >&"$silent"
		wait_until 10 preauth_child_is_locked_in || fail "no sandbox is seen"
		log_in_often
		exec {silent}>&-
		[ "$(grep -c 'Accepted publickey' "$WORK/sshd.err")" -eq $LOGINS ] || fail "$(cat "$WORK/sshd.err")"
		run ! grep -i -E 'sandbox|violation|error|fatal|killed|broken|signal|bad system call' "$WORK/sshd.err"
		stop sshd
	done
}

# The child of a child of the server, in mode 2 (filter), with our library in it.
preauth_child_is_locked_in() {
	local child grandchild
	for child in $(pgrep -P "${pid_of[sshd]}"); do
		for grandchild in $(pgrep -P "$child"); do
			grep -q '^Seccomp:[[:space:]]*2' "/proc/$grandchild/status" 2>/dev/null &&
				grep -q liblastack "/proc/$grandchild/maps" && return 0
		done
	done
	return 1
}
