# stress-ng's network, descriptor and process stressors, each verifying what it does, for a bounded number of operations.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # once.sh reads and sets
packages=(stress-ng)

stressors='
sock 100
sock 100 --sock-opts sendmsg
sock 100 --sock-opts sendmmsg
sock 100 --sock-domain ipv6
sock 100 --sock-nodelay
sock 100 --sock-zerocopy
sockabuse 20
sockmany 1000
sockpair 20000
sockfd 2000
sockdiag 50
close 100000
dup 1000
epoll 2000
fork 500
vfork 1000
spawn 50
exec 50
pipe 50000
pipeherd 500
poll 3000
sendfile 200
splice 1000
tee 2000
open 2000
fcntl 500
fifo 20000
eventfd 20000
timerfd 2000
pidfd 2000
udp 20000
udp 20000 --udp-domain ipv6
sigpipe 2000
sigio 2000
kill 5000
wait 2000
zombie 500
daemon 500
clone 200
switch 20000
enosys 100
'

prepare() { :; }

stress() { # STRESSOR OPERATIONS [OPTION...]
	local name=$1 operations=$2 how=pass user=() status
	shift 2
	# As root these two would wait for what they may do to the machine.
	case $name in spawn | exec) user=("${as_nobody[@]}") ;; esac
	timeout -k 1 30 "${user[@]}" "${preload[@]}" stress-ng --temp-path "$TMPDIR" --oom-avoid --no-rand-seed --verify -v \
		"--$name" 1 "--$name-ops" "$operations" "$@" -t 15 >"$work/out" 2>&1
	status=$?
	# 3: no resources, 4: not on this machine
	case $status in 0) ;; 3 | 4) how=skip ;; *) how=fail ;; esac
	grep -qE 'fail:|error:|untimely|did not exit|killed' "$work/out" && how=fail
	result "$name $*" "$how"
	[ "$how" = pass ] || { echo "== $name $* ($status)" && tail -n 8 "$work/out"; }
}

run() {
	local words case
	while read -r -a words; do
		[ ${#words[@]} -gt 0 ] || continue
		case=${words[*]:0:1}\ ${words[*]:2}
		# shellcheck disable=SC2076
		if [ $# -eq 0 ] || [[ " $* " =~ " ${case// /_} " ]]; then stress "${words[@]}"; fi
	done <<<"$stressors"
}
