/* theme: reading and finding themes, the built-in ones, and terminals with fewer colours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "config/config.h"
#include "config/theme.h"

static struct theme parsed(const char *text)
{
	struct theme theme = { 0 };
	struct config_error error = { 0 };
	int r = theme_parse("t.yaml", text, strlen(text), &theme, &error);
	assert_string_equal(error.text, "");
	assert_int_equal(r, 0);
	return theme;
}

static void assert_refused(const char *text, const char *expected)
{
	struct theme theme = { .name = "untouched" };
	struct config_error error = { 0 };
	assert_int_equal(theme_parse("t.yaml", text, strlen(text), &theme, &error), -EINVAL);
	assert_string_equal(error.text, expected);
	assert_string_equal(theme.name, "untouched");
}

static void assert_same(const struct theme_style *a, const struct theme_style *b)
{
	assert_int_equal(a->fg, b->fg);
	assert_int_equal(a->bg, b->bg);
	assert_int_equal(a->bold, b->bold);
	assert_int_equal(a->dim, b->dim);
	assert_int_equal(a->underline, b->underline);
	assert_int_equal(a->reverse, b->reverse);
	assert_int_equal(a->italic, b->italic);
}

static void colours_and_attributes_are_read(void **state)
{
	(void)state;
	struct theme theme = parsed("description: x\nstyles:\n"
				    "  leaked: {fg: \"#fF5f00\", bg: 17, bold: true}\n"
				    "  dim: {fg: bright-black, dim: true, bold: false}\n"
				    "  caution: {fg: 255, bg: 0, underline: true, italic: true}\n"
				    "  good: {fg: green, reverse: true}\n");
	assert_string_equal(theme.name, "t");
	const struct theme_style leaked = { .fg = 0x1ff5f00, .bg = 17, .bold = true };
	assert_same(&theme.styles[STYLE_LEAKED], &leaked);
	const struct theme_style dim = { .fg = 8, .bg = -1, .dim = true };
	assert_same(&theme.styles[STYLE_DIM], &dim);
	const struct theme_style caution = {
		.fg = 255, .bg = 0, .underline = true, .italic = true
	};
	assert_same(&theme.styles[STYLE_CAUTION], &caution);
	const struct theme_style good = { .fg = 2, .bg = -1, .reverse = true };
	assert_same(&theme.styles[STYLE_GOOD], &good);
	assert_true(THEME_IS_RGB(leaked.fg));
	assert_false(THEME_IS_RGB(255));
}

static void what_is_missing_is_as_text(void **state)
{
	(void)state;
	struct theme theme = parsed("styles:\n  leaked: {fg: red}\n  good: {bg: default}\n"
				    "  text: {fg: 0, bg: 15, italic: true}\n");
	const struct theme_style text = { .fg = 0, .bg = 15, .italic = true };
	const struct theme_style leaked = { .fg = 1, .bg = 15 };
	const struct theme_style good = { .fg = 0, .bg = -1 };
	assert_same(&theme.styles[STYLE_TEXT], &text);
	assert_same(&theme.styles[STYLE_ACTIVE], &text);
	assert_same(&theme.styles[STYLE_LEAKED], &leaked);
	assert_same(&theme.styles[STYLE_GOOD], &good);
}

/* Otherwise the cursor would be invisible, or would hide the text below it. */
static void what_is_laid_over_is_never_without_effect(void **state)
{
	(void)state;
	static const struct theme_style selected = { .fg = -1, .bg = -1, .reverse = true };
	static const struct theme_style changed = { .fg = -1, .bg = -1, .bold = true };
	static const struct theme_style match = { .fg = -1, .bg = -1, .underline = true };
	static const char *const texts[] = { "", "styles:\n", "styles: {text: {fg: 0, bg: 15}}\n" };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct theme theme = parsed(texts[i]);
		assert_same(&theme.styles[STYLE_SELECTED], &selected);
		assert_same(&theme.styles[STYLE_CHANGED], &changed);
		assert_same(&theme.styles[STYLE_MATCH], &match);
	}
	struct theme theme = parsed("styles: {text: {fg: 0, bg: 15}, selected: {bg: 237}}\n");
	const struct theme_style named = { .fg = -1, .bg = 237 };
	assert_same(&theme.styles[STYLE_SELECTED], &named);
}

