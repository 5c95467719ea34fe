/* dbtop frees the slots of an application on libdbpool that forgot all of its connections. */
#include "live_group.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "live_pool.h"

static const char *conninfo;
static char *pages;

static json_t *look(void)
{
	live_wait_dbtops_gone(server);
	return live_dbtop_json(NULL, conninfo, "--pages", pages, NULL);
}

static bool all_leak(void *data)
{
	json_t *root = look();
	json_int_t leaked = json_integer_value(live_member(root, "slots.leaked"));
	(void)data;
	json_decref(root);
	return leaked == 3;
}

static void ending_the_leaked_frees_the_pool(void **state)
{
	(void)state;
	struct live_program *application = live_pool_start(conninfo, "forgetful", NULL);
	live_wait_out(application, "ready", 30000);
	assert_true(live_wait(all_leak, NULL, 30000));
	live_wait_dbtops_gone(server);
	struct live_run run =
		live_dbtop("--kill-leaked", "--yes", "--pages", pages, conninfo, NULL);
	if (run.status != 0)
		fail_msg("status %d: %s%s", run.status, run.out, run.err);
	live_run_clear(&run);
	live_wait_out(application, "free again", 60000);
	json_t *root = look();
	json_t *pool = json_array_get(json_object_get(root, "pools"), 0);
	assert_int_equal(json_integer_value(live_member(pool, "lost_slots")), 3);
	assert_int_equal(json_integer_value(live_member(root, "slots.leaked")), 0);
	json_decref(root);
	live_signal(application, SIGTERM);
	int status = live_finish(application, 60000);
	if (status != 128 + SIGTERM ||
		!strstr(live_err(application), "its session has ended, and the slot is"))
		fail_msg("status %d: %s", status, live_err(application));
}

static void set_up(void)
{
	conninfo = live_group_conninfo(LIVE_TCP4, NULL);
	pages = mem_printf("%s/dbpool", live_folder());
}

static void take_down(void)
{
	free(pages);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(ending_the_leaked_frees_the_pool),
	};
	return LIVE_GROUP("forgotten", tests, .set_up = set_up, .take_down = take_down);
}
