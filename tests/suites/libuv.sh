# libuv's own tests, by its runner: closes by raw system calls, threads, processes. It refuses to run as root.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # once.sh reads and sets
packages=(gcc make autoconf automake libtool libc6-dev)

# No network, no descriptors: file system, terminal, threads, strings.
off_topic='^(fs_|fs$|tty|getaddrinfo_basic_sync|udp_multicast|threadpool|queue_foreach|get_memory|hrtime|random|platform_output|strscpy|idna|utf8|gettimeofday|env_vars|homedir|tmpdir|barrier_|cond|rwlock|mutex|semaphore|thread_|metrics|loop_backend_timeout|dlerror|cwd_and_chdir|process_title)'

prepare() {
	local source
	source=$(fetch_source libuv1)
	cd "$source" || return
	sh autogen.sh
	./configure --enable-static --disable-shared
	make -j2
	make -j2 check TESTS=
	cp -a test "$cache/"
}

run() {
	local cases=("$@") case
	cp -a "$cache/test" "$work/"
	chown -R 65534:65534 "$work/test" "$TMPDIR"
	cd "$work/test" || return
	[ $# -gt 0 ] || mapfile -t cases < <("${as_nobody[@]}" ./run-tests --list | tr -s ' ' '\n' | grep -E '^[a-z0-9_]+$' | grep -vE "$off_topic")
	for case in "${cases[@]}"; do
		if ! timeout -k 1 40 "${as_nobody[@]}" "${preload[@]}" ./run-tests "$case" >"$work/out" 2>&1; then
			result "$case" fail
			echo "== $case" && tail -n 15 "$work/out"
		elif grep -q '^ok .*# SKIP' "$work/out"; then
			result "$case" skip
		else
			result "$case" pass
		fi
	done
}
