# SPDX-License-Identifier: MIT
# For tests that order each step of both ends of a connection (tests/apps/by_order.py). Sourced after helpers.bash, whose variables it uses.
# shellcheck disable=SC2154

declare -gA orders_of=()

# order NAME ORDER: carried out when it returns; its result in $result.
order() {
	begin_order "$@"
	end_order "$1"
}

begin_order() {
	orders_of[$1]=$((${orders_of[$1]:-0} + 1))
	tell "$1" "$2"
}

end_order() {
	wait_until "${2:-30}" says "$WORK/$1.out" "^${orders_of[$1]}: " || fail "$1 did not answer: $(cat "$WORK/$1.out" "$WORK/$1.err")" || return 1
	# shellcheck disable=SC2034 # for the caller
	result=$(sed -n "s/^${orders_of[$1]}: //p" "$WORK/$1.out" | tail -n 1)
}

# both_ends: a server, preloaded as `use` says, and a plain client, connected. Sets port, client_port.
both_ends() {
	orders_of=()
	start server "${preloaded[@]}" "$PYTHON" "$APPS/by_order.py" listen
	port=$(port_of server)
	start client "$PYTHON" "$APPS/by_order.py" connect "$port"
	connect_ends
}

# connect_ends [WINDOW]
# shellcheck disable=SC2120
connect_ends() {
	[[ ! ${1:-} ]] || order client "window $1"
	order client connect
	client_port=$result
	order server accept
	[ "$result" = "$client_port" ]
}

# silence [both]: nothing that the server sends arrives at the client any more; nor the other way. Not dropped on its way out: that the kernel
# would know.
silence() {
	"${network[@]}" nft -f - <<-END
		table inet silence {
			chain arriving {
				type filter hook input priority 0
				tcp sport $port tcp dport $client_port drop
				${1:+tcp sport $client_port tcp dport $port drop}
			}
		}
	END
}

# The server's end.
in_state() { # COUNT STATE
	sockets_are "$1" state "$2" "sport = :$port and dport = :$client_port"
}

# The server's end is anywhere but at its end.
is_there() {
	[ "$(sockets exclude time-wait "sport = :$port and dport = :$client_port")" -gt 0 ]
}

is_gone() {
	! is_there
}
