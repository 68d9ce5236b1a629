# Processes are made in many ways, and each way hands on, or takes away, descriptors. Whatever a program does, it gets what it gets
# without lastack, under observe and under enforcing policies; connections that somebody else may hold are never ended, and those that are ours
# alone are known as such afterwards.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	HARD=$BUILD/tests/hard
}

teardown() {
	local file
	stop_all
	for file in "$WORK"/nginx.pid*; do # a daemon is no child of ours
		[ ! -s "$file" ] || kill -TERM "$(cat "$file")"
	done
}

# transcript NAME COMMAND...: what it says and how it ends, in $WORK/NAME.
transcript() {
	local name=$1 status=0
	shift
	"$@" >"$WORK/$name" 2>"$WORK/$name.err" 3>&- </dev/null || status=$?
	echo "status $status" >>"$WORK/$name"
}

# unread_are NAME RESULT: every connection that was closed with unread data ended so for its peer.
unread_are() {
	grep -q '^unread:' "$WORK/$1" || fail "$1: nothing was closed with unread data"
	! grep '^unread:' "$WORK/$1" | grep -v -x -e "unread:.* $2" || fail "$1: not all $2"
}

as_plain() {
	diff <(grep -v '^unread:' "$WORK/plain") <(grep -v '^unread:' "$WORK/$1") || fail "$(cat "$WORK/$1.err")"
}

# same PROGRAM [ARGUMENT...]: it writes the same with lastack, but for connections closed with unread data: reset as ever under observe, ended in
# good order under graceful-close, which is done only to those known to be ours alone.
same() {
	local reset=-104 end=0
	[[ $1 != *python* ]] || reset=reset end="b''"
	use_nothing
	transcript plain timeout 70 "$@"
	[ "$(tail -n 1 "$WORK/plain")" = "status 0" ] || fail "without lastack: $(cat "$WORK/plain" "$WORK/plain.err")"
	unread_are plain "$reset"
	use observe
	transcript observed timeout 70 "${preloaded[@]}" "$@"
	as_plain observed
	unread_are observed "$reset"
	use graceful-close bounded-close-wait
	transcript enforced timeout 70 "${preloaded[@]}" "$@"
	as_plain enforced
	unread_are enforced "$end"
	# No close that could be graceful is plain: whoever is taken for the only holder, and is not, cuts the connection.
	policy always <<-'END'
		[close]
		action = graceful
		linger = always
	END
	use "$WORK/always.policy"
	transcript lingering timeout 70 "${preloaded[@]}" "$@"
	as_plain lingering
	unread_are lingering "$end"
}

# What ss shows of the processes with these pids: "PID FD STATE LOCAL PEER" of every connection, each holder.
seen_by_ss() {
	ss -tanpHO state connected | awk -v pids=" $* " '{
		users = $0
		while (match(users, /pid=[0-9]+,fd=[0-9]+/)) {
			split(substr(users, RSTART, RLENGTH), word, /[=,]/)
			if (index(pids, " " word[2] " ")) print word[2], word[4], $1, $4, $5
			users = substr(users, RSTART + RLENGTH)
		}
	}' | sed 's/ ESTAB / ESTABLISHED /' | sort
}

seen_by_lastack() {
	connections '.[] | select(.holders != []) | . as $c | .holders[] | "\(.pid) \(.fd) \($c.state) \($c.local) \($c.peer)"' |
		awk -v pids=" $* " 'index(pids, " " $1 " ")' | sort
}

# true_table NAME [PROGRAM...]: stopped at its end, the program and its children hold exactly what lastack shows, in the same positions.
true_table() {
	local name=$1 pids
	shift
	start "$name" "${preloaded[@]}" "$@"
	wait_until 60 has_said_or_ended "$name" '^ready' || fail "$(cat "$WORK/$name.out" "$WORK/$name.err")"
	pids="${pid_of[$name]} $(pgrep -P "${pid_of[$name]}" | tr '\n' ' ')"
	# shellcheck disable=SC2086
	seen_by_ss $pids >"$WORK/ss"
	# shellcheck disable=SC2086
	seen_by_lastack $pids >"$WORK/lastack"
	[ -s "$WORK/ss" ] || fail "ss shows nothing of $pids"
	diff "$WORK/ss" "$WORK/lastack"
	connections '.[].verdict' >>"$WORK/verdicts"
	tell "$name" go
}

true_tables() {
	use observe
	true_table observed "$@"
	use graceful-close bounded-close-wait
	true_table enforced "$@"
}

# A number of the region's header (include/lastack/region.h): how many entries were ever used, how many connections are open.
in_region() { # PID FIELD
	local offset
	case $2 in
	connections_high) offset=184 ;;
	threads_high) offset=188 ;;
	connections_open) offset=200 ;;
	esac
	od -A n -t u4 -j "$offset" -N 4 "$WORK/regions/$1.region" | tr -d ' '
}

@test "processes: what children close and move in their parent's memory stays the parent's" {
	same "$HARD/vfork_children"
	true_tables "$HARD/vfork_children" stop
}

