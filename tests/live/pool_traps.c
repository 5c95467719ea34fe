/* Roles for a database full of traps (tests/support/live_traps.h). Their own statements are
 * qualified. */
#include "pool_client.h"

#include <string.h>

static struct dbpool_config trapped_config(void)
{
	struct dbpool_config config = role_config();
	config.name = "trapped";
	config.max = 1;
	config.validate_after_ms = 1;
	return config;
}

/* Has a session that outlives the process, because a statement runs in it. */
static int victim(const char *argument)
{
	struct dbpool_config config = trapped_config();
	struct dbpool_lease lease;
	(void)argument;
	config.check_interval_ms = DBPOOL_OFF;
	config.no_predecessors = 1;
	role_start(&config);
	CHECK(dbpool_acquire(NULL, &lease) == DBPOOL_OK);
	CHECK(PQsendQuery(dbpool_conn(&lease), "SELECT pg_catalog.pg_sleep(601)"));
	role_say("ready");
	role_pause();
}

static void check_setting(const char *name, const char *value)
{
	char sql[100];
	DBPOOL_SCOPED(lease, NULL);
	snprintf(sql, sizeof(sql), "SHOW %s", name);
	PGresult *result = PQexec(dbpool_conn(&lease), sql);
	CHECK(PQntuples(result) == 1);
	if (strcmp(PQgetvalue(result, 0, 0), value) != 0)
		fprintf(stderr, "%s is %s, not %s\n", name, PQgetvalue(result, 0, 0), value);
	CHECK(strcmp(PQgetvalue(result, 0, 0), value) == 0);
	PQclear(result);
}

/* Runs a pool: it ends the sessions of dead processes, cleans what was borrowed, and shuts down. */
static void live(enum dbpool_reset reset, int predecessors, const char *path)
{
	static const char *const changes[] = { "SET work_mem = '77MB'",
		"SELECT pg_catalog.pg_advisory_lock(42)", "BEGIN; SAVEPOINT a",
		"CREATE TEMP TABLE pg_stat_activity (pid int)", "SELECT 1" };
	struct dbpool_config config = trapped_config();
	config.reset = reset;
	int before = role_events(DBPOOL_EVENT_PREDECESSOR);
	role_start(&config);
	CHECK(role_events(DBPOOL_EVENT_PREDECESSOR) - before == predecessors);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		DBPOOL_SCOPED(lease, NULL);
		role_exec(dbpool_conn(&lease), changes[i]);
	}
	check_setting("client_connection_check_interval", "200ms");
	check_setting("idle_in_transaction_session_timeout", "5min");
	check_setting("search_path", path);
	CHECK(role_stats().opened == 1);
	CHECK(dbpool_shutdown(NULL) == DBPOOL_OK);
}

/* The argument is the role's search_path. */
static int heir(const char *argument)
{
	live(DBPOOL_RESET_USED, 1, argument);
	live(DBPOOL_RESET_TOLD, 0, argument);
	live(DBPOOL_RESET_NEVER, 0, argument);
	return 0;
}

const struct role roles_traps[] = {
	{ "trapped-victim", victim },
	{ "trapped-heir", heir },
	{ NULL, NULL },
};
