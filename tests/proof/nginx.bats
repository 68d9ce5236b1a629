# nginx under load, graceful-close and bounded-close-wait together: no error, no line in its log, no descriptor left.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$(mktemp -d) # nginx's workers are no root: they must get there
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
}

teardown() {
	stop_all
	rm -rf "$WORK"
}

# wrk's own account must be free of errors.
load() {
	run -0 wrk -t2 -c64 -d3s "$@" "http://127.0.0.1:$nginx_port/"
	echo "$output"
	[[ $output == *"requests in"* ]]
	[[ $output != *"Socket errors"* ]]
	[[ $output != *"Non-2xx"* ]]
}

@test "nginx: a connection of a worker, which is another user than its master, is listed" {
	nginx_folder
	use observe
	nginx_server nginx
	exec {socket}<>"/dev/tcp/127.0.0.1/$nginx_port"
	printf 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n' >&"$socket"
	read -r -t 5 line <&"$socket"
	[[ $line == "HTTP/1.1 200 OK"* ]]
	shown=$(connections "map(select(.local == \"127.0.0.1:$nginx_port\" and .state == \"ESTABLISHED\")) | .[].pid")
	[ "$(ps -o ppid= -p "$shown" | tr -d ' ')" = "${pid_of[nginx]}" ]
}

@test "nginx under wrk, keep-alive then close: no error, no log line, no lingering descriptor" {
	nginx_folder
	use graceful-close bounded-close-wait
	nginx_server nginx
	mapfile -t workers < <(pgrep -P "${pid_of[nginx]}")
	curl -sS --max-time 5 -o /dev/null "http://127.0.0.1:$nginx_port/"
	wait_until 5 sockets_are 0 state established "sport = :$nginx_port"
	before=$(descriptors "${workers[@]}")
	load
	load -H 'Connection: close'
	wait_until 10 descriptors_are "$before" "${workers[@]}"
	wait_until 5 sockets_are 0 state connected exclude time-wait "sport = :$nginx_port"
	[ ! -s "$WORK/error.log" ]
	[ ! -s "$WORK/nginx.err" ]
	kill -0 "${workers[@]}"
}
