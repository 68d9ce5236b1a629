# lastack run: the less usual ways in which a preload is lost between the command line and the program. Each would leave a server running
# without protection, and nobody would notice: so it is refused, or shown to be harmless. The usual ways are in run.bats.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	mkdir -m 0777 "$WORK/regions"
	export LASTACK_DIR=$WORK/regions
	unset LD_PRELOAD LASTACK_POLICY LASTACK_MODE
}

teardown() {
	[ -z "${OPEN:-}" ] || rm -r "$OPEN"
}

# refuses STATUS PATTERN ARGUMENT...: of run; and the command does not run: it would make $WORK/ran.
refuses() {
	local status_wanted=$1 pattern=$2
	shift 2
	run "-$status_wanted" --separate-stderr timeout 20 "$LASTACK" run "$@"
	# shellcheck disable=SC2053,SC2154 # a pattern; run sets stderr
	[[ $stderr == $pattern ]] || fail "$*: $stderr"
	[ ! -e "$WORK/ran" ] || fail "$* has run"
}

# script NAME: from standard input
script() {
	cat >"$WORK/$1"
	chmod +x "$WORK/$1"
}

# open_folder: OPEN is a folder that every user can reach, with a lastack in it; as_nobody ARGUMENT... is that lastack, as another user.
open_folder() {
	[ "$(id -u)" -eq 0 ] || skip "needs root, to become another user"
	OPEN=$(mktemp -d /tmp/preload.XXXXXX)
	chmod 0777 "$OPEN"
	cp "$BUILD/lastack" "$BUILD/liblastack.so" "$OPEN"
}

as_nobody() {
	LASTACK_DIR=$OPEN setpriv --reuid=65534 --regid=65534 --clear-groups "$OPEN/lastack" "$@"
}

@test "preload: an env with assignments in the #! line is followed to what it runs" {
	script app <<-'END'
		#!/usr/bin/env -S PLACE=here bash
		grep -q liblastack.so /proc/$$/maps && echo "preloaded $PLACE"
	END
	run -0 "$LASTACK" run "$WORK/app"
	[ "$output" = "preloaded here" ]
}

@test "preload: an env in the #! line that may clear the environment is refused" {
	local words
	for words in '-S -i sh' '-S - sh' '-S -u LD_PRELOAD sh' '-S LD_PRELOAD= sh' '-S A=b LD_PRELOAD=x sh'; do
		printf '#!/usr/bin/env %s\n: >%s/ran\n' "$words" "$WORK" | script app
		refuses 4 "*app: its #! line gives env options*" "$WORK/app"
	done
}

@test "preload: a script whose interpreter is a script is followed" {
	script inner <<-'END'
		#!/bin/sh
		grep -q liblastack.so /proc/$$/maps && echo preloaded
	END
	printf '#!%s/inner\n' "$WORK" | script outer
	run -0 "$LASTACK" run "$WORK/outer"
	[ "$output" = preloaded ]
}

@test "preload: a program for another machine is refused" {
	# The machine of an ELF header is its bytes 18 and 19; 22 is S/390.
	cp "$(command -v touch)" "$WORK/touch"
	printf '\026\000' | dd of="$WORK/touch" bs=1 seek=18 conv=notrunc status=none
	refuses 4 '*touch is built for another machine*' "$WORK/touch" "$WORK/ran"
}

@test "preload: a program that cannot be read is refused, and not tried: it may be static" {
	open_folder
	printf '#include <stdio.h>\nint main(void) { return fopen("%s/ran", "w") == 0; }\n' "$OPEN" >"$WORK/static.c"
	gcc -static -o "$OPEN/static" "$WORK/static.c"
	chmod 0711 "$OPEN/static"
	run -4 --separate-stderr as_nobody run -- "$OPEN/static"
	# shellcheck disable=SC2154 # run sets it
	[[ $stderr == *"static cannot be read"* ]] || fail "$stderr"
	[ ! -e "$OPEN/ran" ]
	chmod 0755 "$OPEN/static"
	run -4 --separate-stderr as_nobody run -- "$OPEN/static"
	[[ $stderr == *"statically linked"* ]] || fail "$stderr"
	[ ! -e "$OPEN/ran" ]
}

