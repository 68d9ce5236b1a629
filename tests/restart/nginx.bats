# nginx, reloaded and replaced under a load of short connections: none is refused, none is lost, under lastack as without.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$(mktemp -d) # nginx's workers are no root: they must get there
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	# shellcheck source=tests/restart/restart.bash
	source "$BATS_TEST_DIRNAME/restart.bash"
	[ "$(id -u)" -eq 0 ] || skip "a network of one's own needs root"
	private_network
	nginx_folder
	master=
}

teardown() {
	local pid
	for pid in $master; do
		kill -KILL "$pid" $(pgrep -P "$pid") 2>/dev/null || true
	done
	stop_all
	rm -rf "$WORK"
}

# As a service runs: in the background, known by its pid file. What it replaces itself by must know its environment: nginx hands on only
# what `env` names, and executes what it was started as.
nginx_service() {
	cat >"$WORK/nginx.conf" <<-END
		worker_processes 2;
		pid $WORK/nginx.pid;
		error_log $WORK/error.log warn;
		env LD_PRELOAD; env LASTACK_POLICY; env LASTACK_DIR; env LASTACK_LOG;
		events { worker_connections 1024; }
		http {
			access_log off;
			client_body_temp_path $WORK/nginx-body;
			server { listen 127.0.0.1:$PORT; root $WORK/site; }
		}
	END
	"${network[@]}" "${preloaded[@]}" /usr/sbin/nginx -e "$WORK/error.log" -c "$WORK/nginx.conf" 3>&-
	wait_until 10 test -s "$WORK/nginx.pid"
	master=$(cat "$WORK/nginx.pid")
	wait_until 10 has_children_but "$master"
	is_as_preloaded "$master"
}

no_word_in_the_log() {
	run ! grep -v 'notice.* using inherited sockets' "$WORK/error.log"
}

reload() {
	local old
	nginx_service
	mapfile -t old < <(pgrep -P "$master")
	load_begins $((256 << 10))
	kill -HUP "$master"
	wait_until 20 all_ended "${old[@]}"
	is_as_preloaded "$(children_but "$master" "${old[@]}" | head -n 1)"
	load_goes_on 100
	[ "$(load_ends)" = "refused=0 lost=0" ]
	no_word_in_the_log
}

is_replaced() {
	[[ -s $WORK/nginx.pid && $(cat "$WORK/nginx.pid") != "$1" ]] && has_children_but "$(cat "$WORK/nginx.pid")"
}

upgrade() {
	local old new workers
	nginx_service
	old=$master
	mapfile -t workers < <(pgrep -P "$old")
	load_begins $((256 << 10))
	kill -USR2 "$old"
	wait_until 20 is_replaced "$old"
	new=$(cat "$WORK/nginx.pid")
	master="$old $new"
	is_as_preloaded "$new"
	is_as_preloaded "$(pgrep -P "$new" | head -n 1)"
	load_goes_on 100
	kill -WINCH "$old"
	wait_until 20 all_ended "${workers[@]}"
	load_goes_on 100
	kill -QUIT "$old"
	wait_until 20 ended "$old"
	load_goes_on 100
	[ "$(load_ends)" = "refused=0 lost=0" ]
	no_word_in_the_log
}

@test "nginx: a reload refuses and loses no connection, without lastack" {
	use_nothing
	reload
}

@test "nginx: a reload refuses and loses no connection, under legacy-server" {
	use legacy-server
	reload
}

@test "nginx: another binary takes over and refuses and loses no connection, without lastack" {
	use_nothing
	upgrade
}

@test "nginx: another binary takes over and refuses and loses no connection, under legacy-server" {
	use legacy-server
	upgrade
}
