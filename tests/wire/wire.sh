#!/usr/bin/env bash
# The proof on the wire, whole: the termination table without and with loss, then uploads in flight. As root; needs some minutes.
# LOSS (2) percent and DELAY (10) ms of the second round; WIRE_CONNECTIONS (10000) uploads a line.
set -uo pipefail
cd "$(dirname "$0")" || exit 1
bad=0

part() {
	echo "== $*"
	"$@"
	case $? in
	0) ;;
	77) exit 0 ;; # it has said why
	*) bad=1 ;;
	esac
}

part ./table.py
part ./table.py --loss "${LOSS:-2}" --delay "${DELAY:-10}"
part ./uploads.py
exit $bad
