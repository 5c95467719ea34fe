/* How many sessions of each database ended in another way than by closing them, as
 * pg_stat_database counts them (PostgreSQL 14 and up). Const once published. */
#ifndef MODEL_SESSION_ENDS_H
#define MODEL_SESSION_ENDS_H

#include <stddef.h>
#include <stdint.h>

struct arena;

/* Counts since `reset_at`; −1: not known. Strings are clean, and in the block's arena. */
struct database_ends {
	const char *database;
	int64_t abandoned; /* the client was gone */
	int64_t fatal;     /* by a fatal error, a timeout too */
	int64_t killed;    /* by an administrator or a shutdown of the server */
	int64_t reset_at;  /* server clock; INSTANT_UNKNOWN: the counters were never reset */
};

struct session_ends {
	struct arena *arena; /* owns everything here, the block too */
	int refs;
	struct database_ends *items; /* the database that had most sessions first */
	size_t count;
};

/* Makes a block in an arena of its own, with one reference. */
struct session_ends *session_ends_new(void);
struct session_ends *session_ends_ref(const struct session_ends *ends);
/* Drops a reference; NULL is allowed. */
void session_ends_unref(const struct session_ends *ends);

/* The counts of a database; NULL if there are none. Both arguments may be NULL. */
const struct database_ends *session_ends_find(
	const struct session_ends *ends, const char *database);

#endif
