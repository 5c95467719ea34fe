/* Who blocks whom, as trees: whoever waits stands below one it waits for. */
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

#define LOCK_DEPTH_MAX 12 /* what is deeper stands at this depth */

struct lock_node {
	int32_t pid;                         /* 0: a prepared transaction */
	const struct connection *connection; /* NULL: not among those the server showed */
	const struct lock *waits;            /* what it waits for; NULL at a root */
	const struct lock *held;             /* what the one above holds of it; NULL: not known */
	size_t above;     /* index of the node it stands below; of a root its own */
	size_t n_blocked; /* nodes below it, at any depth */
	size_t n_others;  /* further ones it waits for, that it does not stand below */
	int depth;        /* 0 is a root */
	bool last;        /* of those below the same one */
	bool in_circle;   /* a root that waits itself: a deadlock, which the server will find */
};

struct lock_tree {
	struct lock_node *nodes; /* in the order of the screen; in the arena */
	size_t count;
	size_t n_waiting, n_roots; /* roots that block somebody */
};

/* The roots that block the most come first. */
struct lock_tree lock_tree_build(struct arena *arena, const struct assessment *assessment);

/* The session with this pid that the table speaks of: not one that took over the pid since. NULL
 * when it is not shown. */
const struct connection *lock_tree_session(
	const struct assessment *assessment, const struct lock_table *table, int32_t pid);

#endif
