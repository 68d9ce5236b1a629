#!/usr/bin/env bash
# The main job on real servers, each without and with lastack: a leak of half-closed connections in Node, seen and bounded; and
# responses of gunicorn that an RST destroys, kept. Exit status 0 only if both hold. Takes about half a minute.
set -euo pipefail

WORK=$(mktemp -d)
# shellcheck source=tests/proof/helpers.bash
source "$(dirname "$0")/proof/helpers.bash"

finish() {
	stop_all
	rm -rf "$WORK"
}
trap finish EXIT

bold='' plain=''
if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; then
	bold=$'\e[1m' plain=$'\e[0m'
fi

title() {
	printf '\n%s%s%s\n' "$bold" "$1" "$plain"
}

say() {
	printf '  %s\n' "$*"
}

# A command as a user would type it, and what it prints.
show() {
	local argument line='$ lastack'
	for argument in "$@"; do
		[[ $argument != *' '* ]] || argument="'$argument'"
		line+=" $argument"
	done
	printf '\n  %s%s%s\n' "$bold" "$line" "$plain"
	lastack "$@" 2>&1 | sed 's/^/  | /' || [ "${PIPESTATUS[0]}" -eq 1 ] # 1: it found something
}

seconds_since() { # start, in microseconds
	local tenths=$(((${EPOCHREALTIME/./} - $1) / 100000))
	echo "$((tenths / 10)).$((tenths % 10))"
}

# What became of the clients that hung up, within 4 s. Sets stuck_now and serves.
leak_outcome() {
	local started=${EPOCHREALTIME/./}
	say "10 clients ask for an upgrade, get their answer, and hang up."
	if wait_until 4 stuck_are 0; then
		say "$(seconds_since "$started") s later none of them is in CLOSE-WAIT, as ss counts."
	else
		say "4 s later $(stuck) of $LEAK_CLIENTS are in CLOSE-WAIT, as ss counts."
	fi
	stuck_now=$(stuck)
	serves=no
	if still_serves "$leak_port"; then
		serves=yes
	fi
	say "The server still serves: $serves. Lines in its own log: $(wc -l <"$WORK/node.err")."
}

title "1. A leak: a Node server whose 'upgrade' handler forgets the socket (tests/apps/node_upgrade.js)"

title "   without lastack"
use_nothing
leak_server
leak_clients
leak_outcome
leak_without=$stuck_now
stop node

title "   preloaded, policy observe: nothing changes, and it is seen"
say "\$ lastack run -p observe -- node tests/apps/node_upgrade.js"
use observe
leak_server
leak_clients
wait_until 4 stuck_are "$LEAK_CLIENTS"
say "10 clients ask for an upgrade, get their answer, and hang up."
wait_until 5 leaks_are "$LEAK_CLIENTS" # none is reported in its first second
show list 'state close-wait'
show report
seen=$(connections 'map(select(.state == "CLOSE-WAIT" and .verdict == "L1")) | length')
stop node

title "   preloaded, with a bound: [close-wait] after 2s = shutdown"
policy bound <<-'END'
	[close-wait]
	after 2s = shutdown
END
say "\$ lastack run -p bound.policy -- node tests/apps/node_upgrade.js"
use "$WORK/bound.policy"
leak_server
leak_clients
leak_outcome
leak_with=$stuck_now
leak_serves=$serves
leak_log=$(wc -l <"$WORK/node.err")
stop node

title "2. A lost response: gunicorn answers 413 with 200 KB to an upload that the application does not read (tests/apps/upload_app.py)"
say "20 clients with an 8 KiB receive buffer upload 1 MiB each, then read the answer to its end."

capturing=no
if [ "$(id -u)" -eq 0 ]; then
	private_network
	capturing=yes
else
	say "(Not root: no packet capture.)"
fi

# Sets complete and resets.
upload_outcome() {
	local line
	upload_server
	if [ $capturing = yes ]; then
		capture_resets "$upload_port"
	fi
	line=$(upload_clients) || [ $? -eq 1 ]
	complete=$(complete_of "$line")
	resets='?'
	if [ $capturing = yes ]; then
		resets=$(resets_seen)
		stop capture
	fi
	stop gunicorn
	say "Complete responses: $complete of $UPLOADS. RSTs that the server sent, as captured: $resets."
}

title "   without lastack"
use_nothing
upload_outcome
upload_without=$complete
resets_without=$resets

title "   preloaded, policy graceful-close: FIN, then the rest of the upload is drained, then close"
say "\$ lastack run -p graceful-close -- gunicorn ..."
use graceful-close
upload_outcome
upload_with=$complete
resets_with=$resets

title "Side by side"
row() {
	printf '  %-58s %17s %17s\n' "$@"
}
row '' 'without lastack' 'with lastack'
row 'Node: clients in CLOSE-WAIT 4 s after they hung up' "$leak_without of $LEAK_CLIENTS" "$leak_with of $LEAK_CLIENTS"
row 'Node: leaked connections seen and explained (L1)' '-' "$seen of $LEAK_CLIENTS"
row 'gunicorn: responses complete' "$upload_without of $UPLOADS" "$upload_with of $UPLOADS"
row 'gunicorn: RSTs sent by the server' "$resets_without" "$resets_with"
echo

[ "$leak_without" -eq "$LEAK_CLIENTS" ] || fail "demo: without lastack the leak did not show"
[ "$seen" -eq "$LEAK_CLIENTS" ] || fail "demo: lastack did not see every leaked connection"
[ "$leak_with" -eq 0 ] || fail "demo: the bound did not end the leak"
[ "$leak_serves" = yes ] || fail "demo: the bounded server does not serve"
[ "$leak_log" -eq 0 ] || fail "demo: the bounded server was disturbed"
[ "$upload_without" -lt "$UPLOADS" ] || fail "demo: without lastack no response was lost"
[ "$upload_with" -eq "$UPLOADS" ] || fail "demo: responses were lost under graceful-close"
[ $capturing = no ] || [ "$resets_with" -eq 0 ] || fail "demo: the server sent an RST under graceful-close"
echo "Both hold."