@test "processes: Python's subprocess, with connections open in the parent" {
	same "$PYTHON" "$BATS_TEST_DIRNAME/subprocesses.py"
	STOP_TO_BE_SEEN=1 true_tables "$PYTHON" "$BATS_TEST_DIRNAME/subprocesses.py"
}

@test "processes: hundreds of forks while other threads open and close connections" {
	same "$HARD/forks_among_threads"
	true_tables "$HARD/forks_among_threads" stop
}

@test "processes: a fork in a signal handler, at any instruction of a hook and amid another fork" {
	[ "$(uname -m)" = x86_64 ] || skip "steps by the trap flag of x86-64"
	export LASTACK_STACKS=0 # a thousand instructions a hook instead of twenty thousand
	same "$HARD/forks_in_handlers"
	[ "$(grep -c '^unread:' "$WORK/enforced")" -ge 20 ] # children that went on after a fork in the middle of a call
}

@test "processes: a thread that leaves the descriptor table leaves the others theirs" {
	same "$HARD/leaves_the_table"
	true_tables "$HARD/leaves_the_table" stop
	run ! grep L3 "$WORK/verdicts" # closed by that thread is not closed
}

@test "processes: more children than are counted, and thousands that end without closing" {
	local high threads open
	same "$HARD/many_children"
	use graceful-close bounded-close-wait
	start many "${preloaded[@]}" "$HARD/many_children" stop
	wait_until 60 has_said_or_ended many '^ready'
	high=$(in_region "${pid_of[many]}" connections_high)
	threads=$(in_region "${pid_of[many]}" threads_high)
	open=$(in_region "${pid_of[many]}" connections_open)
	[ "$high" -le 4096 ] || fail "$high records for 2 connections"
	[ "$threads" -le 200 ] || fail "$threads thread tables for 1 process"
	[ "$open" -le 200 ] || fail "$open connections are said to be open"
	tell many go
}

@test "processes: daemon, forkpty, a second fork, forks that fail, and closing all there is" {
	same "$HARD/daemons"
	true_tables "$HARD/daemons" stop
}

@test "processes: a server executes itself anew with its listener and a connection, and into an empty environment" {
	same "$HARD/re_executes"
}

@test "processes: no children to wait for, no signals, no death of a parent come from lastack" {
	same "$HARD/no_children"
}

@test "processes: init of a PID namespace waits for orphans, and its parent goes on closing gracefully" {
	[ "$(id -u)" -eq 0 ] || skip "a PID namespace needs root"
	same "$HARD/no_children" pid-namespace
}

# A daemon: with "daemon off" nginx takes its parent for its old binary, and refuses.
nginx_daemon() { # [DIRECTIVES]
	mkdir -p "$WORK/site"
	head -c 1024 /dev/zero | tr '\0' x >"$WORK/site/index.html"
	nginx_port=$(free_port)
	cat >"$WORK/nginx.conf" <<-END
		user root;
		worker_processes 2;
		pid $WORK/nginx.pid;
		error_log $WORK/error.log warn;
		events { worker_connections 256; }
		http {
			access_log off;
			client_body_temp_path $WORK/nginx-body;
			server { listen 127.0.0.1:$nginx_port; root $WORK/site; }
		}
		$1
	END
	rm -f "$WORK/error.log"
	timeout 20 "${preloaded[@]}" /usr/sbin/nginx -e "$WORK/error.log" -c "$WORK/nginx.conf" 3>&- || fail "$(cat "$WORK/error.log")"
	wait_until 10 [ -s "$WORK/nginx.pid" ]
}

served_often() {
	local i
	for ((i = 0; i < 20; i++)); do
		[ "$(curl -sS --max-time 10 "http://127.0.0.1:$nginx_port/" | wc -c)" -eq 1024 ] || fail "request $i $1" || return 1
	done
}

is_preloaded() { # PID
	if grep -q liblastack "/proc/$1/maps"; then echo kept; else echo dropped; fi
}

@test "processes: nginx upgrades itself to a new binary, preloaded or not, and not one request fails" {
	local old new preload
	[ "$(id -u)" -eq 0 ] || skip "nginx as root reads a private folder: needs root"
	for preload in kept dropped; do
		use graceful-close bounded-close-wait
		# nginx empties the environment of the new binary, but for what is named.
		[ $preload = dropped ] || names="env LD_PRELOAD; env LASTACK_DIR; env LASTACK_LOG; env LASTACK_POLICY;"
		nginx_daemon "${names:-}"
		names=
		old=$(cat "$WORK/nginx.pid")
		kill -USR2 "$old"
		wait_until 15 [ -s "$WORK/nginx.pid.oldbin" -a -s "$WORK/nginx.pid" ] || fail "$(cat "$WORK/error.log")"
		new=$(cat "$WORK/nginx.pid")
		served_often "beside the old one"
		kill -QUIT "$old"
		wait_until 15 ended "$old"
		served_often "after the old one"
		[ "$(is_preloaded "$new")" = $preload ]
		kill -QUIT "$new"
		wait_until 15 ended "$new"
		run ! grep -E '\[(alert|crit|emerg|error)\]' "$WORK/error.log"
	done
}
