/* The processes of the container that an engine's client started.
 *
 * With docker, and with any client of an engine on another machine or in another process, the
 * container's processes are no descendants of the client. The engine writes the container's id into
 * a file (--cidfile), and the processes have that id in the path of their control group. */
#ifndef COLLECT_FOLLOWED_CONTAINER_H
#define COLLECT_FOLLOWED_CONTAINER_H

#include <stdbool.h>
#include <stdint.h>

#define CONTAINER_ID_DIGITS 64

struct procfs;

struct followed_container {
	char *id_file;  /* NULL: no container is followed */
	uint64_t since; /* start ticks of the client: the container's processes are not older */
	char id[CONTAINER_ID_DIGITS + 1]; /* "" until the engine has written it */
	bool seen;                        /* a process of it was found */
};

/* Reads the id, unless it is known. */
void followed_container_read_id(struct followed_container *container);

/* Whether the process is in the container. The engine's own processes beside it are not. */
bool followed_container_has(const struct followed_container *container, const struct procfs *procfs,
	int32_t pid, uint64_t start_ticks);

#endif
