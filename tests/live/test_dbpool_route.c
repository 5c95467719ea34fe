/* libdbpool with several addresses, of which the first are silent: see pool_route.c. */
#include "live_group.h"

#include <stdlib.h>

#include "base/mem.h"
#include "live_pool.h"

static const char *conninfo;

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

static void name_route(void)
{
	conninfo = live_group_conninfo(LIVE_TCP4, "host=127.0.0.2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(each_address_has_a_share),
		LIVE_TEST(so_has_each_address_of_a_name),
		LIVE_TEST(connect_timeout_is_each_address_s),
	};
	return LIVE_GROUP("dbpool_route", tests,
		.settings = (const char *const[]){ "listen_addresses=127.0.0.2", NULL },
		.set_up = name_route);
}
