/* Reports at once, by pidfd, that a process which held a client end has ended. Without this, the
 * expensive scan of all sockets would have to run every second. */
#ifndef COLLECT_EXITS_H
#define COLLECT_EXITS_H

#include <uv.h>

struct exits;
struct peers;

/* More processes than this are not watched: the regular scans notice their end. */
#define EXITS_MOST 256

struct exits_callbacks {
	void *data;
	void (*ended)(void *data);
};

/* Never NULL. */
struct exits *exits_new(uv_loop_t *loop, const struct exits_callbacks *callbacks);

/* Watches the client processes of the block, and no others. */
void exits_follow(struct exits *exits, const struct peers *peers);

/* The handles close in the loop's next turns. NULL is allowed. */
void exits_free(struct exits *exits);

#endif
