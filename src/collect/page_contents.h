/* A stats page as plain data, and the process that wrote it. */
#ifndef COLLECT_PAGE_CONTENTS_H
#define COLLECT_PAGE_CONTENTS_H

#include <stdint.h>

struct arena;
struct page_copy;
struct peers;
struct pool_page;
struct process;

/* Describes a page that page/reader found with that page_status or negative errno. `copy` may be
 * NULL. What it describes is in the arena. */
struct pool_page page_contents_read(struct arena *arena, const char *path, int status,
	int64_t read_at, const struct page_copy *copy);

/* Finds the living process that wrote the page, by the pid that it has in its own pid namespace;
 * NULL if it is not among the peers. It must be a process of the page's user and, if
 * `mount_namespace` is not 0, live in that one. */
const struct process *page_contents_writer(
	const struct peers *peers, const struct page_copy *copy, uint64_t mount_namespace);

/* Sets the page's process. */
void page_contents_set_writer(
	struct arena *arena, struct pool_page *page, const struct process *writer);

#endif
