/* A command started as a shell would start it: in a process group of its own. */
#ifndef MODES_COMMAND_H
#define MODES_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct command {
	pid_t pid; /* and its process group */
	uint64_t start_ticks;
	bool reaped; /* it was waited for: the pid and the group's number are anybody's now */
	int status;  /* then: as wait(2) has it */
};

/* argv[0] is looked for in PATH. What it writes to stdout goes to our stderr: ours is for the
 * result. Its stdin is ours unless that is a terminal, of which it would be in the background. It
 * is killed when we are.
 *
 * Returns 0 once the program runs, or a negative errno: -ENOENT when there is none of that name. */
int command_start(char *const argv[], struct command *ret_command)
	__attribute__((warn_unused_result));

/* The caller waited for a child: takes note when it was this command. */
void command_note_reaped(struct command *command, pid_t pid, int status);

/* Signals all of its process group. Returns 0; -ESRCH, and nothing is signalled, once the command
 * was waited for; or another negative errno. */
int command_signal(const struct command *command, int signal_number)
	__attribute__((warn_unused_result));

#endif
