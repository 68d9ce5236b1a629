# Which connections a rule governs: every condition of `match`, alone and joined, on real sockets. Two connections stand in CLOSE-WAIT
# in one process (tests/apps/forgetful.py); the rule ends the one that it describes, and not the other, which has stood there for longer:
# when the younger is acted on, the older one's time was up before. ss decides.

bats_require_minimum_version 1.5.0

setup() {
	WORK=$BATS_TEST_TMPDIR
	# shellcheck source=tests/proof/helpers.bash
	source "$BATS_TEST_DIRNAME/helpers.bash"
}

teardown() {
	stop_all
}

# only CONDITION...: those connections, and no others, are shut down after 0.2 s.
only() {
	policy rule <<-END
		[close-wait only]
		match = $*
		after 200ms = shutdown
	END
	use "$WORK/rule.policy"
	start server "${preloaded[@]}" "$PYTHON" "$APPS/forgetful.py"
}

# hang_up FROM TO PORT: a client with that address connects, says nothing and hangs up.
hang_up() {
	local from=$1 to=$2
	[[ $to != *:* ]] || from="[$from]" to="[$to]"
	"${network[@]}" socat -u OPEN:/dev/null "TCP:$to:$3,bind=$from"
}

# governed GONE LEFT: both are filters of ss. The rule ends the first, and spares the second, the older one.
governed() {
	wait_until 5 stands_no_more "$1" || fail "not ended: $1" || return 1
	sockets_are 1 state close-wait "$2" || fail "ended as well: $2" || return 1
	[ "$(grep -c 'action=shutdown .*result=ok' "$WORK/lastack.log")" -eq 1 ]
}

# It was acted on, so it has stood there; and it does no more.
stands_no_more() {
	says "$WORK/lastack.log" action=shutdown && sockets_are 0 state close-wait "$1"
}

@test "rule: local-port governs the connections of that port" {
	port=$(free_port)
	only "local-port $port"
	order server listen 127.0.0.1 "$port"
	order server listen 127.0.0.1 0
	hang_up 127.0.0.1 127.0.0.1 "$answer"
	hang_up 127.0.0.1 127.0.0.1 "$port"
	governed "sport = :$port" "sport = :$answer"
}

@test "rule: local-port governs a range with both its ends, and nothing beyond" {
	[ "$(id -u)" -eq 0 ] || skip "ports that are surely free need a network of our own: root"
	private_network
	only "local-port 7001-7002"
	for port in 7000 7003 7001 7002; do
		order server listen 127.0.0.1 "$port"
		hang_up 127.0.0.1 127.0.0.1 "$port"
	done
	wait_until 5 stands_no_more '( sport = :7001 or sport = :7002 )'
	sockets_are 2 state close-wait '( sport = :7000 or sport = :7003 )'
}

@test "rule: remote-port governs what goes to that port, whatever the local one is" {
	start peer "$PYTHON" "$APPS/forgetful.py"
	order peer listen-and-close 127.0.0.1 0 && first=$answer
	order peer listen-and-close 127.0.0.1 0 && second=$answer
	only "remote-port $first"
	order server connect 127.0.0.1 "$second"
	order server connect 127.0.0.1 "$first"
	governed "dport = :$first" "dport = :$second"
}

# A connection that the server makes, and one that it accepts; it forgets both. Their local ports go to `made` and `accepted`.
make_one() {
	start peer "$PYTHON" "$APPS/forgetful.py"
	order peer listen-and-close 127.0.0.1 0
	order server connect 127.0.0.1 "$answer" && made=$answer
	wait_until 5 sockets_are 1 state close-wait "sport = :$made"
}

accept_one() {
	order server listen 127.0.0.1 0 && accepted=$answer
	hang_up 127.0.0.1 127.0.0.1 "$accepted"
	wait_until 5 sockets_are 1 state close-wait "sport = :$accepted"
}

@test "rule: role client governs the connections that the process has made" {
	only role client
	accept_one
	make_one
	governed "sport = :$made" "sport = :$accepted"
}

@test "rule: role server governs the connections that the process has accepted" {
	only role server
	make_one
	accept_one
	governed "sport = :$accepted" "sport = :$made"
}

# A port whose connections are read to their end, and one where the end waits: `read` and `unread`.
both_ends() {
	order server listen 127.0.0.1 0 && read=$answer
	order server listen-deaf 127.0.0.1 0 && unread=$answer
}

@test "rule: eof read governs the connections whose application was told" {
	only eof read
	both_ends
	hang_up 127.0.0.1 127.0.0.1 "$unread"
	hang_up 127.0.0.1 127.0.0.1 "$read"
	governed "sport = :$read" "sport = :$unread"
}

