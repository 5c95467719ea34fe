#include "collect/bouncer_links.h"

#include <sys/socket.h>

#include "base/arena.h"
#include "collect/bouncer_parts.h"
#include "collect/bouncer_pools.h"
#include "model/bouncer.h"

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

/* PgBouncer uses a ptr again for a later client, but never an id (1.24 and later). */
static uint64_t client_identity(const struct console_table *table, int row)
{
	uint64_t identity = console_table_hash(table, row, CLIENT_ID);
	static const enum client_column parts[] = { CLIENT_PTR, CLIENT_CONNECT_TIME, CLIENT_ADDR,
		CLIENT_PORT, CLIENT_REMOTE_PID, CLIENT_DATABASE, CLIENT_USER };
	for (size_t i = 0; i < LENGTH(parts); i++)
		identity = map_mix(identity, console_table_hash(table, row, parts[i]));
	return identity;
}

bool bouncer_links_read_before(struct bouncer_round *round, const PGresult *result)
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
	const struct bouncer_database *database =
		bouncer_pools_database(round, table, row, SERVER_DATABASE);
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
		.pool = map_get(round->pool_by_name,
			bouncer_parts_pair(table, row, SERVER_DATABASE, SERVER_USER)),
		.client = BOUNCER_NONE,
	};
}

bool bouncer_links_read_servers(struct bouncer_round *round, const PGresult *result)
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

/* The server that all three answers link to this client, or BOUNCER_NONE. */
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

/* PgBouncer shows a client's own user, but the client's pool is that of the role it is mapped to.
 */
static uint32_t client_pool(
	const struct bouncer_round *round, const struct console_table *table, int row)
{
	const struct bouncer_database *database =
		bouncer_pools_database(round, table, row, CLIENT_DATABASE);
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

/* Keeps the clients that are linked or waiting. Of other clients only the sighting is kept. */
static void take_client(struct bouncer_round *round, const struct console_table *table, int row)
{
	struct bouncer *bouncer = round->bouncer;
	const struct client_key now = {
		.identity = client_identity(table, row),
		.link = console_table_hash(table, row, CLIENT_LINK),
	};
	/* if the client is in another state, `wait` is the time of its last wait */
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

bool bouncer_links_read_after(struct bouncer_round *round, const PGresult *result)
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
		if (bouncer_parts_is_admin(&table, row, CLIENT_DATABASE))
			check_own(round, &table, row);
		else
			take_client(round, &table, row);
	}
	return true;
}
