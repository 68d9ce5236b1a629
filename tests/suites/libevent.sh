# libevent's regress program, over epoll and poll; its runner forks for each case.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # once.sh reads and sets
packages=(gcc make autoconf automake libtool libc6-dev libssl-dev zlib1g-dev pkg-config python3)

# Long waits that test only the clock, or thousands of timers.
off_topic=(:main/many_events_slow_add :http/stream_in_cancel :dns/getaddrinfo_cancel_stress)

prepare() {
	local source
	source=$(fetch_source libevent)
	cd "$source" || return
	autoreconf -fi
	./configure --disable-shared --disable-libevent-install --disable-samples
	make -j2
	make -j2 check TESTS=
	cp -aL test "$cache/"
}

# "group/name: OK", "group/name: SKIPPED"; a failure says more between the name and FAILED.
read_results() {
	awk -v backend="$1" '
		/^[a-z_]+\/[A-Za-z0-9_\/]+: / { name = $1; sub(/:$/, "", name) }
		/SKIPPED|DISABLED/ { how = "skip" }
		/OK$/ { how = "pass" }
		/FAILED\]|\[Lost connection|\[.*exited|^ *FAILED$/ { how = "fail" }
		how != "" && name != "" { print backend ":" name "\t" how; name = "" }
		{ how = "" }'
}

backend() { # NAME VARIABLES -- [GROUP/NAME...]
	local name=$1 variable=$2 groups
	shift 2
	groups=(main/.. et/.. signal/.. evbuffer/.. bufferevent/.. http/.. rpc/.. thread/.. listener/.. ssl/.. dns/.. finalize/.. "${off_topic[@]}")
	[ $# -eq 0 ] || groups=("$@")
	(cd "$work/test" && timeout -k 1 300 env ${variable:+"$variable"} "${preload[@]}" ./regress --timeout 60 "${groups[@]}") >"$work/out.$name" 2>&1
	read_results "$name" <"$work/out.$name" >>"$results"
	grep -B2 -A3 FAILED "$work/out.$name"
}

run() {
	local case epoll=() poll=()
	cp -a "$cache/test" "$work/"
	if [ $# -eq 0 ]; then
		backend epoll "" &
		backend poll EVENT_NOEPOLL=1 &
		wait
		return
	fi
	for case; do
		case $case in epoll:*) epoll+=("${case#*:}") ;; *) poll+=("${case#*:}") ;; esac
	done
	[ ${#epoll[@]} -eq 0 ] || backend epoll "" "${epoll[@]}"
	[ ${#poll[@]} -eq 0 ] || backend poll EVENT_NOEPOLL=1 "${poll[@]}"
}
