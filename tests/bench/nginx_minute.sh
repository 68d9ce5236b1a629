#!/usr/bin/env bash
# A minute of wrk -t2 -c64 against nginx under graceful-close and bounded-close-wait, half of it keep-alive, half with
# `Connection: close`; and the same load, interleaved, against an nginx without lastack. Prints the ratio of the throughputs and its
# spread. Exit status 0 only when there was no error, no log line and no lingering descriptor.
#
# PAIRS (default 6) pairs, each with SECONDS_EACH (default 5) of either load on either server.
set -euo pipefail

WORK=$(mktemp -d)
# shellcheck source=tests/proof/helpers.bash
source "$(dirname "$0")/../proof/helpers.bash"
PAIRS=${PAIRS:-6}
SECONDS_EACH=${SECONDS_EACH:-5}
bad=0

# shellcheck disable=SC2317 # called by the trap
finish() {
	stop_all
	rm -rf "$WORK"
}
trap finish EXIT

# load PORT WRK-OPTION...: requests per second; complains about every error that wrk met.
load() {
	local to=$1
	shift
	wrk -t2 -c64 -d"${SECONDS_EACH}s" "$@" "http://127.0.0.1:$to/" >"$WORK/wrk.out" 2>&1
	if grep -E 'Socket errors|Non-2xx' "$WORK/wrk.out" >&2; then
		bad=1
	fi
	sed -n 's|^Requests/sec: *||p' "$WORK/wrk.out"
}

nginx_folder
use_nothing
nginx_server plain
declare -A port=([plain]=$nginx_port)
use graceful-close bounded-close-wait
nginx_server tracked
port[tracked]=$nginx_port
mapfile -t workers < <(pgrep -P "${pid_of[tracked]}")
curl -sS -o /dev/null "http://127.0.0.1:${port[tracked]}/"
wait_until 5 sockets_are 0 state established "sport = :${port[tracked]}"
before=$(descriptors "${workers[@]}")

# The order within a pair alternates, so that a drift of the machine hits both alike.
for ((pair = 1; pair <= PAIRS; pair++)); do
	for mode in keep-alive close; do
		options=()
		[ $mode = keep-alive ] || options=(-H 'Connection: close')
		order=(plain tracked)
		[ $((pair % 2)) -eq 1 ] || order=(tracked plain)
		for which in "${order[@]}"; do
			load "${port[$which]}" "${options[@]}" >"$WORK/$which.rate"
		done
		printf '%s %s %s\n' $mode "$(cat "$WORK/plain.rate")" "$(cat "$WORK/tracked.rate")" | tee -a "$WORK/rates" |
			awk -v pair="$pair" '{ printf "pair %d  %-10s  without %8.0f/s  with %8.0f/s  ratio %.3f\n", pair, $1, $2, $3, $3 / $2 }'
	done
done

for mode in keep-alive close; do
	awk -v mode=$mode '$1 == mode { print $3 / $2 }' "$WORK/rates" | sort -n |
		awk -v mode=$mode '{ r[NR] = $1 }
			END {
				median = NR % 2 ? r[(NR + 1) / 2] : (r[NR / 2] + r[NR / 2 + 1]) / 2
				printf "%-10s  with/without: median %.3f, from %.3f to %.3f over %d pairs\n", mode, median, r[1], r[NR], NR
			}'
done

wait_until 35 descriptors_are "$before" "${workers[@]}" ||
	{ echo "lingering descriptors: $(descriptors "${workers[@]}"), $before before" >&2; bad=1; }
if [ -s "$WORK/error.log" ] || [ -s "$WORK/tracked.err" ]; then
	cat "$WORK/error.log" "$WORK/tracked.err" >&2
	bad=1
fi
for worker in "${workers[@]}"; do
	kill -0 "$worker" || bad=1
done
[ $bad -eq 0 ] && echo "no socket error, no log line, no lingering descriptor"
exit $bad
