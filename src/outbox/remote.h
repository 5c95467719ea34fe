/* The server's side: the table dboutbox.applied, and batches in libpq's pipeline mode.
 *
 * A batch is one transaction that moves the outbox's number from the one before to the batch's
 * last, and fails if the number is another one: so a batch is applied once, whatever became of an
 * earlier attempt. */
#ifndef OUTBOX_REMOTE_H
#define OUTBOX_REMOTE_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "outbox/error.h"

struct batch;

/* What people run when the role may not create the table. */
extern const char remote_table_sql[];

struct remote {
	PGconn *conn; /* borrowed */
	/* When to stop waiting for the server, on CLOCK_MONOTONIC in µs. Asked several times a
	 * second, because the answer may become earlier. */
	int64_t (*give_up_at)(void *data);
	void *data;
	/* Called when a batch was sent, while the server works on it; NULL: not at all. */
	void (*sent)(void *sent_data);
	void *sent_data;
};

enum remote_result {
	REMOTE_DONE,
	REMOTE_CONFLICT, /* the server's number is another one: read it again */
	REMOTE_REFUSED,  /* with an SQLSTATE */
	REMOTE_LOST,     /* the connection broke, or was given up: what became of it is not known */
	REMOTE_DAMAGED,  /* a write in the file cannot be read: write, message */
	REMOTE_NO_MEMORY,
};

#define REMOTE_NO_WRITE SIZE_MAX

struct remote_failure {
	char sqlstate[6]; /* "" when the connection was lost */
	char message[ERROR_TEXT_MAX];
	size_t write; /* index in the batch; REMOTE_NO_WRITE: none of them, as with a commit */
	char sql[ERROR_TEXT_MAX]; /* the beginning of the statement that failed */
};

/* What the server applied last of one epoch. */
struct remote_applied {
	int64_t epoch, sequence;
};

/* Reads the numbers of an outbox. *ret_applied is freed with free(). A server in recovery is
 * REMOTE_REFUSED with 25006: what it says may be old. */
enum remote_result remote_read(const struct remote *remote, const char *id,
	struct remote_applied **ret_applied, size_t *ret_count, struct remote_failure *ret_failure);

/* Creates the schema and the table. */
enum remote_result remote_create(const struct remote *remote, struct remote_failure *ret_failure);

/* Sends the first `count` writes of the batch in one transaction, if the server's number is
 * `expected`. `is_new`: the outbox has no row for this epoch yet. */
enum remote_result remote_send(const struct remote *remote, const char *id, int64_t epoch,
	const struct batch *batch, size_t count, int64_t expected, bool is_new,
	struct remote_failure *ret_failure);

#endif
