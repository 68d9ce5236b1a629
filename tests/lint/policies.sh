#!/usr/bin/env bash
# The form of the shipped policies: "# NAME: reason" on top, 10 to 30 lines, no line over 130 columns, and `policy check` has not a word against
# them.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
wanted="observe bounded-close-wait bounded-half-close graceful-close graceful-exit no-reset legacy-server leak-check"
bad=0
complain() {
	echo "$1"
	bad=1
}
for name in $wanted; do
	[ -f "policies/$name.policy" ] || complain "policies/$name.policy: is not there"
done
for file in policies/*.policy; do
	name=$(basename "$file" .policy)
	[[ " $wanted " == *" $name "* ]] || complain "$file: not in the list of shipped policies"
	[[ $(head -n 1 "$file") =~ ^"# $name: ".*\.$ ]] || complain "$file:1: write \"# $name: \" and the reason, a sentence"
	lines=$(wc -l <"$file")
	((lines >= 10 && lines <= 30)) || complain "$file: $lines lines: write 10 to 30"
	awk 'length > 130 { exit 1 }' "$file" || complain "$file: a line over 130 columns"
	said=$("$BUILD/lastack" policy check "$file" 2>&1)
	[[ $? -eq 0 && $said =~ ^"$file: ok, "[0-9]+" "rules?$ ]] || complain "$said"
done
exit $bad
