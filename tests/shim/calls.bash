# SPDX-License-Identifier: MIT
# What calls.def says, for tests. The caller sets TOP.

# names_of_calls [FILE]: the functions that are interposed, in the order of the table.
names_of_calls() {
	sed -n -E 's/^(CALL|LIBC|VARIADIC)\([^,]*, ([A-Za-z0-9_]+),.*/\2/p; s/^(LIBC_VOID|FORM)\(([A-Za-z0-9_]+)[,)].*/\2/p' \
		"${1:-$TOP/src/shim/calls.def}"
}
