/* A process that cleans up after us, also when we are killed: it waits for our end, then kills the
 * processes it was told of and removes a folder. */
#ifndef DEMO_GUARDIAN_H
#define DEMO_GUARDIAN_H

#include <sys/types.h>

struct guardian {
	int orders; /* the end of this pipe is our end */
	int done;   /* … and the end of this one tells that all is removed */
};

/* The folder is removed with all that is in it. When we are root, folders directly in it may belong
 * to the user uid: they are emptied with that user's rights, because root removes nothing where
 * another user can write. Returns 0 or a negative errno. */
int guardian_start(const char *folder, uid_t uid, gid_t gid, struct guardian *ret_guardian)
	__attribute__((warn_unused_result));

/* One more process to kill in the end, with SIGKILL or, for a postmaster, SIGQUIT first. It must be
 * alive: the guardian takes hold of it before the call returns or soon after. */
void guardian_watch(struct guardian *guardian, pid_t pid);

/* Lets it do its work, and waits for that. */
void guardian_finish(struct guardian *guardian);

#endif
