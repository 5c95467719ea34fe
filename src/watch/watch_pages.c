/* Reads the phases of the application's own shutdown from the stats pages of its pools. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/assessment.h"
#include "model/pool.h"
#include "page/reader.h"
#include "target/target.h"
#include "watch/watch_parts.h"

/* A stats page of the application, and the values read from it last. */
struct watch_page {
	struct watch_page *next;
	char *folder, *file;
	int32_t pid;
	enum page_phase phase;
	bool known;   /* phase has been read */
	bool gone;    /* the file was removed */
	bool removed; /* the file was removed after its phase had been read: the pool was closed */
	int64_t read_at; /* when the phase was read */
	int64_t pending; /* pending writes at the last reading */
	bool in_phase;   /* the pool is in a phase of its shutdown */
	size_t row;      /* the index of that phase in the record */
};

static void free_page(struct watch_page *page)
{
	free(page->folder);
	free(page->file);
	free(page);
}

static bool is_known(const struct watch *watch, const char *folder, const char *file)
{
	for (const struct watch_page *page = watch->pages; page; page = page->next)
		if (strcmp(page->folder, folder) == 0 && strcmp(page->file, file) == 0)
			return true;
	return false;
}

static void add_page(struct watch *watch, const struct pool_page *found)
{
	const char *slash = found->path ? strrchr(found->path, '/') : NULL;
	if (!slash)
		return;
	char *folder = mem_printf("%.*s", (int)(slash - found->path), found->path);
	if (is_known(watch, folder, slash + 1)) {
		free(folder);
		return;
	}
	struct watch_page *page = mem_alloc(sizeof(*page));
	page->folder = folder;
	page->file = mem_strdup(slash + 1);
	page->pid = found->pid;
	page->next = watch->pages;
	watch->pages = page;
}

void watch_find_pages(struct watch *watch)
{
	const struct pool_pages *pages = target_assessment(watch->target)->pages;
	for (size_t i = 0; pages && i < pages->count; i++)
		if (pages->items[i].status == POOL_PAGE_LIVE &&
			watch_owns(watch, pages->items[i].pid, pages->items[i].start_ticks))
			add_page(watch, &pages->items[i]);
}

static void note_writes(struct shutdown_phase *phase, int64_t pending, int64_t now)
{
	if (pending == PAGE_UNKNOWN)
		return;
	if (pending > phase->writes_first)
		phase->writes_first = pending;
	phase->writes_last = pending;
	if (pending == 0 && phase->writes_first > 0 && phase->drained_at == INSTANT_UNKNOWN)
		phase->drained_at = now;
}

static void begin_phase(
	struct watch *watch, struct watch_page *page, const struct page_copy *copy, int64_t now)
{
	const char *name = page_phase_name(copy->phase);
	struct shutdown_phase *phase = shutdown_add_phase(&watch->record);
	page->row = watch->record.n_phases - 1;
	phase->pid = page->pid;
	phase->name = text_clean(watch->record.arena, name, strlen(name), TEXT_LINE);
	phase->began_at = now;
	/* the previous number of pending writes: some may have been written since */
	phase->writes_first = page->in_phase ? copy->totals.pending_writes : page->pending;
	page->in_phase = true;
	note_writes(phase, copy->totals.pending_writes, now);
}

static void read_page(struct watch *watch, struct watch_page *page, int64_t now)
{
	struct page_copy *copy = watch->page_copy;
	int folder = open(page->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = folder < 0 ? folder : page_read(folder, page->file, watch->page_host, copy);
	if (folder >= 0)
		close(folder);
	page->gone = r == -ENOENT;
	page->removed = page->known && page->gone;
	if (r != PAGE_OK && r != PAGE_DEAD_OWNER)
		return;
	struct shutdown_phase *last = page->in_phase ? &watch->record.phases[page->row] : NULL;
	bool moved = page->known && copy->phase != page->phase && copy->phase > PAGE_RUNNING;
	page->phase = copy->phase;
	page->known = true;
	if (last)
		note_writes(last, copy->totals.pending_writes, now);
	if (moved && watch->record.signalled_at == INSTANT_UNKNOWN)
		watch_begin_by(watch, page->read_at, now, "its pool stops lending");
	if (moved)
		begin_phase(watch, page, copy, now);
	page->pending = copy->totals.pending_writes;
	page->read_at = now;
}

bool watch_closed_its_pools(const struct watch *watch, int32_t pid)
{
	bool any = false;
	for (const struct watch_page *page = watch->pages; page; page = page->next) {
		if (page->pid == pid && !page->removed)
			return false;
		any = any || page->pid == pid;
	}
	return any;
}

void watch_read_pages(struct watch *watch, int64_t now)
{
	if (!watch->pages)
		return;
	if (!watch->page_copy) {
		watch->page_copy = mem_alloc(sizeof(*watch->page_copy));
		watch->page_host = mem_alloc(sizeof(*watch->page_host));
		page_host_read("/proc", watch->page_host);
	}
	for (struct watch_page *page = watch->pages; page; page = page->next)
		read_page(watch, page, now);
}

static bool has_another_page(const struct watch *watch, const struct watch_page *page)
{
	for (const struct watch_page *other = watch->pages; other; other = other->next)
		if (other != page && other->pid == page->pid)
			return true;
	return false;
}

/* Keeps one ended page for each process, as the evidence that its pools were closed in order. */
void watch_forget_ended_pages(struct watch *watch)
{
	for (struct watch_page **link = &watch->pages; *link;) {
		struct watch_page *page = *link;
		if (!page->gone ||
			(page->removed && watch_find_pid(watch, page->pid) &&
				!has_another_page(watch, page))) {
			link = &page->next;
			continue;
		}
		*link = page->next;
		free_page(page);
	}
}

void watch_forget_pages(struct watch *watch)
{
	while (watch->pages) {
		struct watch_page *page = watch->pages;
		watch->pages = page->next;
		free_page(page);
	}
	free(watch->page_copy);
	free(watch->page_host);
}
