# gunicorn, told to load its application anew (HUP) under a load of short connections, and two of them side by side on one port
# (SO_REUSEPORT), of which one is restarted: no connection is refused, none is lost, under lastack as without.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	# shellcheck source=tests/restart/restart.bash
	source "$BATS_TEST_DIRNAME/restart.bash"
	[ "$(id -u)" -eq 0 ] || skip "a network of one's own needs root"
	private_network
}

teardown() {
	stop_all
}

gunicorn_service() { # NAME [OPTION...]
	local name=$1
	shift
	start "$name" "${preloaded[@]}" "$PYTHON" /usr/bin/gunicorn --workers 2 --bind "127.0.0.1:$PORT" --pythonpath "$APPS" "$@" upload_app:application
	wait_until 20 has_booted "$name"
	is_as_preloaded "$(pgrep -P "${pid_of[$name]}" | head -n 1)"
}

has_booted() {
	[[ $(grep -c 'Booting worker' "$WORK/$1.err") -ge 2 ]]
}

hang_up() {
	local old
	gunicorn_service gunicorn
	mapfile -t old < <(pgrep -P "${pid_of[gunicorn]}")
	load_begins
	kill -HUP "${pid_of[gunicorn]}"
	wait_until 20 all_ended "${old[@]}"
	is_as_preloaded "$(children_but "${pid_of[gunicorn]}" "${old[@]}" | head -n 1)"
	load_goes_on 100
	[ "$(load_ends)" = "refused=0 lost=0" ]
	# It reports the end that it has asked for.
	run ! grep -v -e '\[INFO\]' -e 'was terminated due to signal 15' "$WORK/gunicorn.err"
}

# The kernel moves what waits in the queue of the listener that goes to the one that stays.
restart_a_neighbour() {
	"${network[@]}" sysctl -q net.ipv4.tcp_migrate_req=1 || skip "this kernel moves no connection from one listener to another"
	gunicorn_service left --reuse-port
	gunicorn_service right --reuse-port
	sockets_are 2 state listening "sport = :$PORT"
	load_begins
	stop left
	load_goes_on 100
	gunicorn_service left --reuse-port
	sockets_are 2 state listening "sport = :$PORT"
	load_goes_on 100
	[ "$(load_ends)" = "refused=0 lost=0" ]
	run ! grep -v '\[INFO\]' "$WORK/left.err" "$WORK/right.err"
}

UPLOADS=4

# The worker has answered and closed; the clients have not sent all, nor read all.
are_drained() {
	sockets_are "$UPLOADS" state fin-wait-1 state fin-wait-2 "sport = :$PORT"
}

# drains_outlive HOW: what is being drained when the worker is told to go, under [exit] action = HOW.
drains_outlive() {
	local old
	policy exit <<-END
		[close]
		action = graceful
		idle = 60s
		total = 60s

		[exit]
		action = $1
		total = 60s
	END
	use "$WORK/exit.policy"
	gunicorn_service gunicorn
	mapfile -t old < <(pgrep -P "${pid_of[gunicorn]}")
	start uploads "$PYTHON" "$RESTART/slow_uploads.py" "$PORT" "$UPLOADS"
	wait_until 20 says "$WORK/uploads.out" ^uploading
	wait_until 20 are_drained
	kill -HUP "${pid_of[gunicorn]}"
	wait_until 20 has_children_but "${pid_of[gunicorn]}" "${old[@]}"
	wait_until 20 have_left_the_listener "${old[@]}"
	[ "$1" = drain ] || wait_until 20 all_ended "${old[@]}"
	still_serves "$PORT"
	are_drained
	tell uploads go
	wait_until 20 ended "${pid_of[uploads]}"
	says "$WORK/uploads.out" "^complete=$UPLOADS of $UPLOADS\$"
	wait_until 20 all_ended "${old[@]}"
}

@test "gunicorn: the responses that a worker drains when it is told to go arrive whole, under [exit] drain" {
	drains_outlive drain
}

@test "gunicorn: the responses that a worker drains when it is told to go arrive whole, under [exit] handover" {
	drains_outlive handover
}

@test "gunicorn: HUP refuses and loses no connection, without lastack" {
	use_nothing
	hang_up
}

@test "gunicorn: HUP refuses and loses no connection, under legacy-server" {
	use legacy-server
	hang_up
}

@test "SO_REUSEPORT: a neighbour is restarted, and no connection is refused or lost, without lastack" {
	use_nothing
	restart_a_neighbour
}

@test "SO_REUSEPORT: a neighbour is restarted, and no connection is refused or lost, under legacy-server" {
	use legacy-server
	restart_a_neighbour
}
