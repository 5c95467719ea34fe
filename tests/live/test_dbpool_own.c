/* libdbpool uses only its own descriptors, whatever happens to its connections; and what a shutdown
 * left behind does no harm when it continues. */
#include "live_group.h"

#include <stdlib.h>

#include "live_pool.h"

static const char *conninfo[2];

/* Over TCP and Unix socket. */
#define ROLE(function, role)                                                                       \
	static void function(void **state)                                                         \
	{                                                                                          \
		(void)state;                                                                       \
		for (int i = 0; i < 2; i++) {                                                      \
			live_pool_run(conninfo[i], role, NULL);                                    \
			assert_int_equal(live_sessions(server, LIVE_POOL_SESSIONS), 0);            \
		}                                                                                  \
	}

ROLE(a_release_leaves_others_sockets_alone, "broken-release")
ROLE(taking_back_leaves_others_sockets_alone, "broken-reclaim")
ROLE(a_shutdown_leaves_others_sockets_alone, "broken-shutdown")
ROLE(a_fork_leaves_others_sockets_alone, "broken-fork")
ROLE(a_reset_connection_is_cut, "reset-reclaim")

/* The same, with an argument. */
#define READ(function, argument)                                                                   \
	static void function(void **state)                                                         \
	{                                                                                          \
		(void)state;                                                                       \
		for (int i = 0; i < 2; i++)                                                        \
			live_pool_run(conninfo[i], "stream-reclaim", argument);                    \
	}

READ(a_borrower_that_reads_misses_nothing, "read")
READ(a_borrower_that_does_not_read_keeps_nothing, "unread")

/* With each argument. */
#define LATE(function, role, ...)                                                                  \
	static void function(void **state)                                                         \
	{                                                                                          \
		static const char *const arguments[] = { __VA_ARGS__ };                            \
		(void)state;                                                                       \
		for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++) {            \
			live_pool_run(conninfo[0], role, arguments[i]);                            \
			assert_int_equal(live_sessions(server, LIVE_POOL_SESSIONS), 0);            \
		}                                                                                  \
	}

LATE(a_hook_that_waits_is_turned_away, "late-acquire", "60000", "-1")
LATE(a_hook_may_come_back_late, "late-hook", "shut", "freed")
LATE(a_lookup_may_end_late, "late-lookup", "fails", "succeeds")
LATE(a_lookup_may_end_after_the_pool, "late-lookup-freed", "")

/* The last two end without a wait for the server, which notices the end later. */

/* The thread of the release closes the connection and goes on. */
static void a_release_may_end_late(void **state)
{
	static const char *const arguments[] = { "shut", "freed" };
	(void)state;
	for (size_t i = 0; i < sizeof(arguments) / sizeof(arguments[0]); i++) {
		live_pool_run(conninfo[0], "late-release", arguments[i]);
		live_wait_sessions(server, LIVE_POOL_SESSIONS, 0, 10000);
	}
}

/* It has no descriptor left to wait with. */
static void a_child_has_no_copy_of_a_socket(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		live_pool_run(conninfo[i], "fork-full", NULL);
		live_wait_sessions(server, LIVE_POOL_SESSIONS, 0, 10000);
	}
}

static void name_routes(void)
{
	conninfo[0] = live_group_conninfo(LIVE_TCP4, NULL);
	conninfo[1] = live_group_conninfo(LIVE_UNIX, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(a_release_leaves_others_sockets_alone),
		LIVE_TEST(taking_back_leaves_others_sockets_alone),
		LIVE_TEST(a_shutdown_leaves_others_sockets_alone),
		LIVE_TEST(a_fork_leaves_others_sockets_alone),
		LIVE_TEST(a_child_has_no_copy_of_a_socket),
		LIVE_TEST(a_reset_connection_is_cut),
		LIVE_TEST(a_borrower_that_reads_misses_nothing),
		LIVE_TEST(a_borrower_that_does_not_read_keeps_nothing),
		LIVE_TEST(a_hook_that_waits_is_turned_away),
		LIVE_TEST(a_hook_may_come_back_late),
		LIVE_TEST(a_lookup_may_end_late),
		LIVE_TEST(a_lookup_may_end_after_the_pool),
		LIVE_TEST(a_release_may_end_late),
	};
	return LIVE_GROUP("dbpool_own", tests, .oldest = 14, .set_up = name_routes);
}
