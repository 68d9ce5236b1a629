# A short run of the differential test, of a known seed. `make differential` makes the long one.

bats_require_minimum_version 1.5.0

steps() { # MODE
	local output=$BATS_TEST_TMPDIR/output status=0
	STEPS=5000 SEED=1 LIST_EVERY=1000 timeout 90 "$BATS_TEST_DIRNAME/run.sh" "$1" >"$output" 2>&1 || status=$?
	[ $status -ne 77 ] || skip "$(tail -n 1 "$output")"
	cat "$output"
	[ $status -eq 0 ]
	grep -q '^5000 steps .* no disagreement' "$output"
	# It was everywhere in the table.
	[ "$(awk '/^  reached/ && $3 > 0' "$output" | wc -l)" -eq 8 ]
}

@test "differential, observe: after each of 5000 random steps, region, fold and list say what the kernel says" {
	steps observe
}

@test "differential, enforce: the same under graceful-close and bounds of milliseconds; nothing that another holder has is ended" {
	steps enforce
}
