/* libdbpool notices when the session of a borrowed connection ends, or when nothing happens on it;
 * and what it reports. */
#include "live_group.h"

#include <string.h>

#include "live_pool.h"

static const char *conninfo[2];

/* Over TCP and Unix socket. */
#define BOTH(function, role)                                                                       \
	static void function(void **state)                                                         \
	{                                                                                          \
		(void)state;                                                                       \
		for (int i = 0; i < 2; i++) {                                                      \
			live_pool_run(conninfo[i], role, NULL);                                    \
			assert_int_equal(live_sessions(server, LIVE_POOL_SESSIONS), 0);            \
		}                                                                                  \
	}

#define ROLE(function, role)                                                                       \
	static void function(void **state)                                                         \
	{                                                                                          \
		(void)state;                                                                       \
		live_pool_run(conninfo[0], role, NULL);                                            \
		assert_int_equal(live_sessions(server, LIVE_POOL_SESSIONS), 0);                    \
	}

BOTH(slots_of_ended_sessions_are_free_again, "lost")
BOTH(a_reader_gets_an_error, "lost-reader")
BOTH(forgotten_leases_outlive_the_pool, "lost-end")
ROLE(results_take_a_leak_back, "active")
ROLE(the_start_is_one_line, "start-line")
ROLE(borrowing_is_logged_on_request, "log-borrowing")

static void warnings_go_to_stderr(void **state)
{
	(void)state;
	struct live_program *program = live_pool_start(conninfo[0], "stderr-log", NULL);
	assert_int_equal(live_finish(program, 60000), 0);
	const char *err = live_err(program);
	assert_ptr_equal(strstr(err, "pool pooled: slot 1 leaks: held for "), err);
	assert_non_null(strstr(err, " from leaky.c:5\n"));
	assert_null(strstr(err, "acquired"));
	assert_null(strstr(err, "connections to"));
}

static void or_nowhere(void **state)
{
	(void)state;
	struct live_program *program = live_pool_start(conninfo[0], "stderr-log", "quiet");
	assert_int_equal(live_finish(program, 60000), 0);
	assert_string_equal(live_err(program), "");
}

static void name_routes(void)
{
	conninfo[0] = live_group_conninfo(LIVE_TCP4, NULL);
	conninfo[1] = live_group_conninfo(LIVE_UNIX, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(slots_of_ended_sessions_are_free_again),
		LIVE_TEST(a_reader_gets_an_error),
		LIVE_TEST(forgotten_leases_outlive_the_pool),
		LIVE_TEST(results_take_a_leak_back),
		LIVE_TEST(the_start_is_one_line),
		LIVE_TEST(borrowing_is_logged_on_request),
		LIVE_TEST(warnings_go_to_stderr),
		LIVE_TEST(or_nowhere),
	};
	return LIVE_GROUP("dbpool_loss", tests, .set_up = name_routes);
}
