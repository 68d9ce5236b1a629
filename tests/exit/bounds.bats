# How long an exit waits: for what an RST could destroy, and never longer than [exit]'s `total`, nor when somebody asks again.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/exit/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
	exit_policies 1h
	patient='[close]\naction = graceful\nidle = 1h\ntotal = 1h\n'
}

teardown() {
	stop_all
}

drains() {
	[ "$(connections 'map(select(.draining)) | length')" -eq "$1" ]
}

@test "exit: it waits no longer than total for a peer that does not close" {
	exit_policies 1s
	preload drain
	meets return stubborn
	ends_with server 7
	says "$WORK/lastack.log" 'action=exit rule=exit result=total .* drained_bytes=100000'
}

@test "exit: nor does a child that was forked while its parent drained" {
	exit_policies 1s
	printf '[close]\naction = graceful\nidle = 1h\ntotal = 1h\n' >>"$WORK/drain.policy"
	preload drain
	start server "${preloaded[@]}" "$PYTHON" "$EXITS/forks_while_draining.py"
	start first "$PYTHON" "$EXITS/peer.py" "$(port_of server)" stubborn
	wait_until 10 drains 1
	start second "$PYTHON" "$EXITS/peer.py" "$(port_of server)" stubborn
	ends_with server 7
	says "$WORK/lastack.log" 'action=exit rule=exit result=total'
}

@test "exit: [close]'s idle bounds it as well" {
	printf '[close]\naction = graceful\nidle = 500ms\n' >>"$WORK/drain.policy"
	preload drain
	meets return stubborn
	ends_with server 7
	says "$WORK/lastack.log" 'action=exit rule=exit result=idle'
}

@test "exit: nobody waits for an idle client" {
	printf %b "$patient" >>"$WORK/drain.policy"
	preload drain
	meets pause idle
	wait_until 10 says "$WORK/peer.out" answered
	sleep 1.2 # the request came just now
	kill -TERM "${pid_of[server]}"
	ends_with server 143
	[ ! -s "$WORK/lastack.log" ]
}

@test "exit: nor for one that has acknowledged the answer, and keeps the connection" {
	printf %b "$patient" >>"$WORK/drain.policy"
	preload drain
	meets return idle
	ends_with server 7
	run ! grep -v 'result=acknowledged' "$WORK/lastack.log"
	tell peer read
	wait_until 10 says "$WORK/peer.out" '^read 0$'
}

@test "exit: a second SIGTERM ends the wait, and the process dies of it" {
	printf %b "$patient" >>"$WORK/drain.policy"
	preload drain
	meets pause stubborn
	kill -TERM "${pid_of[server]}"
	wait_until 10 drains 1
	stays 1 alive server
	kill -TERM "${pid_of[server]}"
	ends_with server 143
}

@test "exit: SIGTERM ends the wait of an exit(), whose status stays" {
	printf %b "$patient" >>"$WORK/drain.policy"
	preload drain
	meets return stubborn
	wait_until 10 drains 1
	stays 1 alive server
	kill -TERM "${pid_of[server]}"
	ends_with server 7
}

@test "exit: so does a second thread that exits" {
	printf %b "$patient" >>"$WORK/drain.policy"
	preload drain
	meets second stubborn
	ends_with server 7
}

@test "exit: an alarm that is due meanwhile does not break it" {
	exit_policies 1s
	preload drain
	meets alarm stubborn
	ends_with server 7
	says "$WORK/lastack.log" 'result=total'
}

@test "exit: no other signal breaks it, whatever its action would be" {
	exit_policies 2s
	preload drain
	meets return stubborn
	wait_until 10 drains 1
	for signal in USR1 ALRM PIPE CHLD CONT WINCH IO; do
		kill -$signal "${pid_of[server]}"
	done
	ends_with server 7
	says "$WORK/lastack.log" 'result=total'
}

@test "exit: the listening address is free while it waits" {
	printf %b "$patient" >>"$WORK/drain.policy"
	preload drain
	meets return stubborn
	wait_until 10 drains 1
	sockets_are 0 state listening "sport = :$(port_of server)"
	kill -TERM "${pid_of[server]}"
	ends_with server 7
}

@test "exit: a drain that a close has begun goes on when the process ends, within total" {
	exit_policies 1s
	printf '[close]\naction = graceful\n' >>"$WORK/drain.policy"
	preload drain
	meets close stubborn
	ends_with server 7
	says "$WORK/lastack.log" 'action=drain rule=close result=total'
}

@test "exit: a close and an exit at once lose nothing" {
	printf '[close]\naction = graceful\n' | tee -a "$WORK/drain.policy" >>"$WORK/handover.policy"
	for name in drain handover; do
		preload $name
		[ "$(ends_by close)" = 'close: complete=4 of 4, reset=0, status 7' ]
	done
}

@test "exit: without any connection the process ends as ever" {
	local command
	preload drain
	for command in true false 'exit 5' 'kill -TERM $$'; do
		run sh -c "$command"
		[ "$("${preloaded[@]}" sh -c "$command" || echo $?)" = "$(sh -c "$command" || echo $?)" ]
	done
	[ ! -e "$WORK/regions" ] || [ -z "$(ls "$WORK/regions")" ]
}
