/* Finds the settings file. */
#include <errno.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "config/config.h"

#define SYSTEM_FOLDER "/etc/dbtop"

struct config_places config_places(struct arena *arena, const char *config_home, const char *home)
{
	const char *user = NULL;
	if (config_home && config_home[0] == '/')
		user = arena_printf(arena, "%s/dbtop", config_home);
	else if (home && home[0] == '/')
		user = arena_printf(arena, "%s/.config/dbtop", home);
	return (struct config_places){ .user = user, .system = SYSTEM_FOLDER };
}

/* A file without permission to read exists. Ignoring it would hide its settings
 * without an error. */
static bool exists(const char *path)
{
	struct stat status;
	return lstat(path, &status) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

int config_find(struct arena *arena, const char *explicit_path, const struct config_places *places,
	const char **ret_path)
{
	if (explicit_path) {
		*ret_path = explicit_path;
		return 0;
	}
	const char *const folders[] = { places->user, places->system };
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		if (!folders[i])
			continue;
		const char *path = arena_printf(arena, "%s/config.yaml", folders[i]);
		if (!exists(path))
			continue;
		*ret_path = path;
		return 0;
	}
	return 1;
}
