# Every system call of the library fails once, and all from one on: memory, descriptors, threads, files. The program never notices, and what is off
# is said in one line.

bats_require_minimum_version 1.5.0

ENOMEM=12 EMFILE=24 EPERM=1 EAGAIN=11 ENOSPC=28
MMAP=9 CLONE=56
# What takes something: mmap mprotect madvise openat fcntl clone mkdirat ftruncate write munlock
TAKES=9,10,28,257,72,56,258,77,1,150

setup() {
	# shellcheck source=tests/faults/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
	faults_setup
	plain "$CONVERSES"
	[ "$(tail -n 1 "$WORK/plain")" = "status 17" ]
}

# fail_each CALLS ERROR FIRST STEP [-]: the FIRST-th, then every STEP-th, until there are no more; "-": and all that follow.
fail_each() {
	local n=$3 rest=${5:-} calls
	for ((calls = n; n <= calls; n += $4)); do
		faulty=("$FAILS" "$1" "$n$rest" "$2")
		rm -rf "$WORK/regions"
		preload "$CONVERSES"
		nobody_noticed || fail "call $n$rest of $1, error $2" || return 1
		never_twice
		# A little more than were counted: the helper's turns differ.
		calls=$(sed -n 's/^fails: calls //p' "$WORK/with.err")
		((calls <= 700)) || calls=700
	done
}

@test "calls: nothing fails, and nothing is said" {
	faulty=("$FAILS" all 0 "$ENOMEM")
	preload "$CONVERSES"
	nobody_noticed
	[ ! -s "$WORK/said" ]
	[ -z "$(off)" ]
	[ "$(sed -n 's/^fails: calls //p' "$WORK/with.err")" -gt 100 ]
}

@test "calls: each of the library's mmaps fails: nobody notices" {
	fail_each "$MMAP" "$ENOMEM" 1 1
	fail_each "$MMAP" "$ENOMEM" 1 2 -
}

@test "calls: each of the library's calls fails: nobody notices" {
	fail_each all "$ENOMEM" 1 "$FAULT_STEP"
	((FAULT_STEP > 1)) || fail_each all "$EPERM" 1 1
}

@test "calls: whatever the library takes from the system is refused from some call on: nobody notices" {
	fail_each "$TAKES" "$ENOSPC" 1 "$FAULT_STEP" -
	fail_each "$TAKES" "$EMFILE" $(((FAULT_STEP + 1) / 2)) "$FAULT_STEP" -
}

@test "calls: no memory for the region: said once, and connections go on" {
	faulty=("$FAILS" "$MMAP" 3- "$ENOMEM")
	preload "$CONVERSES" 3
	plain "$CONVERSES" 3
	nobody_noticed
	off_is tracking
	commands_cope
}

@test "calls: no thread for the helper: said once in the whole family, and report knows it" {
	plain "$CONVERSES" 3
	faulty=("$FAILS" "$CLONE" 1- "$EAGAIN")
	preload "$CONVERSES" 3
	nobody_noticed
	off_is helper
	grep -q 'off=helper error=EAGAIN meaning="no thread' "$WORK/lastack.log"
	run ! grep action= "$WORK/lastack.log"
}
