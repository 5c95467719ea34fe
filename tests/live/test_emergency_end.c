/* How an emergency ends where the server tells little, or nothing. */
#include "live.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "users.h"

static struct private_server *server;

static int start_server(void **state)
{
	(void)state;
	server = live_wide_server_start(NULL);
	live_sql(server, "CREATE ROLE app LOGIN");
	return 0;
}

static int stop_server(void **state)
{
	(void)state;
	private_server_stop(server);
	return 0;
}

static int clean_up(void **state)
{
	live_teardown(state);
	live_sql(server,
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
		" WHERE datid IS NOT NULL AND pid <> pg_backend_pid()");
	live_wait_sessions(server, NULL, 0, 20000);
	return 0;
}

static json_t *parse(const char *text)
{
	json_error_t error;
	json_t *root = json_loads(text, 0, &error);
	if (!root)
		fail_msg("no JSON: %s in: %s", error.text, text);
	return root;
}

static struct live_program *start_app(const struct live_program_options *options,
	enum live_route route, const char *name, const char *role, const char *number)
{
	CLEANUP(cleanup_free) char *more = mem_printf("user=app application_name=%s", name);
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, route, more);
	return options ? live_client_with(options, conninfo, role, number, NULL)
		       : live_client(conninfo, role, number, NULL);
}

static void assert_terminated(json_t *result, const struct live_program *program)
{
	json_t *target = live_find_number(result, "targets", "pid", live_pid(program));
	const char *found = target ? live_text(target, "result") : NULL;
	CLEANUP(cleanup_free) char *text = json_dumps(result, JSON_INDENT(1));
	if (!found || strcmp(found, "terminated") != 0)
		fail_msg("%d was not stopped: %s", (int)live_pid(program), text);
}

/* Who logs in gets a slot, and no answer: the view is locked. Every process of the plan is stopped
 * all the same, and it comes to an end. */
static void a_server_that_never_answers_delays_it_only(void **state)
{
	(void)state;
	struct live_program *first = start_app(NULL, LIVE_TCP4, "leaky", "idle", "12");
	struct live_program *second = start_app(NULL, LIVE_TCP4, "leaky", "idle", "10");
	CLEANUP(cleanup_free) char *superuser = live_conninfo(server, LIVE_TCP4, NULL);
	PGconn *lock = live_connect(superuser);
	live_exec(lock,
		"BEGIN; SET LOCAL allow_system_table_mods = on;"
		" ALTER VIEW pg_catalog.pg_stat_activity SET (security_barrier = false)");
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, "user=app");
	struct live_run run = live_dbtop("--emergency", "--yes", "--json", conninfo, NULL);
	json_t *result = parse(run.out);
	assert_int_equal(run.status, 3);
	assert_true(json_is_false(live_member(result, "connected")));
	assert_terminated(result, first);
	assert_terminated(result, second);
	assert_true(json_is_null(live_member(result, "connections_left")));
	live_exec(lock, "ROLLBACK");
	PQfinish(lock);
	json_decref(result);
	live_run_clear(&run);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(a_server_that_never_answers_delays_it_only, clean_up),
	};
	return USERS_RUN_TESTS("emergency_end", tests, 0, start_server, stop_server);
}
