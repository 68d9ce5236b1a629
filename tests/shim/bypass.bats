# What goes past every preloaded library, and what lastack answers. The first column cannot be interposed; the last one is what remains true.
#
#   goes past                      is it noticed before          what is true nevertheless
#   ---------------------------    --------------------------    ------------------------------------------------------------------
#   a static program               `run` refuses: status 4       by hand: it runs as without, unseen (here)
#                                  (cli/run.bats)
#   a musl program                 `run` refuses: status 4       by hand: musl's loader says which symbol it misses, and the program
#                                  (cli/run.bats)                does not start (here)
#   setuid, file capabilities      `run` refuses: status 4       by hand: the loader drops LD_PRELOAD; it runs as without (here)
#                                  (cli/run.bats, preload.bats)
#   a child that is static         no                            the connection that it inherits is shared: never shut down (here)
#   dlsym on a handle of libc      no                            close unseen: the kernel's cookie says that the connection is gone; a file
#   RTLD_DEEPBIND                  no                            or a connection with the same number is itself, and the latter is
#   io_uring                       no                            followed and ended gracefully from its beginning (here)
#   inline system calls, Go        no                            the same: they differ in nothing that the shim could see
#   a seccomp filter               `report` says so              the shim stands aside (proof/fork.bats)
#   fork, exec, clone by syscall   -                             interposed (proof/fork.bats)

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	SOURCES=$BATS_TEST_DIRNAME/bypass
}

teardown() {
	stop_all
}

by_hand() {
	preloaded=(env LASTACK_DIR="$WORK/regions" LASTACK_LOG=none LASTACK_POLICY="$1" LD_PRELOAD="$BUILD/liblastack.so")
}

compile() { # NAME SOURCE OPTION...
	gcc -std=gnu11 -D_GNU_SOURCE -O1 -o "$WORK/$1" "$2" "${@:3}"
}

# server_end PORT: what lastack says of the server's end of the connection with this client port: "STATE FD".
server_end() {
	connections ".[] | select(.role == \"server\" and (.peer | tostring | contains(\"$1\"))) | \"\(.state) \(.fd)\""
}

# closes_first HOW...: a server has closed its first connection so.
closes_first() {
	local ends
	compile goes_around "$SOURCES/goes_around.c"
	use graceful-close
	start server "${preloaded[@]}" "$WORK/goes_around" "$@"
	wait_until 10 says "$WORK/server.out" '^first '
	port=$(port_of server)
	read -r _ first number < <(grep '^first ' "$WORK/server.out")
	[ "$(server_end "$first")" = "ESTABLISHED $number" ]
	tell server go
	wait_until 10 says "$WORK/server.out" '^c'
	if says "$WORK/server.out" '^cannot: '; then
		ends=$(cat "$WORK/server.out")
		stop server
		skip "$1: ${ends##*cannot: }"
	fi
}

# goes_around HOW...: the server's close is unseen; all that comes after it is seen.
goes_around() {
	local ends
	closes_first "$@"
	# With data unread it was a reset, not a graceful close. That is how we know that it did go past.
	wait_until 5 sockets_are 0 "( sport = :$first and dport = :$port ) or ( sport = :$port and dport = :$first )"
	[ -z "$(server_end "$first")" ] || fail "$(lastack list)"
	tell server go
	wait_until 10 says "$WORK/server.out" '^second '
	[ "$1" = both ] || grep -q -x 'file with the number, 12 bytes, then 0, closed 0, again -1' "$WORK/server.out" || fail "$(cat "$WORK/server.out")"
	read -r _ second ends < <(grep '^second ' "$WORK/server.out")
	[ "$ends" = "$number" ]
	[ "$1" != both ] || return 0
	[ "$(server_end "$second")" = "ESTABLISHED $number" ] || fail "$(lastack list)"
	tell server go
	wait_until 10 says "$WORK/server.out" '^answered: and ended$' || fail "$(cat "$WORK/server.out")"
	[[ $(server_end "$second") == FIN-WAIT-[12]* ]]
	tell server go
	wait_until 10 ended "${pid_of[server]}"
}

@test "bypass: close by a handle of the C library" {
	goes_around handle
}

