/* Whether this process is a child that fork() made after the page was opened. */
#ifndef DBPAGE_OWN_H
#define DBPAGE_OWN_H

#include <stdbool.h>
#include <sys/types.h>

struct own {
	const bool *mark; /* memory that a child finds cleared; NULL if the kernel cannot do that */
	pid_t pid;
};

/* Returns 0 or -ENOMEM. */
int own_init(struct own *own) __attribute__((warn_unused_result));

void own_deinit(struct own *own);

/* False in a child. Without a system call where the kernel clears memory (Linux 4.14). */
bool is_own(const struct own *own);

#endif
