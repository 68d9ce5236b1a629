# lastack run: what can be preloaded is, with the command's own pid and status; what cannot is refused, with a reason.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	mkdir -m 0700 "$WORK/regions"
	export LASTACK_DIR=$WORK/regions
	unset LD_PRELOAD LASTACK_POLICY LASTACK_MODE
	SHIM=$(realpath "$BUILD/liblastack.so")
}

teardown() {
	stop_all
}

# refuses STATUS PATTERN COMMAND...: and the command does not run: it would make $WORK/ran.
refuses() {
	local status_wanted=$1 pattern=$2
	shift 2
	run "-$status_wanted" --separate-stderr timeout 20 "$LASTACK" run -- "$@"
	# shellcheck disable=SC2053,SC2154 # a pattern; run sets stderr
	[[ $stderr == $pattern ]] || fail "$1: $stderr"
	[ -z "$output" ]
	[ ! -e "$WORK/ran" ] || fail "$1 has run"
}

# program NAME COMPILER...: one that makes $WORK/ran.
program() {
	local name=$1
	shift
	printf '#include <stdio.h>\nint main(void) { return fopen("%s/ran", "w") == 0; }\n' "$WORK" >"$WORK/$name.c"
	"$@" -o "$WORK/$name" "$WORK/$name.c"
}

@test "run: a python script runs with liblastack.so in it, once" {
	cat >"$WORK/script" <<-END
		#!$PYTHON
		maps = open("/proc/self/maps").read()
		print(sorted({line.split()[-1] for line in maps.splitlines() if "liblastack" in line}))
	END
	chmod +x "$WORK/script"
	run -0 "$LASTACK" run -- "$WORK/script"
	[ "$output" = "['$SHIM']" ]
	sed -i '1s/.*/#!\/usr\/bin\/env python3/' "$WORK/script"
	run -0 "$LASTACK" run "$WORK/script"
	[ "$output" = "['$SHIM']" ]
}

@test "run: LD_PRELOAD gets the library in front, once, and keeps the others" {
	local other=$WORK/other.so
	echo 'int other;' | gcc -shared -x c -o "$other" -
	run -0 "$LASTACK" run -- printenv LD_PRELOAD
	[ "$output" = "$SHIM" ]
	run -0 env LD_PRELOAD="$other" "$LASTACK" run -- printenv LD_PRELOAD
	[ "$output" = "$SHIM:$other" ]
	run -0 "$LASTACK" run -- "$LASTACK" run -- printenv LD_PRELOAD
	[ "$output" = "$SHIM" ]
	run -0 env LD_PRELOAD="$other:$SHIM" "$LASTACK" run -- printenv LD_PRELOAD
	[ "$output" = "$other:$SHIM" ]
	echo 'no library' >"$other" # the loader complains of it, and loads ours
	run -0 --separate-stderr env LD_PRELOAD="$other" "$LASTACK" run -- printenv LD_PRELOAD
	[ "$output" = "$SHIM:$other" ]
}

@test "run: when the loader refuses the library that is told in the loader's words: status 4" {
	mkdir "$WORK/install"
	cp "$LASTACK" "$WORK/install"
	# Looks like a library of this machine, and ends behind its header.
	head -c 64 "$SHIM" >"$WORK/install/liblastack.so"
	run -4 --separate-stderr "$WORK/install/lastack" run -- touch "$WORK/ran"
	[[ $stderr == *"touch would run without lastack: "*"liblastack.so"*"cannot be preloaded"* ]] || fail "$stderr"
	[[ $stderr != *\\x0a* && ! -e $WORK/ran ]]
}

@test "run: the command's own status is passed on, also that of a signal" {
	local wanted
	for wanted in 0 1 2 3 4 5 6 42 99 125 255; do
		run "-$wanted" "$LASTACK" run -- sh -c "exit $wanted"
	done
	# shellcheck disable=SC2016 # for that shell
	run -143 "$LASTACK" run -- sh -c 'kill -TERM $$'
}

@test "run: the command takes the place of lastack: same pid, same arguments, standard streams untouched" {
	# shellcheck disable=SC2016 # for that shell
	run -0 sh -c 'echo $$; exec "$0" run -- sh -c "echo \$\$"' "$LASTACK"
	[ "${#lines[@]}" -eq 2 ]
	[ "${lines[0]}" = "${lines[1]}" ]
	run -0 "$LASTACK" run -- printf '<%s>' '' 'a b' -p --observe -- "it's"
	[ "$output" = "<><a b><-p><--observe><--><it's>" ]
	run -0 "$LASTACK" run cat <<<'input'
	[ "$output" = input ]
}

