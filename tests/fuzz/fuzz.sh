#!/usr/bin/env bash
# Every fuzz target for FUZZ_SECONDS, from the kept inputs and from those of earlier runs (BUILD/corpus). Fails when one of them finds
# something: a crash, a leak, a property that is broken, or an input that takes 10 s. The reproducer is left in found/TARGET, and stays
# there as a regression input once the cause is fixed.
#   fuzz.sh [TARGET...]         run (default: all)
#   fuzz.sh merge [TARGET...]   make the kept inputs the fewest that reach what all of them and the earlier runs reach
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build-fuzz}
HERE=tests/fuzz
MOST_FILES=150 MOST_KIB=300
bounds=(-timeout=10 -rss_limit_mb=2048 -print_final_stats=1)
export UBSAN_OPTIONS=print_stacktrace=1

# run_one TARGET: a line about it, and all that it said when it found something.
run_one() {
	local target=$1 log=$BUILD/corpus/$1.log dictionary=() status=0
	mkdir -p "$BUILD/corpus/$target" "$HERE"/{seeds,corpus,found}/"$target"
	[ ! -e "$HERE/$target.dict" ] || dictionary=("-dict=$HERE/$target.dict")
	# Its own bound comes first; the other is for a target that hangs beyond it.
	timeout -k 5 $((FUZZ_SECONDS + 60)) "$BUILD/tests/fuzz/$target" "${bounds[@]}" "${dictionary[@]}" -max_total_time="$FUZZ_SECONDS" \
		-artifact_prefix="$HERE/found/$target/" "$BUILD/corpus/$target" "$HERE"/{seeds,corpus,found}/"$target" \
		>"$log" 2>&1 || status=$?
	if [ $status -ne 0 ]; then
		grep -avE 'NEW|REDUCE|pulse|# Uses:' "$log" | cut -c1-300 | tail -n 60
		echo "$target: status $status; the reproducer is in $HERE/found/$target"
		return 1
	fi
	awk -v target="$target" '
		/DONE/ { for (i = 1; i < NF; i++) if ($i == "cov:" || $i == "ft:") at[$i] = $(i + 1) }
		/^stat::number_of_executed_units/ { runs = $2 }
		/^stat::average_exec_per_sec/ { rate = $2 }
		END { printf "%s: %d executions, %d/s, cov %d, ft %d\n", target, runs, rate, at["cov:"], at["ft:"]; exit runs < 1000 }' "$log" ||
		{
			echo "$target: that is too few to mean anything"
			return 1
		}
}

merge_one() {
	local target=$1 kept bytes
	kept=$(mktemp -d)
	mkdir -p "$BUILD/corpus/$target"
	"$BUILD/tests/fuzz/$target" "${bounds[@]}" -set_cover_merge=1 -use_counters=0 "$kept" "$HERE/corpus/$target" "$BUILD/corpus/$target" >/dev/null 2>&1 ||
		{
			echo "$target: cannot be merged"
			return 1
		}
	bytes=$(find "$kept" -type f -printf '%s\n' | awk '{ total += $1 } END { print total + 0 }')
	if [ "$(find "$kept" -type f | wc -l)" -gt $MOST_FILES ] || [ "$bytes" -gt $((MOST_KIB * 1024)) ]; then
		echo "$target: more than $MOST_FILES files or $MOST_KIB KiB would be kept: look at $kept"
		return 1
	fi
	rm -f "$HERE/corpus/$target"/*
	find "$kept" -type f -exec cp -t "$HERE/corpus/$target" {} +
	rm -rf "$kept"
	echo "$target: $(find "$HERE/corpus/$target" -type f | wc -l) inputs kept"
}

FUZZ_SECONDS=${FUZZ_SECONDS:-30}
do=run_one
if [ "${1:-}" = merge ]; then
	do=merge_one
	shift
fi
[ $# -gt 0 ] || set -- policy filter region
failed=0
for target in "$@"; do
	"$do" "$target" || failed=1
done
exit $failed
