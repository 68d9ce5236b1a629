/* SPDX-License-Identifier: MIT */
/* Makes a child by vfork(2) that takes its time: meanwhile the parent sleeps where only a fatal signal wakes it. */
#include <unistd.h>

int main(void)
{
	static const char line[] = "waits\n";

	if (vfork() == 0) {
		if (write(STDOUT_FILENO, line, sizeof(line) - 1) < 0)
			_exit(1);
		sleep(20);
		_exit(0);
	}
	return 0;
}