static void mistakes_are_named(void **state)
{
	(void)state;
#define COLOUR "expected a colour (default, red, bright-red, 0 to 255, \"#rrggbb\"), found "
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "styles:\n  leakd: {fg: red}\n",
			"t.yaml:2: styles.leakd: unknown style; did you mean leaked?" },
		{ "styles:\n  used_leaked: {}\n",
			"t.yaml:2: styles.used_leaked: unknown style; did you mean used-leaked?" },
		{ "styles: {zebra: {}}\n", "t.yaml:1: styles.zebra: unknown style" },
		{ "style: {}\n", "t.yaml:1: style: unknown key; did you mean styles?" },
		{ "zebra: {}\n", "t.yaml:1: zebra: unknown key" },
		{ "description: [a]\n", "t.yaml:1: description: expected text, found a list" },
		{ "styles: red\n", "t.yaml:1: styles: expected styles by name, found \"red\"" },
		{ "styles: {dim: red}\n",
			"t.yaml:1: styles.dim: expected a style, such as {fg: "
			"red, bold: true}, found \"red\"" },
		{ "styles: {dim: {bld: true}}\n",
			"t.yaml:1: styles.dim.bld: unknown key; did you mean bold?" },
		{ "styles: {dim: {bold: yes}}\n",
			"t.yaml:1: styles.dim.bold: expected true or false (YAML's other words for "
			"them, such as yes and no, are not taken), found \"yes\"" },
		{ "styles: {dim: {fg: bright-blak}}\n",
			"t.yaml:1: styles.dim.fg: unknown colour \"bright-blak\"; did you mean "
			"bright-black?" },
		{ "styles: {dim: {fg: purple}}\n",
			"t.yaml:1: styles.dim.fg: " COLOUR "\"purple\"" },
		{ "styles: {dim: {fg: 256}}\n", "t.yaml:1: styles.dim.fg: " COLOUR "\"256\"" },
		{ "styles: {dim: {fg: -1}}\n", "t.yaml:1: styles.dim.fg: " COLOUR "\"-1\"" },
		{ "styles: {dim: {fg: 007}}\n", "t.yaml:1: styles.dim.fg: " COLOUR "\"007\"" },
		{ "styles: {dim: {fg: \"#fff\"}}\n",
			"t.yaml:1: styles.dim.fg: " COLOUR "the text \"#fff\"" },
		{ "styles: {dim: {fg: \"#ff00000\"}}\n",
			"t.yaml:1: styles.dim.fg: " COLOUR "the text \"#ff00000\"" },
		{ "styles: {dim: {fg: \"#gg0000\"}}\n",
			"t.yaml:1: styles.dim.fg: " COLOUR "the text \"#gg0000\"" },
		{ "styles: {dim: {fg: [1]}}\n", "t.yaml:1: styles.dim.fg: " COLOUR "a list" },
		{ "styles:\n  dim:\n    fg: #ff0000\n",
			"t.yaml:3: styles.dim.fg: " COLOUR
			"nothing (# begins a comment: quote \"#rrggbb\")" },
		{ "styles: {dim: {}, dim: {}}\n",
			"t.yaml:1: styles.dim: given twice, first in line 1" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_refused(cases[i].text, cases[i].error);
}

static void put(const char *path, const char *text)
{
	CLEANUP(cleanup_file) FILE *file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
}

static const char *const builtin_names[] = { "default", "light", "solarized", "high-contrast",
	"colour-blind-safe", "mono" };
