#include "watch/record_pages.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "model/assessment.h"
#include "model/pool.h"
#include "model/shutdown.h"

static uint64_t key_of(const char *path)
{
	uint64_t key = 0;
	for (; *path; path++)
		key = map_mix(key, (unsigned char)*path);
	return key;
}

static bool has_contents(const struct pool_page *page)
{
	return page->status == POOL_PAGE_LIVE || page->status == POOL_PAGE_DEAD;
}

/* Whether the application wrote the page: one of its sessions is on it. Without contents, the
 * file's name begins with the pid of one of its processes. */
static bool is_own(
	const struct pool_page *page, const struct map *sessions, const struct map *processes)
{
	int32_t pid;
	const char *slash = strrchr(page->path, '/');
	for (size_t i = 0; i < page->n_slots; i++) {
		const struct pool_slot *slot = &page->slots[i];
		if (slot->backend_pid && slot->backend_start != INSTANT_UNKNOWN &&
			map_get(sessions,
				shutdown_identity(slot->backend_pid,
					(uint64_t)slot->backend_start)) != MAP_NONE)
			return true;
	}
	return !has_contents(page) &&
		sscanf(slash ? slash + 1 : page->path, "%" SCNd32 "-", &pid) == 1 &&
		map_get(processes, (uint64_t)pid) != MAP_NONE;
}

static void note_pages(struct shutdown_record *record, const struct pool_pages *pages)
{
	struct arena *arena = arena_new();
	const struct map *sessions = shutdown_index_sessions(record, arena);
	const struct map *processes = shutdown_index_pids(record, arena);
	struct map *known = map_new(arena, record->n_unread);
	for (size_t i = 0; i < record->n_unread; i++)
		map_set(known, record->unread[i].key, (uint32_t)i);
	for (size_t i = 0; i < pages->count; i++) {
		const struct pool_page *page = &pages->items[i];
		if (!page->path || page->host)
			continue;
		bool read = has_contents(page) && page->owner_visible;
		uint64_t key = key_of(page->path);
		uint32_t at = map_get(known, key);
		if (at == MAP_NONE && read)
			continue;
		struct unread_page *unread =
			at == MAP_NONE ? shutdown_add_unread(record) : &record->unread[at];
		unread->key = key;
		unread->read |= read;
		unread->own |= !read && is_own(page, sessions, processes);
	}
	arena_free(arena);
}

void record_pages(struct shutdown_record *record, const struct assessment *assessment)
{
	const struct pool_pages *pages = assessment->pages;
	const char *error = pages ? NULL : "none was read in time";
	if (pages && assessment->n_sources > SOURCE_PAGES)
		error = assessment->sources[SOURCE_PAGES].error;
	bool begun = shutdown_has_begun(record);
	if (!begun || error)
		snprintf(
			record->pages_error, sizeof(record->pages_error), "%s", error ? error : "");
	if (!begun)
		record->n_unread = 0;
	if (pages)
		note_pages(record, pages);
}
