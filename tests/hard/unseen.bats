# Numbers that change their owner behind our back: closed by an instruction of the program's own or by io_uring, and given to something else at
# once. The table is true at the next look, and nothing is ever done to the new owner that was meant for the old one.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	HARD=$BUILD/tests/hard
	WHAT=(nothing pipe file udp unix tcp stranger copy twin waiting)
	HOW=(hand ring)
}

teardown() {
	stop_all
}

at_step() { # STEP NAME...
	local step=$1 name
	shift
	for name in "$@"; do
		says "$WORK/$name.out" "^step $step" || says "$WORK/$name.out" '^no ring' || return 1
	done
}

# start_all: every way to close with every new owner, each a program; those that run are in `names`.
start_all() {
	local how what name
	names=()
	for how in "${HOW[@]}"; do
		for what in "${WHAT[@]}"; do
			names+=("$how-$what")
			start "$how-$what" "${preloaded[@]}" "$HARD/unseen" "$how" "$what"
		done
	done
	wait_until 20 at_step ready "${names[@]}"
	for name in "${names[@]}"; do
		says "$WORK/$name.out" '^no ring' && without_ring=$(grep '^no ring' "$WORK/$name.out")
	done
	[[ ! ${without_ring:-} ]] || names=("${names[@]/#ring-*/}")
	read -r -a names <<<"${names[*]}"
	next_step standing
}

next_step() { # STEP
	local name
	for name in "${names[@]}"; do
		tell "$name" next
	done
	wait_until 20 at_step "$1" "${names[@]}"
}

# What the program says of itself: fd_of NAME LETTER, cookie_of NAME LETTER.
fd_of() {
	sed -n "s/^$2 fd=\([0-9]*\) cookie=.*/\1/p" "$WORK/$1.out"
}

cookie_of() {
	sed -n "s/^$2 fd=[0-9]* cookie=\([0-9]*\)$/\1/p" "$WORK/$1.out"
}

# rows NAME JQ-FILTER: over what the list in `list` shows of this program.
rows() {
	jq -c ".connections[] | select(.pid == ${pid_of[$1]}) | $2" <<<"$list"
}

BOTH='
[close]
action = graceful
[close-wait]
after 1200ms = shutdown
'

@test "unseen closes: the next list shows nothing in the number that was there before" {
	local name row
	use observe
	start_all
	list=$(lastack list -J)
	for name in "${names[@]}"; do
		[ "$(rows "$name" "select(.cookie == $(cookie_of "$name" A)) | .state")" = '"CLOSE-WAIT"' ]
	done
	next_step replaced
	list=$(lastack list -J)
	for name in "${names[@]}"; do
		row=$(rows "$name" "select(.cookie == $(cookie_of "$name" A))")
		[[ ! $row ]] || fail "$name: closed, and shown: $row"
		row=$(rows "$name" "select(.fd == $(fd_of "$name" A) and .cookie != $(cookie_of "$name" B)) | [.cookie, .state]")
		[[ ! $row ]] || fail "$name: shown in the number of another: $row"
	done
	# The number is a copy now: both are shown as holders of the one connection.
	[ "$(rows hand-copy "select(.cookie == $(cookie_of hand-copy C)) | .holders | length")" -eq 2 ]
	next_step closed
	list=$(lastack list -J 'verdict L7')
	for name in "${names[@]}"; do
		case $name in
		*-tcp) [[ $(rows "$name" .) ]] || fail "$name: closed with unread data, and not shown" ;;
		*) [[ ! $(rows "$name" .) ]] || fail "$name: an abortive close, of a number that was no connection" ;;
		esac
	done
	[[ ! ${without_ring:-} ]] || skip "the part with io_uring: $without_ring"
}

@test "unseen closes: no hook, close or bound of the old owner's does anything to the new one" {
	local name strange
	use_nothing
	start_all
	next_step replaced
	next_step closed
	for name in "${names[@]}"; do
		tell "$name" next
		wait_until 5 ended "${pid_of[$name]}"
		stop "$name"
		grep -E '^[0-9]' "$WORK/$name.out" >"$WORK/$name.plain"
	done
	policy both <<<"$BOTH"
	use "$WORK/both.policy"
	start_all
	next_step replaced
	# C's time, later than A's, has come: so A's number has been looked at when A would have been due.
	for name in "${names[@]}"; do
		[[ $name == *-copy ]] || wait_until 10 acted_on_c "$name"
	done
	next_step closed
	for name in "${names[@]}"; do
		tell "$name" next
		wait_until 10 ended "${pid_of[$name]}"
		strange=$(grep "pid=${pid_of[$name]} .*action=shutdown" "$WORK/lastack.log" |
			grep -v -e "cookie=$(cookie_of "$name" A) " -e "cookie=$(cookie_of "$name" C) " || true)
		[[ ! $strange ]] || fail "$name: $strange"
		stop "$name"
		grep -E '^[0-9]' "$WORK/$name.out" >"$WORK/$name.with"
		# The one difference that the policy asks for: what is followed again is closed gracefully.
		[[ $name != *-tcp ]] || sed -i 's/peer_reads(client) = -104, errno 104/peer_reads(client) = 0, errno 1234/' "$WORK/$name.plain"
		diff "$WORK/$name.plain" "$WORK/$name.with" || fail "$name"
	done
	[[ ! ${without_ring:-} ]] || skip "the part with io_uring: $without_ring"
}

acted_on_c() { # NAME
	grep -q -s "pid=${pid_of[$1]} .*action=shutdown .*result=ok .*cookie=$(cookie_of "$1" C) " "$WORK/lastack.log"
}
