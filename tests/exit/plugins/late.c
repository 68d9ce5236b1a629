/* SPDX-License-Identifier: MIT */
/*
 * A library whose destructor goes on with its program's work: those of libraries run after all handlers of atexit(3).
 */
void (*late_words)(void);

__attribute__((destructor)) static void say_them(void)
{
	if (late_words)
		late_words();
}
