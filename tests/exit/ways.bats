# A server answers and ends at once, and its clients are still uploading: without lastack the kernel's RST destroys the answers. Under [exit]
# none is lost, whichever way it ends, and the parent sees the same status.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/exit/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
	[ "$(id -u)" -ne 0 ] || private_network
	exit_policies
}

teardown() {
	stop_all
}

# These lose what they lose without lastack: the application asked for an RST, or for SO_LINGER's own way, or crashed.
untouched=(abort timed reset)
saved=(return exit _exit _Exit quick_exit exit_group thread raise pause stream atexit destructor library child second alarm)

# how_they_end WAY...: the status of each, and whether all was complete. Many at once, for they mostly wait.
how_they_end() {
	local way running=()
	for way in "$@"; do
		ends_by "$way" >"$WORK/$way.end" 2>"$WORK/$way.said" &
		running+=($!)
	done
	wait "${running[@]}"
	for way in "$@"; do
		cat "$WORK/$way.end"
	done
}

lost_of() {
	sed -E 's/complete=[0-9]+ of 4, reset=[0-9]+/lost/'
}

@test "exit: without lastack the answers are lost, whichever way the server ends" {
	ulimit -c 0
	use_nothing
	how_they_end "${saved[@]}" >"$BATS_FILE_TMPDIR/plain"
	run ! grep 'complete=4 of 4' "$BATS_FILE_TMPDIR/plain"
	how_they_end "${untouched[@]}" >"$WORK/untouched"
	run ! grep 'complete=4 of 4' "$WORK/untouched"
}

@test "exit: under drain every answer is complete, no RST is sent, and the status is the same" {
	[ "$(id -u)" -eq 0 ] || skip "capturing packets needs root"
	[ -e "$BATS_FILE_TMPDIR/plain" ] || how_they_end "${saved[@]}" >"$BATS_FILE_TMPDIR/plain"
	preload drain
	capture_all_resets
	how_they_end "${saved[@]}" >"$WORK/drain"
	diff <(lost_of <"$BATS_FILE_TMPDIR/plain" | sed 's/lost/complete=4 of 4, reset=0/') "$WORK/drain"
	[ "$(resets_seen)" -eq 0 ]
	[ "$(grep -c 'action=exit rule=exit result=delivered' "$WORK/lastack.log")" -eq $((CLIENTS * ${#saved[@]})) ]
	run ! ls "$WORK"/regions/*.region
}

@test "exit: under handover as well" {
	[ "$(id -u)" -eq 0 ] || skip "capturing packets needs root"
	preload handover
	capture_all_resets
	run -0 how_they_end "${saved[@]}"
	[ "$(grep -c 'complete=4 of 4, reset=0' <<<"$output")" -eq ${#saved[@]} ] || fail "$output"
	[ "$(resets_seen)" -eq 0 ]
	[ "$(grep -c 'result=handed-over' "$WORK/lastack.log")" -eq $((CLIENTS * ${#saved[@]})) ]
	wait_until 10 heirs_are 0
	[ "$(grep -c 'action=exit rule=exit result=delivered' "$WORK/lastack.log")" -eq $((CLIENTS * ${#saved[@]})) ]
	run ! ls "$WORK"/regions/*.region
}

@test "exit: an abort, SO_LINGER with a time and SO_LINGER {1,0} stay what they are" {
	ulimit -c 0
	for name in nothing drain handover; do
		[ $name = nothing ] && use_nothing || preload $name
		how_they_end "${untouched[@]}" >"$WORK/$name"
	done
	diff <(lost_of <"$WORK/nothing") <(lost_of <"$WORK/drain")
	diff <(lost_of <"$WORK/nothing") <(lost_of <"$WORK/handover")
	run ! grep 'complete=4 of 4' "$WORK/drain" "$WORK/handover"
	run ! says "$WORK/lastack.log" 'action=exit'
}

@test "exit: SO_LINGER {1,0} is drained where the policy refuses resets" {
	printf '[reset]\naction = refuse\n' >>"$WORK/drain.policy"
	preload drain
	[ "$(ends_by reset)" = 'reset: complete=4 of 4, reset=0, status 7' ]
}

@test "exit: a connection that another process holds is not ended" {
	preload drain
	start server "${preloaded[@]}" "$PYTHON" "$EXITS/leaves_it_to_a_child.py"
	start peer "$PYTHON" "$EXITS/peer.py" "$(port_of server)" stubborn
	ends_with server 5
	tell peer read
	wait_until 20 says "$WORK/peer.out" '^read'
	[ "$(cat "$WORK/peer.out")" = 'read 40' ] || fail "$(cat "$WORK/peer.out")"
}

@test "exit: in observe mode it is counted and said, and nothing is done" {
	preload drain
	preloaded+=(env LASTACK_MODE=observe)
	run ends_by return
	[[ $output != *'complete=4 of 4'* ]]
	[ "$(grep -c 'action=exit rule=exit result=would' "$WORK/lastack.log")" -eq $CLIENTS ]
	run ! grep -v 'result=would' "$WORK/lastack.log"
}

@test "exit: a rule that says plain leaves those connections to the kernel" {
	printf '[exit servers]\nmatch = role server\naction = plain\n' >>"$WORK/drain.policy"
	preload drain
	run ends_by return
	[[ $output != *'complete=4 of 4'* ]]
	[ ! -s "$WORK/lastack.log" ]
}