#define BUILTIN (sizeof(builtin_names) / sizeof(builtin_names[0]))

static struct theme builtin(const char *name)
{
	struct theme theme = { 0 };
	assert_int_equal(theme_builtin(name, &theme), 0);
	assert_string_equal(theme.name, name);
	return theme;
}

static void built_in_are_the_files(void **state)
{
	(void)state;
	static const char *const nowhere[] = { "/nonexistent", NULL };
	struct arena *arena = arena_new();
	struct theme none;
	for (size_t i = 0; i < BUILTIN; i++) {
		const char *path = arena_printf(arena, "themes/%s.yaml", builtin_names[i]);
		struct theme inside = builtin(builtin_names[i]), file = { 0 };
		struct config_error error = { 0 };
		assert_int_equal(theme_load(path, &file, &error), 0);
		assert_string_equal(file.name, inside.name);
		for (size_t j = 0; j < STYLE_COUNT; j++)
			assert_same(&inside.styles[j], &file.styles[j]);
		assert_int_equal(theme_find(builtin_names[i], nowhere, &file, &error), 0);
		assert_string_equal(file.name, inside.name);
	}
	assert_int_equal(theme_builtin("night", &none), -ENOENT);
	arena_free(arena);
}

/* A file that is not in the list would be neither installed nor offered. */
static void every_file_is_built_in(void **state)
{
	(void)state;
	static const char *const folders[] = { "themes", NULL };
	struct arena *arena = arena_new();
	const char *const *names = theme_names(arena, folders);
	size_t count = 0;
	for (; names[count]; count++)
		assert_true(count < BUILTIN && strcmp(names[count], builtin_names[count]) == 0);
	assert_int_equal(count, BUILTIN);
	arena_free(arena);
}

static const int depths[] = { 1 << 24, 256, 16, 8, 0 };
#define DEPTHS (sizeof(depths) / sizeof(depths[0]))

static double channel(int color, int shift)
{
	double value = (theme_to_rgb(color) >> shift & 0xff) / 255.0;
	return value <= 0.03928 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4);
}

/* WCAG 2's relative luminance. The terminal's own background is assumed to be black,
 * its text grey. */
static double luminance(int color, int otherwise)
{
	if (color == THEME_DEFAULT)
		color = otherwise;
	return 0.2126 * channel(color, 16) + 0.7152 * channel(color, 8) +
		0.0722 * channel(color, 0);
}

static double contrast(int fg, int bg)
{
	double a = luminance(fg, 7), b = luminance(bg, 0);
	return a > b ? (a + 0.05) / (b + 0.05) : (b + 0.05) / (a + 0.05);
}

static double contrast_of(const struct theme *theme, enum style style, enum style under)
{
	const struct theme_style *own = &theme->styles[style], *over = &theme->styles[under];
	int fg = own->fg, bg = own->bg;
	if (under == STYLE_SELECTED && over->fg != THEME_DEFAULT)
		fg = over->fg;
	if (under == STYLE_SELECTED && over->bg != THEME_DEFAULT)
		bg = over->bg;
	return contrast(fg, bg);
}

/* The least contrast of each style. Blocks of the gauge are shapes: 3 to 1; free slots are meant to
 * be faint. */
static const struct {
	enum style style;
	double least;
	bool word; /* also read under the cursor */
} wanted[] = {
	{ STYLE_TEXT, 4.5, true },
	{ STYLE_STRONG, 4.5, true },
	{ STYLE_TITLE, 4.5, false },
	{ STYLE_GROUP, 4.5, true },
	{ STYLE_ACTIVE, 4.5, true },
	{ STYLE_CAUTION, 4.5, true },
	{ STYLE_LEAKED, 4.5, true },
	{ STYLE_GOOD, 4.5, false },
	{ STYLE_KEY, 4.5, false },
	{ STYLE_DIALOG, 4.5, false },
	{ STYLE_SORTED, 4.5, false },
	{ STYLE_DIM, 3.8, false },
	{ STYLE_HEADING, 3.8, false },
	{ STYLE_PROTECTED, 3.8, false },
	{ STYLE_KEY_LABEL, 3.8, false },
	{ STYLE_DIALOG_FRAME, 3.0, false },
	{ STYLE_USED, 3.0, false },
	{ STYLE_USED_LEAKED, 3.0, false },
	{ STYLE_RESERVED, 3.0, false },
	{ STYLE_FREE, 1.5, false },
};

