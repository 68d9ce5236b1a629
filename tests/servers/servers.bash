# SPDX-License-Identifier: MIT
# shellcheck disable=SC2034,SC2154 # what it sets is for who sources it, after helpers.bash
# Servers of Debian's that lose responses: each is the package's own program, as little configured as it lets itself be. They answer
# early (a method or a size that they do not take, a file for which no body is needed), and close with the rest of the request unread.
#
# A server is a row of the table and a function start_NAME, which starts it on port $PORT of this network.

PORT=8080
MIB=$((1 << 20))
SERVERS=$TOP/tests/servers

# name, language, policy, request (method, path, bytes of body), packages; [package]: too large to be installed for this.
# Policy `always` is graceful-close with linger = always: who answers by the head alone, in few bytes, may close when these are acknowledged and
# nothing of the body has come, which looks like the end of any exchange. `none`: no policy keeps the responses yet.
servers_table() {
	cat <<-END
		gunicorn        Python  graceful-close  POST  /upload  $MIB          gunicorn
		http.server     Python  graceful-close  GET   /file    $MIB          python3
		HTTP::Daemon    Perl    graceful-close  POST  /        $MIB          libhttp-daemon-perl
		Mojolicious     Perl    graceful-close  POST  /        $((20 * MIB)) libmojolicious-perl
		WEBrick         Ruby    always          POST  /file    $MIB          ruby-webrick,ruby
		httpserver      Java    graceful-close  POST  /        $MIB          [openjdk-17-jdk-headless]
		inets           Erlang  always          POST  /file    $MIB          erlang-inets,erlang-base
		SWI-Prolog      Prolog  always          POST  /        $MIB          swi-prolog-nox
		uWSGI           C       graceful-close  POST  /upload  $MIB          uwsgi-core,uwsgi-plugin-python3
		civetweb        C       graceful-close  GET   /file    $MIB          civetweb
		webfs           C       graceful-close  GET   /file    $MIB          webfs
		tinyproxy       C       always          POST  /        $MIB          tinyproxy-bin
		haproxy         C       always          POST  /        $MIB          haproxy
		h2o             C       always          POST  /file    $MIB          h2o
		busybox         C       graceful-exit   GET   /file    $MIB          busybox
		micro-httpd     C       graceful-exit   GET   /file    $MIB          micro-httpd,openbsd-inetd
		unicorn         Ruby    none            POST  /        $MIB          unicorn
	END
}

