#!/usr/bin/env bash
# A minute of wrk -t2 -c64 against nginx under graceful-close and bounded-close-wait, half of it keep-alive, half with
# `Connection: close`; and the same load, interleaved, against an nginx without lastack. Prints the ratios of the throughput and of
# the servers' processor time per request, with their spread; the second hardly depends on what else the machine does. Exit status 0
# only when there was no error, no log line and no lingering descriptor.
#
# PAIRS (default 15) pairs, each with SECONDS_EACH (default 2) of either load on either server.
set -euo pipefail

WORK=$(mktemp -d)
# shellcheck source=tests/proof/helpers.bash
source "$(dirname "$0")/../proof/helpers.bash"
PAIRS=${PAIRS:-15}
SECONDS_EACH=${SECONDS_EACH:-2}
bad=0

# shellcheck disable=SC2317 # called by the trap
finish() {
	stop_all
	rm -rf "$WORK"
}
trap finish EXIT

# Processor time that these processes have used, in microseconds.
processor_us() {
	local pid total=0 fields
	for pid in "$@"; do
		read -ra fields <"/proc/$pid/stat"
		total=$((total + fields[13] + fields[14]))
	done
	echo $((total * 1000000 / TICKS))
}

# load WHICH WRK-OPTION...: "REQUESTS-PER-SECOND MICROSECONDS-PER-REQUEST"; complains about every error that wrk met.
load() {
	local which=$1 before after pids
	shift
	read -ra pids <<<"${workers[$which]}"
	before=$(processor_us "${pids[@]}")
	wrk -t2 -c64 -d"${SECONDS_EACH}s" "$@" "http://127.0.0.1:${port[$which]}/" >"$WORK/wrk.out" 2>&1
	after=$(processor_us "${pids[@]}")
	if grep -E 'Socket errors|Non-2xx' "$WORK/wrk.out" >&2; then
		bad=1
	fi
	awk -v us=$((after - before)) '/requests in/ { n = $1 } /^Requests\/sec/ { print $2, us / n }' "$WORK/wrk.out"
}

# serve WHICH
serve() {
	local pids
	nginx_server "$1"
	port[$1]=$nginx_port
	mapfile -t pids < <(pgrep -P "${pid_of[$1]}")
	workers[$1]="${pids[*]}"
}

# The median of numbers on standard input, and from where to where they go.
spread() {
	sort -n | awk '{ r[NR] = $1 }
		END {
			median = NR % 2 ? r[(NR + 1) / 2] : (r[NR / 2] + r[NR / 2 + 1]) / 2
			printf "median %.3f, from %.3f to %.3f", median, r[1], r[NR]
		}'
}

TICKS=$(getconf CLK_TCK)
declare -A port=() workers=()
nginx_folder
use_nothing
serve plain
use graceful-close bounded-close-wait
serve tracked
read -ra tracked <<<"${workers[tracked]}"
curl -sS -o /dev/null "http://127.0.0.1:${port[tracked]}/"
wait_until 5 sockets_are 0 state established "sport = :${port[tracked]}"
before=$(descriptors "${tracked[@]}")

# The order within a pair alternates, so that a drift of the machine hits both alike.
for ((pair = 1; pair <= PAIRS; pair++)); do
	for mode in keep-alive close; do
		options=()
		[ $mode = keep-alive ] || options=(-H 'Connection: close')
		order=(plain tracked)
		[ $((pair % 2)) -eq 1 ] || order=(tracked plain)
		for which in "${order[@]}"; do
			load "$which" "${options[@]}" >"$WORK/$which.rate"
		done
		echo "$mode $(cat "$WORK/plain.rate") $(cat "$WORK/tracked.rate")" | tee -a "$WORK/rates" |
			awk -v pair="$pair" '{ printf "pair %2d  %-10s  without %7.0f/s %6.2f us  with %7.0f/s %6.2f us\n", pair, $1, $2, $3, $4, $5 }'
	done
done

for mode in keep-alive close; do
	printf '%-10s  throughput with/without: %s\n' $mode "$(awk -v mode=$mode '$1 == mode { print $4 / $2 }' "$WORK/rates" | spread)"
	printf '%-10s  processor time per request with/without: %s\n' $mode \
		"$(awk -v mode=$mode '$1 == mode { print $5 / $3 }' "$WORK/rates" | spread)"
done
echo "($PAIRS pairs of $SECONDS_EACH s each)"

wait_until 35 descriptors_are "$before" "${tracked[@]}" ||
	{ echo "lingering descriptors: $(descriptors "${tracked[@]}"), $before before" >&2; bad=1; }
if [ -s "$WORK/error.log" ] || [ -s "$WORK/tracked.err" ]; then
	cat "$WORK/error.log" "$WORK/tracked.err" >&2
	bad=1
fi
for worker in "${tracked[@]}"; do
	kill -0 "$worker" || bad=1
done
[ $bad -eq 0 ] && echo "no socket error, no log line, no lingering descriptor"
exit $bad