static void check_contrast(const struct theme *theme, int depth, double least)
{
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		enum style style = wanted[i].style;
		double must = wanted[i].least >= 3.8 && least > 4.5 ? least : wanted[i].least;
		/* With 16 and fewer colours the user sets the palette: the colour must only differ
		 * from its background. */
		if (depth <= 16)
			must = 1.1;
		if (theme->styles[style].reverse)
			continue;
		double is = contrast_of(theme, style, style);
		if (is < must)
			fail_msg("%s at %d colours: %s has a contrast of %.2f, not %.1f",
				theme->name, depth, style_name(style), is, must);
		is = contrast_of(theme, style, STYLE_SELECTED);
		if (wanted[i].word && depth > 16 && is < 4.0)
			fail_msg("%s at %d colours: %s has a contrast of %.2f under the cursor",
				theme->name, depth, style_name(style), is);
	}
}

static void every_theme_can_be_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < BUILTIN; i++) {
		struct theme theme = builtin(builtin_names[i]);
		bool high = strcmp(theme.name, "high-contrast") == 0;
		for (size_t d = 0; d < DEPTHS; d++) {
			struct theme reduced = theme_reduce(&theme, depths[d]);
			check_contrast(&reduced, depths[d], high && depths[d] > 16 ? 7.0 : 4.5);
		}
	}
}

static bool looks_equal(const struct theme_style *a, const struct theme_style *b)
{
	return a->fg == b->fg && a->bg == b->bg && a->bold == b->bold && a->dim == b->dim &&
		a->underline == b->underline && a->reverse == b->reverse && a->italic == b->italic;
}

/* The checkable rules of the themes, for each number of colours. */
static void every_theme_shows_what_matters(void **state)
{
	(void)state;
	static const enum style apart[][2] = { { STYLE_LEAKED, STYLE_CAUTION },
		{ STYLE_LEAKED, STYLE_GOOD }, { STYLE_LEAKED, STYLE_TEXT },
		{ STYLE_USED, STYLE_USED_LEAKED }, { STYLE_USED, STYLE_FREE } };
	for (size_t i = 0; i < BUILTIN; i++) {
		struct theme theme = builtin(builtin_names[i]);
		bool mono = strcmp(theme.name, "mono") == 0;
		for (size_t d = 0; d < DEPTHS; d++) {
			struct theme reduced = theme_reduce(&theme, depths[d]);
			const struct theme_style *styles = reduced.styles;
			const struct theme_style *text = &styles[STYLE_TEXT];
			const struct theme_style *selected = &styles[STYLE_SELECTED];
			assert_true(styles[STYLE_LEAKED].bold);
			assert_true(selected->reverse ||
				(selected->bg >= 0 && selected->bg != text->bg));
			for (size_t j = 0; j < STYLE_COUNT; j++)
				assert_true(depths[d] > 256 ||
					styles[j].fg < (depths[d] ? depths[d] : 1));
			for (size_t j = 0; j < sizeof(apart) / sizeof(apart[0]); j++)
				if ((depths[d] || mono) &&
					looks_equal(&styles[apart[j][0]], &styles[apart[j][1]]))
					fail_msg("%s at %d colours: %s is as %s", theme.name,
						depths[d], style_name(apart[j][0]),
						style_name(apart[j][1]));
			assert_int_equal(styles[STYLE_GOOD].bg, text->bg);
		}
	}
}

