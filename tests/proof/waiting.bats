# Both architectures of waiting: a blocking thread for each connection, and epoll, level- and edge-triggered. Each under
# graceful-close and a bound: responses complete, no event for a closed descriptor, no leak afterwards.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
	policy bound <<-'END'
		[close-wait]
		after 1s = shutdown
	END
}

teardown() {
	stop_all
}

forget_me() {
	local socket
	exec {socket}<>"/dev/tcp/127.0.0.1/$port"
	echo 'forget 0' >&"$socket"
	exec {socket}>&-
}

# "served=.. open=.." as the server sees itself
counts() {
	local lines
	lines=$(grep -c '^served=' "$WORK/server.out")
	tell server count
	wait_until 5 more_counts "$lines"
	grep '^served=' "$WORK/server.out" | tail -n 1
}

more_counts() {
	[ "$(grep -c '^served=' "$WORK/server.out")" -gt "$1" ]
}

# serves_well PROGRAM ARGUMENT...
serves_well() {
	local before i
	use graceful-close "$WORK/bound.policy"
	start server "${preloaded[@]}" "$@"
	port=$(port_of server)
	"$PROGRAMS/uploading_client" "$port" 5 1 1000 plain # whatever is opened once is open now
	wait_until 5 sockets_are 0 state connected exclude time-wait "sport = :$port"
	before=$(descriptors "${pid_of[server]}")

	run -0 "$PROGRAMS/uploading_client" "$port" 60 12 200000 plain
	[ "$output" = "complete=60 of 60, reset=0" ]
	run -0 "$PROGRAMS/half_closing_client" "$port" 5000000 2

	wait_until 5 descriptors_are "$before" "${pid_of[server]}"
	for ((i = 0; i < 5; i++)); do
		forget_me
	done
	wait_until 2 sockets_are 5 state close-wait "sport = :$port"
	wait_until 4 sockets_are 0 state connected exclude time-wait "sport = :$port"
	# The numbers stay the application's: it may still use them.
	descriptors_are $((before + 5)) "${pid_of[server]}"
	[ ! -s "$WORK/server.err" ]
}

@test "a blocking thread per connection: responses complete, the forgotten bounded" {
	serves_well "$PROGRAMS/thread_per_connection"
	[[ $(counts) == "served=71 open=5" ]]
}

@test "level-triggered epoll: responses complete, the forgotten bounded, no event of a closed descriptor" {
	serves_well "$PROGRAMS/epoll_server" level
	[[ $(counts) == "served=71 open=5 zombies=0" ]]
}

@test "edge-triggered epoll: responses complete, the forgotten bounded, no event of a closed descriptor" {
	serves_well "$PROGRAMS/epoll_server" edge
	[[ $(counts) == "served=71 open=5 zombies=0" ]]
}

@test "a send that another thread is blocked in is not cut short by a graceful close" {
	use graceful-close
	run -0 timeout 30 "${preloaded[@]}" "$PROGRAMS/sends_while_closing"
	[ "$output" = "sent 8388608, received 8388608" ]
}
