#include "collect/followed_container.h"

#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "proc/cgroup.h"
#include "proc/procfs.h"
#include "proc/read_file.h"

void followed_container_read_id(struct followed_container *container)
{
	char text[CONTAINER_ID_DIGITS + 1];
	if (!container->id_file || container->id[0])
		return;
	/* the user may have named any file: opening a FIFO must not wait */
	CLEANUP(cleanup_fd)
	int fd = open(container->id_file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || read(fd, text, CONTAINER_ID_DIGITS) != CONTAINER_ID_DIGITS)
		return;
	for (size_t i = 0; i < CONTAINER_ID_DIGITS; i++)
		if (!isxdigit((unsigned char)text[i]))
			return;
	text[CONTAINER_ID_DIGITS] = '\0';
	memcpy(container->id, text, sizeof(text));
}

bool followed_container_has(const struct followed_container *container, const struct procfs *procfs,
	int32_t pid, uint64_t start_ticks)
{
	char path[32], text[4096];
	if (!container->id[0] || start_ticks < container->since)
		return false;
	snprintf(path, sizeof(path), "%" PRId32 "/cgroup", pid);
	if (read_file(procfs_root(procfs), path, text, sizeof(text)) < 0)
		return false;
	struct arena *arena = arena_new();
	const char *id = cgroup_parse(arena, text).container_id;
	bool has = id && strcmp(id, container->id) == 0;
	arena_free(arena);
	return has;
}
