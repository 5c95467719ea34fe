/* Who waits for which lock, and for whom: what one look at pg_locks brought. Plain data, const once
 * published. Strings are clean (base/text) and live in the block's arena. */
#ifndef MODEL_LOCK_H
#define MODEL_LOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

/* One row. Its session is the one that had this pid when the look was taken. */
struct lock {
	int32_t pid;
	bool granted;       /* false: it is waited for */
	const char *type;   /* pg_locks.locktype: "relation", "transactionid" */
	const char *mode;   /* "AccessExclusiveLock" */
	const char *object; /* "table outbox", "transaction 1234" */
	int64_t since;      /* when the wait began, server clock; INSTANT_UNKNOWN for what is held,
			       and before PostgreSQL 14 */
	const int32_t *blockers; /* pids it waits for; 0 is a prepared transaction */
	size_t n_blockers;
};

struct lock_table {
	struct arena *arena; /* owns everything here, the block itself too */
	int refs;
	int64_t asked_at, taken_at; /* our wall clock */
	int32_t subject;    /* whose locks are listed whether anybody waits or not; 0: nobody's */
	bool cut;           /* there were more than are listed */
	const char *error;  /* the look failed: there are no rows; NULL */
	struct lock *items; /* those that are waited for come first */
	size_t count;
};

/* A block of its own arena, holding one reference. */
struct lock_table *lock_table_new(void);
struct lock_table *lock_table_ref(const struct lock_table *table);
/* NULL is allowed. */
void lock_table_unref(const struct lock_table *table);

#endif
