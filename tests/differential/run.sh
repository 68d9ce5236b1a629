#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The differential test: run.sh MODE... with MODE observe or enforce. STEPS, SEED, LIST_EVERY and BUILD from the environment.
#
# In a network of its own, where nothing is lost but what the program asks for: a socket's mark says which of its segments are dropped
# (1 all, 2 those with a FIN, 3 pure ACKs). So FIN-WAIT-1, CLOSING and LAST-ACK last. Its table of connections is small, so that the
# kernel lists it fast. And among processes of its own, with few pids where the kernel allows that, so that they are soon used again.
set -euo pipefail
cd "$(dirname "$0")/../.."
BUILD=${BUILD:-build}
[[ $BUILD == /* ]] || BUILD=$PWD/$BUILD
STEPS=${STEPS:-100000}
SEED=${SEED:-$((RANDOM << 15 | RANDOM))}
here=$PWD/tests/differential

if [ "${1:-}" = inside ]; then
	ip link set lo up
	echo 1 >/proc/sys/net/ipv4/tcp_fin_timeout
	echo 2 >/proc/sys/net/ipv4/tcp_orphan_retries
	echo 3 >/proc/sys/net/ipv4/tcp_retries2
	echo 1 >/proc/sys/net/ipv4/tcp_syn_retries
	nft -f - <<-'END'
		table inet lossy {
			chain input {
				type filter hook input priority 0
				meta mark 1 drop
				meta mark 2 tcp flags & fin == fin drop
				meta mark 3 tcp flags & (fin | syn | rst | psh) == 0 drop
			}
		}
	END
	shift
	# Since Linux 6.14 a PID namespace has a limit of its own; before, it would be everybody's.
	if printf '6.14\n%s\n' "$(uname -r)" | sort -VC; then
		echo 400 >/proc/sys/kernel/pid_max
	fi
	status=0
	"$@" || status=$? # not exec: it shall not be process 1
	exit $status
fi

if [ "$(id -u)" -ne 0 ]; then
	echo "differential: only root can make a network namespace" >&2
	exit 77
fi
for mode in "$@"; do
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	mkdir -m 0700 "$work/regions"
	case $mode in
	observe) policy=observe options=() ;;
	enforce) policy=$here/impatient.policy,$PWD/policies/graceful-close.policy options=(--enforce) ;;
	*) echo "usage: run.sh observe|enforce..." >&2 && exit 2 ;;
	esac
	echo "differential: $mode, $STEPS steps, SEED=$SEED"
	# The size of the inner network's table is set in an outer one, which nobody else is in.
	unshare --net --pid --fork --kill-child --mount-proc sh -c 'echo 256 >/proc/sys/net/ipv4/tcp_child_ehash_entries 2>/dev/null; exec unshare --net "$@"' sh \
		timeout $((STEPS / 200 + 60)) "$here/run.sh" inside prlimit --nofile=1024:1024 \
		env LASTACK_DIR="$work/regions" LASTACK_POLICY="$policy" LD_PRELOAD="$BUILD/liblastack.so" \
		"$BUILD/tests/differential/driver" --steps "$STEPS" --seed "$SEED" --list-every "${LIST_EVERY:-500}" "${options[@]}" \
		"$work/list.json" "LASTACK_DIR=$work/regions $BUILD/lastack list -J >$work/list.json"
	rm -rf "$work"
done
