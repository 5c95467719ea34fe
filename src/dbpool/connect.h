/* Opens connections. */
#ifndef DBPOOL_CONNECT_H
#define DBPOOL_CONNECT_H

#include <stddef.h>

struct pool_config;
struct pool_link;

/* Opens a connection, configures the session and reads backend_start. `slot` counts from 1. Gives
 * up when abort_fd becomes readable. Returns DBPOOL_OK, DBPOOL_UNREACHABLE, DBPOOL_FULL,
 * DBPOOL_REFUSED or a negative errno; the message is in `error`. */
int link_open(const struct pool_config *config, int slot, int abort_fd, struct pool_link **ret_link,
	char *error, size_t size) __attribute__((warn_unused_result));

#endif
