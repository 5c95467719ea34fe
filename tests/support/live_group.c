/* The server of a group of tests, and what is cleaned up after each of them. */
#include "live_group.h"

#include <signal.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "term.h"
#include "users.h"

#define END_MS 30000

struct private_server *server;

static const struct live_group *group;

static char **conninfos;
static size_t n_conninfos;

const char *live_group_conninfo(enum live_route route, const char *more)
{
	conninfos = mem_resize(conninfos, n_conninfos + 1, sizeof(*conninfos));
	return conninfos[n_conninfos++] = live_conninfo(server, route, more);
}

static void free_conninfos(void)
{
	while (n_conninfos > 0)
		free(conninfos[--n_conninfos]);
	free(conninfos);
	conninfos = NULL;
}

char *live_group_log(void)
{
	CLEANUP(cleanup_free) char *path = mem_printf("%s/log", private_server_folder(server));
	char *log = live_read(path);
	assert_non_null(log);
	return log;
}

struct live_program *live_group_app(const struct live_program_options *options,
	enum live_route route, const char *name, const char *role, const char *number)
{
	static const struct live_program_options none;
	CLEANUP(cleanup_free) char *more = mem_printf("user=app application_name=%s", name);
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, route, more);
	return live_client_with(options ? options : &none, conninfo, role, number, NULL);
}

/* A backend that a test stopped goes on before it can end. */
static void end_sessions(const char *others)
{
	CLEANUP(cleanup_free)
	char *sql = mem_printf("SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity"
			       " WHERE datid IS NOT NULL AND pid <> pg_backend_pid() AND (%s)",
		others);
	PGconn *conn = live_connect(private_server_conninfo(server));
	PGresult *sessions = PQexec(conn, sql);
	if (PQresultStatus(sessions) != PGRES_TUPLES_OK)
		fail_msg("%s", PQerrorMessage(conn));
	for (int i = 0; i < PQntuples(sessions); i++)
		(void)kill(atoi(PQgetvalue(sessions, i, 0)), SIGCONT);
	PQclear(sessions);
	live_disconnect(conn);
}

int live_group_clean_up(void **state)
{
	CLEANUP(cleanup_free)
	char *others = group->kept ? mem_printf("NOT (%s)", group->kept) : mem_strdup("true");
	term_teardown(state);
	live_pgbouncers_stop();
	live_teardown(state);
	end_sessions(others);
	live_wait_sessions(server, others, 0, END_MS);
	if (group->clean_up)
		group->clean_up();
	return 0;
}

static void check_version(void)
{
	PGconn *conn = live_connect(private_server_conninfo(server));
	int version = PQserverVersion(conn) / 10000;
	live_disconnect(conn);
	if (version < group->oldest)
		fail_msg("these tests need PostgreSQL %d or newer; this is %d", group->oldest,
			version);
}

static int set_up(void **state)
{
	(void)state;
	server = group->wide ? live_wide_server_start(group->settings)
			     : live_server_start(group->settings);
	check_version();
	if (group->sql)
		live_sql(server, group->sql);
	if (group->set_up)
		group->set_up();
	live_keep(true);
	return 0;
}

/* The server goes first: a thousand sessions that end one by one take their time. */
static int take_down(void **state)
{
	if (group->take_down)
		group->take_down();
	private_server_stop(server);
	free_conninfos();
	term_teardown(state);
	live_keep(false);
	return live_teardown(state);
}

int live_group_run(const struct live_group *fixture, const char *name,
	const struct CMUnitTest *tests, size_t n_tests)
{
	group = fixture;
	return users_run_tests(name, tests, n_tests, group->root_tests, set_up, take_down);
}
