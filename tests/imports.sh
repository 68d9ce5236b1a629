#!/usr/bin/env bash
# Is there a way around the hooks by name? Everything that the C library exports and that can open, duplicate, read, close, half-close, hand on
# or inherit a descriptor, make a process or lock one in, must stand in src/shim/calls.def, or with its reason in
# tests/imports.allowed. Shows how many installed programs and libraries import each; last line: what is wrong, or that nothing is.
#
# imports.sh [-q]    -q: only what is wrong. CALLS, ALLOWED, C_LIBRARY, FOLDERS: other files, for the test of this test.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."
calls=${CALLS:-src/shim/calls.def}
allowed=${ALLOWED:-tests/imports.allowed}
read -r -a folders <<<"${FOLDERS:-/usr /bin /sbin /lib}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What a name must look like to be asked about. Wide on purpose: a name too many costs a line, one too few hides a way around.
universe=(
	close shutdown accept connect sock listen '^_*bind' # a socket's life
	'^_*dup[0-9]*$' fcntl ioctl pidfd fdopen freopen '^_IO_(proc|file)_(open|fopen|close|read|attach)' # numbers and streams
	'^_*(libc_)?p?read(v|64|ahead|$|_chk|_nocancel)' recv '^_*(libc_)?p?write' 'dprintf' fflush '^_*send' splice '^_*tee$' copy_file_range '^_*aio_' lio_listio io_uring
	fork '^_*clone' exec spawn '^_*(libc_)?system$' popen wordexp '^_*daemon$' 'pty$' login_tty '^_*(exit|Exit|quick_exit)$' # processes
	prctl '^_*syscall$' unshare setns '^_*set(e|re|res|fs)?[ug]id$' setgroups 'initgroups$' capset # who it is, what it may
	'^_*(libc_)?(open|openat|creat|fopen|tmpfile|opendir|pipe2?|eventfd|timerfd_create|signalfd|inotify_init1?|memfd_create|mk[os]*temps?|shm_open|mq_open|posix_openpt|getpt|fanotify_init|name_to_handle_at|open_by_handle_at|open_tree|fsopen|fspick|fsmount)(64)?(_2)?$' # whatever else makes a number
	epoll rcmd rresv '^(svc|clnt).*create' # sets, and what opens sockets inside
)
(IFS='|' && echo "${universe[*]}") >"$work/universe"

c_library=${C_LIBRARY:-$(ldconfig -p | sed -n 's/.*libc\.so\.6 (.*x86-64.*) => //p' | head -n 1)}
/usr/bin/python3 tests/elf_imports.py exports "$c_library" >"$work/versions"
cut -d ' ' -f 1 "$work/versions" | sort -u >"$work/exports"
grep -E -f "$work/universe" "$work/exports" >"$work/asked"
TOP=$PWD
# shellcheck source=tests/shim/calls.bash
source tests/shim/calls.bash
names_of_calls "$calls" | sort | tee "$work/twice" | uniq >"$work/hooked"
grep -v -E '^(#|$)' "$allowed" >"$work/lines" || true
cut -d : -f 1 "$work/lines" | tr ' ' '\n' | sort | tee -a "$work/twice" | uniq >"$work/allowed"

bad=0
# wrong SENTENCE: for each name on standard input.
wrong() {
	local name
	while read -r name; do
		echo "$name: $1"
		bad=$((bad + 1))
	done
}
wrong "the C library exports it, and it stands neither in calls.def nor in imports.allowed" \
	< <(sort -u "$work/hooked" "$work/allowed" | comm -23 "$work/asked" -)
wrong "in calls.def, and the C library does not export it" < <(comm -23 "$work/hooked" "$work/exports")
wrong "in imports.allowed, and the C library does not export it" < <(comm -23 "$work/allowed" "$work/exports")
wrong "in imports.allowed, and nothing asks about it" < <(comm -12 "$work/allowed" "$work/exports" | comm -23 - "$work/asked")
wrong "in imports.allowed, though it is interposed" < <(comm -12 "$work/allowed" "$work/hooked")
wrong "stands twice" < <(comm -23 <(sort "$work/twice" | uniq -d) <(comm -12 "$work/allowed" "$work/hooked"))
wrong "no reason given" < <(sed -n -E '/^[A-Za-z0-9_ ]+: ./!p' "$work/lines")

if [ "${1:-}" != -q ]; then
	/usr/bin/python3 tests/elf_imports.py imports "${folders[@]}" >"$work/imports"
	files=$(sed -n 's/^= \([0-9]*\) files$/\1/p' "$work/imports")
	[ "$files" -gt 100 ] || { echo "only $files files import anything: the scan is broken" && bad=$((bad + 1)); }
	awk '
		FILENAME ~ /imports$/ { count[$1] += $3 }
		FILENAME ~ /hooked$/ { printf "%4d  %-40s  interposed\n", count[$1], $1 }
		FILENAME ~ /lines$/ { split($0, part, ": "); n = split(part[1], names, " "); sub(/^[^:]*: /, "")
			for (i = 1; i <= n; i++) printf "%4d  %-40s  %s\n", count[names[i]], names[i], $0 }
	' "$work/imports" "$work/hooked" "$work/lines" | sort -k 1,1nr -k 2,2
	echo "$files files import from the C library"
fi
if [ "$bad" -gt 0 ]; then
	echo "imports: $bad wrong"
	exit 1
fi
echo "imports: all $(wc -l <"$work/asked") names of the C library accounted for, $(wc -l <"$work/hooked") interposed"
