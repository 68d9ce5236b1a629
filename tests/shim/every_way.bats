# Each function that reads tells lastack of the EOF, with the stack of who was told; each that closes ends the connection gracefully.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	# shellcheck source=tests/shim/calls.bash
	source "$BATS_TEST_DIRNAME/calls.bash"
	EVERY=$BUILD/tests/shim/every_way
}

teardown() {
	stop_all
}

@test "every way: who reads the end is told, by whichever function" {
	local told
	use observe
	start reader "${preloaded[@]}" "$EVERY" read
	wait_until 20 says "$WORK/reader.out" '^done$' || fail "$(cat "$WORK/reader.out" "$WORK/reader.err")"
	[ "$(grep -c '^read ' "$WORK/reader.out")" -gt 15 ]
	told=$(lastack report --min-age 0s -J | jq -r '.groups[] | select(.verdict == "L1") |
		"read " + (.told_of_eof_by[0].function // "" | ltrimstr("by_")) + " " + ([.opened_by[].function] | join(" "))')
	# Who was told is who opened, and each is there.
	awk '$1 == "read" { print $2 }' "$WORK/reader.out" | sort >"$WORK/wanted"
	awk '$0 ~ " by_" $2 " " { print $2 }' <<<"$told" | sort | diff "$WORK/wanted" - || fail "$told"
}

@test "every way: whichever function closes, the peer reads the end and not a reset" {
	run -0 "$EVERY" close </dev/null
	[ "$(grep -c ': ECONNRESET$' <<<"$output")" -gt 10 ]
	[ "$(grep -c ': end$' <<<"$output")" -eq 0 ]
	use graceful-close
	run -0 "${preloaded[@]}" "$EVERY" close </dev/null
	[ "$(grep -c ': end$' <<<"$output")" -gt 10 ]
	[ "$(grep -c ': ECONNRESET$' <<<"$output")" -eq 0 ]
}

@test "every way: the ways are those of calls.def" {
	"$EVERY" read </dev/null | sed -n 's/^read //p' | grep -v '^syscall_' | sort >"$WORK/reads"
	names_of_calls | grep -E 'read|recv|splice' | sort | diff - "$WORK/reads"
	"$EVERY" close </dev/null | sed -n 's/^close \(.*\):.*/\1/p' | grep -v '^syscall_' | sort >"$WORK/closes"
	names_of_calls | grep -E 'close|dup[23]' | sort | diff - "$WORK/closes"
}
