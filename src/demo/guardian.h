/* A cleaner that kills the processes given to guardian_watch() and removes a folder. */
#ifndef DEMO_GUARDIAN_H
#define DEMO_GUARDIAN_H

#include <sys/types.h>

#include "demo/cleaner.h"

/* Starts the guardian, which will remove the folder with its content. When we are root, folders
 * directly in it may belong to the user uid: they are emptied with that user's rights, because root
 * removes nothing where another user can write. Returns 0 or a negative errno. */
int guardian_start(const char *folder, uid_t uid, gid_t gid, struct cleaner *ret_guardian)
	__attribute__((warn_unused_result));

/* Adds a process that the guardian kills at the end, with SIGKILL or, for a postmaster, SIGQUIT
 * first. The process must be alive until the guardian has opened its pidfd, during the call or soon
 * after. */
void guardian_watch(struct cleaner *guardian, pid_t pid);

#endif
