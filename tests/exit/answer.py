# SPDX-License-Identifier: MIT
"""Started by inetd: answers, and ends by os._exit() with the rest unread."""
import os

line = b""
while not line.endswith(b"\n"):
    line += os.read(0, 1)
os.write(1, bytes(97 + i % 23 for i in range(int(line.split()[1]))))
os._exit(3)
