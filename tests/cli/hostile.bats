# Regions that are no regions, are damaged, or want to talk to the reader's terminal: an error or harmless text, never a crash. LASTACK_SEED
# repeats a run of random damage.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	mkdir -m 0700 "$WORK/regions"
}

teardown() {
	stop_all
}

# a_region: of a server that forgot a connection and is gone, in $region.
a_region() {
	use observe
	start sin "${preloaded[@]}" "$PROGRAMS/reads_never_closes"
	wait_until 10 says "$WORK/sin.out" '^step open '
	tell sin go
	wait_until 10 says "$WORK/sin.out" '^step eof-read ' || fail "$(cat "$WORK/sin.err")"
	region=$WORK/regions/${pid_of[sin]}.region
	kill -KILL "${pid_of[sin]}"
	wait_until 5 ended "${pid_of[sin]}"
	[ -s "$region" ]
}

# harmless FILE...: no byte below 0x20 but newlines, no DEL, and all of it UTF-8.
harmless() {
	"$PYTHON" -c 'import sys
for name in sys.argv[1:]:
    text = open(name, "rb").read().decode()
    bad = sorted({ch for ch in text if (ch < " " and ch != "\n") or "\x7f" <= ch < "\xa0"})
    if bad:
        sys.exit(f"{name}: {bad}")' "$@"
}

# survives ARGUMENT...: ends within 10 s by itself, with a status of interface.md section 3, and writes nothing harmful.
survives() {
	local status=0
	LASTACK_DIR=$WORK/regions timeout 10 "$LASTACK" "$@" >"$WORK/data" 2>"$WORK/talk" || status=$?
	((status <= 6)) || fail "$*: status $status: $(cat "$WORK/talk")"
	harmless "$WORK/data" "$WORK/talk"
}

all_survive() {
	survives list
	survives list -J
	jq -e .schema "$WORK/data" >/dev/null
	survives list verdict L7
	survives report --min-age 0s
	survives report --min-age 0s -J
	jq -e .schema "$WORK/data" >/dev/null
	survives table
	survives table -J
}

told() { # PATTERN: by the last command, on standard error
	grep -q -e "$1" "$WORK/talk" || fail "said: $(cat "$WORK/talk")"
}

@test "hostile: garbage, an empty file, a folder, a FIFO and a link called .region are told of, and the rest is read" {
	local good
	a_region
	good=$(basename "$region")
	head -c 100000 /dev/urandom >"$WORK/regions/garbage.region"
	: >"$WORK/regions/empty.region"
	mkdir "$WORK/regions/folder.region"
	mkfifo "$WORK/regions/fifo.region"
	ln -s "$good" "$WORK/regions/link.region"
	all_survive
	survives list
	[ "$(grep -c CLOSE-WAIT "$WORK/data")" -eq 1 ]
	[ "$(wc -l <"$WORK/talk")" -eq 5 ]
	told 'garbage.region: not a lastack region'
	told 'empty.region: too short'
	told 'folder.region: not a regular file'
	told 'fifo.region: not a regular file'
	told 'link.region: a symbolic link: not followed'
}

@test "hostile: report of such a file: status 6 and the reason" {
	head -c 100000 /dev/urandom >"$WORK/garbage.region"
	mkfifo "$WORK/fifo.region"
	run -6 --separate-stderr timeout 10 "$LASTACK" report "$WORK/garbage.region"
	# shellcheck disable=SC2154 # run sets it
	[[ -z $output && $stderr == *"garbage.region: not a lastack region" ]]
	run -6 --separate-stderr timeout 10 "$LASTACK" report "$WORK/fifo.region"
	[[ -z $output && $stderr == *"not a regular file" ]]
	run -6 --separate-stderr timeout 10 "$LASTACK" report /dev/zero
	[[ -z $output && $stderr == *"not a regular file" ]]
	run -6 --separate-stderr timeout 10 "$LASTACK" report "$WORK"
	[[ -z $output && $stderr == *"not a regular file" ]]
}

@test "hostile: a region that is cut short is told of, wherever it is cut" {
	local bytes whole
	a_region
	whole=$(stat -c %s "$region")
	for bytes in 0 1 100 400 600 5000 "$((whole / 2))" "$((whole - 1))"; do
		truncate -s "$whole" "$region"
		truncate -s "$bytes" "$region"
		survives list
		told "$(basename "$region"): "
		survives report "$region"
		told ': [a-z]'
	done
}

@test "hostile: a region of another version is refused with what to do" {
	a_region
	"$PYTHON" "$TOP/tests/cli/damage.py" "$region" version
	all_survive
	told 'a region of another version of lastack: read it with that one'
}

@test "hostile: of many regions that cannot be read five are named, and the rest counted" {
	local copy
	a_region
	"$PYTHON" "$TOP/tests/cli/damage.py" "$region" version
	for copy in {100001..100007}; do
		cp --sparse=always "$region" "$(dirname "$region")/$copy.region"
	done
	survives list
	[ "$(grep -c 'another version' "$WORK/talk")" -eq 5 ] || fail "$(cat "$WORK/talk")"
	told 'and 3 more regions cannot be read'
}

@test "hostile: an executable named with ESC and newline is shown escaped" {
	a_region
	"$PYTHON" "$TOP/tests/cli/damage.py" "$region" exe
	all_survive
	survives report --min-age 0s
	grep -q -F 'next move: application; \x1b[31mred\x0aline\x9b\xff (pid ' "$WORK/data" || fail "$(cat "$WORK/data")"
}

@test "hostile: module names with ESC and newline are shown escaped" {
	a_region
	"$PYTHON" "$TOP/tests/cli/damage.py" "$region" modules
	all_survive
	survives report --min-age 0s
	grep -q -F '\x1b[31mred\x0aline\x9b\xff' "$WORK/data" || fail "$(cat "$WORK/data")"
	survives report --min-age 0s -J
	jq -e '.groups[].opened_by[] | select(.module | contains("\\x1b"))' "$WORK/data"
}

@test "hostile: modules that name a FIFO, a device or a folder do not hold the reader up" {
	local path
	mkfifo "$WORK/fifo"
	a_region
	for path in "$WORK/fifo" /dev/zero /dev/tty /proc/self/mem "$WORK" /proc/self/exe; do
		"$PYTHON" "$TOP/tests/cli/damage.py" "$region" "$path"
		survives report --min-age 0s
		grep -q -F "(${path##*/}+0x" "$WORK/data" || fail "$(cat "$WORK/data")"
	done
}

@test "hostile: names without an end are cut" {
	a_region
	"$PYTHON" "$TOP/tests/cli/damage.py" "$region" strings
	all_survive
}

@test "hostile: random damage in every section is survived" {
	local first=${LASTACK_SEED:-$RANDOM} seed
	a_region
	cp "$region" "$WORK/good"
	echo "# LASTACK_SEED=$first" >&3
	for ((seed = first; seed < first + 20; seed++)); do
		cp "$WORK/good" "$region"
		"$PYTHON" "$TOP/tests/cli/damage.py" "$region" "$seed"
		all_survive || fail "LASTACK_SEED=$seed"
	done
}

@test "hostile: a file's name with ESC in it is shown escaped" {
	echo garbage >"$WORK/regions/"$'a\e[31m\nb.region'
	all_survive
	survives report "$WORK/regions/"$'a\e[31m\nb.region'
	told 'a\\x1b\[31m\\x0ab.region'
	survives report "$WORK/regions/"$'no\e.region'
	told 'no\\x1b.region: no such file'
}
