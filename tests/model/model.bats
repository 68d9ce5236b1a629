#!/usr/bin/env bats
# The lock-free tables, every interleaving of a small world.

bats_require_minimum_version 1.5.0

setup() {
	TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
}

@test "model: an act is on the connection that was decided on, a fact of the connection that was seen, and mistakes are found" {
	run timeout 300 "$TOP/tests/model/model.sh" slots.pml
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "model: a row loses no fact to its handlers, the next thread, or the next connection, and mistakes are found" {
	run timeout 300 "$TOP/tests/model/model.sh" rows.pml
	echo "$output"
	[ "$status" -eq 0 ]
}
