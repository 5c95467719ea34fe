/* The configuration after the defaults are filled in. */
#ifndef DBPOOL_CONFIG_H
#define DBPOOL_CONFIG_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "dbpool/dbpool.h"

/* Durations are in microseconds; INT64_MAX means never. The struct owns its strings. */
struct pool_config {
	struct dbpool_config raw; /* as given, with defaults; its strings are the ones below */
	char *conninfo;           /* "" for the environment's settings */
	char *name;
	char *page_folder; /* NULL for the default */
	char *server;      /* "host:port/database" */
	unsigned min, max;
	bool connect_timeout_given; /* if false, libpq's connect_timeout is used where it is set */
	int64_t acquire_timeout, connect_timeout, idle_lifetime, max_lifetime, validate_after;
	int64_t held, reclaim, shutdown, drain;
	int64_t check_interval, idle_in_transaction;
	unsigned max_uses;
};

/* Returns 0, -EINVAL (dbpool_error() says which setting) or -ENOMEM. */
int config_take(const struct dbpool_config *given, struct pool_config *ret_config)
	__attribute__((warn_unused_result));
void config_clear(struct pool_config *config);

/* Overwrites the values first, because a password may be among them. NULL is allowed. */
void config_free_options(PQconninfoOption *options);

/* The name of the first setting that differs, or NULL. */
const char *config_difference(const struct pool_config *a, const struct pool_config *b);

#endif
