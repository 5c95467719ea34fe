#include "watch/pool_phases.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/map.h"
#include "base/mem.h"
#include "collect/page_hooks.h"
#include "model/pool.h"
#include "model/shutdown.h"
#include "page/reader.h"

/* A stats page of the application, and what was read from it last. */
struct page_watch {
	char *path;
	int32_t inner_pid; /* with the next two: who wrote it */
	uint64_t pid_namespace, start_ticks;
	int fd;                   /* −1: not open yet */
	struct pool_reading last; /* previous_at: of the last reading */
	enum page_phase phase;
	bool known; /* the phase has been read */
	bool gone;  /* the file was removed, and has been read after that */
};

struct pool_phases {
	struct page_watch *pages;
	size_t count, room;
	uint32_t numbered; /* pages so far */
	struct pool_reading *readings;
	struct page_host host;
	struct page_copy copy;
};

static void free_page(struct page_watch *page)
{
	free(page->path);
	if (page->fd >= 0)
		close(page->fd);
}

struct pool_phases *pool_phases_new(void)
{
	struct pool_phases *phases = mem_alloc(sizeof(*phases));
	page_host_read("/proc", &phases->host);
	return phases;
}

void pool_phases_free(struct pool_phases *phases)
{
	if (!phases)
		return;
	for (size_t i = 0; i < phases->count; i++)
		free_page(&phases->pages[i]);
	free(phases->pages);
	free(phases->readings);
	free(phases);
}

/* Another process may have put its page in this place. */
static bool is_same_writer(const struct page_watch *page, const struct page_copy *copy)
{
	return copy->pid == page->inner_pid && copy->pid_namespace == page->pid_namespace &&
		copy->start_ticks == page->start_ticks;
}

/* Opens the page and reads it: a page_status or a negative errno. */
static int open_page(struct pool_phases *phases, struct page_watch *page)
{
	const char *slash = strrchr(page->path, '/');
	CLEANUP(cleanup_free)
	char *path = slash ? strndup(page->path, (size_t)(slash - page->path)) : NULL;
	CLEANUP(cleanup_fd) int folder = path ? page_open_folder(path) : -1;
	int r = folder < 0 ? -ENOENT
			   : page_open(folder, slash + 1, &phases->host, &phases->copy, &page->fd);
	if (page->fd >= 0 && !is_same_writer(page, &phases->copy)) {
		close(page->fd);
		page->fd = -1;
		r = -ENOENT;
	}
	page->gone = r == -ENOENT;
	return r;
}

/* An outbox that was closed and keeps nothing is not on the page any more. */
static int64_t count_waiting(const struct page_outbox *outbox, int64_t before)
{
	if (outbox->count)
		return outbox->waiting;
	return before < 0 ? -1 : 0;
}

static bool read_page(struct pool_phases *phases, struct page_watch *page)
{
	const struct page_copy *copy = &phases->copy;
	if (page->gone)
		return false;
	int r = page->fd < 0 ? open_page(phases, page)
			     : page_reread(page->fd, &phases->host, &phases->copy, &page->gone);
	if (r != PAGE_OK && r != PAGE_DEAD_OWNER)
		return false;
	int64_t pending = copy->totals.pending_writes;
	page->last.is_new_phase =
		page->known && copy->phase != page->phase && copy->phase > PAGE_RUNNING;
	page->last.phase = page_phase_name(copy->phase);
	page->last.pending_before = page->last.pending;
	page->last.outbox_before = page->last.outbox;
	page->last.outbox = count_waiting(&copy->totals.outbox, page->last.outbox);
	page->last.pending = pending == PAGE_UNKNOWN ? -1 : pending;
	page->last.n_hooks = page_hooks_read(copy, page->last.hooks);
	page->last.runs_hooks[POOL_HOOK_STOP] = copy->phase == PAGE_STOPPING;
	page->last.runs_hooks[POOL_HOOK_FLUSH] = copy->phase == PAGE_FLUSHING;
	page->last.runs_hooks[POOL_HOOK_CLOSED] = copy->phase == PAGE_CLOSING;
	page->phase = copy->phase;
	page->known = true;
	return true;
}

