#!/usr/bin/env bash
# Install what building and testing lastack needs, from Debian's packages, and `PACKAGE:SIGN...` as well. Does nothing, and asks nobody,
# when all is there.
set -euo pipefail

# package: a file or command that shows that it is there (a node from elsewhere is as good)
wanted=(
	"gcc:gcc" "make:make" "clang:clang"
	"libc6-dev:/usr/include/stdio.h"
	"liburcu-dev:/usr/include/x86_64-linux-gnu/urcu/wfcqueue.h"
	"libjansson-dev:/usr/include/jansson.h" "libsmartcols-dev:/usr/include/libsmartcols/libsmartcols.h"
	"libmnl-dev:/usr/include/libmnl/libmnl.h" "libdw-dev:/usr/include/elfutils/libdwfl.h" "libelf-dev:/usr/include/libelf.h"
	"libmicrohttpd-dev:/usr/include/microhttpd.h"
	"libcmocka-dev:/usr/include/cmocka.h" "bats:bats"
	"libclang-rt-14-dev:/usr/lib/llvm-14/lib/clang/14.0.6/lib/linux/libclang_rt.fuzzer-x86_64.a"
	"clang-format:clang-format" "cppcheck:cppcheck" "shellcheck:shellcheck" "musl-tools:musl-gcc"
	"iproute2:ss" "nftables:/usr/sbin/nft" "strace:strace" "tcpdump:tcpdump" "procps:pgrep" "perl:/usr/bin/perl" "python3:/usr/bin/python3" "python3-prometheus-client:/usr/lib/python3/dist-packages/prometheus_client/__init__.py" "python3-jsonschema:/usr/lib/python3/dist-packages/jsonschema/__init__.py"
	"nodejs:node" "gunicorn:/usr/bin/gunicorn" "nginx-light:/usr/sbin/nginx" "wrk:wrk" "socat:socat"
	"haproxy:/usr/sbin/haproxy"
	"g++:g++" "libasan8:/usr/lib/x86_64-linux-gnu/libasan.so.8" "libtsan2:/usr/lib/x86_64-linux-gnu/libtsan.so.2"
	"libjemalloc2:/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"
	"libtcmalloc-minimal4:/usr/lib/x86_64-linux-gnu/libtcmalloc_minimal.so.4"
	"libfaketime:/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
	"libsocket-wrapper:/usr/lib/x86_64-linux-gnu/libsocket_wrapper.so" "libeatmydata1:/usr/lib/x86_64-linux-gnu/libeatmydata.so"
	"openssh-server:/usr/sbin/sshd" "openssh-client:ssh" "openssl:openssl" "curl:curl" "jq:jq" "binutils:readelf" "spin:spin" "git:git"
	"$@"
)
missing=()
for want in "${wanted[@]}"; do
	package=${want%%:*}
	sign=${want#*:}
	case $sign in
	/*) [ -e "$sign" ] || missing+=("$package") ;;
	*) command -v "$sign" >/dev/null || missing+=("$package") ;;
	esac
done
[ ${#missing[@]} -eq 0 ] && exit 0
if [ "$(id -u)" -ne 0 ]; then
	echo "deps: not root; install these yourself: ${missing[*]}" >&2
	exit 1
fi
echo "deps: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# Servers are wanted as programs: none may start by itself.
policy=/usr/sbin/policy-rc.d
made=
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod +x "$policy"
	made=1
fi
trap '[ -z "$made" ] || rm -f "$policy"' EXIT
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
