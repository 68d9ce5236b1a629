# No way around the hooks by name: see tests/imports.sh. And what that script must not let pass.

bats_require_minimum_version 1.5.0

setup() {
	TOP=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
	WORK=$BATS_TEST_TMPDIR
	cp "$TOP/src/shim/calls.def" "$TOP/tests/imports.allowed" "$WORK"
	export CALLS=$WORK/calls.def ALLOWED=$WORK/imports.allowed
}

# complains NAME SENTENCE: imports.sh fails, and says this.
complains() {
	run -1 "$TOP/tests/imports.sh" -q
	grep -q -x "$1: .*$2.*" <<<"$output"
	[[ ${lines[-1]} == "imports: 1 wrong" ]]
}

@test "imports: every function of the C library that could touch a socket is interposed, or it is said why not" {
	run -0 "$TOP/tests/imports.sh"
	[[ ${lines[-1]} =~ ^imports:\ all\ ([0-9]+)\ names.*,\ ([0-9]+)\ interposed$ ]]
	[ "${BASH_REMATCH[1]}" -gt 150 ]
	[ "${BASH_REMATCH[2]}" -gt 60 ]
}

@test "imports: the numbers are those of nm" {
	local folder=$WORK/programs name
	mkdir "$folder"
	cp "$(command -v bash)" "$(command -v curl)" "$(command -v nginx || echo /usr/sbin/nginx)" "$folder"
	for name in close accept4 fclose dup2 __read_chk; do
		printf '%s\t%s\n' "$(nm -D --undefined-only "$folder"/* | grep -c " $name@GLIBC")" "$name"
	done | sort >"$WORK/wanted"
	python3 "$TOP/tests/elf_imports.py" imports "$folder" >"$WORK/found"
	grep -q -x '= 3 files' "$WORK/found"
	awk -v OFS='\t' 'NR == FNR { count[$1] += $3; next } { print count[$2] + 0, $2 }' "$WORK/found" "$WORK/wanted" | diff "$WORK/wanted" -
}

@test "imports: a function that a newer C library brings is noticed" {
	printf 'int pidfd_spawn(void) { return 0; }\nint close(int fd) { return fd; }\n' >"$WORK/newer.c"
	printf 'GLIBC_2.39 { global: pidfd_spawn; close; };\n' >"$WORK/newer.map"
	gcc -w -shared -fPIC -nostdlib -Wl,--version-script="$WORK/newer.map" -o "$WORK/newer.so" "$WORK/newer.c"
	C_LIBRARY=$WORK/newer.so run -1 "$TOP/tests/imports.sh" -q
	grep -q -x 'pidfd_spawn: the C library exports it, and it stands neither .*' <<<"$output"
	grep -q -x 'shutdown: in calls.def, and the C library does not export it' <<<"$output"
	run ! grep -q '^close:' <<<"$output"
}

@test "imports: a name in neither list is noticed, in whichever it was" {
	sed -i '/accept4/d' "$CALLS"
	complains accept4 'stands neither'
	cp "$TOP/src/shim/calls.def" "$CALLS"
	sed -i 's/^tee vmsplice:/vmsplice:/' "$ALLOWED"
	complains tee 'stands neither'
}

@test "imports: a name in calls.def that the C library does not export is noticed" {
	echo 'LIBC(int, close_gently, (int fd), (fd))' >>"$CALLS"
	complains close_gently 'does not export it'
}

@test "imports: a line of imports.allowed that allows nothing is noticed" {
	echo 'close_gently: it is gentle' >>"$ALLOWED"
	complains close_gently 'does not export it'
	cp "$TOP/tests/imports.allowed" "$ALLOWED"
	echo 'strlen: reads no socket' >>"$ALLOWED"
	complains strlen 'nothing asks about it'
	cp "$TOP/tests/imports.allowed" "$ALLOWED"
	echo 'recv: reads' >>"$ALLOWED"
	complains recv 'though it is interposed'
	cp "$TOP/tests/imports.allowed" "$ALLOWED"
	echo 'tee: pipes' >>"$ALLOWED"
	complains tee 'stands twice'
}

@test "imports: a name without a reason is noticed" {
	sed -i 's/^bind:.*/bind:/' "$ALLOWED"
	complains bind: 'no reason given'
}
