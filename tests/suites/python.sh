# CPython's own tests of sockets, TLS, servers, event loops, child processes and signals, as Debian ships them.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # once.sh reads and sets
packages=(python3.11 libpython3.11-testsuite)

modules=(test_socket test_ssl test_socketserver test_selectors test_subprocess test_os test_signal test_httplib test_ftplib)

prepare() { :; }

one() { # MODULE [CASE...]
	local log=$work/log.$1
	timeout -k 2 200 "${preload[@]}" python3.11 -X faulthandler "$here/python_cases.py" "$results" "$@" >"$log" 2>&1 ||
		result "$1 (ran to its end)" fail
	echo "== $1"
	tail -c 20000 "$log"
}

run() {
	local name names
	if [ $# -gt 0 ]; then
		one "" "$@"
		return
	fi
	mapfile -t names < <(cd /usr/lib/python3.11/test/test_asyncio && printf '%s\n' test_*.py)
	# They mostly wait: two at a time.
	for name in "${modules[@]/#/test.}" "${names[@]/#/test.test_asyncio.}"; do
		at_most 2
		one "${name%.py}" &
	done
	wait
}
