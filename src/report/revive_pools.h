/* Reads the pools of a recorded snapshot. */
#ifndef REPORT_REVIVE_POOLS_H
#define REPORT_REVIVE_POOLS_H

#include <jansson.h>

struct assessment;
struct connection;
struct reader;

/* Reads "pools", after "processes". Each function returns 0, or -EINVAL with reader->error set. */
int revive_pools(struct reader *reader, const json_t *root, struct assessment *assessment)
	__attribute__((warn_unused_result));

/* Reads "pool" and "pgbouncer" of a connection, after "pools". */
int revive_pools_connection(struct reader *reader, const json_t *object,
	struct assessment *assessment, struct connection *connection)
	__attribute__((warn_unused_result));

/* Reads "waiting", after "pools". */
int revive_pools_waiting(struct reader *reader, const json_t *root, struct assessment *assessment)
	__attribute__((warn_unused_result));

#endif
