# Every hazard of changing how a socket closes has a test that proves its rule (tests/hazards.table), and each test that it names is there.

bats_require_minimum_version 1.5.0

HAZARDS=25

setup() {
	cd "$BATS_TEST_DIRNAME/.." || return
}

rows() {
	grep -v '^#' tests/hazards.table
}

column() { # NUMBER, of a row on standard input
	cut -d '|' -f "$1" | sed 's/^ *//; s/ *$//'
}

@test "hazards: each of the 25 has a test, or is named as waiting for one" {
	waiting=tests/hazards.missing
	[ -e $waiting ] || waiting=/dev/null
	run -0 sort -n <(rows | column 1 | sort -u) $waiting
	[ "$output" = "$(seq $HAZARDS)" ] # so none that has a test is said to wait, either
}

@test "hazards: each test that the table names is there, by that name" {
	missing=0
	while IFS= read -r row; do
		file=$(column 3 <<<"$row") name=$(column 4 <<<"$row")
		case $file in
		*.bats) grep -q -x -F "@test \"$name\" {" "$file" || missing=1 ;;
		*.c) grep -q -x -F "static void $name(void **state)" "$file" && grep -q -F "cmocka_unit_test($name)" "$file" || missing=1 ;;
		*) missing=1 ;;
		esac
		[ $missing -eq 0 ] || break
	done < <(rows)
	[ $missing -eq 0 ] || { echo "not there: $row" && false; }
}
