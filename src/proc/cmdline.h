/* Prepares a process's command line for the screen. */
#ifndef PROC_CMDLINE_H
#define PROC_CMDLINE_H

#include <stddef.h>

struct arena;

/* The maximum number of bytes that are read of a command line. */
#define CMDLINE_MAX 4096

/* Joins the arguments of /proc/PID/cmdline, each ended by a zero byte, with spaces; the text is
 * clean and in the arena. What looks like a password or another secret
 * (postgres://user:SECRET@host, password=SECRET, --password SECRET, token: SECRET) is replaced by
 * "***"; in doubt more is replaced. NULL if there are no bytes. */
const char *cmdline_format(struct arena *arena, const char *bytes, size_t size);

/* Returns the name of the script that an interpreter runs, without its folder: patroni for "python3
 * -u /usr/bin/patroni x.yml", pgcli for "python3 -m pgcli". bytes are those of /proc/PID/cmdline;
 * executable is the name of the process's file. NULL if the executable is no interpreter, or if the
 * script comes from -c or stdin. Clean and in the arena. */
const char *cmdline_script(
	struct arena *arena, const char *bytes, size_t size, const char *executable);

#endif