@test "preload: file capabilities are refused, but not to root, who gains nothing by them" {
	open_folder
	cp /bin/true "$OPEN/capable"
	# Version 2, effective; CAP_NET_BIND_SERVICE (10) permitted.
	"$PYTHON" -c 'import os, struct, sys
os.setxattr(sys.argv[1], "security.capability", struct.pack("<5I", 0x02000001, 1 << 10, 0, 0, 0))' "$OPEN/capable" ||
		skip "no file capabilities on this file system"
	run -0 "$LASTACK" run -- "$OPEN/capable"
	run -4 --separate-stderr as_nobody run -- "$OPEN/capable"
	[[ $stderr == *"capable has file capabilities"* ]] || fail "$stderr"
}

@test "preload: set-user-ID to the caller's own id changes nothing, and runs" {
	cp /bin/true "$WORK/mine"
	chmod u+s "$WORK/mine"
	run -0 "$LASTACK" run -- "$WORK/mine"
}

@test "preload: set-group-ID is refused, but not without the group's execute bit, where the kernel ignores it" {
	open_folder
	cp /bin/true "$OPEN/theirs"
	chmod 2755 "$OPEN/theirs"
	run -4 --separate-stderr as_nobody run -- "$OPEN/theirs"
	[[ $stderr == *"is setuid or setgid"* ]] || fail "$stderr"
	chmod 2745 "$OPEN/theirs"
	run -0 as_nobody run -- "$OPEN/theirs"
}

@test "preload: somebody else's library that does not load is no reason to refuse" {
	# shellcheck disable=SC2016 # for that shell
	LD_PRELOAD=/no/such/library.so run -0 --separate-stderr "$LASTACK" run -- \
		bash -c 'grep -q liblastack.so /proc/$$/maps && echo preloaded'
	[ "$output" = preloaded ]
}

@test "preload: a library whose name only contains ours is not ours" {
	local folder=$WORK/build
	mkdir "$folder"
	cp "$BUILD/lastack" "$folder"
	head -c 100 "$BUILD/liblastack.so" >"$folder/liblastack.so"
	cp "$BUILD/liblastack.so" "$folder/liblastack.so.old"
	LASTACK=$folder/lastack
	LD_PRELOAD=$folder/liblastack.so.old refuses 4 '*cannot be preloaded*' touch "$WORK/ran"
}

@test "preload: a loader that is not of glibc is not asked: it would run the program" {
	cat >"$WORK/loader.c" <<-END
		#include <fcntl.h>
		int main(void) { return creat("$WORK/ran", 0600) < 0; }
	END
	gcc -static -o "$WORK/loader" "$WORK/loader.c"
	echo 'int main(void) { return 0; }' >"$WORK/app.c"
	gcc -Wl,--dynamic-linker="$WORK/loader" -o "$WORK/app" "$WORK/app.c"
	"$WORK/app" && [ -e "$WORK/ran" ] && rm "$WORK/ran"
	refuses 4 "*is loaded by $WORK/loader, which is not glibc's loader*" "$WORK/app"
}

@test "preload: the loader is asked without running the program" {
	printf '#!/bin/sh\necho once >>%s/runs\n' "$WORK" | script app
	run -0 "$LASTACK" run "$WORK/app"
	[ "$(cat "$WORK/runs")" = once ]
}

@test "preload: a policy that the shim has no room for, or cannot be told of, is refused" {
	local name
	name=$(printf 'd%.0s' {1..200})
	mkdir -p "$WORK/$name/$name/$name" "$WORK/a,b"
	printf '[close]\naction = graceful\n' | tee "$WORK/$name/$name/$name/my.policy" >"$WORK/a,b/my.policy"
	refuses 3 '*LASTACK_POLICY is a list*' -p "$WORK/$name/$name/$name/my.policy" -- touch "$WORK/ran"
	refuses 3 '*LASTACK_POLICY is a list*' -p "$WORK/a,b/my.policy" -- touch "$WORK/ran"
}

@test "preload: without -p the policy of the environment stays as it is" {
	LASTACK_POLICY=observe run -0 "$LASTACK" run -- printenv LASTACK_POLICY
	[ "$output" = observe ]
}
