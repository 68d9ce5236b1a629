# lastack policy explain: what a policy will do, in sentences that are true of it, and in JSON.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	cd "$WORK" || return
}

# explains POLICY...: its text with every line joined to the sentence that it belongs to, in $text; its JSON, valid, in explained.json.
explains() {
	run -0 --separate-stderr lastack policy explain "$@"
	# shellcheck disable=SC2154 # run sets stderr
	[ -z "$stderr" ] || fail "$stderr"
	text=$(tr '\n' ' ' <<<"$output" | tr -s ' ')
	lastack policy explain -J "$@" >explained.json || fail "JSON"
	valid <explained.json
}

valid() {
	"$PYTHON" -c 'import json, sys, jsonschema
schema = json.load(open(sys.argv[1]))
jsonschema.Draft202012Validator.check_schema(schema)
jsonschema.Draft202012Validator(schema).validate(json.load(sys.stdin))' "$TOP/tests/schemas/policy.json"
}

says_that() {
	[[ $text == *"$1"* ]] || fail "does not say \"$1\": $text"
}

says_not() {
	[[ $text != *"$1"* ]] || fail "says \"$1\": $text"
}

finds() {
	jq -e "$1" explained.json >found || fail "no $1 in $(cat explained.json)"
}

@test "policy explain: every shipped policy is explained; no sentence of one is left out by the JSON" {
	local file name sentence
	for file in "$TOP"/policies/*.policy; do
		name=$(basename "$file" .policy)
		explains "$name"
		finds ".policy == \"$name\" and .notes == []"
		while IFS= read -r sentence; do
			says_that "$sentence"
		done < <(jq -r '.rules[].sentences[], .never[]' explained.json | tr -s ' ')
		awk 'length > 140 { exit 1 }' <<<"$output" || fail "a line is too long for reading"
	done
}

@test "policy explain: observe changes nothing, and says what then happens without it" {
	explains observe
	says_that 'observe: 0 rules'
	says_that 'Nothing is changed, ever'
	says_that 'close-wait: Linux waits for the application for ever.'
	finds '.rules == [] and (.ungoverned | length == 8)'
}

@test "policy explain: times, states and what peer and application see" {
	explains bounded-close-wait
	says_that 'For every connection in CLOSE-WAIT (the peer has closed its side'
	says_that 'After 30s without progress (keepalive): keepalive probes'
	says_that "After 60s without progress (shutdown): what is queued for the peer is delivered, then it gets our FIN"
	says_that 'After 5m without progress (reset): the connection ends with an RST'
	says_that 'Never more than 1000 of them'
	says_that 'A half-closed connection that still moves data in either direction is never bounded.'
	says_that 'last-ack: lasts until the kernel gives up'
	says_not '- close-wait: '
	finds '.rules[0] | .line == 15 and .steps[2] == {after: 300, action: "reset"} and .max == 1000'
	finds '.ungoverned | index("close-wait") == null and index("fin-wait-2") != null'
}

@test "policy explain: what is left to the kernel after a close is told apart from what a descriptor holds" {
	explains bounded-half-close
	says_that 'After the close Linux ends it by itself, after 60s (tcp_fin_timeout).'
	says_that 'it gives up when nothing at all was acknowledged for 60s, and sends no RST'
	printf '[fin-wait-1]\nafter 30s = log\n[fin-wait-2]\nafter 20s = reset\n' >mine.policy
	explains mine.policy
	says_that 'what the application has closed ends as the kernel ends it'
	says_that 'here sooner, as the reset says (TCP_LINGER2)'
}

@test "policy explain: rules are told in the order in which they are tried, with whom they match" {
	cat >mine.policy <<-'END'
		[close-wait]
		after 1m = shutdown
		[close-wait vendor]
		match = role client, remote-port 9200-9299, remote 10.0.0.0/8, eof read
		after 10m = log
		[close local]
		match = local ::1, local-port 80, exe nginx
		action = plain
	END
	explains mine.policy
	[[ $text == *'[close-wait vendor] mine.policy:3'*'[close local] mine.policy:6'*'[close-wait] mine.policy:1'* ]] || fail "$text"
	says_that 'For connections, made by this side (connect), with a remote port from 9200 to 9299, whose remote address is in 10.0.0.0/8, whose end of the stream the application has read, in CLOSE-WAIT'
	says_that 'For connections, of the program nginx, with local port 80, whose local address is ::1, that the application closes'
	says_that 'For every other connection in CLOSE-WAIT'
	says_that 'close, of connections that no rule above is about: unread data'
	finds '.rules[0].match == {role: "client", remote_port: [9200, 9299], remote: "10.0.0.0/8", eof: "read"}'
}

@test "policy explain: several files, or a list with commas: earlier ones win, and what they hide is said" {
	printf '[exit plain]\nmatch = role client\naction = plain\n[close]\naction = plain\n' >mine.policy
	explains mine.policy,graceful-exit
	says_that 'mine.policy,graceful-exit: 4 rules'
	says_that '[close] graceful-exit:15 Never tried: [close] of mine.policy:4 comes first'
	says_that 'graceful-exit:15: never tried'
	finds '.rules[-1].hidden_by == {source: "mine.policy", line: 4}'
	finds '[.rules[].hidden_by] == [null, null, null, {source: "mine.policy", line: 4}]'
	cp explained.json before.json
	explains ./mine.policy graceful-exit
	sed -i 's|\./mine|mine|' explained.json
	cmp explained.json before.json
}

@test "policy explain: notes of danger are the ones of policy check" {
	printf '[last-ack]\nafter 3s = reset\n[exit]\naction = handover\ntotal = 5m\n' >mine.policy
	explains mine.policy
	finds '.notes | length == 2'
	run -0 --separate-stderr lastack policy check mine.policy
	# shellcheck disable=SC2154 # run sets stderr
	[ "$stderr" = "$(jq -r '.notes[] | "\(.source):\(.line): note: \(.text)"' explained.json)" ] || fail "$stderr"
}

@test "policy explain: a bad file, no file, a bad option: as policy check" {
	echo '[close-wait' >bad.policy
	run -3 --separate-stderr lastack policy explain observe bad.policy
	[[ -z $output && $stderr == bad.policy:1:* ]]
	run -3 --separate-stderr lastack policy explain observe,none
	[[ -z $output && $stderr == *'none: no such policy: '* ]]
	run -2 --separate-stderr lastack policy explain
	[[ $stderr == *'write policy check FILE..., or policy explain FILE...'* ]]
	run -2 lastack policy explain --no-such observe
	run -0 lastack policy explain --help
}

@test "policy explain: nothing of a file's name or text is a command to the terminal" {
	local name=$'a\e[31m.policy'
	printf '[close-wait]\nafter 5s = log # \e[31m\n' >"$name"
	run -0 lastack policy explain "./$name"
	[[ $(LC_ALL=C tr -d '[:print:]\n' <<<"$output" | wc -c) -eq 0 ]]
	run -0 lastack policy explain -J "./$name"
	[[ $(LC_ALL=C tr -d '[:print:]\n' <<<"$output" | wc -c) -eq 0 ]]
}
