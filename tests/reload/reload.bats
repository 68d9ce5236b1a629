# A changed policy file is in force within 2 s, in all threads at once; one that is no policy is refused with the reason, and what was in force
# stays (interface.md section 2).

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	# shellcheck source=tests/reload/reload.bash
	source "$BATS_TEST_DIRNAME/reload.bash"
	public=
	P=$WORK/my.policy
	bound "$P" 1h log
}

teardown() {
	stop_all
	[[ ! $public ]] || rm -r "$public"
}

@test "reload: within 2 s, in a process and in each of nginx's workers" {
	local tries pid at ms slowest pids
	# The workers are no longer root.
	public=$(mktemp -d /tmp/lastack-public-XXXXXX)
	chmod 755 "$public"
	P=$public/my.policy
	bound "$P" 1h log
	use "$P"
	nginx_folder
	nginx_server nginx
	# Each worker watches from its first connection on.
	pids=$(pgrep -P "${pid_of[nginx]}")
	for pid in $pids; do
		wait_until 20 served_by "$pid" || fail "worker $pid serves nobody"
	done
	leaks one
	pids+=" ${pid_of[one]}"
	[ "$(wc -w <<<"$pids")" -eq 3 ]
	# The machine may be busy with something else for a while; not three times.
	for ((tries = 1; tries <= 3; tries++)); do
		at=${EPOCHREALTIME/./}
		bound "$P" "${tries}m" log
		slowest=0
		for pid in $pids; do
			await_news "$tries" taken "$pid"
			ms=$(ms_until_taken "$at" "$pid")
			((ms <= slowest)) || slowest=$ms
		done
		echo "in force after $slowest ms"
		((slowest > 2000)) || break
	done
	((slowest <= 2000))
	news_are 0 refused
}

served_by() {
	curl -s --max-time 2 -o /dev/null "http://127.0.0.1:$nginx_port/"
	is_watched "$1"
}

@test "reload: a bound that comes acts on what stands there, a step is not taken twice, one that goes is not announced any more" {
	bound "$P" 100ms log
	use "$P"
	leaks sin
	wait_until 20 says "$WORK/lastack.log" 'action=log' || fail "$(cat "$WORK/lastack.log")"
	# The step is due by this policy, too, and was taken.
	printf '[close-wait]\nafter 200ms = log\nafter 1h = shutdown\n' >"$P"
	await_news 1 taken
	await_next shutdown
	[ "$(grep -c action=log "$WORK/lastack.log")" -eq 1 ]
	# Nothing is bounded: nothing comes.
	: >"$P"
	await_news 2 taken
	await_next null
	left_is sin CLOSE-WAIT
	# Nobody has looked meanwhile: the time begins anew, and ends.
	bound "$P" 1s shutdown
	await_news 3 taken
	wait_until 20 says "$WORK/lastack.log" 'action=shutdown rule=close-wait result=ok' || fail "$(cat "$WORK/lastack.log")"
	wait_until 5 left_is sin ''
	idle=$(sed -n 's/.*action=shutdown .* idle_ms=//p' "$WORK/lastack.log")
	((idle >= 1000 && idle <= $(stamp_ms action=shutdown) - $(stamp_ms result=taken) + 200)) || fail "$(cat "$WORK/lastack.log")"
}

@test "reload: what is no policy is refused with the reason, in log and report, until there is a good one" {
	use "$P"
	leaks sin
	await_next log
	printf '[close-wait]\nafter 5 = "shutdown"\n' >"$P"
	await_news 1 refused
	says "$WORK/lastack.log" "action=policy result=refused policy=$P reason=\"$P:2:7: \\\\\"5\\\\\" needs a unit" || fail "$(cat "$WORK/lastack.log")"
	lastack report --min-age 1h >"$WORK/report" || true
	says "$WORK/report" "^policy refused, the one before it stays: $P:2:7: \"5\" needs a unit.* (reads_never_closes, pid ${pid_of[sin]}, " || fail "$(cat "$WORK/report")"
	lastack report -J >"$WORK/report.json" || true
	jq -e ".policy_refusals | length == 1 and .[0].pid == ${pid_of[sin]} and (.[0].reason | startswith(\"$P:2:7: \")) and .[0].age >= 0" "$WORK/report.json"
	"$PYTHON" -c 'import json, sys, jsonschema; jsonschema.Draft202012Validator(json.load(open(sys.argv[1]))).validate(json.load(open(sys.argv[2])))' \
		"$TOP/tests/schemas/report.json" "$WORK/report.json"
	next_is log
	# Gone is another reason; said once, however long it lasts.
	rm "$P"
	await_news 2 refused
	says "$WORK/lastack.log" "reason=\"$P: there is no such file\""
	stays 1 news_are 2 refused
	# The same as before comes back: in force it has been all the time, and nothing is refused any more.
	bound "$P" 1h log
	await_news 1 taken
	[ "$(lastack report -J | jq '.policy_refusals | length')" -eq 0 ]
	[ "$(lastack report -J | jq -c '.counters | [.policy_taken, .policy_refused]')" = '[1,2]' ]
	next_is log
	# Touched, or written anew with the same text, it is no news.
	touch "$P"
	cp "$P" "$P.new" && mv "$P.new" "$P"
	stays 2 news_are 1 taken
}

@test "reload: a file that is renamed over, a symbolic link that is turned, a file that is written in place, a folder that was left" {
	mkdir "$WORK/first" "$WORK/second" "$WORK/elsewhere"
	for name in first/linked second/linked renamed placed relative; do
		bound "$WORK/$name.policy" 1h log
	done
	bound "$WORK/second/linked.policy" 1h keepalive
	ln -s first "$WORK/data"
	use "$WORK/data/linked.policy"
	leaks linked
	use "$WORK/renamed.policy"
	leaks renamed
	use "$WORK/placed.policy"
	leaks placed
	# Named by a relative path, and left for another folder, where there is a file of that name, too.
	bound "$WORK/elsewhere/relative.policy" 1h reset
	by_hand relative.policy
	cd "$WORK"
	start moved "${preloaded[@]}" "$PYTHON" -c 'import os, socket, sys
s = socket.create_server(("127.0.0.1", 0))
c = socket.create_connection(s.getsockname())
d, _ = s.accept()
c.shutdown(socket.SHUT_WR)
d.recv(1)
os.chdir("elsewhere")
print("listening 0", flush=True)
sys.stdin.readline()'
	port_of moved >/dev/null
	await_watched moved

	ln -s second "$WORK/data.new" && mv -T "$WORK/data.new" "$WORK/data"
	bound "$WORK/renamed.policy" 1h keepalive
	printf '[close-wait]\nafter 1h = keepalive\n' >"$WORK/placed.policy"
	bound "$WORK/relative.policy" 1h keepalive
	for name in linked renamed placed moved; do
		await_next keepalive "${pid_of[$name]}"
	done
	news_are 4 taken
	news_are 0 refused
}
