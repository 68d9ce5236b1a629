#!/usr/bin/env bash
# Servers of Debian's that lose responses today, without and with lastack: `show.sh [NAME...]`. For each, 20 clients that read on after a
# send error, through a receive buffer of 8 KiB, and 20 that stop at their first send error; and the RSTs that the server sent them, as
# captured in a network of its own. Exit status 0 when with lastack every response is complete, no RST was sent, and the server's log has
# no kind of line that it has not without; and each loses responses without. Installs the servers that are missing.
set -euo pipefail

WORK=$(mktemp -d)
# shellcheck source=tests/proof/helpers.bash
source "$(dirname "$0")/../proof/helpers.bash"
# shellcheck source=tests/servers/servers.bash
source "$TOP/tests/servers/servers.bash"

finish() {
	stop_all
	rm -rf "$WORK"
}
trap finish EXIT

if [ "$(id -u)" -ne 0 ]; then
	fail "show-servers: captures packets in networks of its own: needs root"
	exit 1
fi

is_installed() {
	[[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# The first package's version, as its authors count.
version_of() {
	dpkg-query -W -f '${source:Upstream-Version}' "${1%%,*}" | sed -E 's/[+~](dfsg|ds|deb|[0-9]).*//'
}

# What is not there and small.
install_missing() {
	local name package missing=()
	for name in "${names[@]}"; do
		server "$name"
		for package in ${packages//,/ }; do
			[[ $package == \[* ]] || is_installed "$package" || missing+=("$package:")
		done
	done
	[ ${#missing[@]} -eq 0 ] || "$TOP/tests/deps.sh" "${missing[@]}"
}

bad=0
complain() {
	echo "                ^ $*"
	bad=1
}

row() {
	printf '%-13s %-8s %-12s %-14s  %8s %6s   %8s %6s   %7s %6s\n' "$@"
}

# One server: its row, and what is wrong with it.
show() {
	local name=$1 was_reads_on was_stops was_resets version
	server "$name"
	packages=${packages//[\[\]]/}
	if ! is_installed "${packages%%,*}"; then
		row "$name" "$language" - "$policy" - - - - - -
		echo "                ($packages is not installed, and too large to be installed for this)"
		return
	fi
	version=$(version_of "$packages")
	use_nothing
	outcome "$name" || { complain "$name did not work without lastack"; return; }
	was_reads_on=$reads_on was_stops=$stops was_resets=$resets
	mv "$WORK/said" "$WORK/said.without"
	if [[ $policy == graceful-exit && ! -e $TOP/policies/graceful-exit.policy ]]; then
		row "$name" "$language" "$version" "$policy" "$was_reads_on" - "$was_stops" - "$was_resets" -
		echo "                (not there yet: a drain ends with its process)"
		return
	fi
	use_policy "$policy"
	outcome "$name" || { complain "$name did not work with lastack"; return; }
	row "$name" "$language" "$version" "$policy" "$was_reads_on" "$reads_on" "$was_stops" "$stops" "$was_resets" "$resets"
	judge
}

judge() {
	local new
	if [[ $policy == none ]]; then
		((reads_on + stops < 2 * CLIENTS)) || complain "nothing is lost any more: the table of tests/servers/servers.bash should say the policy"
		return 0
	fi
	((was_reads_on + was_stops < 2 * CLIENTS)) || complain "lost nothing without lastack"
	((reads_on + stops == 2 * CLIENTS)) || complain "responses were lost with lastack"
	((resets == 0)) || complain "RSTs were sent with lastack"
	new=$(comm -13 "$WORK/said.without" "$WORK/said")
	[[ ! $new ]] || complain "said only with lastack: $new"
}

mapfile -t names < <(each_server "$@")
[ ${#names[@]} -gt 0 ] || { fail "show-servers: no such server in the table: $*"; exit 2; }
install_missing
echo "Responses complete, of $CLIENTS clients that read on after a send error and $CLIENTS that stop there; RSTs that the server sent:"
echo
row '' '' '' '' 'reads on' '' 'stops' '' 'RSTs' ''
row server language version policy without with without with without with
for name in "${names[@]}"; do
	show "$name"
done
exit $bad
