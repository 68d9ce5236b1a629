# lastack policy check: status 0 and a line a file, or status 3 and FILE:LINE with what to write instead.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	cd "$WORK" || return
}

# printable TEXT: nothing in it but printable ASCII and newlines.
printable() {
	[[ $(LC_ALL=C tr -d '[:print:]\n' <<<"$1" | wc -c) -eq 0 ]]
}

@test "policy check: every shipped policy is good, by name and by path" {
	local file name
	for file in "$TOP"/policies/*.policy; do
		name=$(basename "$file" .policy)
		run -0 --separate-stderr lastack policy check "$name"
		[[ $output =~ ^$name:\ ok,\ [0-9]+\ rules?$ && -z $stderr ]] || fail "$name: $output $stderr"
		run -0 --separate-stderr lastack policy check "$file"
		[[ $output =~ ^$file:\ ok,\ [0-9]+\ rules?$ && -z $stderr ]] || fail "$file: $output $stderr"
	done
	run -0 "$TOP/tests/lint/policies.sh"
}

@test "policy check: a bad file is told by FILE:LINE, as it was named, with what to write: status 3" {
	policy bad <<-'END'
		# a comment
		[close-wait]
		after 30 = shutdown
	END
	run -3 --separate-stderr lastack policy check bad.policy
	[ -z "$output" ]
	[[ $stderr == *"bad.policy:3:"*"30"* ]] || fail "$stderr"
	run -3 --separate-stderr lastack policy check ./bad.policy
	[[ $stderr == ./bad.policy:3:* ]] || fail "$stderr"
	[ "$(wc -l <<<"$stderr")" -eq 1 ]
}

@test "policy check: unknown sections, keys, values and units: each with its line" {
	local case
	for case in '2|[closing-wait]' '3|[close-wait]|aftr 5s = log' '3|[close-wait]|after 5s = kill' \
		'3|[close-wait]|after 5d = log' '3|[close]|action = gracefully' '4|[reset]|action = refuse|action = allow'; do
		{
			echo '# first line'
			tr '|' '\n' <<<"${case#*|}"
		} >bad.policy
		run -3 --separate-stderr lastack policy check ./bad.policy
		[[ $stderr == ./bad.policy:"${case%%|*}":* ]] || fail "$case: $stderr"
	done
}

@test "policy check: of several files the good ones are said to be, and one bad is enough for status 3" {
	echo '[nonsense]' >bad.policy
	run -3 --separate-stderr lastack policy check observe ./bad.policy graceful-close
	[[ $output == observe:\ ok*graceful-close:\ ok* && $stderr == ./bad.policy:1:* ]]
	run -0 lastack policy check observe graceful-close
	[ "${#lines[@]}" -eq 2 ]
}

@test "policy check: no such file, a folder, an endless file, an unreadable one: status 3 and a reason" {
	run -3 --separate-stderr lastack policy check none
	[[ $stderr == *"none: no such policy: write the path of a file, or the name of a shipped one" ]]
	run -3 --separate-stderr lastack policy check ./none.policy
	[[ $stderr == *"none.policy: no such policy: "* ]]
	run -3 --separate-stderr lastack policy check .
	[ -n "$stderr" ]
	head -c 70000 /dev/zero | tr '\0' '\n' >long.policy
	run -3 --separate-stderr lastack policy check ./long.policy
	[[ $stderr == *"longer than 64 KiB"* ]]
	run -3 --separate-stderr timeout 5 "$LASTACK" policy check /dev/zero
	[ -n "$stderr" ]
	echo '[close-wait]' >secret.policy
	chmod 0 secret.policy
	[ "$(id -u)" -eq 0 ] || {
		run -3 --separate-stderr lastack policy check ./secret.policy
		[[ $stderr == *"Permission denied"* ]]
	}
}

@test "policy check: a policy may come from a pipe" {
	# shellcheck disable=SC2016 # for that shell
	run -0 timeout 5 bash -c 'exec "$0" policy check <(printf "[reset]\naction = refuse\n")' "$LASTACK"
	[[ $output == *": ok, 1 rule" ]]
}

@test "policy check: nothing of a file's name or text is a command to the terminal" {
	local name=$'a\e[31m.policy'
	printf '[\e[31m\n' >"$name"
	run -3 --separate-stderr lastack policy check "./$name"
	[[ $stderr == *'\x1b'* ]]
	printable "$stderr"
	printf '[close-wait]\nafter 5s = log # fine\n' >"$name"
	run -0 lastack policy check "./$name"
	printable "$output"
}

@test "policy check: what is allowed and dangerous is noted with its line, and changes no status" {
	cat >hasty.policy <<-'END'
		[close-wait]
		after 1s = reset
		after 9s = log

		[last-ack]
		after 29s = reset

		[fin-wait-2]
		after 1s = log
		after 2s = keepalive
		max = 10

		[close]
		action = graceful
		idle = 2m
		drain = 4096MiB

		[exit]
		action = drain
		total = 91s
	END
	run -0 --separate-stderr lastack policy check ./hasty.policy
	[ "$output" = './hasty.policy: ok, 5 rules' ]
	noted 1 'reset comes before any shutdown'
	noted 1 'after 1s without progress'
	noted 1 'steps behind reset never happen'
	noted 5 '29s is short: a peer that lives can be silent for longer'
	noted 8 'max = 10 ends nothing: the strongest action listed is keepalive'
	noted 13 'idle = 2m never ends a drain'
	noted 13 'drain = 4096MiB'
	noted 18 'total = 91s .*TimeoutStopSec'
	[ "$(wc -l <<<"$stderr")" -eq 8 ] || fail "$stderr"
	run -0 --separate-stderr lastack policy check <(printf '[reset]\naction = refuse\n[close-wait a]\nafter 20s = log\nmatch = role client\n'
		printf '[close-wait b]\nmatch = role client, exe x\nafter 1ms = reset\n')
	noted 1 'only the RST that was asked for is refused'
	noted 6 'never tried: .close-wait a. of .*:3 comes first'
	[ "$(wc -l <<<"$stderr")" -eq 2 ] || fail "$stderr" # what is never tried does no harm
}

# noted LINE PATTERN: exactly one line of what policy check said
noted() {
	[ "$(grep -c -e "^[^:]*:$1: note: .*$2" <<<"$stderr")" -eq 1 ] || fail "no note on line $1 of $2: $stderr"
}

@test "policy check: values at the edge of danger are not noted" {
	cat >slow.policy <<-'END'
		[close-wait]
		after 10s = shutdown
		after 11s = reset
		max = 10
		[last-ack]
		after 30s = reset
		[close]
		action = graceful
		idle = 5m
		total = 5m
		drain = 1023MiB
		[exit]
		action = handover
		total = 90s
		[reset]
		action = refuse
	END
	run -0 --separate-stderr lastack policy check ./slow.policy
	[ -z "$stderr" ] || fail "$stderr"
}
