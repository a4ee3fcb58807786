/* Command lines as the kernel shows them: words that end with a NUL each (proc_pid_cmdline(5)). */
#ifndef BASE_CMDLINE_H
#define BASE_CMDLINE_H

#include <stddef.h>

/* Finds the word name in line, which has a NUL at line[len], and returns the next word; NULL when there is none. */
const char *cmdline_option(const char *line, size_t len, const char *name);

#endif
