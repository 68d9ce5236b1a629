# SPDX-License-Identifier: MIT
# For the tests of this folder: the same program without and with the library, and nobody may notice.

# shellcheck source=tests/proof/helpers.bash
source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
export CONVERSES=$BUILD/tests/faults/converses
FAILS=$BUILD/tests/faults/fails
# In front of both runs: a limit, a mount namespace.
around=()
# For the preloaded one, in front of its command.
faulty=()
# Variables of the preloaded one.
variables=()
# One of every so many calls is let fail; `make faults` takes every one.
FAULT_STEP=${FAULT_STEP:-25}

faults_setup() {
	WORK=$BATS_TEST_TMPDIR
	[ -x "$FAILS" ] || skip "made for x86-64"
	policy all <<-'END'
		[close-wait]
		after 30s = keepalive
		[close]
		action = graceful
		linger = always
	END
	variables=(LASTACK_DIR="$WORK/regions" LASTACK_LOG="$WORK/lastack.log")
}

needs_root() {
	[ "$(id -u)" -eq 0 ] || skip "only root may do that"
}

# plain COMMAND...: without lastack, to $WORK/plain.
plain() {
	local status=0
	timeout 60 "${around[@]}" "$@" >"$WORK/plain" 2>"$WORK/plain.err" </dev/null || status=$?
	echo "status $status" >>"$WORK/plain"
}

# preload COMMAND...: with it, to $WORK/with; what lastack says on standard error to $WORK/said.
preload() {
	local status=0
	rm -f "$WORK/lastack.log"
	timeout 60 "${around[@]}" "${faulty[@]}" env "${variables[@]}" LASTACK_POLICY="$WORK/all.policy" \
		LD_PRELOAD="$BUILD/liblastack.so" "$@" >"$WORK/with" 2>"$WORK/with.err" </dev/null || status=$?
	echo "status $status" >>"$WORK/with"
	grep '^lastack: ' "$WORK/with.err" >"$WORK/said" || true
	grep -v -e '^lastack: ' -e '^fails: ' -e '^ERROR: ld.so: object' "$WORK/with.err" >"$WORK/with.rest" || true
}

# Output, status, standard error: all as without.
nobody_noticed() {
	if ! diff "$WORK/plain" "$WORK/with" >"$WORK/differs" || ! diff "$WORK/plain.err" "$WORK/with.rest" >"$WORK/differs"; then
		fail "$(head -n 20 "$WORK/differs")"
	fi
}

# What the log says is off, a word a line.
off() {
	sed -n 's/.* off=\([^ ]*\).*/\1/p' "$WORK/lastack.log" 2>/dev/null
}

# off_is WORD...: these, each once, and nothing else.
off_is() {
	[ "$(off | sort)" = "$(printf '%s\n' "$@" | sort)" ] || fail "off: $(off | xargs), not $*"
}

never_twice() {
	[ -z "$(off | sort | uniq -d)" ] || fail "said twice: $(off | sort | uniq -c)"
}

# The commands look at what is left: no crash, and standard output is theirs.
commands_cope() {
	local status
	for command in list report table "list --coverage"; do
		status=0
		# shellcheck disable=SC2086 # "list --coverage"
		lastack $command >/dev/null 2>"$WORK/command.err" || status=$?
		[ "$status" -le 1 ] || [ "$status" -eq 5 ] || fail "$command: status $status: $(cat "$WORK/command.err")" || return 1
	done
}

# private_mounts COMMAND: both runs, and the commands, see the mounts that this shell command makes, and nobody else does.
private_mounts() {
	needs_root
	start mounts unshare --mount --propagation private sh -ec "$1; echo ready; exec sleep 300"
	wait_until 5 says "$WORK/mounts.out" ready || skip "no mounts of our own: $(cat "$WORK/mounts.err")"
	around=(nsenter --mount="/proc/${pid_of[mounts]}/ns/mnt")
	network=("${around[@]}") # where `lastack` looks
}
