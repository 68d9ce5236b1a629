#!/usr/bin/env bash
# Who may include whom. A room's own header and the leaf header sys.h are always allowed.
set -euo pipefail
cd "$(dirname "$0")/../.."

declare -A may=(
	[table]=""
	[policy]="table"
	[kernel]="table"
	[region]="table policy"
	[track]="table policy kernel region" # the records that it writes are the region's layout
	[enforce]="track policy kernel region table"
	[shim]="enforce track policy kernel" # policy: it reads the files; kernel: it hands over the clock
	[cli]="region policy kernel table"
)
bad=0
check() { # file room
	local file=$1 room=$2 included other allowed
	while read -r included; do
		other=${included%%_*}
		[ "$other" = sys ] || [ "$other" = "$room" ] && continue
		allowed=" ${may[$room]} "
		if [[ $allowed != *" $other "* ]]; then
			echo "$file: room '$room' may not include <lastack/$included.h>"
			bad=1
		fi
	done < <(sed -nE 's|^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]lastack/([a-z_]+)\.h[>"].*|\1|p' "$file")
	while read -r included; do
		echo "$file: reaches into another room: \"$included\""
		bad=1
	done < <(sed -nE 's|^[[:space:]]*#[[:space:]]*include[[:space:]]*"(\.\./[a-z]+/[^"]+)".*|\1|p' "$file")
}
for room in "${!may[@]}"; do
	for file in src/"$room"/*.[ch]; do
		[ -e "$file" ] && check "$file" "$room"
	done
	for file in include/lastack/"$room".h include/lastack/"$room"_*.h; do
		[ -e "$file" ] && check "$file" "$room"
	done
done
for dir in src/*/; do
	room=$(basename "$dir")
	[ "$room" = share ] || [ -n "${may[$room]+known}" ] || { echo "src/$room: no rule says whom it may include"; bad=1; }
done
# Only these change a socket of the application.
while read -r file; do
	case $file in
	src/enforce/act.c | src/cli/act.c | src/kernel/change.c | include/lastack/kernel.h) ;;
	*) echo "$file: only enforce/act.c and cli/act.c end connections" && bad=1 ;;
	esac
done < <(grep -rlE 'la_kernel_(probe|shut_down|reset)\(' src include)
exit $bad
