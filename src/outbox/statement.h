/* Statements as the file keeps them: encoded into one blob a write. */
#ifndef OUTBOX_STATEMENT_H
#define OUTBOX_STATEMENT_H

#include <stdbool.h>
#include <stddef.h>

struct dboutbox_statement;

/* PostgreSQL's limit of parameters of one statement. */
#define STATEMENT_PARAMS_MAX 65535

/* Returns NULL if an outbox can carry the statement, else why not: a text that follows the word
 * `statement`. Looks at the first word after comments. */
const char *statement_refusal(const char *sql);

/* The blob of a write. *ret_blob is freed with free(). Returns 0, DBOUTBOX_STATEMENT, -EINVAL or
 * -ENOMEM; dboutbox_error() says more. */
int statement_encode(const struct dboutbox_statement *statements, size_t count, void **ret_blob,
	size_t *ret_size) __attribute__((warn_unused_result));

/* Reads the statements of a blob one after the other. Zero it, then set blob and size. */
struct statement_reader {
	const unsigned char *blob;
	size_t size, at;
	unsigned left; /* statements that are not read yet */
	bool begun;
};

/* One statement of a blob; the strings are in the blob. */
struct statement_view {
	const char *sql;
	int n_params;
	const char **params; /* filled in by statement_read(): as many as there are */
	size_t room;         /* of `params` */
};

/* 1: read, 0: there is no other, -EBADMSG: the blob is damaged, -ENOMEM. `view->params` grows as
 * needed; the caller frees it. */
int statement_read(struct statement_reader *reader, struct statement_view *view)
	__attribute__((warn_unused_result));

#endif
