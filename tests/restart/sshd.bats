# sshd is stopped and started again while a session lives: the session goes on, the address is free at once, and new sessions come in;
# under lastack as without.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	# shellcheck source=tests/restart/restart.bash
	source "$BATS_TEST_DIRNAME/restart.bash"
	[ "$(id -u)" -eq 0 ] || skip "this sshd logs in root: needs root"
	private_network
	ssh-keygen -q -t ed25519 -N '' -f "$WORK/host_key"
	ssh-keygen -q -t ed25519 -N '' -f "$WORK/client_key"
	cp "$WORK/client_key.pub" "$WORK/authorized_keys"
	[ -d /run/sshd ] || mkdir -m 0755 /run/sshd
}

teardown() {
	stop_all
}

sshd_service() {
	start sshd "${preloaded[@]}" /usr/sbin/sshd -D -e -f /dev/null -p "$PORT" -h "$WORK/host_key" \
		-o ListenAddress=127.0.0.1 -o AuthorizedKeysFile="$WORK/authorized_keys" -o StrictModes=no \
		-o PermitRootLogin=prohibit-password -o PidFile=none -o UsePAM=no
	wait_until 20 listens_or_ended
	alive sshd || fail "sshd: $(cat "$WORK/sshd.err")" || return 1
	is_as_preloaded "${pid_of[sshd]}"
}

listens_or_ended() {
	is_listening || ended "${pid_of[sshd]}"
}

log_in() { # NAME COMMAND
	start "$1" timeout 60 ssh -F none -p "$PORT" -i "$WORK/client_key" -o BatchMode=yes -o StrictHostKeyChecking=no \
		-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR root@127.0.0.1 "$2"
}

echoes() { # NAME WORD
	tell "$1" "$2"
	wait_until 20 says "$WORK/$1.out" "^$2\$"
}

restart_under_a_session() {
	local times
	sshd_service
	log_in lives cat
	echoes lives before
	for times in 1 2 3; do
		stop sshd
		sockets_are 0 state listening "sport = :$PORT"
		echoes lives "without-listener-$times"
		sshd_service
		log_in "guest$times" cat
		echoes "guest$times" hello
	done
	echoes lives after
	sockets_are 4 state established "sport = :$PORT"
	run ! grep -i -e error -e fatal -e 'in use' "$WORK/sshd.err"
}

@test "sshd: a session outlives the listener, whose address is free at once, without lastack" {
	use_nothing
	restart_under_a_session
}

@test "sshd: a session outlives the listener, whose address is free at once, under legacy-server" {
	use legacy-server
	restart_under_a_session
}
