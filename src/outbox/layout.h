/* The tables of the outbox's file. */
#ifndef OUTBOX_LAYOUT_H
#define OUTBOX_LAYOUT_H

#include <stdint.h>

#include "outbox/database.h"

#define LAYOUT_ID_MAX 33

/* Creates the tables in a new file and refuses what is not an outbox; forgets the epochs that have
 * no writes and were last confirmed before `forget_before` (µs since 1970); draws a new epoch, the
 * last one, and syncs it to the disk. *ret_id is the outbox's name. Returns 0, a dboutbox_result or
 * a negative errno. */
int layout_open(struct database *database, const char *path, int64_t forget_before,
	char ret_id[static LAYOUT_ID_MAX]) __attribute__((warn_unused_result));

/* The first number of the first row of a query without parameters. */
int layout_read_number(const struct database *database, const char *sql, int64_t *ret_number)
	__attribute__((warn_unused_result));

#endif
