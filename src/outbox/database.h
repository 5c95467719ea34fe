/* The outbox's SQLite file: opened once, by one process. Results of SQLite become results of the
 * outbox here. Not thread-safe: the store's mutex serializes all calls. */
#ifndef OUTBOX_DATABASE_H
#define OUTBOX_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct database {
	sqlite3 *db;
	int lock; /* a descriptor of PATH-lock, with flock(); −1: none */
	enum { SYNC_UNKNOWN, SYNC_FULL, SYNC_NORMAL } sync;
};

/* Opens the file, or creates it with mode 0600, and locks it. Returns 0, DBOUTBOX_BUSY,
 * DBOUTBOX_DAMAGED, DBOUTBOX_IO, DBOUTBOX_NO_SPACE or -ENOMEM; on failure nothing is open. */
int database_open(const char *path, struct database *ret_database)
	__attribute__((warn_unused_result));
void database_close(struct database *database);

/* In a forked child: gives up the parent's lock. SQLite's files must not be touched there. */
void database_forked(struct database *database);

/* What a result code of SQLite means here; stores the text for dboutbox_error(). 0 for SQLITE_OK,
 * SQLITE_ROW and SQLITE_DONE. */
int database_result(const struct database *database, int code, const char *doing)
	__attribute__((warn_unused_result));

/* Runs statements without parameters, in one text. */
int database_exec(const struct database *database, const char *sql)
	__attribute__((warn_unused_result));

int database_prepare(const struct database *database, const char *sql, sqlite3_stmt **ret_statement)
	__attribute__((warn_unused_result));

/* Runs a statement that returns no rows, with these integers as its parameters, and resets it. */
int database_run(const struct database *database, sqlite3_stmt *statement, int n,
	const int64_t *numbers) __attribute__((warn_unused_result));

/* To be called before each transaction, also one of a single statement: rolls back one that is open
 * still because a rollback failed, and sets how durable the next one is: synced to the disk when it
 * is committed, or not. */
int database_settle(struct database *database, bool full) __attribute__((warn_unused_result));

/* Begins or ends a transaction. A commit that fails rolls back. */
int database_begin(struct database *database, bool full) __attribute__((warn_unused_result));
int database_commit(const struct database *database) __attribute__((warn_unused_result));
void database_roll_back(const struct database *database);

#endif
