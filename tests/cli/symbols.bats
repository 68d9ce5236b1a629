# Whose files report opens, and what it believes of them: the region that names them may be a stranger's.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	use observe
	mkdir -m 0700 "$WORK/private"
	cp "$PROGRAMS/reads_never_closes" "$WORK/private/leaker"
	start leaker "${preloaded[@]}" "$WORK/private/leaker"
	wait_until 10 says "$WORK/leaker.out" '^step open '
	tell leaker go
	wait_until 10 says "$WORK/leaker.out" '^step eof-read ' || fail "$(cat "$WORK/leaker.out" "$WORK/leaker.err")"
	region=$WORK/regions/${pid_of[leaker]}.region
}

teardown() {
	stop_all
}

told() { # REGEX of a line
	run -1 --separate-stderr timeout 10 "$LASTACK" report --min-age 0s "$region"
	grep -qE "$1" <<<"$output" || fail "$output"
}

@test "report: functions, files and lines of a program with debug information" {
	told '^    #[0-9]+ +main at .*reads_never_closes\.c:[0-9]+ \(leaker\+0x[0-9a-f]+\)$'
}

@test "report: root opens no file for a region's owner that the owner could not open" {
	[ "$(id -u)" -eq 0 ] || skip "only root reads other people's regions"
	chown nobody "$region"
	told '^    #0 +\?\? \(leaker\+0x[0-9a-f]+\)$'
	[[ $output != *reads_never_closes.c* ]]
	# What anybody may read is still explained.
	[[ $output == *"libc_start"*"(libc.so.6+0x"* ]] || fail "$output"
}

@test "report: another program where the recorded one was is not believed" {
	stop leaker
	cp "$PROGRAMS/never_reads" "$WORK/private/leaker"
	told '^    #0 +\?\? \(leaker\+0x[0-9a-f]+\)$'
	[[ $output != *never_reads.c* ]]
}

@test "report: a recorded file that is a FIFO by now holds nobody up" {
	stop leaker
	rm "$WORK/private/leaker"
	mkfifo "$WORK/private/leaker"
	told '^    #0 +\?\? \(leaker\+0x[0-9a-f]+\)$'
}
