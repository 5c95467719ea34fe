/* The inside of a store, for the files that are a part of it. The store's mutex is held, unless a
 * function says otherwise. */
#ifndef OUTBOX_STORE_STATE_H
#define OUTBOX_STORE_STATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "outbox/database.h"
#include "outbox/layout.h"
#include "outbox/store_epoch.h"

#define SEQUENCE_BITS 40
#define SEQUENCE_MASK ((INT64_C(1) << SEQUENCE_BITS) - 1)

enum query {
	QUERY_APPEND,
	QUERY_SYNC,
	QUERY_NEXT,
	QUERY_OLDEST,
	QUERY_SUM,
	QUERY_CONFIRM,
	QUERY_UNCONFIRM,
	QUERY_REJECT,
	QUERY_DELETE,
	QUERY_COUNT_REJECTED,
	QUERY_FIND_OLD,
	QUERY_PRUNE,
	QUERY_SET_PRUNED,
	QUERY_FORGET,
	QUERIES,
};

/* An epoch with writes, or the present one, which is the last. */
struct epoch {
	struct store_epoch seen;
	int64_t pruned;
};

struct store {
	pthread_mutex_t mutex; /* guards all below */
	struct database database;
	sqlite3_stmt *statements[QUERIES];
	char id[LAYOUT_ID_MAX];
	bool full, unsynced;
	int64_t max_writes, max_bytes, keep;
	struct epoch *epochs;
	size_t n_epochs;
	int64_t pending, pending_bytes, all, all_bytes, rejected, handled, sent;
	int64_t oldest; /* see struct store_counts; −1: not known, it is read from the file */
};

/* Takes the mutex, and prepares the file for the next transaction: database_settle(). */
int store_enter(struct store *store) __attribute__((warn_unused_result));
void store_leave(struct store *store);

int store_prepare(struct store *store) __attribute__((warn_unused_result));

int64_t store_wall_clock(void);

/* A write's id in the file. */
static inline int64_t write_id(int64_t place, int64_t sequence)
{
	return place << SEQUENCE_BITS | sequence;
}

/* Runs a query that returns no rows. */
int store_run(struct store *store, enum query query, int n, const int64_t *numbers)
	__attribute__((warn_unused_result));

/* The first row's two numbers, or 0; `ret_second` may be NULL. 1: there is a row. */
int store_read_row(struct store *store, enum query query, int n, const int64_t *numbers,
	int64_t *ret_first, int64_t *ret_second) __attribute__((warn_unused_result));

/* Number and bytes of an epoch's writes above `from`, up to `to`. */
int store_sum(struct store *store, int64_t place, int64_t from, int64_t to, int64_t *ret_count,
	int64_t *ret_bytes) __attribute__((warn_unused_result));

/* Begins and ends a transaction that needs no sync: a power loss may take what it marks, because
 * the server reports it again. store_end_marks() commits if `r` is 0, and returns the result. */
int store_begin_marks(struct store *store) __attribute__((warn_unused_result));
int store_end_marks(struct store *store, int r) __attribute__((warn_unused_result));

#endif
