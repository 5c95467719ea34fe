/* collect/bouncer_round: PgBouncer's answers, of any version, or of something that only says it is
 * one. An input is text: an answer for each question of a round, with an empty line between two;
 * the first line of each names the columns. A tab is between two cells, "\N" is NULL. */
#include <libpq-fe.h>
#include <string.h>
#include <sys/socket.h>

#include "collect/bouncer_round.h"
#include "fuzz.h"
#include "model/bouncer.h"

#define COLUMNS_MAX 32
#define TEXT_MAX    32768

/* Cuts the next piece off, which ends before the separator. False when there is none left. */
static bool next(char **rest, const char *separator, char **ret)
{
	*ret = *rest;
	if (!*rest)
		return false;
	char *end = strstr(*rest, separator);
	*rest = end ? end + strlen(separator) : NULL;
	if (end)
		*end = '\0';
	return true;
}

static int set_columns(PGresult *result, char *line)
{
	PGresAttDesc columns[COLUMNS_MAX] = { 0 };
	int n = 0;
	for (char *name; n < COLUMNS_MAX && next(&line, "\t", &name); n++)
		columns[n].name = name;
	MUST(PQsetResultAttrs(result, n, columns));
	return n;
}

static PGresult *make_answer(char *text)
{
	char *line, *cell;
	if (strcmp(text, "ERROR") == 0)
		return PQmakeEmptyPGresult(NULL, PGRES_FATAL_ERROR);
	PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	MUST(next(&text, "\n", &line));
	int columns = set_columns(result, line);
	for (int row = 0; next(&text, "\n", &line); row++)
		for (int column = 0; column < columns; column++) {
			bool found = next(&line, "\t", &cell);
			if (!found || strcmp(cell, "\\N") == 0)
				MUST(PQsetvalue(result, row, column, NULL, -1));
			else
				MUST(PQsetvalue(result, row, column, cell, (int)strlen(cell)));
		}
	return result;
}

static void check_text(const char *text)
{
	for (; text && *text; text++)
		MUST((unsigned char)*text >= 0x20 && *text != 0x7f);
}

static void check_links(const struct bouncer *bouncer)
{
	for (size_t i = 0; i < bouncer->n_clients; i++) {
		const struct bouncer_client *client = &bouncer->clients[i];
		check_text(client->database);
		check_text(client->user);
		check_text(client->application_name);
		MUST(client->pool == BOUNCER_NONE || client->pool < bouncer->n_pools);
		MUST(client->wait >= -1 && client->remote_pid >= 0);
		if (client->server == BOUNCER_NONE)
			continue;
		MUST(client->server < bouncer->n_servers);
		MUST(bouncer->servers[client->server].linked);
	}
	for (size_t i = 0; i < bouncer->n_servers; i++) {
		const struct bouncer_server *server = &bouncer->servers[i];
		check_text(server->database);
		check_text(server->real_database);
		MUST(server->pool == BOUNCER_NONE || server->pool < bouncer->n_pools);
		MUST(server->client == BOUNCER_NONE || server->client < bouncer->n_clients);
		MUST(server->client == BOUNCER_NONE ||
			bouncer->clients[server->client].server == i);
		MUST(server->backend_pid >= 0);
	}
}

static void check_pools(const struct bouncer *bouncer)
{
	for (size_t i = 0; i < bouncer->n_pools; i++) {
		const struct bouncer_pool *pool = &bouncer->pools[i];
		check_text(pool->database);
		check_text(pool->mode_text);
		MUST(pool->clients_active >= -1 && pool->clients_waiting >= -1);
		MUST(pool->servers_active >= -1 && pool->servers_idle >= -1);
		MUST(pool->servers_other >= 0 && pool->max_wait >= -1);
		MUST(pool->average_wait >= -1);
	}
}

/* Whether all questions were answered. */
static bool take_all(struct bouncer_round *round, char *text)
{
	char *answer;
	for (int64_t i = 0; i < BOUNCER_QUESTIONS; i++) {
		if (!next(&text, "\n\n", &answer))
			return false;
		PGresult *result = make_answer(answer);
		bool taken = bouncer_round_take(round, result, 100 + i);
		PQclear(result);
		if (!taken)
			return false;
	}
	return true;
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	static char text[TEXT_MAX];
	struct endpoint own = endpoint_make(AF_INET, "\x7f\0\0\1", 40000);
	struct endpoint address = endpoint_make(AF_INET, "\x7f\0\0\1", 6432);
	if (size >= sizeof(text))
		return false;
	memcpy(text, data, size);
	text[size] = '\0';
	while (size && text[size - 1] == '\n')
		text[--size] = '\0';
	struct bouncer_sightings *sightings = bouncer_sightings_new();
	struct bouncer_round *round = bouncer_round_new(&own, &address, 4711);
	bool whole = take_all(round, text);
	if (whole) {
		struct bouncer *bouncer = bouncer_round_finish(round, sightings, 200);
		check_links(bouncer);
		check_pools(bouncer);
		bouncer_unref(bouncer);
	}
	bouncer_round_free(round);
	bouncer_sightings_free(sightings);
	return whole;
}
