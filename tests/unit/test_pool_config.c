/* Unit tests of libdbpool's configuration: no memory that contains a password is freed. */
#include <errno.h>
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dbpool/config.h"

#define SECRET "sesame-in-conninfo"
#define PGPASS "sesame-in-PGPASSWORD"

static unsigned frees, leaks; /* blocks that were freed, and those with a password */

static bool holds_secret(const void *block, size_t size)
{
	return memmem(block, size, SECRET, strlen(SECRET)) ||
		memmem(block, size, PGPASS, strlen(PGPASS));
}

/* The linker replaces the library's calls by these. */
void __real_free(void *block);
void __wrap_free(void *block);
void __real_PQconninfoFree(PQconninfoOption *options);
void __wrap_PQconninfoFree(PQconninfoOption *options);

void __wrap_free(void *block)
{
	frees += block != NULL;
	leaks += block && holds_secret(block, malloc_usable_size(block));
	__real_free(block);
}

void __wrap_PQconninfoFree(PQconninfoOption *options)
{
	for (const PQconninfoOption *option = options; option && option->keyword; option++) {
		frees += option->val != NULL;
		leaks += option->val && holds_secret(option->val, strlen(option->val));
	}
	__real_PQconninfoFree(options);
}

static int set_up(void **state)
{
	(void)state;
	frees = leaks = 0;
	return setenv("PGPASSWORD", PGPASS, 1);
}

static void take(const char *conninfo, int expected)
{
	const struct dbpool_config given = {
		.size = sizeof(given), .conninfo = conninfo, .name = "a"
	};
	struct pool_config config;
	int r = config_take(&given, &config);
	assert_int_equal(r, expected);
	if (r < 0)
		return;
	assert_string_equal(config.conninfo, conninfo);
	config_clear(&config);
	assert_null(config.conninfo);
}

static void a_password_is_wiped(void **state)
{
	(void)state;
	take("host=localhost password=" SECRET, 0);
	take("postgresql://a:" SECRET "@localhost/b", 0);
	take("", 0);
	assert_in_range(frees, 10, 10000);
	assert_int_equal(leaks, 0);
}

static void a_refused_configuration_is_wiped(void **state)
{
	(void)state;
	take("password=" SECRET " hostt=localhost", -EINVAL);
	assert_in_range(frees, 2, 10000);
	assert_int_equal(leaks, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_password_is_wiped, set_up),
		cmocka_unit_test_setup(a_refused_configuration_is_wiped, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
