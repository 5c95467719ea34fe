/* Finds theme files. */
#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/text.h"
#include "config/builtin.h"
#include "config/nearest.h"
#include "config/theme.h"

const char *const *theme_folders(struct arena *arena, const char *user)
{
	const char **folders = arena_array(arena, 4, sizeof(*folders)), **end = folders;
	if (user)
		*end++ = arena_printf(arena, "%s/themes", user);
	*end++ = BUILTIN_THEMES_DIR;
	*end++ = BUILTIN_SOURCE_THEMES_DIR;
	return folders;
}

/* "a, b, c", clean. */
static const char *join(struct arena *arena, const char *const *items)
{
	const char *list = "";
	for (; *items; items++)
		list = arena_printf(arena, "%s%s%s", list, *list ? ", " : "", *items);
	return text_clean(arena, list, strlen(list), TEXT_LINE);
}

static int not_found(const char *name, const char *const *folders, struct config_error *ret_error)
{
	struct arena *arena = arena_new();
	const char *const *names = theme_names(arena, folders);
	size_t count = 0;
	while (names[count])
		count++;
	const char *nearest = nearest_name(name, names, count);
	error_set(ret_error, NULL, 0, "theme", "no %s.yaml in %s; %s%s%s",
		text_clean(arena, name, strlen(name), TEXT_LINE), join(arena, folders),
		nearest ? "did you mean " : "there are ",
		nearest ? text_clean(arena, nearest, strlen(nearest), TEXT_LINE)
			: join(arena, names),
		nearest ? "?" : "");
	arena_free(arena);
	return -ENOENT;
}

static int try_folder(const char *folder, const char *name, struct theme *ret_theme,
	struct config_error *ret_error)
{
	struct arena *arena = arena_new();
	int r = theme_load(arena_printf(arena, "%s/%s.yaml", folder, name), ret_theme, ret_error);
	arena_free(arena);
	return r;
}

int theme_find(const char *name, const char *const *folders, struct theme *ret_theme,
	struct config_error *ret_error)
{
	if (!theme_name_is_valid(name)) {
		char quote[ERROR_QUOTE_MAX];
		error_set(ret_error, NULL, 0, "theme",
			"expected the name of a file in themes/, without .yaml, found %s",
			error_quote(name, quote));
		return -EINVAL;
	}
	for (const char *const *folder = folders; *folder; folder++) {
		struct config_error error;
		int r = try_folder(*folder, name, ret_theme, &error);
		if (r == -ENOENT || r == -ENOTDIR)
			continue;
		if (r < 0)
			*ret_error = error;
		return r;
	}
	return theme_builtin(name, ret_theme) == 0 ? 0 : not_found(name, folders, ret_error);
}
