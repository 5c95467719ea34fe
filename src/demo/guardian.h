/* A process that cleans up after us, even if we are killed: it waits for our end, then kills the
 * processes given to guardian_watch() and removes a folder. */
#ifndef DEMO_GUARDIAN_H
#define DEMO_GUARDIAN_H

#include <sys/types.h>

struct guardian {
	int orders; /* the guardian starts its work when this pipe is closed */
	int done;   /* reaches its end when everything is removed */
};

/* Starts the guardian, which will remove the folder with its content. When we are root, folders
 * directly in it may belong to the user uid: they are emptied with that user's rights, because root
 * removes nothing where another user can write. Returns 0 or a negative errno. */
int guardian_start(const char *folder, uid_t uid, gid_t gid, struct guardian *ret_guardian)
	__attribute__((warn_unused_result));

/* Adds a process that the guardian kills at the end, with SIGKILL or, for a postmaster, SIGQUIT
 * first. The process must be alive until the guardian has opened its pidfd, during the call or soon
 * after. */
void guardian_watch(struct guardian *guardian, pid_t pid);

/* Makes the guardian do its work, and waits until it is done. */
void guardian_finish(struct guardian *guardian);

#endif
