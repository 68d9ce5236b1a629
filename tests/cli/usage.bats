# What the command says about itself, and its exit status when it is used wrongly.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/../proof/helpers.bash"
	mkdir -m 0700 "$WORK/regions"
}

# refuses STATUS PATTERN ARGUMENT...: that status, a sentence on standard error, and no data on standard output.
refuses() {
	local status_wanted=$1 pattern=$2
	shift 2
	run "-$status_wanted" --separate-stderr lastack "$@"
	[ -z "$output" ] || fail "data for \"$*\": $output"
	# shellcheck disable=SC2154 # run sets it
	# shellcheck disable=SC2053 # it is a pattern
	[[ $stderr == $pattern ]] || fail "\"$*\" is told: $stderr"
}

commands() {
	sed -n 's/^int la_cmd_\([a-z]*\)(.*/\1/p' "$TOP/src/cli/cli.h"
}

@test "usage: help names every command, with a line about it" {
	local name
	run -0 --separate-stderr lastack help
	[ -z "$stderr" ]
	[ "$(commands | wc -l)" -ge 5 ]
	for name in $(commands); do
		grep -q -A1 "^  $name " <<<"$output" || fail "help says nothing about $name"
	done
	[[ $output == *"Exit status"* ]]
}

@test "usage: --help and -h say what help says" {
	local help
	help=$(lastack help)
	[ "$(lastack --help)" = "$help" ]
	[ "$(lastack -h)" = "$help" ]
}

@test "usage: every command explains itself by help NAME, --help and -h" {
	local name help
	for name in $(commands); do
		run -0 --separate-stderr lastack help "$name"
		[[ $output == "usage: lastack $name "* && -z $stderr ]]
		help=$output
		[ "$(lastack "$name" --help)" = "$help" ] || fail "$name --help"
		[ "$(lastack "$name" -h)" = "$help" ] || fail "$name -h"
	done
}

@test "usage: --version gives name and version" {
	run -0 lastack --version
	[[ $output =~ ^lastack\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}

@test "usage: without a command the usage is talk: standard error, status 2" {
	refuses 2 'usage: lastack COMMAND*'
}

@test "usage: no command of that name: status 2, and what there is" {
	refuses 2 'lastack: "lsit" is no command: write run, list, *' lsit
	refuses 2 'lastack: there is no such command*' help lsit
	refuses 2 'lastack: "a\\x1bb\\x0a" is no command*' $'a\eb\n'
}

@test "usage: wrong options and words: status 2" {
	refuses 2 '*frobnicate*' list --frobnicate
	refuses 2 '*frobnicate*' report --frobnicate
	refuses 2 '*frobnicate*' table --frobnicate
	refuses 2 '*frobnicate*' run --frobnicate -- true
	refuses 2 'lastack: run: write the command to run' run
	refuses 2 'lastack: run: write the command to run' run --
	refuses 2 'lastack: policy: write policy check FILE..., or policy explain FILE... \[-J\]' policy
	refuses 2 'lastack: policy: write policy check FILE..., or policy explain FILE... \[-J\]' policy check
	refuses 2 'lastack: policy: write policy check FILE..., or policy explain FILE... \[-J\]' policy chekc x
	refuses 2 'lastack: policy: write policy check FILE..., or policy explain FILE... \[-J\]' policy explain
	refuses 2 'lastack: table: write nothing more, or one PID' table 1 2
	refuses 2 'lastack: table: write nothing more, or one PID' table 0
	refuses 2 'lastack: table: write nothing more, or one PID' table pid
	refuses 2 'lastack: report: write one PID or one REGION-FILE' report 1 2
}

@test "usage: report options: a verdict and a time with its unit" {
	refuses 2 '*"L8" is no verdict: write L1 to L7' report --fail-on L8
	refuses 2 '*"1" is no time: write it with its unit*' report --min-age 1
	refuses 2 '*"-1s" is no time*' report --min-age -1s
	refuses 2 '*"nans" is no time*' report --min-age nans
	run -0 lastack report --fail-on L1 --fail-on eof-unread --min-age 1.5s
}

@test "usage: what a word of the user's holds is no command to the terminal" {
	local escape=$'\e[31m'
	refuses 2 '*\\x1b*' "$escape"
	refuses 2 '*\\x1b*' list "$escape"
	refuses 2 '*\\x1b*' list -o "$escape"
	refuses 2 '*\\x1b*' report --fail-on "$escape"
	refuses 2 '*\\x1b*' report --min-age "$escape"
	refuses 6 '*\\x1b*' report "$escape"
	refuses 3 '*\\x1b*' policy check "$escape"
	refuses 3 '*\\x1b*' run -p "$escape" -- true
	refuses 127 '*\\x1b*' run -- "$escape"
}

@test "usage: no such process, no such file: status 6" {
	refuses 6 'lastack: process 999999 is in no region*' report 999999
	refuses 6 'lastack: process 999999 is in no region*' table 999999
	refuses 6 '*none.region: no such file' report "$WORK/none.region"
}

@test "usage: nothing found is no error: status 0, a header, and empty JSON" {
	run -0 --separate-stderr lastack list
	[[ $output == PID*NEXT && -z $stderr ]]
	run -0 --separate-stderr lastack report
	[[ $output == "no leaks: "* && -z $stderr ]]
	[ "$(lastack list -J | jq '.connections | length')" -eq 0 ]
	[ "$(lastack table -J | jq '[.rows[] | .client.connections, .server.connections] | add')" -eq 0 ]
}

@test "usage: nothing is coloured, and a full disk is no success" {
	local command
	run -0 lastack help
	[[ $output != *$'\e'* ]]
	for command in list 'list -J' report 'report -J' table 'table -J' help; do
		# shellcheck disable=SC2086 # command and option
		lastack $command >/dev/full 2>"$WORK/full" && fail "$command to a full disk: status 0"
		[ -n "$command" ]
	done
}

@test "usage: a slip of the fingers is told the nearest command, a foreign word is not" {
	refuses 2 '*; did you mean list?' lsit
	refuses 2 '*; did you mean report?' reprot
	refuses 2 '*; did you mean policy?' polcy
	refuses 2 '*; lastack --help explains them' doctor
	refuses 2 '*; lastack --help explains them' ab
	refuses 2 '*; lastack --help explains them' ''
}
