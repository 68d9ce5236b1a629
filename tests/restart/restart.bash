# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # what it sets is for who sources it, after helpers.bash
# Restarts under load: each story is played without lastack and under a policy, and no connection is refused or lost in either.

PORT=8080
RESTART=$TOP/tests/restart

# ---- the load --------------------------------------------------------------------------------------------------------------


load_begins() { # [BODY-BYTES]
	start load "$PYTHON" "$RESTART/load.py" "$PORT" "$@"
	wait_until 10 says "$WORK/load.out" '^loading' || fail "load: $(cat "$WORK/load.err")"
	load_goes_on 100
}

loaded() {
	local lines
	lines=$(wc -l <"$WORK/load.out")
	tell load count
	wait_until 15 has_more_lines "$lines"
	sed -n '$s/^complete=\([0-9]*\) .*/\1/p' "$WORK/load.out"
}

has_more_lines() {
	[[ $(wc -l <"$WORK/load.out") -gt $1 ]]
}

has_loaded() {
	[[ $(loaded) -ge $1 ]]
}

# So many more connections have come to their end.
load_goes_on() {
	local until=$(($(loaded) + $1))
	wait_until 30 has_loaded "$until" || fail "the load came to a standstill: $(tail -n 1 "$WORK/load.out")"
}

# Ends it, and says what became of the connections: "refused=N lost=N".
load_ends() {
	tell load end
	wait_until 20 ended "${pid_of[load]}"
	sed -n '$s/^complete=[0-9]* //p' "$WORK/load.out"
	stop load
}

# ---- who runs ----------------------------------------------------------------------------------------------------------------

is_listening() {
	[[ $(sockets state listening "sport = :$PORT") -gt 0 ]]
}

# The processes that a master has, but for those given.
children_but() { # MASTER [PID...]
	local master=$1 child
	shift
	for child in $(pgrep -P "$master"); do
		[[ " $* " == *" $child "* ]] || echo "$child"
	done
}

has_children_but() {
	[[ $(children_but "$@") ]]
}

all_ended() {
	local pid
	for pid in "$@"; do
		ended "$pid" || return 1
	done
}

# Is the shim in this process? As it should be: exactly when something is preloaded.
is_as_preloaded() {
	if [[ ${preloaded[*]} ]]; then
		grep -q liblastack.so "/proc/$1/maps"
	else
		! grep -q liblastack.so "/proc/$1/maps"
	fi
}

# No process of these holds a listener of this port any more: it has ended, or is at it.
have_left_the_listener() { # PID...
	local pid inode
	for inode in $("${network[@]}" ss -ltneH "sport = :$PORT" | sed -n 's/.* ino:\([0-9]*\) .*/\1/p'); do
		for pid in "$@"; do
			[[ ! $(find "/proc/$pid/fd" -lname "socket:\[$inode\]" 2>/dev/null) ]] || return 1
		done
	done
}
