# Where the region would be is missing, full, read-only, somebody else's, or a trap: nobody notices, one line says so, and nothing of anybody else is
# touched.

bats_require_minimum_version 1.5.0

setup() {
	# shellcheck source=tests/faults/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
	faults_setup
}

teardown() {
	stop_all
	[ -z "${visible:-}" ] || rm -rf "$visible"
}

# no_region_in FOLDER [ERROR]: with LASTACK_DIR there, all is as without, but for one line.
no_region_in() {
	variables=(LASTACK_DIR="$1" LASTACK_LOG="$WORK/lastack.log")
	preload "$CONVERSES"
	nobody_noticed
	off_is region-file
	grep -q "off=region-file error=$2 meaning=\"no folder" "$WORK/lastack.log" || fail "$(grep off= "$WORK/lastack.log")"
}

@test "folder: LASTACK_DIR is missing, a file, a link, too long, open to others" {
	plain "$CONVERSES"
	no_region_in "$WORK/missing/regions" ENOENT
	touch "$WORK/file"
	no_region_in "$WORK/file" ENOTDIR
	no_region_in "$WORK/file/regions" ENOTDIR
	mkdir -m 0700 "$WORK/target"
	ln -s target "$WORK/link"
	no_region_in "$WORK/link" ENOTDIR
	ln -s "$WORK/nowhere" "$WORK/dangling"
	no_region_in "$WORK/dangling" ENOTDIR
	no_region_in "$WORK/$(printf '%0200d' 0)" ENAMETOOLONG
	mkdir -m 0755 "$WORK/open"
	no_region_in "$WORK/open" EACCES
	mkdir -m 0777 "$WORK/more_open"
	no_region_in "$WORK/more_open" EACCES
	[ ! -e "$WORK/nowhere" ]
	[ -z "$(find "$WORK/target" "$WORK/open" "$WORK/more_open" -mindepth 1)" ]
}

@test "folder: LASTACK_DIR is another user's, or one that the server may not write to" {
	needs_root
	plain "$CONVERSES"
	mkdir -m 0700 "$WORK/others"
	chown 65534 "$WORK/others"
	no_region_in "$WORK/others" EACCES
	# The server is no root, the folder is root's.
	visible=$(mktemp -d) # the folder of the tests is closed to others
	chmod 0777 "$visible"
	mkdir -m 0755 "$visible/roots"
	mkdir -m 0700 "$visible/roots/regions"
	cp "$WORK/all.policy" "$visible"
	around=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	"${around[@]}" test -x "$CONVERSES" && "${around[@]}" test -r "$BUILD/liblastack.so" || skip "nobody may not read the build"
	plain "$CONVERSES"
	cp "$WORK"/plain* "$visible"
	WORK=$visible no_region_in "$visible/roots/regions" EACCES
	WORK=$visible no_region_in "$visible/roots/new" EACCES
}

@test "folder: it stands where anybody may put another in its place: the other is not touched" {
	local trap=$WORK/anybody/regions victim=$WORK/victim
	mkdir "$WORK/anybody" "$victim"
	chmod 0777 "$WORK/anybody"
	chmod 0700 "$victim"
	variables=(LASTACK_DIR="$trap" LASTACK_LOG="$WORK/lastack.log")
	start server env "${variables[@]}" LD_PRELOAD="$BUILD/liblastack.so" "$PYTHON" -c 'import socket
server = socket.create_server(("127.0.0.1", 0))
print("listening", server.getsockname()[1], flush=True)
input()'
	port_of server >/dev/null
	[ -s "$trap/${pid_of[server]}.region" ]
	mv "$trap" "$WORK/anybody/old"
	ln -s "$victim" "$trap"
	touch "$victim/${pid_of[server]}.region"
	tell server end
	wait_until 10 ended "${pid_of[server]}"
	[ -e "$victim/${pid_of[server]}.region" ]
}

@test "folder: no /run, no XDG_RUNTIME_DIR, no /dev/shm, and no /proc" {
	private_mounts 'mount -t tmpfs -o ro none /run; mount -t tmpfs -o ro none /dev/shm'
	plain "$CONVERSES"
	for folder in "" "$WORK/missing" /proc/self; do
		variables=(-u LASTACK_DIR XDG_RUNTIME_DIR="$folder" LASTACK_LOG="$WORK/lastack.log")
		preload "$CONVERSES"
		nobody_noticed
		off_is region-file
	done
	grep -q 'error=EROFS' "$WORK/lastack.log"
	mkdir -m 0700 "$WORK/runtime"
	variables=(-u LASTACK_DIR XDG_RUNTIME_DIR="$WORK/runtime" LASTACK_LOG="$WORK/lastack.log")
	preload "$CONVERSES"
	nobody_noticed
	[ -z "$(off)" ]
}