@test "rule: eof unread governs the connections whose FIN nobody has read" {
	only eof unread
	both_ends
	hang_up 127.0.0.1 127.0.0.1 "$read"
	hang_up 127.0.0.1 127.0.0.1 "$unread"
	governed "sport = :$unread" "sport = :$read"
}

@test "rule: exe governs the program of that name, and no other under the same policy" {
	only exe forgetful
	cp "$PYTHON" "$WORK/forgetful"
	start named "${preloaded[@]}" "$WORK/forgetful" "$APPS/forgetful.py"
	order server listen 127.0.0.1 0 && other=$answer
	order named listen 127.0.0.1 0
	hang_up 127.0.0.1 127.0.0.1 "$other"
	hang_up 127.0.0.1 127.0.0.1 "$answer"
	governed "sport = :$answer" "sport = :$other"
}

@test "rule: remote governs one IPv4 address, and not its neighbour" {
	only remote 127.0.0.5
	order server listen 127.0.0.1 0
	hang_up 127.0.0.4 127.0.0.1 "$answer"
	hang_up 127.0.0.5 127.0.0.1 "$answer"
	governed "sport = :$answer and dst 127.0.0.5" "sport = :$answer and dst 127.0.0.4"
}

@test "rule: remote governs an IPv4 network to its last address, and not the one behind it" {
	only remote 127.9.0.0/23
	order server listen 127.0.0.1 0
	hang_up 127.9.2.0 127.0.0.1 "$answer"
	hang_up 127.9.1.255 127.0.0.1 "$answer"
	governed "sport = :$answer and dst 127.9.1.255" "sport = :$answer and dst 127.9.2.0"
}

@test "rule: local governs the address that was called, and not another of the same host" {
	only local 127.0.0.7
	order server listen 0.0.0.0 0
	hang_up 127.0.0.1 127.0.0.8 "$answer"
	hang_up 127.0.0.1 127.0.0.7 "$answer"
	governed "sport = :$answer and src 127.0.0.7" "sport = :$answer and src 127.0.0.8"
}

# A network with some IPv6 addresses beside ::1.
ipv6_network() {
	[ "$(id -u)" -eq 0 ] || skip "more IPv6 addresses than ::1 need a network of our own: root"
	private_network
	local address
	for address in fd00::1 fd00::2 fd00:0:0:1::1; do
		"${network[@]}" ip -6 address add "$address/128" dev lo nodad 2>/dev/null || skip "no IPv6 here"
	done
}

@test "rule: remote governs one IPv6 address, and not its neighbour" {
	ipv6_network
	only remote fd00::2
	order server listen :: 0
	hang_up fd00::1 fd00::1 "$answer"
	hang_up fd00::2 fd00::1 "$answer"
	governed "sport = :$answer and dst [fd00::2]" "sport = :$answer and dst [fd00::1]"
}

@test "rule: remote governs an IPv6 network, and not the one beside it" {
	ipv6_network
	only remote fd00::/64
	order server listen :: 0
	hang_up fd00:0:0:1::1 fd00::1 "$answer"
	hang_up fd00::2 fd00::1 "$answer"
	governed "sport = :$answer and dst [fd00::2]" "sport = :$answer and dst [fd00:0:0:1::1]"
}

@test "rule: an IPv4 client of an IPv6 socket is governed as the IPv4 client that it is" {
	ipv6_network
	only remote 127.0.0.0/8
	order server listen-both :: 0
	hang_up fd00::2 fd00::1 "$answer"
	hang_up 127.0.0.4 127.0.0.1 "$answer"
	governed "sport = :$answer and dst [::ffff:127.0.0.4]" "sport = :$answer and dst [fd00::2]"
}

@test "rule: all conditions of a match must hold" {
	only "remote 127.0.0.5, eof unread"
	both_ends
	hang_up 127.0.0.1 127.0.0.1 "$read"
	hang_up 127.0.0.1 127.0.0.1 "$unread"
	hang_up 127.0.0.5 127.0.0.1 "$read"
	hang_up 127.0.0.5 127.0.0.1 "$unread"
	wait_until 5 stands_no_more "sport = :$unread and dst 127.0.0.5"
	sockets_are 3 state close-wait "( sport = :$unread or sport = :$read )"
}

@test "rule: the first named one that holds governs, and the unnamed one takes the rest" {
	policy rule <<-'END'
		[close-wait]
		after 200ms = shutdown

		[close-wait spared]
		match = remote 127.0.0.5
		after 1h = log
	END
	use "$WORK/rule.policy"
	start server "${preloaded[@]}" "$PYTHON" "$APPS/forgetful.py"
	order server listen 127.0.0.1 0
	hang_up 127.0.0.5 127.0.0.1 "$answer"
	hang_up 127.0.0.6 127.0.0.1 "$answer"
	governed "sport = :$answer and dst 127.0.0.6" "sport = :$answer and dst 127.0.0.5"
}
