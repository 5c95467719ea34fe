/* Rows to clients, servers, pools and the links between them. */
#include "collect/bouncer_round.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "collect/console_table.h"
#include "model/bouncer.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* PgBouncer's own: its admin console is a database and a pool, too. */
#define ADMIN_DATABASE "pgbouncer"

struct database {
	const char *real_name;
	uint64_t force_user; /* hash; 0: none */
	int64_t pool_size, average_wait;
	bool paused, disabled;
};

/* A client as SHOW CLIENTS names it; hashes of its cells. */
struct client_key {
	uint64_t identity, link;
};

struct sighting {
	uint64_t identity;
	int64_t at;
};

struct bouncer_sightings {
	struct arena *arena;
	struct map *by_identity; /* index into rows */
	struct sighting *rows;
};

struct bouncer_round {
	struct bouncer *bouncer;
	struct arena *arena; /* of what is needed until the end of the round alone */
	enum bouncer_question next;
	struct endpoint own, address;
	int32_t own_pid;
	struct database *databases;
	struct map *database_by_name; /* hash of the name → index */
	struct map *pool_by_name;     /* hashes of database and user → index */
	struct client_key *before;
	struct map *before_by_ptr;
	struct map *server_by_ptr;
	uint64_t *server_links; /* beside bouncer->servers */
	struct sighting *sightings;
	size_t n_sightings;
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

enum database_column {
	DATABASE_NAME,
	DATABASE_DATABASE,
	DATABASE_FORCE_USER,
	DATABASE_POOL_SIZE,
	DATABASE_PAUSED,
	DATABASE_DISABLED,
};
static const char *const database_columns[] = {
	"name",
	"database",
	"force_user",
	"pool_size",
	"paused",
	"disabled",
};

static bool read_databases(struct bouncer_round *round, const PGresult *result)
{
	struct console_table table;
	if (!console_table_read(
		    &table, result, database_columns, LENGTH(database_columns), DATABASE_NAME + 1))
		return false;
	round->databases = arena_array(round->arena, (size_t)table.rows, sizeof(struct database));
	for (int row = 0; row < table.rows; row++) {
		round->databases[row] = (struct database){
			.real_name = console_table_text(
				&table, row, DATABASE_DATABASE, round->bouncer->arena),
			.force_user = console_table_hash(&table, row, DATABASE_FORCE_USER),
			.pool_size = console_table_count(&table, row, DATABASE_POOL_SIZE),
			.paused = console_table_count(&table, row, DATABASE_PAUSED) > 0,
			.disabled = console_table_count(&table, row, DATABASE_DISABLED) > 0,
			.average_wait = -1,
		};
		map_set(round->database_by_name, console_table_hash(&table, row, DATABASE_NAME),
			(uint32_t)row);
	}
	return true;
}

static struct database *find_database(
	const struct bouncer_round *round, const struct console_table *table, int row, size_t name)
{
	uint32_t index = map_get(round->database_by_name, console_table_hash(table, row, name));
	return index == MAP_NONE ? NULL : &round->databases[index];
}

enum stats_column { STATS_DATABASE, STATS_AVERAGE_WAIT };
static const char *const stats_columns[] = { "database", "avg_wait_time" };

static bool read_stats(struct bouncer_round *round, const PGresult *result)
{
	struct console_table table;
	if (!console_table_read(
		    &table, result, stats_columns, LENGTH(stats_columns), STATS_DATABASE + 1))
		return false;
	for (int row = 0; row < table.rows; row++) {
		struct database *database = find_database(round, &table, row, STATS_DATABASE);
		if (database)
			database->average_wait =
				console_table_count(&table, row, STATS_AVERAGE_WAIT);
	}
	return true;
}

enum pool_column {
	POOL_DATABASE,
	POOL_USER,
	POOL_CLIENTS_ACTIVE,
	POOL_CLIENTS_WAITING,
	POOL_SERVERS_ACTIVE,
	POOL_SERVERS_IDLE,
	POOL_SERVERS_USED,
	POOL_SERVERS_TESTED,
	POOL_SERVERS_LOGIN,
	POOL_MAX_WAIT,
	POOL_MAX_WAIT_US,
	POOL_MODE,
};
static const char *const pool_columns[] = {
	"database",
	"user",
	"cl_active",
	"cl_waiting",
	"sv_active",
	"sv_idle",
	"sv_used",
	"sv_tested",
	"sv_login",
	"maxwait",
	"maxwait_us",
	"pool_mode",
};

static uint64_t pair_key(const struct console_table *table, int row, size_t database, size_t user)
{
	return map_mix(
		console_table_hash(table, row, database), console_table_hash(table, row, user));
}

static int small_count(const struct console_table *table, int row, size_t column)
{
	int64_t count = console_table_count(table, row, column);
	return count > INT32_MAX ? -1 : (int)count;
}

static int sum_of_known(const struct console_table *table, int row, size_t first, size_t last)
{
	int sum = 0;
	for (size_t column = first; column <= last; column++) {
		int count = small_count(table, row, column);
		if (count > 0 && count < 1000000)
			sum += count;
	}
	return sum;
}

static struct bouncer_pool read_pool(
	const struct bouncer_round *round, const struct console_table *table, int row)
{
	struct arena *arena = round->bouncer->arena;
	const struct database *database = find_database(round, table, row, POOL_DATABASE);
	int64_t size = database ? database->pool_size : -1;
	return (struct bouncer_pool){
		.database = console_table_text(table, row, POOL_DATABASE, arena),
		.user = console_table_text(table, row, POOL_USER, arena),
		.mode_text = console_table_text(table, row, POOL_MODE, arena),
		.mode = pool_mode_parse(console_table_raw(table, row, POOL_MODE)),
		.clients_active = small_count(table, row, POOL_CLIENTS_ACTIVE),
		.clients_waiting = small_count(table, row, POOL_CLIENTS_WAITING),
		.servers_active = small_count(table, row, POOL_SERVERS_ACTIVE),
		.servers_idle = small_count(table, row, POOL_SERVERS_IDLE),
		.servers_other = sum_of_known(table, row, POOL_SERVERS_USED, POOL_SERVERS_LOGIN),
		.servers_max = size > 0 && size <= INT32_MAX ? (int)size : -1,
		.max_wait = console_table_duration(table, row, POOL_MAX_WAIT, POOL_MAX_WAIT_US),
		.average_wait = database ? database->average_wait : -1,
		.paused = database && database->paused,
		.disabled = database && database->disabled,
	};
}

static bool is_admin(const struct console_table *table, int row, size_t database)
{
	return strcmp(console_table_raw(table, row, database), ADMIN_DATABASE) == 0;
}

static bool read_pools(struct bouncer_round *round, const PGresult *result)
{
	struct bouncer *bouncer = round->bouncer;
	struct console_table table;
	if (!console_table_read(
		    &table, result, pool_columns, LENGTH(pool_columns), POOL_SERVERS_IDLE + 1))
		return false;
	bouncer->pools = arena_array(bouncer->arena, (size_t)table.rows, sizeof(*bouncer->pools));
	for (int row = 0; row < table.rows; row++) {
		if (is_admin(&table, row, POOL_DATABASE))
			continue;
		map_set(round->pool_by_name, pair_key(&table, row, POOL_DATABASE, POOL_USER),
			(uint32_t)bouncer->n_pools);
		bouncer->pools[bouncer->n_pools++] = read_pool(round, &table, row);
	}
	return true;
}

enum list_column { LIST_NAME, LIST_ITEMS };
static const char *const list_columns[] = { "list", "items" };

static bool read_lists(struct bouncer_round *round, const PGresult *result)
{
	struct bouncer *bouncer = round->bouncer;
	const struct {
		const char *name;
		int *number;
	} lists[] = {
		{ "used_clients", &bouncer->used_clients },
		{ "login_clients", &bouncer->login_clients },
		{ "used_servers", &bouncer->used_servers },
	};
	struct console_table table;
	if (!console_table_read(&table, result, list_columns, LENGTH(list_columns), LIST_ITEMS + 1))
		return false;
	for (int row = 0; row < table.rows; row++)
		for (size_t i = 0; i < LENGTH(lists); i++)
			if (strcmp(console_table_raw(&table, row, LIST_NAME), lists[i].name) == 0)
				*lists[i].number = small_count(&table, row, LIST_ITEMS);
	return true;
}

enum client_column {
	CLIENT_USER,
	CLIENT_DATABASE,
	CLIENT_STATE,
	CLIENT_ADDR,
	CLIENT_PORT,
	CLIENT_LOCAL_ADDR,
	CLIENT_LOCAL_PORT,
	CLIENT_PTR,
	CLIENT_LINK,
	CLIENT_CONNECT_TIME,
	CLIENT_WAIT,
	CLIENT_WAIT_US,
	CLIENT_REMOTE_PID,
	CLIENT_APPLICATION_NAME,
	CLIENT_ID,
};
static const char *const client_columns[] = {
	"user",
	"database",
	"state",
	"addr",
	"port",
	"local_addr",
	"local_port",
	"ptr",
	"link",
	"connect_time",
	"wait",
	"wait_us",
	"remote_pid",
	"application_name",
	"id",
};

/* A ptr is used again for the next client; an id (1.24 and up) is not. */
static uint64_t client_identity(const struct console_table *table, int row)
{
	uint64_t identity = console_table_hash(table, row, CLIENT_ID);
	static const enum client_column parts[] = { CLIENT_PTR, CLIENT_CONNECT_TIME, CLIENT_ADDR,
		CLIENT_PORT, CLIENT_REMOTE_PID, CLIENT_DATABASE, CLIENT_USER };
	for (size_t i = 0; i < LENGTH(parts); i++)
		identity = map_mix(identity, console_table_hash(table, row, parts[i]));
	return identity;
}

static bool read_clients_before(struct bouncer_round *round, const PGresult *result)
{
	struct console_table table;
	if (!console_table_read(&table, result, client_columns, LENGTH(client_columns),
		    CLIENT_CONNECT_TIME + 1))
		return false;
	size_t n = (size_t)table.rows;
	round->before = arena_array(round->arena, n, sizeof(*round->before));
	round->before_by_ptr = map_new(round->arena, n);
	for (int row = 0; row < table.rows; row++) {
		round->before[row] = (struct client_key){
			.identity = client_identity(&table, row),
			.link = console_table_hash(&table, row, CLIENT_LINK),
		};
		map_set(round->before_by_ptr, console_table_hash(&table, row, CLIENT_PTR),
			(uint32_t)row);
	}
	return true;
}

enum server_column {
	SERVER_USER,
	SERVER_DATABASE,
	SERVER_ADDR,
	SERVER_PORT,
	SERVER_LOCAL_ADDR,
	SERVER_LOCAL_PORT,
	SERVER_PTR,
	SERVER_LINK,
	SERVER_REMOTE_PID,
};
static const char *const server_columns[] = {
	"user",
	"database",
	"addr",
	"port",
	"local_addr",
	"local_port",
	"ptr",
	"link",
	"remote_pid",
};

static struct bouncer_server read_server(
	const struct bouncer_round *round, const struct console_table *table, int row)
{
	struct arena *arena = round->bouncer->arena;
	const struct database *database = find_database(round, table, row, SERVER_DATABASE);
	int64_t pid = console_table_count(table, row, SERVER_REMOTE_PID);
	int64_t port = console_table_count(table, row, SERVER_PORT);
	return (struct bouncer_server){
		.database = console_table_text(table, row, SERVER_DATABASE, arena),
		.user = console_table_text(table, row, SERVER_USER, arena),
		.real_database = database ? database->real_name : NULL,
		.server = console_table_endpoint(table, row, SERVER_ADDR, SERVER_PORT),
		.port = port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0,
		.local = console_table_endpoint(table, row, SERVER_LOCAL_ADDR, SERVER_LOCAL_PORT),
		.backend_pid = pid > 0 && pid <= INT32_MAX ? (int32_t)pid : 0,
		.linked = console_table_hash(table, row, SERVER_LINK) != 0,
		.pool = map_get(
			round->pool_by_name, pair_key(table, row, SERVER_DATABASE, SERVER_USER)),
		.client = BOUNCER_NONE,
	};
}

static bool read_servers(struct bouncer_round *round, const PGresult *result)
{
	struct bouncer *bouncer = round->bouncer;
	struct console_table table;
	if (!console_table_read(
		    &table, result, server_columns, LENGTH(server_columns), SERVER_REMOTE_PID + 1))
		return false;
	size_t n = (size_t)table.rows;
	bouncer->servers = arena_array(bouncer->arena, n, sizeof(*bouncer->servers));
	bouncer->n_servers = n;
	round->server_links = arena_array(round->arena, n, sizeof(*round->server_links));
	round->server_by_ptr = map_new(round->arena, n);
	for (int row = 0; row < table.rows; row++) {
		bouncer->servers[row] = read_server(round, &table, row);
		round->server_links[row] = console_table_hash(&table, row, SERVER_LINK);
		map_set(round->server_by_ptr, console_table_hash(&table, row, SERVER_PTR),
			(uint32_t)row);
	}
	return true;
}

/* The server that all three answers say this client has, or BOUNCER_NONE. */
static uint32_t agreed_server(
	const struct bouncer_round *round, const struct client_key *now, uint64_t ptr)
{
	uint32_t server = map_get(round->server_by_ptr, now->link);
	uint32_t before = map_get(round->before_by_ptr, ptr);
	if (!now->link || server == MAP_NONE || before == MAP_NONE)
		return BOUNCER_NONE;
	const struct client_key *then = &round->before[before];
	if (then->identity != now->identity || then->link != now->link ||
		round->server_links[server] != ptr)
		return BOUNCER_NONE;
	return server;
}

/* PgBouncer names a client's own user; its pool is that of the role it is mapped to. */
static uint32_t client_pool(
	const struct bouncer_round *round, const struct console_table *table, int row)
{
	const struct database *database = find_database(round, table, row, CLIENT_DATABASE);
	uint64_t user = database ? database->force_user : 0;
	if (!user)
		user = console_table_hash(table, row, CLIENT_USER);
	return map_get(round->pool_by_name,
		map_mix(console_table_hash(table, row, CLIENT_DATABASE), user));
}

static struct bouncer_client read_client(
	const struct bouncer_round *round, const struct console_table *table, int row)
{
	struct arena *arena = round->bouncer->arena;
	int64_t pid = console_table_count(table, row, CLIENT_REMOTE_PID);
	return (struct bouncer_client){
		.database = console_table_text(table, row, CLIENT_DATABASE, arena),
		.user = console_table_text(table, row, CLIENT_USER, arena),
		.application_name = console_table_text(table, row, CLIENT_APPLICATION_NAME, arena),
		.remote = console_table_endpoint(table, row, CLIENT_ADDR, CLIENT_PORT),
		.local = console_table_endpoint(table, row, CLIENT_LOCAL_ADDR, CLIENT_LOCAL_PORT),
		.remote_pid = pid > 0 && pid <= INT32_MAX ? (int32_t)pid : 0,
		.wait = -1,
		.pool = client_pool(round, table, row),
		.server = BOUNCER_NONE,
	};
}

static void check_own(struct bouncer_round *round, const struct console_table *table, int row)
{
	struct endpoint remote = console_table_endpoint(table, row, CLIENT_ADDR, CLIENT_PORT);
	struct endpoint local =
		console_table_endpoint(table, row, CLIENT_LOCAL_ADDR, CLIENT_LOCAL_PORT);
	bool is_own = remote.family == AF_UNIX && round->own.family == AF_UNIX
		? console_table_count(table, row, CLIENT_REMOTE_PID) == round->own_pid
		: endpoint_equal(&remote, &round->own) && endpoint_equal(&local, &round->address);
	round->bouncer->seen_as_we_are |= is_own;
}

/* Keeps those linked or waiting; of the others it is enough to know that they are there. */
static void take_client(struct bouncer_round *round, const struct console_table *table, int row)
{
	struct bouncer *bouncer = round->bouncer;
	const struct client_key now = {
		.identity = client_identity(table, row),
		.link = console_table_hash(table, row, CLIENT_LINK),
	};
	/* `wait` of a client in another state is what it waited the last time */
	bool waits = strcmp(console_table_raw(table, row, CLIENT_STATE), "waiting") == 0;
	round->sightings[round->n_sightings++] = (struct sighting){ now.identity, 0 };
	if (!waits && !now.link)
		return;
	uint32_t index = (uint32_t)bouncer->n_clients++;
	struct bouncer_client *client = &bouncer->clients[index];
	*client = read_client(round, table, row);
	client->identity = now.identity;
	if (waits)
		client->wait = console_table_duration(table, row, CLIENT_WAIT, CLIENT_WAIT_US);
	client->server = agreed_server(round, &now, console_table_hash(table, row, CLIENT_PTR));
	if (client->server == BOUNCER_NONE)
		return;
	bouncer->servers[client->server].client = index;
	client->pool = bouncer->servers[client->server].pool;
}

static bool read_clients_after(struct bouncer_round *round, const PGresult *result)
{
	struct bouncer *bouncer = round->bouncer;
	struct console_table table;
	if (!console_table_read(&table, result, client_columns, LENGTH(client_columns),
		    CLIENT_CONNECT_TIME + 1))
		return false;
	size_t n = (size_t)table.rows;
	bouncer->clients = arena_array(bouncer->arena, n, sizeof(*bouncer->clients));
	round->sightings = arena_array(round->arena, n, sizeof(*round->sightings));
	for (int row = 0; row < table.rows; row++) {
		if (is_admin(&table, row, CLIENT_DATABASE))
			check_own(round, &table, row);
		else
			take_client(round, &table, row);
	}
	return true;
}

static const struct {
	const char *sql;
	bool (*read)(struct bouncer_round *round, const PGresult *result);
} questions[BOUNCER_QUESTIONS] = {
	[BOUNCER_DATABASES] = { "SHOW DATABASES", read_databases },
	[BOUNCER_STATS] = { "SHOW STATS", read_stats },
	[BOUNCER_POOLS] = { "SHOW POOLS", read_pools },
	[BOUNCER_LISTS] = { "SHOW LISTS", read_lists },
	[BOUNCER_CLIENTS_BEFORE] = { "SHOW CLIENTS", read_clients_before },
	[BOUNCER_SERVERS] = { "SHOW SERVERS", read_servers },
	[BOUNCER_CLIENTS_AFTER] = { "SHOW CLIENTS", read_clients_after },
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

/* A client is as old as its first sighting; those that left are forgotten. */
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
	bouncer->taken_at = now;
	round->bouncer = NULL;
	return bouncer;
}
