# SPDX-License-Identifier: MIT
"""waits_for_all.py COMMAND...: the parent of a server, which waits for whatever child it has, until it has none."""
import ctypes
import os
import sys

ALL = 0x40000000  # __WALL: children of clone(2) as well
libc = ctypes.CDLL(None, use_errno=True)
server = os.fork()
if server == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
while True:
    status = ctypes.c_int()
    child = libc.waitpid(-1, ctypes.byref(status), ALL)
    if child < 0:
        break
    print("waited for:", "server" if child == server else "a stranger", os.waitstatus_to_exitcode(status.value), flush=True)
