/* libdbpool uses only descriptors that are its own, whatever becomes of its connections: over TCP
 * and Unix socket. */
#include "live.h"

#include <stdlib.h>

#include "live_pool.h"

static struct private_server *server;
static char *conninfo[2];

static int start_server(void **state)
{
	(void)state;
	server = live_server_start(NULL);
	conninfo[0] = live_conninfo(server, LIVE_TCP4, NULL);
	conninfo[1] = live_conninfo(server, LIVE_UNIX, NULL);
	return 0;
}

static int stop_server(void **state)
{
	(void)state;
	free(conninfo[0]);
	free(conninfo[1]);
	private_server_stop(server);
	return 0;
}

static int clean_up(void **state)
{
	live_teardown(state);
	live_wait_sessions(server, NULL, 0, 20000);
	return 0;
}

#define ROLE(function, role)                                                                       \
	static void function(void **state)                                                         \
	{                                                                                          \
		(void)state;                                                                       \
		for (int i = 0; i < 2; i++) {                                                      \
			live_pool_run(conninfo[i], role, NULL);                                    \
			assert_int_equal(live_sessions(server, NULL), 0);                          \
		}                                                                                  \
	}

ROLE(a_release_leaves_others_sockets_alone, "broken-release")
ROLE(taking_back_leaves_others_sockets_alone, "broken-reclaim")
ROLE(a_shutdown_leaves_others_sockets_alone, "broken-shutdown")
ROLE(a_fork_leaves_others_sockets_alone, "broken-fork")
ROLE(a_child_has_no_copy_of_a_socket, "fork-full")
ROLE(a_reset_connection_is_cut, "reset-reclaim")

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, clean_up)
	const struct CMUnitTest tests[] = {
		TEST(a_release_leaves_others_sockets_alone),
		TEST(taking_back_leaves_others_sockets_alone),
		TEST(a_shutdown_leaves_others_sockets_alone),
		TEST(a_fork_leaves_others_sockets_alone),
		TEST(a_child_has_no_copy_of_a_socket),
		TEST(a_reset_connection_is_cut),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
