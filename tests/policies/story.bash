# SPDX-License-Identifier: MIT
# Shared by the stories of this folder, one for each shipped policy. Each plays the shipped file itself, its times divided, so that file and
# story cannot drift apart; ss says what has happened.

bats_require_minimum_version 1.5.0
# shellcheck source=tests/proof/helpers.bash
source "$(dirname "${BASH_SOURCE[0]}")/../proof/helpers.bash"
PEER=$(dirname "${BASH_SOURCE[0]}")/peer.py

# hasten NAME FACTOR: $WORK/NAME.policy is the shipped policy with every time divided by FACTOR.
hasten() {
	# shellcheck disable=SC2016 # for perl
	factor=$2 perl -pe '
		BEGIN { %ms = (ms => 1, s => 1000, m => 60000, h => 3600000) }
		s/^([^#]*)// and $value = $1;
		$value =~ s/\b(\d+)(ms|s|m|h)\b/int($1 * $ms{$2} \/ $ENV{factor}) . "ms"/ge;
		$_ = $value . $_
	' "$TOP/policies/$1.policy" >"$WORK/$1.policy"
	lastack policy check "$WORK/$1.policy" >"$WORK/checked" 2>&1 || fail "$(cat "$WORK/checked")"
}

# serve SERVER POLICY...: a server of tests/apps under these policies; sets port. Without policies: not preloaded.
serve() {
	local server=$1
	shift
	if (($#)); then use "$@"; else use_nothing; fi
	start server "${preloaded[@]}" "$PROGRAMS/$server"
	port=$(port_of server)
}

in_state() { # COUNT STATE
	sockets_are "$1" state "$2" "sport = :$port"
}

# A peer of its own (peer.py); what it says goes to $WORK/NAME.out.
start_peer() { # NAME WORD...
	start "$1" "$PYTHON" "$PEER" "$port" "${@:2}"
	wait_until 20 says "$WORK/$1.out" '^ready'
}

# The client that a bound is for: it has sent all it had to say, and waits.
start_patient_client() {
	start patient "$PROGRAMS/half_closing_client" "$port" 0 stall
	wait_until 20 in_state 1 close-wait
}

has_keepalive() { # STATE
	[ "$("${network[@]}" ss -tanoH state "$1" "sport = :$port" | grep -c 'timer:(keepalive')" -eq 1 ]
}

logged() { # COUNT ACTION [RESULT]
	[ "$(grep -s -c "action=$2 .*result=${3:-ok}" "$WORK/lastack.log")" = "$1" ]
}

# What the application holds is its own count of sockets, by its own hand.
holds() { # COUNT
	tell server count
	wait_until 5 says "$WORK/server.out" "open=$1$"
}
