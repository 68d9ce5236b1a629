#!/usr/bin/env bash
# Check the models exhaustively, and that they have teeth: a mistake that is put in by -D must be found. model.sh [MODEL.pml...]
set -uo pipefail
cd "$(dirname "$0")" || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bad=0

# Every state of MODEL with these definitions: says how many there are. 0: no violation, 1: one was found, 2: it was not exhausted.
explore() { # model definitions...
	local model=$PWD/$1 reduce=
	shift
	# A process that waits for another to be over (provided) goes with no partial-order reduction.
	! grep -q 'provided (' "$model" || reduce=-DNOREDUCE
	(
		cd "$work" && rm -f pan* *.trail && spin "$@" -a "$model" >spin.out 2>&1 &&
			gcc "$optimize" -w $reduce -DSAFETY -DCOLLAPSE -DMEMLIM=900 -o pan pan.c && timeout 110 ./pan -m200000 >pan.out 2>&1
	) || { cat "$work"/*.out && return 2; }
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$work/pan.out")
	! grep -q 'assertion violated' "$work/pan.out" || return 1
	grep -q 'errors: 0' "$work/pan.out" || return 2 # it stands still
	! grep -qE 'max search depth too small|Search not completed|out of memory' "$work/pan.out" || return 2
}

holds() { # model definitions...
	optimize=-O2
	explore "$@"
	case $? in
	0) echo "  holds   $* ($states states)" ;;
	*) echo "  FAILED  $*" && bad=1 && tail -n 30 "$work/pan.out" ;;
	esac
}

found() { # model definitions...
	optimize=-O0 # found soon: translating takes longer
	explore "$@"
	case $? in
	1) echo "  found   $*: $(sed -n 's/^pan:[0-9]*: //p' "$work/pan.out" | head -n 1)" ;;
	*) echo "  FAILED  $*: nobody noticed" && bad=1 ;;
	esac
}

[ $# -gt 0 ] || set -- slots.pml rows.pml
for name in "$@"; do
	# The first comment of a model lists what must hold and what must be found.
	while IFS= read -r definitions; do
		# shellcheck disable=SC2086 # words
		holds "$name" $definitions
	done < <(sed -n 's/^ \* Must hold: //p' "$name" | tr ',' '\n')
	while IFS= read -r definitions; do
		# shellcheck disable=SC2086
		found "$name" $definitions
	done < <(sed -n 's/^ \*   \(\(-D[A-Z_]* *\)*\).*/\1/p' "$name" | grep -e -D)
done
exit $bad