@test "run: --observe sets LASTACK_MODE, -p LASTACK_POLICY to absolute paths in the order given" {
	run -1 "$LASTACK" run -- printenv LASTACK_MODE LASTACK_POLICY
	[ -z "$output" ]
	run -0 "$LASTACK" run --observe -- printenv LASTACK_MODE
	[ "$output" = observe ]
	policy mine <<-'END'
		[close-wait]
		after 1s = log
	END
	cd "$WORK"
	run -0 "$LASTACK" run -p mine.policy -p graceful-close -- printenv LASTACK_POLICY
	[ "$output" = "$WORK/mine.policy,$TOP/policies/graceful-close.policy" ]
	# A link may be turned later: what it leads to now is not what was named.
	ln -s mine.policy link.policy
	run -0 "$LASTACK" run -p link.policy -- printenv LASTACK_POLICY
	[ "$output" = "$WORK/link.policy" ]
}

@test "run: a bad policy is refused with FILE:LINE before anything runs: status 3" {
	policy bad <<-'END'
		[close-wait]
		after 30 = shutdown
	END
	run -3 --separate-stderr "$LASTACK" run -p "$WORK/bad.policy" -- touch "$WORK/ran"
	[[ $stderr == "$WORK/bad.policy:2:"* ]] || fail "$stderr"
	run -3 --separate-stderr "$LASTACK" run -p observe -p "$WORK/bad.policy" -- touch "$WORK/ran"
	run -3 --separate-stderr "$LASTACK" run -p no-such-policy -- touch "$WORK/ran"
	[[ $stderr == *"no-such-policy: no such policy: write "* ]]
	[ ! -e "$WORK/ran" ]
}

@test "run: no such command: 127; not executable: 126" {
	refuses 127 '*no such command' no-such-command-anywhere
	refuses 127 '*no such command' "$WORK/none"
	touch "$WORK/plain"
	refuses 126 '*not executable' "$WORK/plain"
	refuses 126 '*' "$WORK"
	PATH=$WORK:$PATH refuses 126 '*not executable' plain
	printf '#!%s/none\n' "$WORK" >"$WORK/script"
	chmod +x "$WORK/script"
	refuses 127 '*none: no such command' "$WORK/script"
	printf '#!%s/loop\n' "$WORK" >"$WORK/loop"
	chmod +x "$WORK/loop"
	refuses 126 '*too deep' "$WORK/loop"
}

@test "run: a static program is refused, also a position-independent one: status 4" {
	program static gcc -static
	refuses 4 "*$WORK/static is statically linked: *" "$WORK/static"
	program static-pie gcc -static-pie
	refuses 4 "*$WORK/static-pie is statically linked: *" "$WORK/static-pie"
}

@test "run: a script whose interpreter is static is refused: status 4" {
	program static gcc -static
	printf '#!%s/static -x\n' "$WORK" >"$WORK/script"
	chmod +x "$WORK/script"
	refuses 4 "*$WORK/static is statically linked: *" "$WORK/script"
	printf '#!/usr/bin/env static\n' >"$WORK/by-env"
	chmod +x "$WORK/by-env"
	PATH=$WORK:$PATH refuses 4 "*$WORK/static is statically linked: *" "$WORK/by-env"
}

@test "run: a program linked with musl is refused: status 4" {
	command -v musl-gcc >/dev/null || skip "no musl-gcc"
	program musl musl-gcc
	refuses 4 "*$WORK/musl is linked with musl: *" "$WORK/musl"
}

@test "run: what is no program is refused: status 4" {
	printf 'just text\n' >"$WORK/text"
	head -c 100 /dev/zero >"$WORK/zeros"
	printf '\177ELF' >"$WORK/short"
	: >"$WORK/empty"
	chmod +x "$WORK/text" "$WORK/zeros" "$WORK/short" "$WORK/empty"
	for file in text zeros short empty; do
		refuses 4 "*$WORK/$file is no ELF program*" "$WORK/$file"
	done
}

@test "run: a setuid program is refused to another user: status 4" {
	[ "$(id -u)" -eq 0 ] || skip "needs root, to become another user"
	# A folder that the other user can reach, on a file system that heeds setuid.
	local folder as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	folder=$(mktemp -d /tmp/setuid.XXXXXX)
	chmod 0755 "$folder"
	cp "$BUILD/lastack" "$BUILD/liblastack.so" "$folder"
	cp "$(command -v id)" "$folder/id"
	run -0 "${as[@]}" "$folder/lastack" run -- "$folder/id" -u
	[ "$output" = 65534 ]
	chmod 4755 "$folder/id"
	run --separate-stderr "${as[@]}" "$folder/lastack" run -- "$folder/id" -u
	rm -r "$folder"
	[ "$status" -eq 4 ]
	[[ -z $output && $stderr == *"id is setuid or setgid: "* ]] || fail "$stderr"
}
