# The programs of tests/apps that do one thing wrong. At each of their steps the position that lastack shows is compared with the
# kernel's, read in two ways: TCP_INFO by the program itself, and ss by the connection's cookie. All under observe.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
	declare -gA here=()
	use observe
}

teardown() {
	stop_all
}

sin() {
	start sin "${preloaded[@]}" "$PROGRAMS/$1"
}

# at STEP: the program has arrived there; what it says of itself is in here[fd], here[cookie], here[unread], here[kernel] ...
at() {
	local pair pairs
	wait_until 10 says "$WORK/sin.out" "^step $1 " || fail "no step $1: $(cat "$WORK/sin.out" "$WORK/sin.err")"
	here=()
	read -ra pairs < <(sed -n "s/^step $1 //p" "$WORK/sin.out")
	for pair in "${pairs[@]}"; do
		here[${pair%%=*}]=${pair#*=}
	done
}

go_on() {
	tell sin go
}

shown() { # FIELD
	lastack list -J | jq -r --arg local "${here[local]}" --arg peer "${here[peer]}" \
		".connections[] | select(.local == \$local and .peer == \$peer) | .$1"
}

# stands STATE: the kernel, asked in both ways, and lastack say so. TIME-WAIT and CLOSED look alike to a descriptor, and ss shows
# nothing of a closed one.
stands() {
	local by_descriptor=$1 by_ss=$1
	case $1 in
	TIME-WAIT) by_descriptor=CLOSED ;;
	CLOSED) by_ss='' ;;
	esac
	[ "${here[fd]}" -lt 0 ] || [ "${here[kernel]}" = "$by_descriptor" ] ||
		fail "the program says ${here[kernel]}, not $by_descriptor"
	[ "$(state_of_cookie "${here[cookie]}")" = "$by_ss" ] ||
		fail "ss says '$(state_of_cookie "${here[cookie]}")', not '$by_ss'"
	[ "$(shown state)" = "$1" ] || fail "lastack says '$(shown state)', not '$1'"
}

# gone: closed, and the kernel knows it no more; lastack shows it as CLOSED or not at all.
gone() {
	[ "${here[fd]}" -lt 0 ]
	[ -z "$(state_of_cookie "${here[cookie]}")" ] || fail "ss says '$(state_of_cookie "${here[cookie]}")'"
	[[ $(shown state) == "" || $(shown state) == CLOSED ]] || fail "lastack says '$(shown state)'"
}

