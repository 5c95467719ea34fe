/* What a process runs, from its files "cmdline" and "exe". */
#ifndef PROC_COMMAND_H
#define PROC_COMMAND_H

struct arena;
struct process;

/* Sets name, command and program of the process, whose folder in /proc this is. `comm` is the
 * kernel's name for it. */
void command_describe(int folder, struct arena *arena, const char *comm, struct process *process);

#endif
