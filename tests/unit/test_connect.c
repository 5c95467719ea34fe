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
		const char *port, *host;
		bool is_right;
	} cases[] = {
		{ "5432", "a", true },
		{ " 6432 ", "a", true },
		{ "5432,5433", "a,b", true },
		{ "5432,,5433", "a,b,c", true },
		{ "5432,,5433", "a,b", false },
		{ "", "a", true },
		{ "abc", "a", false },
		{ "99999", "a", false },
		{ "0", "a", false },
		{ "-1", "a", false },
		{ "5432,x", "a,b", false },
		{ "54 32", "a", false },
	};
	struct config *config = config_defaults();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CLEANUP(cleanup_free)
		char *string = mem_printf("host=%s port='%s'", cases[i].host, cases[i].port);
		const struct options options[] = { { .port = cases[i].port, .host = cases[i].host },
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

/* psql would fail with these, too, before it has asked any server. */
static void variables_are_checked_unless_something_replaces_them(void **state)
{
	(void)state;
	static const struct {
		const char *variable, *value, *string;
		bool is_right;
	} cases[] = {
		{ "PGPORT", "abc", "", false },
		{ "PGPORT", "0", "host=a", false },
		{ "PGPORT", "5432", "", true },
		{ "PGPORT", "", "", true },
		{ "PGPORT", "abc", "port=5432", true },
		{ "PGPORT", "abc", "service=shop", true },
		{ "PGPORT", "1,2", "host=a,b", true },
		{ "PGPORT", "1,2", "host=a,b,c", false },
		{ "PGPORT", "1", "host=a,b,c", true },
		{ "PGHOST", "a,b", "port=1,2,3", false },
		{ "PGHOSTADDR", "127.0.0.1,127.0.0.2", "host=a", false },
		{ "PGHOSTADDR", "127.0.0.1,127.0.0.2", "host=a,b", true },
		{ "PGCONNECT_TIMEOUT", "abc", "", false },
		{ "PGCONNECT_TIMEOUT", "5s", "", false },
		{ "PGCONNECT_TIMEOUT", " 5 ", "", true },
		{ "PGCONNECT_TIMEOUT", "", "", true },
		{ "PGCONNECT_TIMEOUT", "abc", "connect_timeout=5", true },
		{ "PGCONNECT_TIMEOUT", "5", "connect_timeout=abc", false },
		{ "PGSERVICE", "shop", "connect_timeout=abc", false },
		{ "PGSERVICE", "shop", "port=abc", false },
	};
	struct config *config = config_defaults();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct options options = { .servers = { { cases[i].string }, 1 } };
		struct params params = { 0 };
		setenv(cases[i].variable, cases[i].value, 1);
		int r = connect_params(&options, config, cases[i].string, &params);
		unsetenv(cases[i].variable);
		if (r != (cases[i].is_right ? 0 : -EINVAL))
			fail_msg("%s=%s and \"%s\": %d", cases[i].variable, cases[i].value,
				cases[i].string, r);
		params_clear(&params);
	}
	config_free(config);
}

int main(void)
{
	static const char *const variables[] = { "PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE",
		"PGCONNECT_TIMEOUT" };
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		unsetenv(variables[i]);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_empty_is_not_set),
		cmocka_unit_test(a_connection_string_is_taken_as_it_is),
		cmocka_unit_test(a_connection_string_overrides_options),
		cmocka_unit_test(options_override_the_configuration),
		cmocka_unit_test(a_port_is_a_number),
		cmocka_unit_test(variables_are_checked_unless_something_replaces_them),
	};
	return cmocka_run_group_tests_name("connect", tests, NULL, NULL);
}
