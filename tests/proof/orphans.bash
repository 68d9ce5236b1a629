# SPDX-License-Identifier: MIT
# For the tests of what a half-close or a close leaves behind (long/orphans_in_time.bats, long/orphans.bats).
# shellcheck disable=SC2154

# shellcheck source=tests/proof/helpers.bash
source "${BASH_SOURCE[0]%/*}/helpers.bash"
# shellcheck source=tests/proof/orders.bash
source "${BASH_SOURCE[0]%/*}/orders.bash"

bound() { # SECTION TIME ...
	while [ $# -gt 0 ]; do
		printf '[%s]\nafter %s = reset\n' "$1" "$2"
		shift 2
	done | policy bound
	use "$WORK/bound.policy"
}

logged() { # COUNT SECTION
	[ "$(grep -s -c "action=reset rule=$2 result=ok" "$WORK/lastack.log")" = "$1" ]
}