# The names of the table; or those given.
each_server() {
	servers_table | while read -r name _; do
		[[ $# -eq 0 || " $* " == *" $name "* ]] && echo "$name"
	done
}

# server NAME: sets language, policy, request and packages.
server() {
	local method path bytes
	read -r _ language policy method path bytes packages < <(servers_table | awk -v name="$1" '$1 == name')
	request=("$method" "$path" "$bytes")
	[[ $language ]] || fail "no server $1 in the table"
}

# $WORK/site: a file of 200 KiB, which no small receive buffer takes.
site() {
	mkdir -p "$WORK/site"
	head -c "$((200 << 10))" /dev/zero | tr '\0' x >"$WORK/site/file"
	chmod a+rx "$WORK" "$WORK/site"
}

launch() {
	start server "${preloaded[@]}" "$@"
}

# An application that refuses an upload without reading it (tests/apps/upload_app.py).
start_gunicorn() {
	launch "$PYTHON" /usr/bin/gunicorn --bind "127.0.0.1:$PORT" --no-sendfile --pythonpath "$APPS" upload_app:application
}

# No setting, no application.
start_http.server() {
	launch "$PYTHON" -m http.server "$PORT" --bind 127.0.0.1 --directory "$WORK/site"
}

# A loop as in its manual page; get_request(1) leaves the body to whoever wants it.
start_HTTP::Daemon() {
	launch perl "$SERVERS/http_daemon.pl" "$PORT"
}

# What is longer than 16 MiB (max_request_size) is not read on.
start_Mojolicious() {
	launch perl -MMojolicious::Lite -e 'any "/" => {text => "x" x 204800}; app->start' daemon -m production -l "http://127.0.0.1:$PORT"
}

# POST of a file is 405: no body is read.
start_WEBrick() {
	launch ruby -run -e httpd -- "$WORK/site" -p "$PORT" -b 127.0.0.1
}

# com.sun.net.httpserver reads 64 KiB of a body that the handler left, and closes.
start_httpserver() {
	launch java "$SERVERS/Refuses.java" "$PORT"
}

start_inets() {
	launch erl -noshell -eval "ok = inets:start(), {ok, _} = inets:start(httpd, [{port, $PORT}, {bind_address, {127, 0, 0, 1}}, {server_name, \"x\"},
		{server_root, \"$WORK\"}, {document_root, \"$WORK/site\"}, {max_body_size, 1000}])"
}

# 404.
start_SWI-Prolog() {
	launch swipl -g "use_module(library(http/thread_httpd)), use_module(library(http/http_dispatch)),
		http_server(http_dispatch, [port('127.0.0.1':$PORT)]), thread_get_message(_)"
}

start_uWSGI() {
	launch uwsgi --plugin python3 --http-socket "127.0.0.1:$PORT" --pythonpath "$APPS" --module upload_app:application
}

start_civetweb() {
	launch civetweb -listening_ports "127.0.0.1:$PORT" -document_root "$WORK/site"
}

start_webfs() {
	launch webfsd -F -p "$PORT" -i 127.0.0.1 -r "$WORK/site"
}

# 403: who asks is not among those it serves.
start_tinyproxy() {
	printf '%s\n' "Port $PORT" 'Listen 127.0.0.1' 'MaxClients 100' 'Allow 192.0.2.1' >"$WORK/tinyproxy.conf"
	launch tinyproxy -d -c "$WORK/tinyproxy.conf"
}

start_haproxy() {
	cat >"$WORK/haproxy.cfg" <<-END
		defaults
			mode http
			timeout connect 5s
			timeout client 50s
			timeout server 50s
		frontend refuses
			bind 127.0.0.1:$PORT
			http-request deny deny_status 413
	END
	launch haproxy -db -f "$WORK/haproxy.cfg"
}

start_h2o() {
	cat >"$WORK/h2o.conf" <<-END
		listen: {host: 127.0.0.1, port: $PORT}
		limit-request-body: 1000
		hosts: {default: {paths: {/: {file.dir: $WORK/site}}}}
	END
	launch h2o -c "$WORK/h2o.conf"
}

# A child for each connection; it exits with the rest unread.
start_busybox() {
	launch busybox httpd -f -p "127.0.0.1:$PORT" -h "$WORK/site"
}

# The connection is its standard input and output; it exits with the rest unread.
# -E: inetd takes LD_PRELOAD out of the environment of what it starts. A PID namespace of its own, as a host's or a container's: who came
# into one from outside is seen by nobody, so there the connection might be held by somebody else as well.
start_micro-httpd() {
	echo "127.0.0.1:$PORT stream tcp nowait.1000 root /usr/sbin/micro-httpd micro-httpd $WORK/site" >"$WORK/inetd.conf"
	launch unshare --pid --fork --kill-child --mount-proc inetd -E -d -i "$WORK/inetd.conf"
}

# Calls shutdown(SHUT_RDWR) before it closes: from then on the kernel answers what arrives with an RST.
start_unicorn() {
	launch unicorn --listen "127.0.0.1:$PORT" "$SERVERS/refuses.ru"
}

# ---- one server, asked by both kinds of clients ----------------------------------------------------------------------------

CLIENTS=20

is_listening() {
	[[ $(sockets state listening "sport = :$PORT") -gt 0 ]]
}

listens_or_ended() {
	is_listening || ended "${pid_of[server]}"
}

# ask reads-on|stops: prints "complete=N of 20", and how the others were lost.
ask() {
	"${network[@]}" timeout 400 "$PYTHON" "$SERVERS/uploader.py" "$PORT" "${request[@]}" "$CLIENTS" "$1"
}

# What the server and its children say, as kinds of lines: without numbers, each once.
kinds_of_lines() {
	cat "$WORK/server.out" "$WORK/server.err" | sed -E 's/0x[0-9a-f]+/N/g; s/[0-9]+/N/g' | sort -u
}

# use_policy POLICY: a name of the table.
use_policy() {
	case $1 in
	always)
		sed 's/^linger = needed/linger = always/' "$TOP/policies/graceful-close.policy" >"$WORK/always.policy"
		use "$WORK/always.policy"
		;;
	none) use graceful-close ;;
	*) use "$1" ;;
	esac
}

# outcome NAME: the server in a network of its own, N clients of each kind. Sets reads_on and stops (complete ones) and resets (RSTs that it
# sent), and leaves what it said in $WORK/said.
outcome() {
	server "$1"
	private_network || return 1
	site
	"start_$1"
	wait_until 60 listens_or_ended || true
	if ! is_listening; then
		fail "$1 does not listen: $(tail -n 5 "$WORK/server.out" "$WORK/server.err")" || true
		stop server
		stop network
		return 1
	fi
	capture_resets "$PORT" || return 1
	reads_on=$(complete_of "$(ask reads-on)")
	stops=$(complete_of "$(ask stops)")
	resets=$(resets_seen)
	stop server
	stop network
	kinds_of_lines >"$WORK/said"
}
