#include "collect/bouncer_pools.h"

#include "base/arena.h"
#include "collect/bouncer_parts.h"
#include "model/bouncer.h"

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

bool bouncer_pools_read_databases(struct bouncer_round *round, const PGresult *result)
{
	struct console_table table;
	if (!console_table_read(
		    &table, result, database_columns, LENGTH(database_columns), DATABASE_NAME + 1))
		return false;
	round->databases =
		arena_array(round->arena, (size_t)table.rows, sizeof(struct bouncer_database));
	for (int row = 0; row < table.rows; row++) {
		round->databases[row] = (struct bouncer_database){
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

struct bouncer_database *bouncer_pools_database(
	const struct bouncer_round *round, const struct console_table *table, int row, size_t name)
{
	uint32_t index = map_get(round->database_by_name, console_table_hash(table, row, name));
	return index == MAP_NONE ? NULL : &round->databases[index];
}

enum stats_column { STATS_DATABASE, STATS_AVERAGE_WAIT };
static const char *const stats_columns[] = { "database", "avg_wait_time" };

bool bouncer_pools_read_stats(struct bouncer_round *round, const PGresult *result)
{
	struct console_table table;
	if (!console_table_read(
		    &table, result, stats_columns, LENGTH(stats_columns), STATS_DATABASE + 1))
		return false;
	for (int row = 0; row < table.rows; row++) {
		struct bouncer_database *database =
			bouncer_pools_database(round, &table, row, STATS_DATABASE);
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
	const struct bouncer_database *database =
		bouncer_pools_database(round, table, row, POOL_DATABASE);
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

bool bouncer_pools_read_pools(struct bouncer_round *round, const PGresult *result)
{
	struct bouncer *bouncer = round->bouncer;
	struct console_table table;
	if (!console_table_read(
		    &table, result, pool_columns, LENGTH(pool_columns), POOL_SERVERS_IDLE + 1))
		return false;
	bouncer->pools = arena_array(bouncer->arena, (size_t)table.rows, sizeof(*bouncer->pools));
	for (int row = 0; row < table.rows; row++) {
		if (bouncer_parts_is_admin(&table, row, POOL_DATABASE))
			continue;
		map_set(round->pool_by_name,
			bouncer_parts_pair(&table, row, POOL_DATABASE, POOL_USER),
			(uint32_t)bouncer->n_pools);
		bouncer->pools[bouncer->n_pools++] = read_pool(round, &table, row);
	}
	return true;
}

enum list_column { LIST_NAME, LIST_ITEMS };
static const char *const list_columns[] = { "list", "items" };

bool bouncer_pools_read_lists(struct bouncer_round *round, const PGresult *result)
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