@test "folder: /run is full from the start, or fills up later: never SIGBUS, and report knows it" {
	local size
	private_mounts "mkdir -p '$WORK/small'; mount -t tmpfs -o size=4m,mode=0700 none '$WORK/small'"
	plain "$CONVERSES" 4
	variables=(LASTACK_DIR="$WORK/small" LASTACK_LOG="$WORK/lastack.log")
	for size in 4 16 24 32 40 48 64 96 128 160 192 224 256 320 400 800 4000; do
		"${around[@]}" mount -o "remount,size=${size}k" "$WORK/small"
		preload "$CONVERSES" 4
		nobody_noticed || fail "at ${size}k"
		never_twice
		echo "$size: $(off | xargs)"
		off >>"$WORK/all_off"
	done
	grep -q region-file "$WORK/all_off"
	grep -q -e records -e threads -e stacks "$WORK/all_off"
	[ -z "$(off)" ]
}

@test "folder: a server that has filled it is read by the commands" {
	private_mounts "mkdir -p '$WORK/regions'; mount -t tmpfs -o size=400k,mode=0700 none '$WORK/regions'"
	start server env "${variables[@]}" LD_PRELOAD="$BUILD/liblastack.so" "$PYTHON" -c 'import socket
server = socket.create_server(("127.0.0.1", 0), backlog=128)
print("listening", server.getsockname()[1], flush=True)
pairs = []
for command in iter(input, "end"):
	pairs += [(socket.create_connection(server.getsockname()), server.accept()[0]) for i in range(1500)]
	for one, other in pairs:
		one.send(b"x")
		assert other.recv(1) == b"x"
	print("good", len(pairs), flush=True)'
	port_of server >/dev/null
	# Before the tables of its threads and the like: they take what they need.
	"${around[@]}" sh -c "cat /dev/zero >'$WORK/regions/full' || true"
	ulimit -n 20000
	tell server more
	wait_until 30 says "$WORK/server.out" good
	off | grep -q -x records
	never_twice
	commands_cope
	run lastack report
	[[ $output == *"off: records: the region or its file system is full"* ]]
	[ "$(lastack report -J | jq -r '.off[]' | sort)" = "$(off | sort)" ]
	"${around[@]}" rm "$WORK/regions/full"
	tell server end
	wait_until 10 ended "${pid_of[server]}"
	stop server
}

@test "folder: it is full when a bound that was not there at first acts for the first time" {
	policy short <<-'END'
		[close]
		action = plain
	END
	private_mounts "mkdir -p '$WORK/regions'; mount -t tmpfs -o size=2m,mode=0700 none '$WORK/regions'"
	start server env "${variables[@]}" LASTACK_POLICY="$WORK/short.policy" LD_PRELOAD="$BUILD/liblastack.so" "$PYTHON" \
		"$APPS/../faults/forks.py" 0
	port_of server >/dev/null
	"${around[@]}" sh -c "cat /dev/zero >'$WORK/regions/full' || true"
	policy short <<-'END'
		[close-wait]
		after 500ms = shutdown
	END
	tell server hang-up
	wait_until 10 says "$WORK/lastack.log" 'action=shutdown .*result=ok'
	tell server serve
	wait_until 10 says "$WORK/server.out" '^served'
	off | grep -q -x rules
	never_twice
	commands_cope
}

@test "folder: the whole file system is read-only" {
	private_mounts "mkdir -p '$WORK/ro'; mount --bind '$WORK/ro' '$WORK/ro'; mount -o remount,ro,bind '$WORK/ro'"
	plain "$CONVERSES"
	variables=(LASTACK_DIR="$WORK/ro/regions" LASTACK_LOG="$WORK/ro/log")
	preload "$CONVERSES"
	nobody_noticed
	[ "$(sort -u "$WORK/said")" = "lastack: the log named by LASTACK_LOG cannot be written: going on without" ]
}

@test "folder: a server that goes into an empty chroot, before or after its first connection" {
	needs_root
	local program='import os, socket, sys
server = socket.create_server(("127.0.0.1", 0)) if sys.argv[1] == "later" else None
os.chroot(sys.argv[2])
os.chdir("/")
server = server or socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
accepted, peer = server.accept()
accepted.send(b"x")
print(client.recv(1), accepted.fileno(), os.listdir("/"))'
	mkdir "$WORK/empty"
	plain "$PYTHON" -c "$program" later "$WORK/empty"
	preload "$PYTHON" -c "$program" later "$WORK/empty"
	nobody_noticed
	[ -z "$(off)" ]
	commands_cope
	variables=(-u LASTACK_DIR -u XDG_RUNTIME_DIR LASTACK_LOG="$WORK/lastack.log")
	preload "$PYTHON" -c "$program" first "$WORK/empty"
	nobody_noticed
	off_is region-file
}

@test "folder: no /proc: all works, and the region is of this boot all the same" {
	private_mounts 'mount -t tmpfs -o ro none /proc'
	plain "$CONVERSES"
	preload "$CONVERSES"
	nobody_noticed
	[ -z "$(off)" ]
	grep -q ' exe=converses ' "$WORK/lastack.log"
	network=() # from outside, where there is a /proc
	start server "${around[@]}" env "${variables[@]}" LD_PRELOAD="$BUILD/liblastack.so" "$PYTHON" "$APPS/../faults/holds.py"
	port_of server >/dev/null
	run -0 connections 'map([.state, .alive]) | unique | tostring'
	[ "$output" = '[["ESTABLISHED",true]]' ]
}
