# SPDX-License-Identifier: MIT
# Shared by the tests of this folder: policy files that change under running programs.
# shellcheck disable=SC2154 # pid_of: tests/proof/helpers.bash

# by_hand FILE...: programs started from now on are preloaded without the command, with these policy files as they are named.
by_hand() {
	local list
	list=$(IFS=,; echo "$*")
	preloaded=(env LASTACK_DIR="$WORK/regions" LASTACK_LOG="$WORK/lastack.log" LASTACK_POLICY="$list" LD_PRELOAD="$BUILD/liblastack.so")
}

# bound FILE TIME ACTION: the file says, at once as editors do it (rename), that CLOSE-WAIT is bounded so.
bound() {
	printf '[close-wait]\nafter %s = %s\n' "$2" "$3" >"$1.new"
	mv "$1.new" "$1"
}

# news RESULT [PID]: how many lines of the log say that a policy was taken, or refused, by all or by one.
news() {
	grep -c "pid=${2:-[0-9]*} .*action=policy result=$1 " "$WORK/lastack.log" || true
}

news_are() { # COUNT RESULT [PID]
	[[ $(news "$2" "${3:-}") -eq $1 ]]
}

await_news() { # COUNT RESULT [PID]
	wait_until 20 news_are "$@" || fail "not $1 times $2: $(cat "$WORK/lastack.log" 2>/dev/null)"
}

# Has the watcher of this process begun? What changes before that is only looked at once.
is_watched() {
	grep -qx lastack-policy "/proc/$1/task/"*/comm 2>/dev/null
}

await_watched() { # NAME...
	local name
	for name in "$@"; do
		wait_until 20 is_watched "${pid_of[$name]}" || fail "$name: no policy file is watched"
	done
}

# When the last line with this word was written, in ms.
stamp_ms() { # WORD
	echo $(($(date -d "$(sed -n "s/^time=\([^ ]*\) .* $1 .*/\1/p" "$WORK/lastack.log" | tail -n 1)" +%s%6N) / 1000))
}

# The milliseconds from the instant (in us) to the last line of the log about this process.
ms_until_taken() { # INSTANT PID
	local stamp
	stamp=$(sed -n "s/^time=\([^ ]*\) pid=$2 .*result=taken .*/\1/p" "$WORK/lastack.log" | tail -n 1)
	echo $((($(date -d "$stamp" +%s%6N) - $1) / 1000))
}

next_is() { # ACTION [PID]
	[[ $(connections ".[] | select(.pid == ${2:-.pid} and .state == \"CLOSE-WAIT\") | .next.action") == "$1" ]]
}

await_next() { # ACTION [PID]
	wait_until 20 next_is "$@" || fail "not $1: $(lastack list -J)"
}

# leaks NAME: a connection in CLOSE-WAIT that the program has forgotten.
leaks() {
	start "$1" "${preloaded[@]}" "$PROGRAMS/reads_never_closes"
	wait_until 10 says "$WORK/$1.out" '^step open ' || fail "$(cat "$WORK/$1.err")"
	tell "$1" go
	wait_until 10 says "$WORK/$1.out" '^step eof-read ' || fail "$(cat "$WORK/$1.err")"
	await_watched "$1"
}

# The state, as the kernel has it, of what `leaks NAME` has left.
left_state() {
	state_of_cookie "$(sed -n 's/^step eof-read .* cookie=\([0-9a-f]*\) .*/\1/p' "$WORK/$1.out")"
}

left_is() { # NAME STATE
	[[ $(left_state "$1") == "$2" ]]
}
