# Every input that was kept, and every one that once broke something, through the fuzz targets as the normal compiler builds them; the search for
# new ones is `make fuzz`.

bats_require_minimum_version 1.5.0

# holds TARGET: all properties hold for all kept inputs, and there are some. The last line that it said names the input that broke.
holds() {
	local folder folders=()
	for folder in seeds corpus found; do
		[ ! -d "$BATS_TEST_DIRNAME/$folder/$1" ] || folders+=("$BATS_TEST_DIRNAME/$folder/$1")
	done
	timeout 60 "$BATS_TEST_DIRNAME/../../${BUILD:-build}/tests/fuzz/$1" "${folders[@]}" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" || {
		tail -n 3 "$BATS_TEST_TMPDIR/err" "$BATS_TEST_TMPDIR/out"
		return 1
	}
}

@test "fuzz: a policy file is read or refused as policy.h promises, for every input that was kept" {
	holds policy
}

@test "fuzz: a FILTER means what it says, for every input that was kept" {
	holds filter
}

@test "fuzz: a hostile region neither breaks the command nor commands the terminal, for every input that was kept" {
	holds region
}