/* How a dichromat sees a colour: Viénot, Brettel and Mollon (1999), in linear light. */
static void seen_by(const double sight[2][3], int color, double seen[3])
{
	double r = channel(color, 16), g = channel(color, 8), b = channel(color, 0);
	for (int i = 0; i < 2; i++)
		seen[i == 0 ? 0 : 2] = sight[i][0] * r + sight[i][1] * g + sight[i][2] * b;
	seen[1] = seen[0];
}

static double apart_for(const double sight[2][3], int a, int b)
{
	double left[3], right[3], sum = 0;
	seen_by(sight, a, left);
	seen_by(sight, b, right);
	for (int i = 0; i < 3; i++)
		sum += pow(cbrt(left[i]) - cbrt(right[i]), 2);
	return sqrt(sum);
}

static void colour_blind_safe_is(void **state)
{
	(void)state;
	static const double sights[][2][3] = {
		{ { 0.11238, 0.88762, 0.0 }, { 0.00401, -0.00401, 1.0 } }, /* without red cones */
		{ { 0.29275, 0.70725, 0.0 }, { -0.02234, 0.02234, 1.0 } }, /* without green cones */
	};
	struct theme theme = builtin("colour-blind-safe");
	const struct theme_style *styles = theme.styles;
	for (size_t i = 0; i < 2; i++) {
		assert_true(apart_for(sights[i], styles[STYLE_LEAKED].fg,
				    styles[STYLE_CAUTION].fg) > 0.25);
		assert_true(apart_for(sights[i], styles[STYLE_LEAKED].fg, styles[STYLE_GOOD].fg) >
			0.25);
		assert_true(apart_for(sights[i], styles[STYLE_CAUTION].fg, styles[STYLE_GOOD].fg) >
			0.3);
		assert_true(apart_for(sights[i], styles[STYLE_USED].fg,
				    styles[STYLE_USED_LEAKED].fg) > 0.25);
	}
}

static void names_are_listed_once(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	char folder[] = "/tmp/dbtop-test-XXXXXX";
	assert_non_null(mkdtemp(folder));
	static const char *const files[] = { "zebra.yaml", "amber.yaml", "mono.yaml", ".x.yaml",
		".yaml", "notes.txt" };
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		put(arena_printf(arena, "%s/%s", folder, files[i]), "");
	const char *const folders[] = { folder, "/nonexistent", "themes", folder, NULL };
	const char *const *names = theme_names(arena, folders);
	for (size_t i = 0; i < BUILTIN; i++)
		assert_string_equal(names[i], builtin_names[i]);
	assert_string_equal(names[BUILTIN], "amber");
	assert_string_equal(names[BUILTIN + 1], "zebra");
	assert_null(names[BUILTIN + 2]);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		assert_int_equal(unlink(arena_printf(arena, "%s/%s", folder, files[i])), 0);
	assert_int_equal(rmdir(folder), 0);
	arena_free(arena);
}

static void colours_fall_to_the_nearest(void **state)
{
	(void)state;
	static const struct {
		int color, to_256, to_16, to_8;
	} cases[] = {
		{ THEME_DEFAULT, -1, -1, -1 },
		{ 3, 3, 3, 3 },
		{ 9, 9, 9, 1 },
		{ 8, 8, 8, 7 },
		{ 214, 214, 3, 3 },
		{ 203, 203, 9, 1 },
		{ THEME_RGB(0xff5f5f), 203, 9, 1 },
		{ THEME_RGB(0x000000), 16, 0, 0 },
		{ THEME_RGB(0xffffff), 231, 15, 7 },
		{ THEME_RGB(0x808080), 244, 8, 7 },
		{ THEME_RGB(0x87d787), 114, 2, 2 },
		{ 108, 108, 2, 2 },
		{ 110, 110, 6, 6 },
		{ THEME_RGB(0x3a3a3a), 237, 0, 0 },
		{ THEME_RGB(0x0000fe), 21, 12, 4 },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(theme_to_256(cases[i].color), cases[i].to_256);
		assert_int_equal(theme_to_16(cases[i].color), cases[i].to_16);
		assert_int_equal(theme_to_8(cases[i].color), cases[i].to_8);
	}
}

