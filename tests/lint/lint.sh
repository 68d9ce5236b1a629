#!/usr/bin/env bash
# Form and common mistakes: shellcheck, clang-format, cppcheck, both compilers with warnings as errors, the shipped policies. Says each finding, fails on any.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
CLANG=${CLANG:-clang}
bad=0
step() {
	local name=$1
	shift
	if "$@"; then
		echo "  ok      $name"
	else
		echo "  FAILED  $name"
		bad=1
	fi
}
mapfile -t c_files < <(git ls-files 'src/*.c' 'src/*.h' 'include/*.h' 'tests/*.c' 'tests/*.h')
mapfile -t shell_files < <(
	git ls-files '*.sh' '*.bash' '*.bats'
	grep -lE '^#!.*(bash|/sh)' .ci/* 2>/dev/null
)
step shellcheck shellcheck -x -S warning "${shell_files[@]}"
step clang-format clang-format --dry-run -Werror "${c_files[@]}"
step cppcheck cppcheck --quiet --error-exitcode=1 --inline-suppr --enable=warning,portability,performance \
	--suppressions-list=tests/lint/cppcheck.txt --std=c11 -D__x86_64__ -D__linux__ -Iinclude src
step "gcc, warnings are errors" make -s BUILD=build-lint-gcc CC=gcc Q=@ all test-programs
step "clang, warnings are errors" make -s BUILD=build-clang CC="$CLANG" all test-programs
step "shipped policies" env BUILD=build-lint-gcc tests/lint/policies.sh
exit $bad
