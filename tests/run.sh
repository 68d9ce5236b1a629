#!/usr/bin/env bash
# Run the tests and count them. `run.sh`: all but tests/long; `run.sh unit`; `run.sh FILE.bats...`. Last line: N passed, N failed, N skipped.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
BUILD=${BUILD:-build}
export BUILD
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT
passed=0 failed=0 skipped=0

# A TAP stream on standard input is counted; failures are shown whole, the rest a line each.
tally() {
	local name=$1 status=$2 file=$3 planned seen=0
	while IFS= read -r line; do
		case $line in
		"not ok "*) failed=$((failed + 1)) seen=$((seen + 1)) ;;
		"ok "*"# skip"* | "ok "*"# SKIP"*) skipped=$((skipped + 1)) seen=$((seen + 1)) ;;
		"ok "*) passed=$((passed + 1)) seen=$((seen + 1)) ;;
		esac
	done <"$file"
	planned=$(sed -n 's/^1\.\.\([0-9]*\).*/\1/p' "$file" | head -n 1)
	if [ -z "$planned" ] || [ "$seen" -lt "$planned" ]; then
		echo "$name: ended early ($seen of ${planned:-?} tests, status $status)"
		failed=$((failed + 1))
	elif [ "$status" -ne 0 ] && ! grep -q '^not ok' "$file"; then
		echo "$name: all tests passed, yet it ended with status $status"
		failed=$((failed + 1))
	fi
}

run_unit() {
	local test name
	for test in "$BUILD"/tests/unit/*; do
		[ -x "$test" ] && [ ! -d "$test" ] || continue
		name=unit/$(basename "$test")
		CMOCKA_MESSAGE_OUTPUT=TAP timeout 300 "$test" >"$log/out" 2>"$log/err"
		local status=$?
		grep -E '^(ok|not ok|#)' "$log/out" | sed "s|^|$name: |"
		[ $status -eq 0 ] || cat "$log/err"
		tally "$name" $status "$log/out"
	done
}

run_bats() {
	local file status
	for file in "$@"; do
		timeout 400 bats --tap "$file" >"$log/out" 2>&1
		status=$?
		sed "s|^|$(basename "$file" .bats): |" "$log/out" | grep -v ': 1\.\.'
		tally "$file" $status "$log/out"
	done
}

case ${1:-all} in
unit) run_unit ;;
all)
	run_unit
	mapfile -t files < <(find tests -name '*.bats' -not -path 'tests/long/*' -not -path 'tests/restart/*' | sort)
	run_bats "${files[@]}"
	;;
*) run_bats "$@" ;;
esac
if [ $skipped -gt 0 ]; then
	echo "$passed passed, $failed failed, $skipped skipped"
else
	echo "$passed passed, $failed failed"
fi
[ $failed -eq 0 ] && [ $((passed + skipped)) -gt 0 ]