static void add(struct pool_phases *phases, const struct pool_page *found)
{
	for (size_t i = 0; i < phases->count; i++)
		if (strcmp(phases->pages[i].path, found->path) == 0)
			return;
	phases->pages =
		mem_grow(phases->pages, phases->count, &phases->room, sizeof(*phases->pages));
	phases->readings = mem_resize(phases->readings, phases->room, sizeof(*phases->readings));
	phases->pages[phases->count++] = (struct page_watch){
		.path = mem_strdup(found->path),
		.inner_pid = found->inner_pid,
		.pid_namespace = found->pid_namespace,
		.start_ticks = found->start_ticks,
		.fd = -1,
		.last = { .pid = found->pid,
			.page = ++phases->numbered,
			.previous_at = INSTANT_UNKNOWN,
			.pending = -1,
			.outbox = -1 },
	};
	/* at once: it may be removed before the next sample */
	struct page_watch *page = &phases->pages[phases->count - 1];
	if (read_page(phases, page))
		page->last.previous_at = instant_monotonic();
}

/* A process of another machine or pid namespace may have the same pid, and may have begun at the
 * same moment: so do the first processes of two containers that are started together. */
static bool is_readable(const struct pool_page *page)
{
	bool has_contents = page->status == POOL_PAGE_LIVE || page->status == POOL_PAGE_DEAD;
	return has_contents && page->path && page->owner_visible && !page->host;
}

void pool_phases_find(struct pool_phases *phases, const struct pool_pages *pages,
	const struct shutdown_record *record)
{
	struct arena *arena = arena_new();
	const struct map *processes = shutdown_index_processes(record, arena);
	for (size_t i = 0; pages && i < pages->count; i++) {
		const struct pool_page *page = &pages->items[i];
		if (is_readable(page) &&
			map_get(processes, shutdown_identity(page->pid, page->start_ticks)) !=
				MAP_NONE)
			add(phases, page);
	}
	arena_free(arena);
}

const struct pool_reading *pool_phases_read(
	struct pool_phases *phases, int64_t now, size_t *ret_count)
{
	*ret_count = 0;
	for (size_t i = 0; i < phases->count; i++) {
		struct page_watch *page = &phases->pages[i];
		if (!read_page(phases, page))
			continue;
		phases->readings[(*ret_count)++] = page->last;
		page->last.previous_at = now;
	}
	return phases->readings;
}

/* True if the pool was closing its connections when it removed its page. An application that ends
 * without closing its pool may remove the page all the same: libdbpage's users do. */
static bool is_over(const struct page_watch *page)
{
	return page->known && page->gone && page->phase >= PAGE_CLOSING;
}

bool pool_phases_are_over(const struct pool_phases *phases, int32_t pid)
{
	bool any = false;
	for (size_t i = 0; i < phases->count; i++) {
		if (phases->pages[i].last.pid != pid)
			continue;
		if (!is_over(&phases->pages[i]))
			return false;
		any = true;
	}
	return any;
}

static bool has_another(
	const struct pool_phases *phases, size_t from, const struct page_watch *page)
{
	for (size_t i = from; i < phases->count; i++)
		if (phases->pages[i].last.pid == page->last.pid)
			return true;
	return false;
}

static bool is_recorded(const struct shutdown_record *record, int32_t pid)
{
	for (size_t i = 0; i < record->n_processes; i++)
		if (record->processes[i].pid == pid)
			return true;
	return false;
}

void pool_phases_forget(struct pool_phases *phases, const struct shutdown_record *record)
{
	size_t kept = 0;
	for (size_t i = 0; i < phases->count; i++) {
		struct page_watch *page = &phases->pages[i];
		bool is_evidence = page->known && is_recorded(record, page->last.pid) &&
			(!is_over(page) || !has_another(phases, i + 1, page));
		if (!page->gone || is_evidence)
			phases->pages[kept++] = *page;
		else
			free_page(page);
	}
	phases->count = kept;
}
