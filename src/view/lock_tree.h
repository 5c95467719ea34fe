/* Which session blocks which, as trees: a session that waits is below one that it waits for. */
#ifndef VIEW_LOCK_TREE_H
#define VIEW_LOCK_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct assessment;
struct connection;
struct lock;
struct lock_table;

#define LOCK_DEPTH_MAX 12 /* deeper nodes get this depth */

struct lock_node {
	int32_t pid;                         /* 0: a prepared transaction */
	const struct connection *connection; /* NULL: the server did not show it */
	const struct lock *waits;            /* what it waits for; NULL at a root */
	const struct lock *held; /* what the node above holds on the same object; NULL: not known */
	size_t above;            /* index of the node above it; a root has its own index */
	size_t n_blocked;        /* all nodes below it */
	size_t n_others;         /* further blockers, of which it is not a child */
	int depth;               /* 0 is a root */
	bool last;               /* it is the last child of its node */
	bool in_circle; /* a root that waits itself: a deadlock, which the server will resolve */
};

struct lock_tree {
	struct lock_node *nodes; /* in the order of the screen; in the arena */
	size_t count;
	size_t n_waiting, n_roots; /* n_roots: roots that block a session */
};

/* The roots that block most sessions come first. */
struct lock_tree lock_tree_build(struct arena *arena, const struct assessment *assessment);

/* The session with this pid at the time of the lock table, not a later one with the same pid. NULL
 * if it is not shown. */
const struct connection *lock_tree_session(
	const struct assessment *assessment, const struct lock_table *table, int32_t pid);

#endif
