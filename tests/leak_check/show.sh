#!/usr/bin/env bash
# What lastack run --leak-check finds in a test suite that somebody else wrote: that of socks-proxy-agent 4.0.2 (npm). On today's Node its five
# tests pass, and then its "after all" hook waits in vain for its SOCKS server to close. The report says why: the server (socksv5 0.0.6, a
# development dependency) has accepted a connection that is long gone, and keeps its descriptor.
#
# Three runs of the same tests: by themselves, under the leak check, and under it with the one line that the server lacks.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
BUILD=$(realpath "${BUILD:-build}")
work=$BUILD/leak-check
tests=(node --no-deprecation node_modules/mocha/bin/mocha.js --exit --reporter dot node_modules/socks-proxy-agent/test/test.js)

fetch() {
	mkdir -p "$work" && cd "$work" || return
	[ -d node_modules/mocha ] && [ -d node_modules/socksv5 ] && return
	echo '{ "private": true }' >package.json
	timeout 300 npm install --silent --no-audit --no-fund --ignore-scripts \
		socks-proxy-agent@4.0.2 socksv5@0.0.6 raw-body@2.3.3 mocha@10.8.2
}

# run NAME COMMAND...: the command's output, indented; its status goes to the table.
run() {
	local name=$1 status
	shift
	echo "== $name"
	timeout 120 "$@" 2>&1 | sed '/^ *$/d; s/^/   /'
	status=${PIPESTATUS[0]}
	table+=("$(printf '  %-48s %6s' "$name" "$status")")
	statuses+=("$status")
}

fetch || { echo "show-leak-check: the packages could not be had from the npm registry" >&2; exit 1; }
server=node_modules/socksv5/lib/server.js
[ -f server.orig ] || cp "$server" server.orig
cp server.orig "$server"
table=() statuses=()
run "the tests by themselves" "${tests[@]}"
run "under lastack run --leak-check" "$BUILD/lastack" run --leak-check -- "${tests[@]}"
sed -i "s|^    socket.dstSock = dstSock;|    dstSock.on('close', () => socket.destroy());\n&|" "$server"
run "under it, the server repaired by one line" "$BUILD/lastack" run --leak-check -- "${tests[@]}"
cp server.orig "$server"
echo
printf '  %-48s %6s\n' "" status
printf '%s\n' "${table[@]}"
[ "${statuses[*]}" = "1 99 0" ]
