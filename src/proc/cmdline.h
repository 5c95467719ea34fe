/* A process's command line, made fit to be shown. */
#ifndef PROC_CMDLINE_H
#define PROC_CMDLINE_H

#include <stddef.h>

struct arena;

/* The longest command line that is read, in bytes. */
#define CMDLINE_MAX 4096

/* The arguments of /proc/PID/cmdline, each ended by a zero byte, joined with spaces, clean and in
 * the arena. What looks like a password or another secret (postgres://user:SECRET@host,
 * password=SECRET, --password SECRET, token: SECRET) is replaced by "***": rather too much than
 * too little. NULL when there is nothing. */
const char *cmdline_format(struct arena *arena, const char *bytes, size_t size);

/* The name of the script that an interpreter runs, without its folder: of "python3 -u
 * /usr/bin/patroni x.yml" patroni, of "python3 -m pgcli" pgcli. bytes are those of
 * /proc/PID/cmdline; executable is the name of the process's file: of one that is no interpreter it
 * is NULL, and so it is of a script given by -c or on stdin. Clean and in the arena. */
const char *cmdline_script(
	struct arena *arena, const char *bytes, size_t size, const char *executable);

#endif
