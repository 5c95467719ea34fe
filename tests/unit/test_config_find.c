/* config/config_find: where the configuration is looked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "../support/config_fixture.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "config/config.h"

static void places_follow_the_environment(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	assert_string_equal(config_places(arena, "/x", "/home/u").user, "/x/dbtop");
	assert_string_equal(config_places(arena, NULL, "/home/u").user, "/home/u/.config/dbtop");
	assert_string_equal(config_places(arena, "", "/home/u").user, "/home/u/.config/dbtop");
	assert_string_equal(config_places(arena, "x", "/home/u").user, "/home/u/.config/dbtop");
	assert_null(config_places(arena, NULL, NULL).user);
	assert_null(config_places(arena, "x", "").user);
	assert_string_equal(config_places(arena, NULL, NULL).system, "/etc/dbtop");
	arena_free(arena);
}

static void create(const char *path)
{
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
}

static void the_first_file_that_is_there_is_found(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	char folder[] = "/tmp/dbtop-test-XXXXXX";
	assert_non_null(mkdtemp(folder));
	const char *user = arena_printf(arena, "%s/user", folder);
	const char *user_file = arena_printf(arena, "%s/config.yaml", user);
	const char *system_file = arena_printf(arena, "%s/config.yaml", folder);
	const char *found = NULL;
	struct config_places places = { .user = user, .system = folder };
	assert_int_equal(config_find(arena, NULL, &places, &found), 1);
	assert_null(found);
	create(system_file);
	assert_int_equal(config_find(arena, NULL, &places, &found), 0);
	assert_string_equal(found, system_file);
	assert_int_equal(mkdir(user, 0700), 0);
	create(user_file);
	assert_int_equal(config_find(arena, NULL, &places, &found), 0);
	assert_string_equal(found, user_file);
	places.user = NULL;
	assert_int_equal(config_find(arena, NULL, &places, &found), 0);
	assert_string_equal(found, system_file);
	assert_int_equal(config_find(arena, "/nonexistent", &places, &found), 0);
	assert_string_equal(found, "/nonexistent");
	/* A dangling link counts as an existing file: loading it reports the error. */
	assert_int_equal(unlink(user_file), 0);
	assert_int_equal(symlink("/nonexistent", user_file), 0);
	places.user = user;
	assert_int_equal(config_find(arena, NULL, &places, &found), 0);
	assert_string_equal(found, user_file);
	assert_int_equal(unlink(user_file), 0);
	assert_int_equal(rmdir(user), 0);
	assert_int_equal(unlink(system_file), 0);
	assert_int_equal(rmdir(folder), 0);
	arena_free(arena);
}

int main(void)
{
	setlocale(LC_ALL, "C.UTF-8");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places_follow_the_environment),
		cmocka_unit_test(the_first_file_that_is_there_is_found),
	};
	return cmocka_run_group_tests_name("config_find", tests, NULL, NULL);
}
