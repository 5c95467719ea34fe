#include "dbpage/prune.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "page/reader.h"
#include "page/writer.h"

#define MOST_DEAD 64

struct dead {
	const char *name;
	unsigned count;
	int64_t created; /* of the oldest one */
	int32_t pid;
	uint64_t start_ticks;
	char path[PAGE_PATH_MAX];
};

static void on_found(void *data, const char *path, int status, const struct page_copy *copy)
{
	struct dead *dead = data;
	if (status != PAGE_DEAD_OWNER || strncmp(copy->name, dead->name, PAGE_NAME_MAX - 1) != 0)
		return;
	if (dead->count++ > 0 && copy->created >= dead->created)
		return;
	dead->created = copy->created;
	dead->pid = copy->pid;
	dead->start_ticks = copy->start_ticks;
	strcpy(dead->path, path);
}

void prune(const char *folder, const char *name)
{
	char path[PAGE_PATH_MAX];
	struct page_host host;
	struct dead dead = { .name = name };
	CLEANUP(cleanup_free) struct page_copy *buffer = malloc(sizeof(*buffer));
	if (!buffer || page_folder(folder, path, sizeof(path)) < 0)
		return;
	page_host_read("/proc", &host);
	(void)page_scan(path, &host, buffer, on_found, &dead);
	if (dead.count >= MOST_DEAD)
		(void)!page_clear(dead.path, &host, dead.pid, dead.start_ticks, buffer);
}