@test "never accepts: CLOSE-WAIT in the backlog, held by no one; once accepted it is followed" {
	sin never_accepts
	at in-backlog
	sockets_are 1 state close-wait "sport = :${here[local]##*:}"
	[ "$(connections "map(select(.local == \"${here[local]}\") | .verdict) | join(\" \")")" = L4 ]
	go_on
	at accepted
	stands CLOSE-WAIT
	[ "$(shown eof)" = unread ]
	[ "$(shown unread)" = 10 ]
	[ "$(shown verdict)" = L2 ]
	go_on
	at read
	stands CLOSE-WAIT
	[ "$(shown eof)" = read ]
	[ "$(shown verdict)" = L1 ]
	go_on
	at closed
	gone
}

@test "never reads: the FIN waits behind the data, and the application does not know" {
	sin never_reads
	at data-unread
	stands ESTABLISHED
	[ "$(shown unread)" = 5 ]
	go_on
	at eof-unread
	stands CLOSE-WAIT
	[ "$(shown eof)" = unread ]
	[ "$(shown unread)" = 5 ]
	[ "$(shown verdict)" = L2 ]
}

@test "reads, never closes: told of the FIN, it keeps the descriptor" {
	sin reads_never_closes
	at open
	stands ESTABLISHED
	go_on
	at eof-read
	stands CLOSE-WAIT
	[ "$(shown eof)" = read ]
	[ "$(shown unread)" = 0 ]
	[ "$(shown verdict)" = L1 ]
	[ "$(shown fd)" = "${here[fd]}" ]
	[ "$(shown pid)" = "${pid_of[sin]}" ]
}

@test "closes with unread data: the kernel sends an RST and the connection is gone" {
	sin closes_unread
	at request-unread
	stands ESTABLISHED
	[ "$(shown unread)" = 1000 ]
	go_on
	at closed
	gone
	[ "$(lastack report --min-age 0s -J | jq -r '.groups[].verdict')" = L7 ]
	go_on
	wait_until 5 says "$WORK/sin.out" 'then: Connection reset by peer'
}

@test "SHUT_RDWR with data arriving: FIN-WAIT-2, then reset, the descriptor dead" {
	sin shut_rdwr_then_data
	at open
	stands ESTABLISHED
	go_on
	at shut-down
	stands FIN-WAIT-2
	[ "$(shown verdict)" = L6 ]
	go_on
	at data-arrived
	stands CLOSED
	[ "$(shown verdict)" = L5 ]
	go_on
	at closed
	gone
}

@test "SO_LINGER {1,0}: an RST from ESTABLISHED and from CLOSE-WAIT" {
	sin linger_reset
	at open
	stands ESTABLISHED
	go_on
	at reset-when-open
	gone
	go_on
	at half-closed
	stands CLOSE-WAIT
	go_on
	at reset-when-half-closed
	gone
	go_on
	wait_until 5 says "$WORK/sin.out" '^end'
	[ "$(grep -c 'the peer: Connection reset by peer' "$WORK/sin.out")" -eq 2 ]
}

@test "SO_LINGER {1,1}: close blocks a second, as without lastack, and the orphan is followed to its end" {
	sin linger_timed
	at open
	stands ESTABLISHED
	go_on
	at closed
	stands FIN-WAIT-1
	wait_until 5 says "$WORK/sin.out" '^close took 1[0-4][0-9][0-9] ms'
	go_on
	at acknowledged
	wait_until 3 is_in FIN-WAIT-2
	stands FIN-WAIT-2
	go_on
	at peer-closed
	wait_until 3 is_in TIME-WAIT
	stands TIME-WAIT
}

is_in() {
	[ "$(state_of_cookie "${here[cookie]}")" = "$1" ]
}

@test "crossing FINs: FIN-WAIT-1, CLOSING, TIME-WAIT" {
	sin crossing_fins
	at our-fin-sent
	stands FIN-WAIT-1
	go_on
	at fins-crossed
	stands CLOSING
	go_on
	at eof-read
	stands CLOSING
	go_on
	at our-fin-acknowledged
	stands TIME-WAIT
	go_on
	at closed
	stands TIME-WAIT
}

@test "the peer's RST ends every state" {
	sin peer_resets
	for state in ESTABLISHED CLOSE-WAIT FIN-WAIT-1 FIN-WAIT-2 CLOSING LAST-ACK; do
		at "${state,,}"
		stands "$state"
		go_on
		at "${state,,}-reset"
		stands CLOSED
		[ "$(shown verdict)" = L5 ]
		go_on
	done
}

@test "held by a dup: one close ends nothing" {
	sin holds_by_dup
	at duplicated
	stands ESTABLISHED
	go_on
	at one-closed
	stands ESTABLISHED
	[ "$(shown fd)" = "${here[fd]}" ]
	go_on
	at still-works
	stands ESTABLISHED
	go_on
	at peer-finished
	stands CLOSE-WAIT
	go_on
	at both-closed
	gone
}

@test "held by a dup: under a graceful close too, and the last one sends the FIN" {
	policy always <<-'END'
		[close]
		action = graceful
		linger = always
	END
	use "$WORK/always.policy"
	sin holds_by_dup
	for step in duplicated one-closed still-works; do
		at $step
		stands ESTABLISHED
		go_on
	done
	at peer-finished
	stands CLOSE-WAIT
	go_on
	wait_until 5 says "$WORK/sin.out" 'the peer read 10 bytes, then: end of stream'
	at both-closed
	gone
}

@test "closes with unread data: under graceful-close the peer reads the answer and the end of the stream" {
	use graceful-close
	sin closes_unread
	at request-unread
	go_on
	at closed
	wait_until 3 stands FIN-WAIT-2 2>/dev/null # the ACK of our FIN may be delayed
	go_on
	wait_until 5 says "$WORK/sin.out" 'the peer read 2 bytes, then: end of stream'
}
