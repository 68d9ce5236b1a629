# May a server that has ended bind its address again at once? As it could without lastack, if it sets SO_REUSEADDR, as servers do. Without
# that option any connection in TIME-WAIT keeps the address for a minute; an RST leaves none, the orderly end that takes its place does.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	if [ "$(id -u)" -eq 0 ]; then
		private_network
	fi
	policy no-reset <<-END
		[reset]
		action = refuse
	END
	use_nothing
	binds_again >"$WORK/without"
	use legacy-server "$WORK/no-reset.policy"
	binds_again >"$WORK/with"
}

teardown() {
	stop_all
}

binds_again() {
	timeout 120 "${network[@]}" "$PYTHON" "$BATS_TEST_DIRNAME/address.py" "${preloaded[@]}"
}

@test "an address is free at once, however its server has ended; and without SO_REUSEADDR unless an RST would have been sent" {
	[ "$(wc -l <"$WORK/without")" -eq 18 ]
	[ "$(grep -c ' reuse free$' "$WORK/without")" -eq 9 ]
	diff <(grep ' reuse ' "$WORK/without") <(grep ' reuse ' "$WORK/with")
	diff <(grep ' plain ' "$WORK/without" | grep -v -e ^unread -e ^asks-for-reset) <(grep ' plain ' "$WORK/with" | grep -v -e ^unread -e ^asks-for-reset)
	grep -q '^unread plain free$' "$WORK/without"
	grep -q '^unread plain in-use$' "$WORK/with"
}
