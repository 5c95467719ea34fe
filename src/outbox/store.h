/* The queue in the file: writes in order, what the server confirmed, what it rejected.
 *
 * A write's number is its epoch and its sequence. Each time the file is opened, it draws a new
 * random epoch and stores it before the first write, so that no number is used twice, whatever the
 * file lost or was replaced by. Sequences of an epoch begin at 1.
 *
 * A write is pending while its sequence is higher than what the server confirmed for its epoch.
 * Sent writes are kept for a time, in case the server loses them.
 *
 * All functions may be called in any thread. */
#ifndef OUTBOX_STORE_H
#define OUTBOX_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "outbox/store_epoch.h"

struct batch;
struct store;

struct store_options {
	const char *path;
	bool full;          /* DBOUTBOX_FSYNC_FULL */
	int64_t max_writes; /* pending and kept */
	int64_t max_bytes;  /* likewise */
	int64_t keep;       /* µs; −1: sent writes are not kept */
};

/* Returns 0, a positive dboutbox_result or a negative errno, as all functions here. */
int store_open(const struct store_options *options, struct store **ret_store)
	__attribute__((warn_unused_result));

/* NULL is allowed. */
void store_close(struct store *store);

/* In a forked child: gives up the lock of the file; the memory is lost. */
void store_forked(struct store *store);

/* The outbox's name on the server: 32 hexadecimal digits, drawn when the file was created. */
const char *store_id(const struct store *store);

/* Stores a write. */
int store_append(struct store *store, const void *blob, size_t size)
	__attribute__((warn_unused_result));

/* Reads the oldest pending writes of one epoch: at most `most` writes, and at most about a megabyte
 * unless the first one is larger. What it returns is on the disk, so that the server never has what
 * a power loss may take from here. An empty batch: nothing is pending. */
int store_next(struct store *store, size_t most, struct batch *batch, struct store_epoch *ret_epoch)
	__attribute__((warn_unused_result));

/* The same for the writes of this epoch after a sequence that is not confirmed yet. */
int store_read_ahead(struct store *store, const struct store_epoch *epoch, int64_t sequence,
	size_t most, struct batch *batch) __attribute__((warn_unused_result));

/* The server has applied all of this epoch up to this sequence. */
int store_confirm(struct store *store, const struct store_epoch *epoch, int64_t sequence)
	__attribute__((warn_unused_result));

/* What the server says that it applied last of an epoch, and its outcome. */
struct store_comparison {
	int64_t confirmed; /* writes that we did not know to be applied */
	int64_t resent;    /* writes that the server lost: pending again */
	int64_t gap;       /* writes that it lost and that are not kept any more */
};

/* Takes the server's number over. DBOUTBOX_DIVERGED: it is higher than any number of that epoch. */
int store_compare(struct store *store, const struct store_epoch *epoch, int64_t applied,
	struct store_comparison *ret_comparison) __attribute__((warn_unused_result));

/* All epochs in which writes were numbered, oldest first: also those whose writes are all applied
 * and not kept any more. *ret_epochs is freed with free(). */
int store_epochs(struct store *store, struct store_epoch **ret_epochs, size_t *ret_count)
	__attribute__((warn_unused_result));

/* Why the server refused a write. */
struct store_rejection {
	const char *sqlstate, *message;
	const char *sql; /* of the statement that failed */
};

/* Moves a pending write to the rejected ones. */
int store_reject(struct store *store, int64_t id, const struct store_rejection *rejection)
	__attribute__((warn_unused_result));

/* Removes what was kept for long enough. Does a bounded amount of work; 1: there is more to do. */
int store_prune(struct store *store) __attribute__((warn_unused_result));

struct store_counts {
	int64_t pending, pending_bytes, kept, rejected;
	int64_t handled; /* writes that were confirmed or rejected since the file was opened */
	int64_t sent;    /* writes that were confirmed since then, again after a loss included */
	int64_t oldest;  /* when the oldest pending write was stored, µs since 1970; 0: none */
};

void store_counts(struct store *store, struct store_counts *ret_counts);

#endif
