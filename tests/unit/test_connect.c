/* modes/connect: from the command line to libpq's parameters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/config.h"
#include "modes/connect.h"
#include "modes/options.h"
#include "session/params.h"

static void assert_params(
	const struct options *options, const char *host, const char *user, const char *database)
{
	static const char *const keywords[] = { "host", "user", "dbname" };
	const char *const expected[] = { host, user, database };
	struct config *config = config_defaults();
	struct params params;
	assert_int_equal(connect_params(options, config, &params), 0);
	for (int i = 0; i < 3; i++) {
		const char *value = params_get(&params, keywords[i]);
		if (expected[i])
			assert_string_equal(value, expected[i]);
		else
			assert_null(value);
	}
	params_clear(&params);
	config_free(config);
}

/* As psql -h "$HOST" "$DATABASE" without these variables: libpq's own variables count. */
static void what_is_empty_is_not_set(void **state)
{
	(void)state;
	assert_params(&(struct options){ .conninfo = "" }, NULL, NULL, NULL);
	assert_params(&(struct options){ .host = "", .port = "", .user = "", .database = "" }, NULL,
		NULL, NULL);
	assert_params(&(struct options){ .conninfo = "app", .database = "" }, NULL, NULL, "app");
}

/* In a connection string it is: that is how libpq reads it. */
static void a_connection_string_is_taken_as_it_is(void **state)
{
	(void)state;
	assert_params(&(struct options){ .conninfo = "host='' user=me dbname=''" }, "", "me", "");
	assert_params(
		&(struct options){ .conninfo = "postgresql://me@a,b/app" }, "a,b", "me", "app");
}

static void options_stand_over_it(void **state)
{
	(void)state;
	assert_params(
		&(struct options){ .conninfo = "host=a user=me", .host = "b", .database = "x" },
		"b", "me", "x");
	assert_params(
		&(struct options){ .conninfo = "app", .database = "user=you" }, NULL, "you", "app");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_empty_is_not_set),
		cmocka_unit_test(a_connection_string_is_taken_as_it_is),
		cmocka_unit_test(options_stand_over_it),
	};
	return cmocka_run_group_tests_name("connect", tests, NULL, NULL);
}
