/* The built-in themes, and the names of all themes. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "config/builtin.h"
#include "config/theme.h"

#define SUFFIX ".yaml"

/* More than anyone has; of a folder with more only the first are listed. */
#define NAMES_MAX 256

static const struct {
	const char *name, *text;
} themes[] = { BUILTIN_THEMES };
#define THEMES (sizeof(themes) / sizeof(themes[0]))

int theme_builtin(const char *name, struct theme *ret_theme)
{
	for (size_t i = 0; i < THEMES; i++) {
		struct config_error error;
		if (strcmp(name, themes[i].name) != 0)
			continue;
		if (theme_parse(name, themes[i].text, strlen(themes[i].text), ret_theme, &error) <
			0)
			abort(); /* The built-in theme is wrong; a test reads all of them. */
		return 0;
	}
	return -ENOENT;
}

struct names {
	struct arena *arena;
	const char **items; /* Room for NAMES_MAX names and the NULL after them. */
	size_t count;
};

static bool has(const struct names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->items[i], name) == 0)
			return true;
	return false;
}

static void add(struct names *names, const char *name)
{
	if (names->count < NAMES_MAX && theme_name_is_valid(name) && !has(names, name))
		names->items[names->count++] = arena_strdup(names->arena, name);
}

static void add_folder(struct names *names, const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	while (dir && (entry = readdir(dir))) {
		size_t length = strlen(entry->d_name), suffix = sizeof(SUFFIX) - 1;
		if (length > suffix && strcmp(entry->d_name + length - suffix, SUFFIX) == 0)
			add(names, arena_strndup(names->arena, entry->d_name, length - suffix));
	}
	if (dir)
		closedir(dir);
}

static int compare(const void *left, const void *right)
{
	return strcmp(*(const char *const *)left, *(const char *const *)right);
}

const char *const *theme_names(struct arena *arena, const char *const *folders)
{
	struct names names = {
		.arena = arena,
		.items = arena_array(arena, NAMES_MAX + 1, sizeof(*names.items)),
	};
	for (size_t i = 0; i < THEMES; i++)
		add(&names, themes[i].name);
	for (; *folders; folders++)
		add_folder(&names, *folders);
	qsort(names.items + THEMES, names.count - THEMES, sizeof(*names.items), compare);
	return names.items;
}