@test "bypass: a connection that nobody saw, under a number that was known, is not ours to end gracefully" {
	goes_around both
	# The kernel's word for it: no hook saw who opened it.
	[ "$(connections "map(select(.local | endswith(\":$port\"))) | map(\"\(.state) \(.tid)\") | join(\" \")")" = "ESTABLISHED 0" ] || fail "$(lastack list)"
	tell server go
	wait_until 10 says "$WORK/server.out" '^answered: Connection reset by peer$' || fail "$(cat "$WORK/server.out")"
}

@test "bypass: close in a plug-in that was loaded with RTLD_DEEPBIND" {
	printf '#include <unistd.h>\nint close_from_plugin(int fd) { return close(fd); }\n' >"$WORK/plugin.c"
	compile plugin.so "$WORK/plugin.c" -shared -fPIC
	goes_around deepbind "$WORK/plugin.so"
}

@test "bypass: close by io_uring" {
	goes_around uring
}

@test "bypass: these tests see the difference: a close that is interposed is graceful" {
	closes_first plain
	[ "$(sockets state close-wait "( sport = :$first and dport = :$port )")" -eq 1 ]
	[[ $(server_end "$first") == FIN-WAIT-2* ]]
}

@test "bypass: a static program that is preloaded by hand runs as without, and nobody claims to see it" {
	by_hand graceful-close
	# The same program, to which a graceful close makes a difference.
	compile dynamic "$TOP/tests/apps/closes_unread.c" -pthread
	run -0 "${preloaded[@]}" timeout 20 "$WORK/dynamic" </dev/null
	[[ $output == *"the peer read 2 bytes, then: end of stream"* ]]
	compile static "$TOP/tests/apps/closes_unread.c" -static -pthread
	run -0 --separate-stderr timeout 20 "${preloaded[@]}" "$WORK/static" </dev/null
	[[ $output == *"the peer read 2 bytes, then: Connection reset by peer"* && -z $stderr ]]
}

@test "bypass: a musl program that is preloaded by hand is not started by its loader, which says why" {
	command -v musl-gcc >/dev/null || skip "no musl-gcc"
	printf 'int main(void) { return 7; }\n' >"$WORK/musl.c"
	musl-gcc -o "$WORK/musl" "$WORK/musl.c"
	by_hand graceful-close
	run -7 "$WORK/musl"
	run -127 "${preloaded[@]}" "$WORK/musl"
	[[ $output == *"Error relocating "*"liblastack.so: "*"symbol not found"* ]]
}

@test "bypass: a set-user-ID program that is preloaded by hand runs as without" {
	[ "$(id -u)" -eq 0 ] || skip "needs root, to become another user"
	local folder plain as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	folder=$(mktemp -d /tmp/setuid.XXXXXX)
	chmod 0755 "$folder"
	cp "$BUILD/liblastack.so" "$folder"
	install -m 4755 "$(command -v cat)" "$folder/cat"
	plain=$("${as[@]}" "$folder/cat" /proc/self/status 2>&1 | grep '^Uid')
	run --separate-stderr "${as[@]}" env LD_PRELOAD="$folder/liblastack.so" "$folder/cat" /proc/self/status /proc/self/maps
	rm -r "$folder"
	[ "$status" -eq 0 ] && [ -z "$stderr" ]
	grep -q -x "$plain" <<<"$output"
	run ! grep -q liblastack <<<"$output"
}

@test "bypass: a static child answers on the connection that it inherits, after its parent has closed it" {
	cat >"$WORK/child.c" <<-'END'
		#include <unistd.h>
		int main(void)
		{
			char line[64];
			ssize_t got;
			usleep(300000);
			got = read(0, line, sizeof(line));
			return got <= 0 || write(1, line, got) != got;
		}
	END
	compile child "$WORK/child.c" -static
	cat >"$WORK/parent.py" <<-'END'
		import socket, subprocess, sys
		server = socket.create_server(("127.0.0.1", 0))
		client = socket.create_connection(server.getsockname())
		accepted, _ = server.accept()
		client.sendall(b"question")
		child = subprocess.Popen([sys.argv[1]], stdin=accepted, stdout=accepted)
		accepted.close()
		client.settimeout(10)
		print(client.recv(100), client.recv(100), child.wait())
	END
	by_hand graceful-close
	[ "$("${preloaded[@]}" timeout 30 "$PYTHON" "$WORK/parent.py" "$WORK/child")" = "b'question' b'' 0" ]
}
