/* Which session waits for which lock, and which sessions block it: the result of one query of
 * pg_locks. Plain data, const once published. Strings are clean (base/text) and in the block's
 * arena. */
#ifndef MODEL_LOCK_H
#define MODEL_LOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

/* One row. Its session is the one that had this pid when the rows were taken. */
struct lock {
	int32_t pid;
	bool granted;       /* false: waited for */
	const char *type;   /* pg_locks.locktype: "relation", "transactionid" */
	const char *mode;   /* "AccessExclusiveLock" */
	const char *object; /* "table outbox", "transaction 1234" */
	int64_t since;      /* when the wait began, server clock; INSTANT_UNKNOWN for a lock that is
			       held, and before PostgreSQL 14 */
	const int32_t *blockers; /* pids that block it; 0 is a prepared transaction */
	size_t n_blockers;
};

struct lock_table {
	struct arena *arena; /* owns everything here, the block too */
	int refs;
	int64_t asked_at, taken_at; /* our wall clock */
	int32_t subject;            /* the session whose locks are always listed; 0: none */
	bool cut;                   /* not all are listed */
	const char *error;          /* why the query failed and there are no rows; NULL */
	struct lock *items;         /* locks that sessions wait for come first */
	size_t count;
};

/* Makes a block in an arena of its own, with one reference. */
struct lock_table *lock_table_new(void);
struct lock_table *lock_table_ref(const struct lock_table *table);
/* Drops a reference; NULL is allowed. */
void lock_table_unref(const struct lock_table *table);

#endif
