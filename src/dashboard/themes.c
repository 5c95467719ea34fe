/* Themes are in the user's folder and the installed ones, or are built in. */
#include "dashboard/themes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "config/config.h"
#include "dashboard/dashboard.h"
#include "dashboard/display.h"
#include "modes/app.h"
#include "tui/tui.h"

static const char *const *folders(struct arena *arena)
{
	const struct config_places places =
		config_places(arena, getenv("XDG_CONFIG_HOME"), getenv("HOME"));
	return theme_folders(arena, places.user);
}

static int load(const struct app *app, struct theme *ret_theme)
{
	struct arena *arena = arena_new();
	struct config_error error;
	int r = config_find_theme(app->config, folders(arena), ret_theme, &error);
	if (r < 0)
		fprintf(stderr, "dbtop: %s\n", error.text);
	arena_free(arena);
	return r;
}

int themes_check(const struct app *app)
{
	struct theme theme;
	return load(app, &theme);
}

int themes_load(struct display *display)
{
	return load(display->app, &display->theme);
}

/* If the current theme is not in the list any more, the first one follows. */
static size_t place_after(const char *const *names, const char *name)
{
	for (size_t i = 0; names[i]; i++)
		if (strcmp(names[i], name) == 0)
			return names[i + 1] ? i + 1 : 0;
	return 0;
}

void themes_next(struct dashboard *dashboard)
{
	struct arena *arena = arena_new();
	const char *const *names = theme_names(arena, folders(arena));
	struct display *display = dashboard->display;
	struct theme *theme = &display->theme;
	size_t count = 0, at = place_after(names, theme->name);
	char notice[sizeof(struct config_error) + 64];
	struct config_error error = { 0 };
	while (names[count])
		count++;
	for (size_t tries = 0; tries < count; tries++, at = (at + 1) % count) {
		if (theme_find(names[at], folders(arena), theme, &error) == 0)
			break;
	}
	tui_set_theme(display->tui, theme);
	if (*error.text)
		snprintf(notice, sizeof(notice), "skipped: %s", error.text);
	else
		snprintf(notice, sizeof(notice), "theme %s (%zu of %zu)   dbtop -t %s keeps it",
			theme->name, at + 1, count, theme->name);
	ui_notice(&dashboard->ui, *error.text ? STYLE_CAUTION : STYLE_TEXT, notice);
	arena_free(arena);
}
