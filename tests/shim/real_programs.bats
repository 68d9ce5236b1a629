# Every function of calls.def is reached by a real program of Debian's, which does its work as without lastack. Not that the program imports
# it: that it called it, and came to liblastack.so, is noted by a library in front (witness/witness.c). The table says who reaches what.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	# shellcheck source=tests/shim/calls.bash
	source "$BATS_TEST_DIRNAME/calls.bash"
	TABLE=$TOP/tests/shim/real_programs.table
	REAL=$TOP/tests/shim/real
	WITNESS=$BUILD/tests/shim/witness.so
	chmod a+rx "$WORK"
	[ "$(uname -m)" = x86_64 ] || skip "the witness is written for x86-64"
}

teardown() {
	stop_all
}

# file_of PROGRAM: what is executed in the end; Debian's, where another is found first.
file_of() {
	readlink -f "$(PATH=/usr/sbin:/usr/bin:$PATH command -v "$1")"
}

# watched PROGRAM: the prefix of commands that are preloaded, with the witness in front, which notes what this program calls, and
# not what a shell before it or a child after it does.
watched() {
	: >"$WORK/seen"
	chmod a+rw "$WORK/seen" # a worker that is another user reports too
	preloaded=(env LASTACK_DIR="$WORK/regions" LASTACK_LOG=none LASTACK_POLICY=graceful-close WITNESS="$WORK/seen" WITNESS_OF="$(file_of "$1")"
		LD_PRELOAD="$WITNESS $BUILD/liblastack.so")
}

# The functions that were called and came to liblastack.so, of those that are called at all.
reached() {
	paste -d ' ' <(names_of_calls) <(od -An -v -tu1 -w1 "$WORK/seen") | sed -n -E 's/^([^ ]+) +1$/\1/p'
}

went_past() {
	paste -d ' ' <(names_of_calls) <(od -An -v -tu1 -w1 "$WORK/seen") | sed -n -E 's/^([^ ]+) +2$/\1/p'
}

# rows PROGRAM: the functions that the table says it reaches.
rows() {
	awk -v program="$1" '/^[^#]/ && $1 == program { sub(/^[^:]*: /, ""); print }' "$TABLE" | tr ' ' '\n' | sort
}

# reaches PROGRAM [COMMAND...]: what the command prints, preloaded and not, is the same, and it called what the table says.
reaches() {
	local program=$1
	shift
	use_nothing
	"$@" >"$WORK/plain" 2>&1 || fail "$program without lastack: $(cat "$WORK/plain")"
	[ -s "$WORK/plain" ] || fail "$program says nothing"
	watched "$program"
	"$@" >"$WORK/preloaded" 2>&1 || fail "$program with lastack: $(cat "$WORK/preloaded")"
	diff "$WORK/plain" "$WORK/preloaded"
	[ -z "$(went_past)" ] || fail "went past liblastack.so: $(went_past)"
	reached | sort >"$WORK/reached"
	[ -n "$(rows "$program")" ] || fail "the table does not know $program"
	local missing
	missing=$(comm -23 <(rows "$program") "$WORK/reached")
	[ -z "$missing" ] || fail "$program did not call $missing, but $(paste -s -d ' ' "$WORK/reached")"
}

@test "real programs: the table has a program for every function of calls.def, and no other function" {
	sed -n 's/^[^#][^:]*: //p' "$TABLE" | tr ' ' '\n' | sort -u >"$WORK/told"
	names_of_calls | sort | diff - "$WORK/told"
	grep -c '^@test "real program: ' "$BATS_TEST_FILENAME" >"$WORK/tests"
	[ "$(sed -n -E 's/^([^# ]+) .*/\1/p' "$TABLE" | sort -u | wc -l)" -eq "$(cat "$WORK/tests")" ]
}

@test "real programs: the package of each is the one that the table says, as far as dpkg knows the file" {
	local program package path paths=()
	while read -r program package; do
		path=$(file_of "$program")
		paths+=("$path" "${path#/usr}") # dpkg knows it by the name that it had before the folders were merged
		echo "$path $package" >>"$WORK/told"
	done < <(sed -n 's/^\([^#:]*\):.*/\1/p' "$TABLE")
	dpkg -S "${paths[@]}" 2>/dev/null | sed -n -E 's|^([a-z0-9.+-]+)(:[a-z0-9]+)?: (/usr)?(.*)|/usr\4 \1|p' | sort -u >"$WORK/owned"
	[ "$(wc -l <"$WORK/owned")" -gt 8 ]
	# python3 is a link to what another package has.
	join <(sort -u "$WORK/told") "$WORK/owned" | awk 'index($3, $2) != 1 { print; bad = 1 } END { exit bad }'
}

@test "real programs: a call that goes past liblastack.so is told from one that reaches it" {
	watched cat
	"${preloaded[@]}" LD_PRELOAD="$WITNESS" cat /etc/hostname
	[ -z "$(reached)" ]
	went_past | grep -q -x read
}

@test "real program: bash, to a server and back by /dev/tcp" {
	reaches bash ask_by_bash
}

ask_by_bash() {
	start server socat -d -d TCP-LISTEN:0,bind=127.0.0.1,fork,reuseaddr SYSTEM:'read line; echo "answer to $line"'
	wait_until 5 says "$WORK/server.err" 'listening on'
	"${preloaded[@]}" bash -c 'exec 3<>/dev/tcp/127.0.0.1/$1; echo question >&3; read -r line <&3; echo "$line"; (exec 3>&-; echo child); exec true' bash \
		"$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$WORK/server.err")"
	stop server
}