static void every_colour_has_a_place_in_every_palette(void **state)
{
	(void)state;
	for (int rgb = 0; rgb <= 0xffffff; rgb += 0x010307) {
		assert_in_range(theme_to_256(THEME_RGB(rgb)), 16, 255);
		assert_in_range(theme_to_16(THEME_RGB(rgb)), 0, 15);
		assert_in_range(theme_to_8(THEME_RGB(rgb)), 0, 7);
	}
	/* Colours of the palette are nearest to themselves. */
	static const int levels[] = { 0, 95, 135, 175, 215, 255 };
	for (int i = 16; i < 232; i++) {
		int cube = i - 16, r = levels[cube / 36], g = levels[cube / 6 % 6],
		    b = levels[cube % 6];
		assert_int_equal(theme_to_256(THEME_RGB(r << 16 | g << 8 | b)), i);
		assert_in_range(theme_to_16(i), 0, 15);
	}
}

static void reducing_loses_no_background(void **state)
{
	(void)state;
	struct theme theme = parsed("styles:\n  selected: {bg: 236}\n  title: {fg: 234}\n"
				    "  good: {fg: 0, bg: 2}\n  dialog: {bg: black}\n");
	struct theme reduced = theme_reduce(&theme, 256);
	assert_same(&reduced.styles[STYLE_SELECTED], &theme.styles[STYLE_SELECTED]);
	reduced = theme_reduce(&theme, 16);
	assert_int_equal(reduced.styles[STYLE_SELECTED].bg, -1);
	assert_true(reduced.styles[STYLE_SELECTED].reverse);
	assert_int_equal(reduced.styles[STYLE_TITLE].fg, 8);
	assert_int_equal(reduced.styles[STYLE_GOOD].fg, 0);
	assert_int_equal(reduced.styles[STYLE_GOOD].bg, 2);
	assert_int_equal(reduced.styles[STYLE_DIALOG].bg, 0);
	assert_false(reduced.styles[STYLE_DIALOG].reverse);
	reduced = theme_reduce(&theme, 8);
	assert_int_equal(reduced.styles[STYLE_TITLE].fg, -1);
	assert_true(reduced.styles[STYLE_TITLE].dim);
	assert_int_equal(reduced.styles[STYLE_GOOD].fg, 0);
	reduced = theme_reduce(&theme, 0);
	assert_int_equal(reduced.styles[STYLE_GOOD].fg, -1);
	assert_true(reduced.styles[STYLE_GOOD].reverse);
	assert_true(reduced.styles[STYLE_TITLE].dim);
	assert_false(reduced.styles[STYLE_DIALOG].reverse);
}

static void names_are_names(void **state)
{
	(void)state;
	static const char *const bad[] = { "", ".", "..", ".hidden", "a/b", "/etc/passwd", "../x",
		"0123456789012345678901234567890123456789012345678901234567890123" };
	static const char *const folders[] = { "themes", NULL };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct theme theme;
		struct config_error error = { 0 };
		assert_false(theme_name_is_valid(bad[i]));
		assert_int_equal(theme_find(bad[i], folders, &theme, &error), -EINVAL);
		assert_memory_equal(error.text, "theme: expected the name of a file", 34);
	}
	assert_true(theme_name_is_valid("solarized dark"));
}

