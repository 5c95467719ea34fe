/* libdbpool with several addresses, of which the first are silent: see pool_route.c. */
#include "live.h"

#include <stdlib.h>

#include "base/mem.h"
#include "live_pool.h"

static struct private_server *server;
static char *conninfo;

static int start_server(void **state)
{
	(void)state;
	static const char *const settings[] = { "listen_addresses=127.0.0.2", NULL };
	server = live_server_start(settings);
	conninfo = mem_printf("host=127.0.0.2 port=%d user=postgres dbname=postgres",
		private_server_port(server));
	return 0;
}

static int stop_server(void **state)
{
	(void)state;
	free(conninfo);
	private_server_stop(server);
	return 0;
}

static void each_address_has_a_share(void **state)
{
	(void)state;
	live_pool_run(conninfo, "shares", NULL);
}

static void connect_timeout_is_each_address_s(void **state)
{
	(void)state;
	live_pool_run(conninfo, "libpq-timeout", "string");
	live_pool_run(conninfo, "libpq-timeout", "environment");
}

static void so_has_each_address_of_a_name(void **state)
{
	(void)state;
	live_pool_run_apart(conninfo, "one-name", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(each_address_has_a_share, live_teardown),
		cmocka_unit_test_teardown(so_has_each_address_of_a_name, live_teardown),
		cmocka_unit_test_teardown(connect_timeout_is_each_address_s, live_teardown),
	};
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
