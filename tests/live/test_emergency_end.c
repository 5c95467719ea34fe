/* How an emergency ends where the server tells little, or nothing. */
#include "live_group.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

static void assert_terminated(json_t *result, const struct live_program *program)
{
	json_t *target = live_find_number(result, "targets", "pid", live_pid(program));
	const char *found = target ? live_text(target, "result") : NULL;
	CLEANUP(cleanup_free) char *text = json_dumps(result, JSON_INDENT(1));
	if (!found || strcmp(found, "terminated") != 0)
		fail_msg("%d was not stopped: %s", (int)live_pid(program), text);
}

/* Who logs in gets a slot, and no answer: the views are locked. Every process of the plan is
 * stopped all the same, and it comes to an end. */
static void a_server_that_never_answers_delays_it_only(void **state)
{
	(void)state;
	struct live_program *first = live_group_app(NULL, LIVE_TCP4, "leaky", "idle", "12");
	struct live_program *second = live_group_app(NULL, LIVE_TCP4, "leaky", "idle", "10");
	CLEANUP(cleanup_free) char *superuser = live_conninfo(server, LIVE_TCP4, NULL);
	PGconn *lock = live_connect(superuser);
	live_exec(lock,
		"BEGIN; SET LOCAL allow_system_table_mods = on;"
		" ALTER VIEW pg_catalog.pg_roles SET (security_barrier = false);"
		" ALTER VIEW pg_catalog.pg_stat_activity SET (security_barrier = false)");
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, "user=app");
	struct live_run run = live_dbtop("--emergency", "--yes", "--json", conninfo, NULL);
	json_t *result = live_parse_json(run.out);
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
		LIVE_TEST(a_server_that_never_answers_delays_it_only),
	};
	return LIVE_GROUP("emergency_end", tests, .wide = true, .sql = "CREATE ROLE app LOGIN");
}
