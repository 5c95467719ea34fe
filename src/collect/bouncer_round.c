/* Turns rows into clients, servers, pools and the links between them. */
#include "collect/bouncer_round.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "collect/bouncer_links.h"
#include "collect/bouncer_parts.h"
#include "collect/bouncer_pools.h"
#include "model/bouncer.h"

struct bouncer_sightings {
	struct arena *arena;
	struct map *by_identity; /* index into rows */
	struct sighting *rows;
};

struct bouncer_sightings *bouncer_sightings_new(void)
{
	struct bouncer_sightings *sightings = mem_alloc(sizeof(*sightings));
	sightings->arena = arena_new();
	sightings->by_identity = map_new(sightings->arena, 0);
	return sightings;
}

void bouncer_sightings_free(struct bouncer_sightings *sightings)
{
	if (!sightings)
		return;
	arena_free(sightings->arena);
	free(sightings);
}

struct bouncer_round *bouncer_round_new(
	const struct endpoint *own, const struct endpoint *address, int32_t own_pid)
{
	struct bouncer_round *round = mem_alloc(sizeof(*round));
	round->bouncer = bouncer_new();
	round->bouncer->own = round->own = *own;
	round->bouncer->address = round->address = *address;
	round->own_pid = own_pid;
	round->arena = arena_new();
	round->pool_by_name = map_new(round->arena, 16);
	round->database_by_name = map_new(round->arena, 16);
	return round;
}

void bouncer_round_free(struct bouncer_round *round)
{
	if (!round)
		return;
	bouncer_unref(round->bouncer);
	arena_free(round->arena);
	free(round);
}

static const struct {
	const char *sql;
	bool (*read)(struct bouncer_round *round, const PGresult *result);
} questions[BOUNCER_QUESTIONS] = {
	[BOUNCER_DATABASES] = { "SHOW DATABASES", bouncer_pools_read_databases },
	[BOUNCER_STATS] = { "SHOW STATS", bouncer_pools_read_stats },
	[BOUNCER_POOLS] = { "SHOW POOLS", bouncer_pools_read_pools },
	[BOUNCER_LISTS] = { "SHOW LISTS", bouncer_pools_read_lists },
	[BOUNCER_CLIENTS_BEFORE] = { "SHOW CLIENTS", bouncer_links_read_before },
	[BOUNCER_SERVERS] = { "SHOW SERVERS", bouncer_links_read_servers },
	[BOUNCER_CLIENTS_AFTER] = { "SHOW CLIENTS", bouncer_links_read_after },
};

const char *bouncer_question_sql(enum bouncer_question question)
{
	return questions[question].sql;
}

bool bouncer_round_take(struct bouncer_round *round, const PGresult *result, int64_t sent_at)
{
	if (round->next >= BOUNCER_QUESTIONS)
		return false;
	if (round->next == BOUNCER_DATABASES)
		round->bouncer->asked_at = sent_at;
	if (round->next == BOUNCER_SERVERS)
		round->bouncer->servers_at = sent_at;
	return questions[round->next++].read(round, result);
}

/* Keeps the first sighting of each client that is still listed, and forgets the others. */
static void renew_sightings(
	struct bouncer_round *round, struct bouncer_sightings *sightings, int64_t now)
{
	struct arena *arena = arena_new();
	struct map *by_identity = map_new(arena, round->n_sightings);
	struct sighting *rows = arena_array(arena, round->n_sightings, sizeof(*rows));
	for (size_t i = 0; i < round->n_sightings; i++) {
		uint64_t identity = round->sightings[i].identity;
		uint32_t known = map_get(sightings->by_identity, identity);
		rows[i] = (struct sighting){
			.identity = identity,
			.at = known == MAP_NONE ? now : sightings->rows[known].at,
		};
		map_set(by_identity, identity, (uint32_t)i);
	}
	arena_free(sightings->arena);
	*sightings = (struct bouncer_sightings){ arena, by_identity, rows };
}

struct bouncer *bouncer_round_finish(
	struct bouncer_round *round, struct bouncer_sightings *sightings, int64_t now)
{
	struct bouncer *bouncer = round->bouncer;
	renew_sightings(round, sightings, now);
	for (size_t i = 0; i < bouncer->n_clients; i++) {
		struct bouncer_client *client = &bouncer->clients[i];
		uint32_t known = map_get(sightings->by_identity, client->identity);
		client->first_seen = sightings->rows[known].at;
	}
	bouncer->taken_monotonic = now;
	round->bouncer = NULL;
	return bouncer;
}