static void themes_are_found_in_order(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	char folder[] = "/tmp/dbtop-test-XXXXXX";
	assert_non_null(mkdtemp(folder));
	const char *night = arena_printf(arena, "%s/night.yaml", folder);
	const char *const folders[] = { "/nonexistent", folder, "themes", NULL };
	const char *const empty[] = { "/nonexistent", NULL };
	struct theme theme = { 0 };
	struct config_error error = { 0 };
	assert_int_equal(theme_find("dusk", folders, &theme, &error), -ENOENT);
	assert_string_equal(error.text,
		arena_printf(arena,
			"theme: no dusk.yaml in /nonexistent, %s, themes; there are default, "
			"light, solarized, high-contrast, colour-blind-safe, mono",
			folder));
	assert_int_equal(theme_find("ligth", empty, &theme, &error), -ENOENT);
	assert_string_equal(
		error.text, "theme: no ligth.yaml in /nonexistent; did you mean light?");
	/* A name of the file has its line; one of an option replaces it. */
	static const char file[] = "interval: 2\ntheme: ligth\n";
	struct config *config;
	assert_int_equal(config_parse("f.yaml", file, strlen(file), &config, &error), 0);
	assert_int_equal(config_find_theme(config, empty, &theme, &error), -ENOENT);
	assert_string_equal(
		error.text, "f.yaml:2: theme: no ligth.yaml in /nonexistent; did you mean light?");
	assert_int_equal(config_set(config, "theme", "drak", "--theme", &error), 0);
	assert_int_equal(config_find_theme(config, empty, &theme, &error), -ENOENT);
	assert_memory_equal(error.text, "theme: no drak.yaml", 19);
	config_free(config);
	put(night, "styles: {title: {fg: 99}}\n");
	assert_int_equal(theme_find("night", folders, &theme, &error), 0);
	assert_string_equal(theme.name, "night");
	assert_int_equal(theme.styles[STYLE_TITLE].fg, 99);
	put(night, "styles: {titel: {fg: 99}}\n");
	assert_int_equal(theme_find("night", folders, &theme, &error), -EINVAL);
	assert_string_equal(error.text,
		arena_printf(
			arena, "%s:1: styles.titel: unknown style; did you mean title?", night));
	assert_int_equal(theme_find("default", folders, &theme, &error), 0);
	assert_int_equal(theme_find("default", empty, &theme, &error), 0);
	assert_string_equal(theme.name, "default");
	assert_true(theme.styles[STYLE_LEAKED].bold);
	assert_int_equal(unlink(night), 0);
	assert_int_equal(rmdir(folder), 0);
	arena_free(arena);
}

static void folders_end_with_the_source_tree(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	const char *const *folders = theme_folders(arena, "/home/u/.config/dbtop");
	assert_string_equal(folders[0], "/home/u/.config/dbtop/themes");
	assert_non_null(strstr(folders[1], "/dbtop/themes"));
	assert_null(folders[3]);
	struct theme theme;
	struct config_error error = { 0 };
	assert_int_equal(
		theme_load(arena_printf(arena, "%s/default.yaml", folders[2]), &theme, &error), 0);
	folders = theme_folders(arena, NULL);
	assert_null(folders[2]);
	arena_free(arena);
}

int main(void)
{
	setlocale(LC_ALL, "C.UTF-8");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(colours_and_attributes_are_read),
		cmocka_unit_test(what_is_missing_is_as_text),
		cmocka_unit_test(what_is_laid_over_is_never_without_effect),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(built_in_are_the_files),
		cmocka_unit_test(every_file_is_built_in),
		cmocka_unit_test(every_theme_can_be_read),
		cmocka_unit_test(every_theme_shows_what_matters),
		cmocka_unit_test(colour_blind_safe_is),
		cmocka_unit_test(names_are_listed_once),
		cmocka_unit_test(colours_fall_to_the_nearest),
		cmocka_unit_test(every_colour_has_a_place_in_every_palette),
		cmocka_unit_test(reducing_loses_no_background),
		cmocka_unit_test(names_are_names),
		cmocka_unit_test(themes_are_found_in_order),
		cmocka_unit_test(folders_end_with_the_source_tree),
	};
	return cmocka_run_group_tests_name("theme", tests, NULL, NULL);
}