@test "real program: nginx, master and workers" {
	reaches nginx ask_nginx
}

ask_nginx() {
	nginx_folder
	nginx_server nginx
	curl -sS --max-time 5 "http://127.0.0.1:$nginx_port/index.html" | sha256sum
	curl -sS --max-time 5 -o /dev/null -w '%{http_code}\n' -d "$(head -c 100000 /dev/zero | tr '\0' x)" "http://127.0.0.1:$nginx_port/index.html"
	stop nginx
}

@test "real program: socat, a child for each connection, and one that executes a program" {
	reaches socat ask_socat
}

ask_socat() {
	local port
	start socat "${preloaded[@]}" socat -d -d TCP-LISTEN:0,bind=127.0.0.1,fork,reuseaddr,shut-down EXEC:'tr a-z A-Z'
	wait_until 5 says "$WORK/socat.err" 'listening on'
	port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' "$WORK/socat.err")
	echo question | timeout 20 "${preloaded[@]}" socat -t 10 - "TCP:127.0.0.1:$port"
	echo again | timeout 20 "${preloaded[@]}" socat -t 10 - "TCP:127.0.0.1:$port"
	timeout 20 "${preloaded[@]}" socat -u SYSTEM:'echo by a shell' -
	stop socat
}

@test "real program: sshd, which executes itself, locks itself in, and becomes the user" {
	[ "$(id -u)" -eq 0 ] || skip "this sshd logs in root: needs root"
	ssh-keygen -q -t ed25519 -N '' -f "$WORK/host_key"
	ssh-keygen -q -t ed25519 -N '' -f "$WORK/client_key"
	cp "$WORK/client_key.pub" "$WORK/authorized_keys"
	[ -d /run/sshd ] || mkdir -m 0755 /run/sshd
	reaches sshd ask_sshd
}

ask_sshd() {
	local port
	port=$(free_port)
	start sshd "${preloaded[@]}" /usr/sbin/sshd -D -e -f /dev/null -p "$port" -h "$WORK/host_key" \
		-o ListenAddress=127.0.0.1 -o AuthorizedKeysFile="$WORK/authorized_keys" -o StrictModes=no \
		-o PermitRootLogin=prohibit-password -o PidFile=none -o UsePAM=no
	wait_until 10 says "$WORK/sshd.err" 'Server listening'
	echo upload | timeout 20 ssh -F none -p "$port" -i "$WORK/client_key" -o BatchMode=yes -o StrictHostKeyChecking=no \
		-o UserKnownHostsFile=/dev/null -o LogLevel=ERROR root@127.0.0.1 'tr a-z A-Z; id -u'
	stop sshd
}

@test "real program: node, server and client" {
	reaches node run_it node "$REAL/sockets.js"
}

@test "real program: python3, its own modules, and functions by their names" {
	reaches python3 ask_python
}

ask_python() {
	run_it "$PYTHON" "$REAL/sockets.py" && run_it "$PYTHON" "$REAL/by_name.py"
}

@test "real program: perl, server and client" {
	reaches perl run_it /usr/bin/perl "$REAL/sockets.pl"
}

run_it() {
	timeout 60 "${preloaded[@]}" "$@" </dev/null
}

@test "real program: sed, whose e command reads from a shell" {
	reaches sed run_it sed -n '1e echo by a shell' /etc/passwd
}

@test "real program: uniq, which reopens its streams" {
	reaches uniq run_it sh -c 'uniq /etc/passwd "$0" && cat "$0"' "$WORK/unique"
}

@test "real program: ip, which reads a batch as its standard input" {
	echo 'link show lo' >"$WORK/batch"
	reaches ip run_it ip -o -batch "$WORK/batch"
}

@test "real program: sort, which pipes through another program" {
	seq 20000 | sort -R >"$WORK/numbers"
	reaches sort run_it sh -c 'sort -n -S 300k --compress-program=gzip "$0" | sha256sum' "$WORK/numbers"
}

@test "real program: split, which starts a shell for each part" {
	reaches split run_it split --filter='echo part; wc -l' -n l/2 /etc/passwd
}

@test "real program: newgrp, which starts the user's shell" {
	[ "$(id -u)" -eq 0 ] || skip "newgrp is a set-user-ID program: the loader would not preload"
	reaches newgrp run_it sh -c 'echo id -g | SHELL=/bin/sh newgrp nogroup'
}

@test "real program: setpriv, which drops capabilities" {
	[ "$(id -u)" -eq 0 ] || skip "needs capabilities to drop"
	reaches setpriv run_it setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all grep -E '^(Uid|Gid|Groups|Cap)' /proc/self/status
}

@test "real program: chroot, as another user" {
	[ "$(id -u)" -eq 0 ] || skip "chroot needs root"
	reaches chroot run_it chroot --userspec=65534:65534 --groups=65534 / id
}

@test "real program: unshare, into a network of its own" {
	[ "$(id -u)" -eq 0 ] || skip "a network of one's own needs root"
	reaches unshare run_it unshare --net ip -brief link
}

@test "real program: nsenter, into the network that it is in" {
	[ "$(id -u)" -eq 0 ] || skip "entering a network needs root"
	reaches nsenter run_it nsenter --net=/proc/self/ns/net ip -brief address show lo
}
