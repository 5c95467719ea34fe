#include "proc/users.h"

#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"

struct users {
	struct arena *arena;
	struct map *by_uid; /* uid → index into names */
	const char **names;
	uint32_t n_names;
};

struct users *users_new(void)
{
	struct users *users = mem_alloc(sizeof(*users));
	users->arena = arena_new();
	users->by_uid = map_new(users->arena, 16);
	return users;
}

void users_free(struct users *users)
{
	if (!users)
		return;
	arena_free(users->arena);
	free(users->names);
	free(users);
}

static const char *look_up_user(struct arena *arena, uint32_t uid)
{
	char bytes[4096];
	struct passwd entry, *found = NULL;
	if (getpwuid_r(uid, &entry, bytes, sizeof(bytes), &found) == 0 && found &&
		found->pw_name[0])
		return text_clean(arena, found->pw_name, strlen(found->pw_name), TEXT_LINE);
	return arena_printf(arena, "%" PRIu32, uid);
}

const char *users_name(struct users *users, uint32_t uid)
{
	uint32_t i = map_get(users->by_uid, uid);
	if (i == MAP_NONE) {
		i = users->n_names++;
		users->names = mem_resize(users->names, users->n_names, sizeof(*users->names));
		users->names[i] = look_up_user(users->arena, uid);
		map_set(users->by_uid, uid, i);
	}
	return users->names[i];
}
