/* What is known so far in a round of PgBouncer's answers. bouncer_pools.c fills in databases and
 * pools, then bouncer_links.c clients, servers and the links between them. */
#ifndef COLLECT_BOUNCER_PARTS_H
#define COLLECT_BOUNCER_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/map.h"
#include "collect/console_table.h"
#include "model/endpoint.h"

struct arena;

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* The name of PgBouncer's admin console, which is listed as a database and as a pool, too. */
#define ADMIN_DATABASE "pgbouncer"

struct bouncer_database {
	const char *real_name;
	uint64_t force_user; /* hash; 0: none */
	int64_t pool_size, average_wait;
	bool paused, disabled;
};

/* A client as SHOW CLIENTS lists it; hashes of its cells. */
struct client_key {
	uint64_t identity, link;
};

struct sighting {
	uint64_t identity;
	int64_t at;
};

struct bouncer_round {
	struct bouncer *bouncer;
	struct arena *arena; /* memory that is needed only until the end of the round */
	size_t next;         /* the next question */
	struct endpoint own, address;
	int32_t own_pid;
	struct bouncer_database *databases;
	struct map *database_by_name; /* hash of the name → index */
	struct map *pool_by_name;     /* hashes of database and user → index */
	struct client_key *before;
	struct map *before_by_ptr;
	struct map *server_by_ptr;
	uint64_t *server_links; /* parallel to bouncer->servers */
	struct sighting *sightings;
	size_t n_sightings;
};

/* True if the row is about the admin console's own database. */
static inline bool bouncer_parts_is_admin(
	const struct console_table *table, int row, size_t database)
{
	return strcmp(console_table_raw(table, row, database), ADMIN_DATABASE) == 0;
}

/* A pool's key: its database and its user. */
static inline uint64_t bouncer_parts_pair(
	const struct console_table *table, int row, size_t database, size_t user)
{
	return map_mix(
		console_table_hash(table, row, database), console_table_hash(table, row, user));
}

#endif
