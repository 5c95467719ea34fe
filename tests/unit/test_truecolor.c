/* Colours that no palette has: they get numbers that the theme does not use, which are replaced in
 * the bytes of a frame. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config/theme.h"
#include "tui/truecolor.h"

static struct theme theme;
static struct truecolor truecolor;

static int set_up(void **state)
{
	(void)state;
	theme = (struct theme){ .name = "t" };
	for (size_t i = 0; i < STYLE_COUNT; i++)
		theme.styles[i].fg = theme.styles[i].bg = THEME_DEFAULT;
	theme.styles[STYLE_TEXT].fg = 255;
	theme.styles[STYLE_DIM].fg = THEME_RGB(0x586e75);
	theme.styles[STYLE_LEAKED].fg = THEME_RGB(0xdc322f);
	theme.styles[STYLE_LEAKED].bg = THEME_RGB(0x586e75);
	truecolor_init(&truecolor, &theme);
	return 0;
}

static void numbers_are_free_ones(void **state)
{
	(void)state;
	assert_true(truecolor.any);
	assert_int_equal(theme.styles[STYLE_TEXT].fg, 255);
	assert_int_equal(theme.styles[STYLE_GOOD].fg, THEME_DEFAULT);
	int dim = theme.styles[STYLE_DIM].fg, leaked = theme.styles[STYLE_LEAKED].fg;
	assert_in_range(dim, 16, 254);
	assert_in_range(leaked, 16, 254);
	assert_int_not_equal(dim, leaked);
	assert_int_equal(theme.styles[STYLE_LEAKED].bg, dim);
	assert_int_equal(truecolor.rgb[dim], 0x586e75);
	assert_int_equal(truecolor.rgb[leaked], 0xdc322f);
	assert_int_equal(truecolor.rgb[255], -1);
}

static void a_palette_is_left_alone(void **state)
{
	(void)state;
	struct theme plain = { .name = "t" };
	truecolor_init(&truecolor, &plain);
	assert_false(truecolor.any);
}

static void check(const char *bytes, const char *expected)
{
	char *found = calloc(1, strlen(bytes) * TRUECOLOR_GROWTH + 1);
	size_t length = truecolor_rewrite(&truecolor, bytes, strlen(bytes), found);
	assert_int_equal(length, strlen(expected));
	assert_memory_equal(found, expected, length);
	free(found);
}

/* Whatever a frame contains, only complete colours of ours are replaced. */
static void only_ours_are_replaced(void **state)
{
	(void)state;
	assert_int_equal(theme.styles[STYLE_DIM].fg, 254);
	check("a\033[38;5;254mb", "a\033[38;2;88;110;117mb");
	check("\033[48;5;254m\033[38;5;253m", "\033[48;2;88;110;117m\033[38;2;220;50;47m");
	static const char *const others[] = { "", "\033", "\033[", "\033[38;5;", "\033[38;5;254",
		"\033[38;5;255m", "\033[38;5;m", "\033[38;5;2540m", "\033[38;5;999m",
		"\033[58;5;254m", "[38;5;254m", "\033[38;5;254H", "\033[1;38;5;254m", "\033[39m",
		"254m" };
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		check(others[i], others[i]);
}

static void cleared_is_as_it_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < TRUECOLOR_NUMBERS; i++)
		truecolor.rgb[i] = (int)i;
	truecolor_clear(&truecolor);
	assert_false(truecolor.any);
	for (size_t i = 0; i < TRUECOLOR_NUMBERS; i++)
		assert_int_equal(truecolor.rgb[i], -1);
}

static void terminals_say_so(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		bool says;
	} cases[] = { { "truecolor", true }, { "24bit", true }, { "", false }, { "yes", false } };
	unsetenv("COLORTERM");
	assert_false(truecolor_is_said());
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setenv("COLORTERM", cases[i].value, 1);
		assert_int_equal(truecolor_is_said(), cases[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(numbers_are_free_ones, set_up),
		cmocka_unit_test_setup(a_palette_is_left_alone, set_up),
		cmocka_unit_test_setup(only_ours_are_replaced, set_up),
		cmocka_unit_test_setup(cleared_is_as_it_is, set_up),
		cmocka_unit_test(terminals_say_so),
	};
	return cmocka_run_group_tests_name("truecolor", tests, NULL, NULL);
}
