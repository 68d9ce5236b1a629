# lastack metrics: OpenMetrics that a parser of somebody else's takes, with the figures that ss has.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	mkdir -m 0700 "$WORK/regions"
}

teardown() {
	stop_all
}

# parsed: of standard input, "NAME LABELS VALUE" a line; fails on what is no OpenMetrics
parsed() {
	"$PYTHON" -c '
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
for family in text_string_to_metric_families(sys.stdin.read()):
    for sample in family.samples:
        print(sample.name, ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items())) or "-", sample.value)'
}

# value NAME LABELS: in $WORK/metrics
value() {
	awk -v name="$1" -v labels="$2" '$1 == name && $2 == labels { print $NF }' "$WORK/metrics"
}

scrape() {
	lastack metrics >"$WORK/raw" || fail "status $?"
	parsed <"$WORK/raw" >"$WORK/metrics" || fail "$(cat "$WORK/raw")"
}

@test "metrics: without any process, every name is there and zero" {
	local name
	scrape
	for name in lastack_connections lastack_leaked lastack_half_closed_oldest_age_seconds lastack_half_closed_duration_seconds_count \
		lastack_closes_total lastack_drains lastack_tracking_disagreements_total lastack_events_dropped_total lastack_build_info; do
		grep -q "^$name " "$WORK/metrics" || fail "no $name"
	done
	awk '$1 != "lastack_build_info" && $NF != 0' "$WORK/metrics" >"$WORK/not_zero"
	[ ! -s "$WORK/not_zero" ] || fail "$(cat "$WORK/not_zero")"
	[ "$(tail -n 1 "$WORK/raw")" = "# EOF" ]
}

@test "metrics: a leak is counted as ss counts it, and the bound that ended it" {
	policy bound <<-'END'
		[close-wait story]
		match = role server
		after 2s = shutdown
	END
	use "$WORK/bound.policy"
	leak_server
	leak_clients
	wait_until 5 stuck_are "$LEAK_CLIENTS"
	scrape
	[ "$(value lastack_connections role=server,state=CLOSE-WAIT)" = "$LEAK_CLIENTS" ] || fail "$(cat "$WORK/metrics")"
	[ "$(value lastack_leaked verdict=L1)" = "$LEAK_CLIENTS" ]
	[ "$(value lastack_policy_actions_total action=shutdown,result=ok,rule=close-wait/story)" = 0 ]
	wait_until 8 stuck_are 0
	scrape
	[ "$(value lastack_policy_actions_total action=shutdown,result=ok,rule=close-wait/story)" = "$LEAK_CLIENTS" ] ||
		fail "$(grep policy "$WORK/metrics")"
	[ "$(value lastack_connections role=server,state=CLOSE-WAIT)" = 0 ]
}

@test "metrics: a dry run is counted as what would have been done" {
	policy bound <<-'END'
		[close-wait]
		after 100ms = shutdown
	END
	use "$WORK/bound.policy"
	preloaded=(env LASTACK_MODE=observe "${preloaded[@]}")
	leak_server
	leak_clients
	would() {
		scrape
		[ "$(value lastack_policy_actions_total action=shutdown,result=would,rule=close-wait)" = "$LEAK_CLIENTS" ]
	}
	wait_until 5 would
	stuck_are "$LEAK_CLIENTS"
	[ "$(value lastack_policy_actions_total action=shutdown,result=ok,rule=close-wait)" = 0 ]
}

@test "metrics: how long connections stood half-closed is a histogram, by when they were closed" {
	use observe
	start sin "${preloaded[@]}" "$PYTHON" -c '
import socket, sys, time
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen()
for pause in (0, 0, 0.3):
    c = socket.create_connection(l.getsockname()); a, _ = l.accept()
    c.close()
    assert a.recv(1) == b""
    time.sleep(pause)
    a.close()
print("ready", flush=True)
sys.stdin.readline()'
	wait_until 10 says "$WORK/sin.out" ready
	scrape
	# Those that connected closed first: they never stood half-closed before their last close.
	[ "$(value lastack_half_closed_duration_seconds_count -)" = 3 ] || fail "$(grep duration "$WORK/metrics")"
	[ "$(value lastack_half_closed_duration_seconds_bucket le=+Inf)" = 3 ]
	[ "$(value lastack_half_closed_duration_seconds_bucket le=0.1)" = 2 ]
	awk '$1 == "lastack_half_closed_duration_seconds_sum" { found = $NF >= 0.3 } END { exit !found }' "$WORK/metrics"
}

@test "metrics: a file is replaced as a whole, and readable for a collector" {
	lastack metrics --output "$WORK/lastack.prom"
	parsed <"$WORK/lastack.prom" | grep -q '^lastack_build_info'
	[ "$(stat -c %a "$WORK/lastack.prom")" = 644 ]
	exec 5<"$WORK/lastack.prom"
	lastack metrics --output "$WORK/lastack.prom"
	[ "$(stat -Lc %i /proc/self/fd/5)" != "$(stat -c %i "$WORK/lastack.prom")" ]
	[ "$(find "$WORK" -name 'lastack.prom*' | wc -l)" -eq 1 ]
	run -125 lastack metrics --output "$WORK/no/such/folder"
}

@test "metrics: over HTTP, on the loopback, until SIGTERM" {
	local address
	start exporter env LASTACK_DIR="$WORK/regions" "$LASTACK" metrics --listen :0
	wait_until 5 says "$WORK/exporter.err" 'listening on'
	address=$(sed -n 's/.*listening on //p' "$WORK/exporter.err")
	[[ $address == http://127.0.0.1:*/metrics ]]
	curl -sS -D "$WORK/headers" "$address" | parsed | grep -q '^lastack_build_info'
	grep -qi '^content-type: application/openmetrics-text; version=1.0.0; charset=utf-8' "$WORK/headers"
	[ "$(curl -s -o /dev/null -w '%{http_code}' "${address%/metrics}/")" = 404 ]
	[ "$(curl -s -o /dev/null -w '%{http_code}' -X POST -d x "$address")" = 405 ]
	kill -TERM "${pid_of[exporter]}"
	wait_until 5 ended "${pid_of[exporter]}"
	run -2 lastack metrics --listen nonsense
	run -2 lastack metrics --listen 127.0.0.1:99999
	run -2 lastack metrics --output x --listen :1
}
