/* What the proxy's health answers mean, and which program is the proxy. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "collect/forwarder.h"
#include "collect/health.h"

static void check(long status, const char *body, enum proxy_health health, int open, int max,
	const char *text)
{
	struct arena *arena = arena_new();
	struct proxy_probe probe = health_read(arena, status, body, strlen(body));
	if (probe.health != health || probe.open != open || probe.max != max ||
		strcmp(probe.text, text) != 0)
		fail_msg("%ld \"%s\": %d, %d of %d, \"%s\"", status, body, probe.health, probe.open,
			probe.max, probe.text);
	arena_free(arena);
}

static void test_answers(void **state)
{
	(void)state;
	check(200, "ok", PROXY_HEALTH_OK, -1, -1, "ok");
	check(200, "", PROXY_HEALTH_OK, -1, -1, "");
	check(503, "error: proxy is not started", PROXY_HEALTH_NOT_STARTED, -1, -1,
		"error: proxy is not started");
	check(503, "error: proxy has stopped\n", PROXY_HEALTH_STOPPED, -1, -1,
		"error: proxy has stopped");
	check(503, "max connections reached (open = 20, max = 20)", PROXY_HEALTH_FULL, 20, 20,
		"max connections reached (open = 20, max = 20)");
	check(503, "error: max connections reached (open = 7, max = 5)\r\nmore", PROXY_HEALTH_FULL,
		7, 5, "error: max connections reached (open = 7, max = 5)");
	check(503, "the database is in flames", PROXY_HEALTH_FAILING, -1, -1,
		"the database is in flames");
	check(503, "", PROXY_HEALTH_FAILING, -1, -1, "");
}

static void test_hostile_answers(void **state)
{
	(void)state;
	check(404, "404 page not found", PROXY_HEALTH_STRANGE, -1, -1, "answers with status 404");
	check(301, "", PROXY_HEALTH_STRANGE, -1, -1, "answers with status 301");
	check(503, "max connections reached", PROXY_HEALTH_FULL, -1, -1, "max connections reached");
	check(503, "max connections reached (open = x, max = 20)", PROXY_HEALTH_FULL, -1, -1,
		"max connections reached (open = x, max = 20)");
	check(503, "max connections reached (open = -1, max = 20)", PROXY_HEALTH_FULL, -1, -1,
		"max connections reached (open = -1, max = 20)");
	check(503, "\033[2J", PROXY_HEALTH_FAILING, -1, -1, "␛[2J");
}

static void test_programs(void **state)
{
	(void)state;
	assert_true(forwarder_is_program("haproxy", "/usr/sbin/haproxy", "haproxy"));
	assert_true(forwarder_is_program("haproxy", "/usr/sbin/haproxy (deleted)", "other"));
	assert_true(forwarder_is_program("haproxy", NULL, "haproxy"));
	/* the kernel keeps 15 bytes of a name */
	assert_true(forwarder_is_program("cloud-sql-proxy-v2", NULL, "cloud-sql-proxy"));
	assert_false(forwarder_is_program("haproxy", "/usr/sbin/haproxy-old", "x"));
	assert_false(forwarder_is_program("haproxy", "/opt/haproxy/bin/postgres", "postgres"));
	assert_false(forwarder_is_program("haproxy", NULL, NULL));
	assert_false(forwarder_is_program("haproxy", NULL, ""));
	assert_false(forwarder_is_program("", "", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_hostile_answers),
		cmocka_unit_test(test_programs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
