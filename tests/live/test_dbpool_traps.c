/* libdbpool in a database full of traps: all names in its own statements resolve to PostgreSQL's
 * own functions, operators, types and views, whatever the role's search_path is. */
#include "live_group.h"

#include <signal.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "live_pool.h"
#include "live_traps.h"

#define SLEEPING "query = 'SELECT pg_catalog.pg_sleep(601)' AND state = 'active'"

/* Starts, ends the session of a dead process, cleans with each policy, shuts down. */
static void live_and_die(const char *role, const char *path)
{
	CLEANUP(cleanup_free)
	char *more = mem_printf("dbname=" LIVE_TRAPS_DATABASE " user=%s", role);
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, more);
	live_traps_begin(server);
	struct live_program *victim = live_pool_start(conninfo, "trapped-victim", NULL);
	live_wait_out(victim, "ready", 30000);
	live_wait_sessions(server, SLEEPING, 1, 20000);
	live_signal(victim, SIGKILL);
	assert_int_equal(live_finish(victim, 30000), 128 + SIGKILL);
	live_pool_run(conninfo, "trapped-heir", path);
	live_wait_sessions(server, SLEEPING, 0, 10000);
	live_wait_sessions(server, NULL, 0, 20000);
	assert_true(live_traps_statements(server) > 20);
	CLEANUP(cleanup_free) char *sprung = live_traps_sprung(server);
	if (sprung)
		fail_msg("%s", sprung);
}

static void none_is_sprung_on_the_usual_path(void **state)
{
	(void)state;
	live_and_die(LIVE_TRAPS_USUAL, "\"$user\", public");
}

static void none_is_sprung_where_others_come_first(void **state)
{
	(void)state;
	live_and_die(LIVE_TRAPS_FIRST, "traps, public, pg_catalog");
}

static void set_traps(void)
{
	live_traps_set(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(none_is_sprung_on_the_usual_path),
		LIVE_TEST(none_is_sprung_where_others_come_first),
	};
	return LIVE_GROUP(
		"dbpool_traps", tests, .settings = live_traps_settings, .set_up = set_traps);
}
