/* base/encoding: texts of databases in other encodings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/arena.h"
#include "base/encoding.h"

static struct arena *arena;

static void check(const char *encoding, const char *bytes, const char *expected)
{
	size_t length = 0;
	const char *text = encoding_convert(arena, encoding, bytes, strlen(bytes), &length);
	if (!expected) {
		assert_null(text);
		return;
	}
	assert_non_null(text);
	assert_string_equal(text, expected);
	assert_int_equal(length, strlen(expected));
}

static void characters_are_converted(void **state)
{
	(void)state;
	check("LATIN1", "caf\xe9", "caf\xc3\xa9");
	check("LATIN9", "\xa4", "\xe2\x82\xac");
	check("WIN1251", "\xcf\xf0\xe8", "\xd0\x9f\xd1\x80\xd0\xb8");
	check("KOI8R", "\xf0", "\xd0\x9f");
	check("EUC_JP", "\xc6\xfc\xcb\xdc", "\xe6\x97\xa5\xe6\x9c\xac");
}

static void what_is_no_character_is_replaced(void **state)
{
	(void)state;
	check("WIN1252", "a\x81z\xe9", "a\xef\xbf\xbdz\xc3\xa9");
	/* cut in the middle of a character */
	check("EUC_JP", "\xc6\xfc\xcb", "\xe6\x97\xa5\xef\xbf\xbd");
}

static void what_cannot_be_converted_stays(void **state)
{
	(void)state;
	check("LATIN1", "plain", NULL);
	check("UTF8", "caf\xc3\xa9", NULL);
	check("SQL_ASCII", "caf\xe9", NULL);
	check("MULE_INTERNAL", "caf\xe9", NULL);
	check(NULL, "caf\xe9", NULL);
	check("no such encoding", "caf\xe9", NULL);
}

static int set_up(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(characters_are_converted),
		cmocka_unit_test(what_is_no_character_is_replaced),
		cmocka_unit_test(what_cannot_be_converted_stays),
	};
	return cmocka_run_group_tests_name("encoding", tests, set_up, tear_down);
}
