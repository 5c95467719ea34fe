/* config/theme: a theme is taken whole or refused, and fits a terminal of any number of colours. */
#include <string.h>

#include "config/theme.h"
#include "fuzz.h"

static void check_colors(const struct theme *theme, int colors)
{
	struct theme reduced = theme_reduce(theme, colors);
	for (size_t i = 0; i < STYLE_COUNT; i++) {
		MUST(reduced.styles[i].fg >= THEME_DEFAULT && reduced.styles[i].fg < colors);
		MUST(reduced.styles[i].bg >= THEME_DEFAULT && reduced.styles[i].bg < colors);
	}
}

bool fuzz_one(const uint8_t *data, size_t size)
{
	struct theme theme;
	struct config_error error = { 0 };
	if (theme_parse("fuzz.yaml", (const char *)data, size, &theme, &error) < 0) {
		MUST(error.text[0] && !strchr(error.text, '\n') && !strchr(error.text, '\x1b'));
		return false;
	}
	check_colors(&theme, 256);
	check_colors(&theme, 16);
	check_colors(&theme, 8);
	return true;
}
