/* modes/connect: from the command line to libpq's parameters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"
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
	assert_int_equal(connect_params(options, config, options->servers.items[0], &params), 0);
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
	assert_params(&(struct options){ .servers = { { "" }, 1 } }, NULL, NULL, NULL);
	assert_params(&(struct options){ .host = "", .port = "", .user = "", .database = "" }, NULL,
		NULL, NULL);
	assert_params(&(struct options){ .servers = { { "app" }, 1 }, .database = "" }, NULL, NULL,
		"app");
}

/* In a connection string it is: that is how libpq reads it. */
static void a_connection_string_is_taken_as_it_is(void **state)
{
	(void)state;
	assert_params(&(struct options){ .servers = { { "host='' user=me dbname=''" }, 1 } }, "",
		"me", "");
	assert_params(&(struct options){ .servers = { { "postgresql://me@a,b/app" }, 1 } }, "a,b",
		"me", "app");
}

/* psql -h b "host=a user=me" connects to a: libpq reads the string after the options. */
static void a_connection_string_overrides_options(void **state)
{
	(void)state;
	assert_params(
		&(struct options){
			.servers = { { "host=a user=me" }, 1 }, .host = "b", .user = "you" },
		"a", "me", NULL);
	assert_params(
		&(struct options){ .servers = { { "user=me" }, 1 }, .host = "b", .database = "x" },
		"b", "me", "x");
	assert_params(
		&(struct options){ .database = "postgresql://a/x", .host = "b" }, "a", NULL, "x");
	assert_params(&(struct options){ .servers = { { "host=''" }, 1 }, .host = "b", .user = "" },
		"", NULL, NULL);
	assert_params(&(struct options){ .servers = { { "app" }, 1 }, .database = "user=you" },
		NULL, "you", "app");
}

/* A name of the configuration is no connection string: psql does not know it. */
static void options_override_the_configuration(void **state)
{
	(void)state;
	static const char file[] = "databases:\n  shop: host=a user=me dbname=shop\n";
	const struct options options = { .host = "b" };
	struct config *config;
	struct config_error error;
	struct params params;
	assert_int_equal(config_parse("test", file, strlen(file), &config, &error), 0);
	assert_int_equal(connect_params(&options, config, "shop", &params), 0);
	assert_string_equal(params_get(&params, "host"), "b");
	assert_string_equal(params_get(&params, "user"), "me");
	assert_string_equal(params_get(&params, "dbname"), "shop");
	params_clear(&params);
	config_free(config);
}

static void a_port_is_a_number(void **state)
{
	(void)state;
	static const struct {
		const char *port;
		bool is_right;
	} cases[] = {
		{ "5432", true },
		{ " 6432 ", true },
		{ "5432,5433", true },
		{ "5432,,5433", true },
		{ "", true },
		{ "abc", false },
		{ "99999", false },
		{ "0", false },
		{ "-1", false },
		{ "5432,x", false },
		{ "54 32", false },
	};
	struct config *config = config_defaults();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CLEANUP(cleanup_free) char *string = mem_printf("host=a port='%s'", cases[i].port);
		const struct options options[] = { { .port = cases[i].port },
			{ .database = string }, { .servers = { { string }, 1 } } };
		for (size_t k = 0; k < sizeof(options) / sizeof(options[0]); k++) {
			struct params params = { 0 };
			int r = connect_params(
				&options[k], config, options[k].servers.items[0], &params);
			assert_int_equal(r, cases[i].is_right ? 0 : -EINVAL);
			params_clear(&params);
		}
	}
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_empty_is_not_set),
		cmocka_unit_test(a_connection_string_is_taken_as_it_is),
		cmocka_unit_test(a_connection_string_overrides_options),
		cmocka_unit_test(options_override_the_configuration),
		cmocka_unit_test(a_port_is_a_number),
	};
	return cmocka_run_group_tests_name("connect", tests, NULL, NULL);
}
