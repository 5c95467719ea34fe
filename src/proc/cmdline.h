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

#endif
