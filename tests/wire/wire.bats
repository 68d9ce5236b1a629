# A part of `make wire`: the termination table as it is seen on the wire, and uploads in flight.

bats_require_minimum_version 1.5.0

setup() {
	WIRE=$BATS_TEST_DIRNAME
}

# played COMMAND...: skips where nothing can be played here, and says why.
played() {
	run timeout 120 "$@"
	echo "$output"
	[ "$status" -ne 77 ] || skip "${output#skipped: }"
	[ "$status" -eq 0 ]
}

@test "legacy-server and no policy, IPv4, accepted connections: the segments of every row are the segments promised" {
	played "$WIRE/table.py" --family 4 --role accepted --policy none --policy legacy-server --quick
}

@test "graceful-close, IPv6, connections that the server has made, drains: the segments are the segments promised" {
	played "$WIRE/table.py" --family 6 --role connected --policy graceful-close --quick --row drain --row sends
}

@test "uploads in flight: under graceful-close no answer is lost, and no RST comes before it" {
	WIRE_CONNECTIONS=200 played "$WIRE/uploads.py" --only promised
}
