/* A command, started as a shell would start it: in a process group of its own. */
#ifndef MODES_COMMAND_H
#define MODES_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct command {
	pid_t pid; /* also the number of its process group */
	uint64_t start_ticks;
	bool reaped; /* it was waited for: other processes may have the pid and the group's number
			now */
	int status;  /* set when reaped, as in wait(2) */
};

/* argv[0] is looked up in PATH. The command's stdout goes to our stderr, because our stdout is for
 * the result. It has our stdin, unless that is a terminal: the command would be in the terminal's
 * background. It is killed when dbtop ends.
 *
 * Returns 0 once the program runs, or a negative errno: -ENOENT if there is no program of that
 * name. */
int command_start(char *const argv[], struct command *ret_command)
	__attribute__((warn_unused_result));

/* The caller has waited for a child: if it was this command, this is recorded. */
void command_note_reaped(struct command *command, pid_t pid, int status);

/* Signals all processes of its process group, or the process alone. Returns 0; -ESRCH, without a
 * signal, if the command was waited for; or another negative errno. */
int command_signal(const struct command *command, int signal_number, bool alone)
	__attribute__((warn_unused_result));

#endif
