#!/usr/bin/env bash
# One run of one suite: once.sh SUITE plain|observe|POLICIES RESULTS [CASE...]
#
# In namespaces of its own: only loopback, every process that it started ends with it, and regions go to a /run and /dev/shm of
# its own. RESULTS gets a line a case, sorted: the case, a tab, pass, fail or skip. `once.sh SUITE prepare` only installs and builds.
set -uo pipefail
self=$(readlink -f "$0")
here=$(dirname "$self")
build=$(readlink -f "${BUILD:-$here/../../build}")
suite=$1 how=$2
shift 2
. "$here/lib.bash"
# shellcheck disable=SC2154 # lib.bash
cache=$scratch/cache/$suite
# shellcheck source=/dev/null
. "$here/$suite.sh"

if [ "$how" = prepare ]; then
	mkdir -p "$cache"
	[ -e "$cache/ready" ] && exit
	# In no condition: there the shell would go on after an error.
	# shellcheck disable=SC2154 # the suite's
	(
		set -e
		install_packages iproute2 util-linux "${packages[@]}"
		prepare
		touch "$cache/ready"
	) >"$cache/log" 2>&1
	[ -e "$cache/ready" ] && exit
	echo "$suite: cannot be made ready:" >&2
	tail -n 5 "$cache/log" >&2
	exit 1
fi

if [ -z "${INSIDE:-}" ]; then
	results=$1
	shift
	work=$(mktemp -d "$scratch/$suite.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	mkdir -p "$work/tmp"
	chmod 755 "$work"
	chmod 1777 "$work/tmp"
	: >"$work/results"
	export work INSIDE=1 TMPDIR=$work/tmp HOME=$work/tmp
	timeout -k 5 "${LIMIT:-500}" \
		unshare --net --pid --mount --fork --mount-proc --kill-child=KILL setsid "$self" "$suite" "$how" "$@" \
		</dev/null >"$results.log" 2>&1
	case $? in
	0) ;;
	124 | 137) printf '(the suite ended in time)\tfail\n' >>"$work/results" ;;
	1) grep '^not preloaded' "$results.log" >&2 && exit 1 ;;
	esac
	LC_ALL=C sort -u "$work/results" >"$results"
	exit 0
fi

results=$work/results
# Where everybody may read it: some suites leave root.
cp -rL "$build/liblastack.so" "$here/../../policies" "$work/" && mkdir "$work/lib" && mv "$work/liblastack.so" "$work/lib/"
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
ip link set lo up
ulimit -c 0
ulimit -Sn 4096
# Used by the suite's run.
# shellcheck disable=SC2034
case $how in
plain) preload=(env -u LD_PRELOAD) ;;
*)
	preload=(env "LD_PRELOAD=$work/lib/liblastack.so" "LASTACK_POLICY=$how")
	# shellcheck disable=SC2154 # lib.bash
	said=$("${as_nobody[@]}" "${preload[@]}" grep -c liblastack.so /proc/self/maps 2>&1)
	if [[ ! $said =~ ^[0-9]+$ ]]; then
		echo "not preloaded with $how: $said"
		exit 1
	fi
	;;
esac
cd "$work" && run "$@"
