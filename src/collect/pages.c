/* Copies stats pages to plain data, and describes their owners from /proc. */
#include "collect/pages.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/plural.h"
#include "base/text.h"
#include "collect/page_hooks.h"
#include "loop/worker.h"
#include "model/assessment.h"
#include "model/peers.h"
#include "model/pool.h"
#include "page/reader.h"
#include "proc/procfs.h"

/* The maximum number of pages read from all folders: a full /tmp must not make dbtop slow. */
#define MOST_PAGES 1000

struct pages {
	struct pages_options options;
	char *folder; /* NULL: libdbpool's default folders */
	const struct pool_pages *latest;
	int error;         /* negative errno of the last scan's folder */
	char left_out[96]; /* a text about pages that the scan did not read; "" */
	struct worker *worker;

	/* the worker's while a scan runs */
	struct page_host host;
	struct procfs *procfs;
	struct page_copy *buffer;
	const struct pool_pages *before;
	struct pool_pages *block;
	size_t room;
	int scan_error;
	size_t scan_left_out, scan_others;
};

static void destroy(void *data)
{
	struct pages *pages = data;
	pool_pages_unref(pages->latest);
	pool_pages_unref(pages->before);
	pool_pages_unref(pages->block);
	procfs_free(pages->procfs);
	free(pages->buffer);
	free(pages->folder);
	free(pages);
}

static const char *text(struct arena *arena, const char *s)
{
	return *s ? text_clean(arena, s, strlen(s), TEXT_LINE) : NULL;
}

/* PAGE_UNKNOWN becomes INSTANT_UNKNOWN. */
static int64_t instant(int64_t value)
{
	return value == PAGE_UNKNOWN ? INSTANT_UNKNOWN : value;
}

static struct pool_slot read_slot(
	struct arena *arena, uint32_t number, const struct page_slot_copy *copy)
{
	static const enum pool_slot_state states[PAGE_SLOT_STATES] = {
		[PAGE_SLOT_IDLE] = POOL_SLOT_RESERVE,
		[PAGE_SLOT_HELD] = POOL_SLOT_IN_USE,
	};
	if (copy->torn)
		return (struct pool_slot){
			.number = number,
			.backend_start = INSTANT_UNKNOWN,
			.connected_at = INSTANT_UNKNOWN,
			.since = INSTANT_UNKNOWN,
		};
	return (struct pool_slot){
		.number = number,
		.state = states[copy->state],
		.backend_pid = copy->backend_pid,
		.backend_start = instant(copy->backend_start),
		.connected_at = instant(copy->opened),
		.since = instant(copy->since),
		.site = text(arena, copy->site),
		.thread = copy->thread,
		.borrowed = copy->uses,
		.reported = copy->state == PAGE_SLOT_HELD && copy->leaked,
	};
}

static void read_slots(struct arena *arena, const struct page_copy *copy, struct pool_page *page)
{
	page->slots = arena_array(arena, copy->n_slots, sizeof(*page->slots));
	page->n_slots = copy->n_slots;
	page->held_max = -1;
	for (uint32_t i = 0; i < copy->n_slots; i++) {
		struct pool_slot *slot = &page->slots[i];
		*slot = read_slot(arena, i + 1, &copy->slots[i]);
		if (slot->state != POOL_SLOT_IN_USE)
			continue;
		int64_t held = instant_elapsed(slot->since, page->read_at);
		if (held <= page->held_max)
			continue;
		page->held_max = held;
		page->held_site = slot->site;
	}
}

static struct pool_outbox read_outbox(const struct page_outbox *outbox)
{
	return (struct pool_outbox){
		.present = outbox->count > 0,
		.waiting = outbox->waiting,
		.rejected = (int64_t)outbox->rejected,
		.oldest_at = outbox->waiting && outbox->oldest_realtime ? outbox->oldest_realtime
									: INSTANT_UNKNOWN,
		.fsync = outbox->fsync == PAGE_FSYNC_FULL ? POOL_FSYNC_FULL : POOL_FSYNC_NORMAL,
	};
}

static void read_contents(struct arena *arena, const struct page_copy *copy, struct pool_page *page)
{
	const struct page_sums *totals = &copy->totals;
	page->name = text(arena, copy->name);
	page->pid = copy->pid;
	page->start_ticks = copy->start_ticks;
	page->uid = copy->uid;
	page->owner_visible = copy->owner_visible;
	page->server = text(arena, copy->server);
	page->phase = page_phase_name(copy->phase);
	page->min = (int)copy->limits.min;
	page->max = (int)copy->limits.max;
	page->in_use = (int)totals->held;
	page->idle = (int)totals->idle;
	page->waiting = totals->waiters > INT32_MAX ? INT32_MAX : (int)totals->waiters;
	page->acquired_total = totals->acquired;
	page->lost_slots = totals->lost_slots;
	page->timeouts = totals->timeouts;
	page->errors = totals->errors;
	_Static_assert(sizeof(page->wait) == sizeof(totals->wait), "the same buckets");
	memcpy(page->wait, totals->wait, sizeof(page->wait));
	page->wait_p99 = page_percentile(totals->wait, 0.99);
	page->held_limit = copy->limits.held > 0 ? copy->limits.held : -1;
	page->pending_writes = totals->pending_writes == PAGE_UNKNOWN ? -1 : totals->pending_writes;
	page->outbox = read_outbox(&totals->outbox);
	page->uptime = instant_elapsed(instant(copy->created), page->read_at);
	read_slots(arena, copy, page);
	page->hooks = arena_array(arena, POOL_HOOKS_MAX, sizeof(*page->hooks));
	page->n_hooks = page_hooks_read(copy, page->hooks);
}

/* The same page in the scan before, or NULL. */
static const struct pool_page *find_before(const struct pages *pages, const struct pool_page *page)
{
	for (size_t i = 0; pages->before && i < pages->before->count; i++) {
		const struct pool_page *before = &pages->before->items[i];
		if (before->pid == page->pid && before->start_ticks == page->start_ticks &&
			strcmp(before->path, page->path) == 0)
			return before;
	}
	return NULL;
}

/* An owner can be described only while it lives; the description is then kept. */
static const struct process *describe_owner(
	struct pages *pages, const struct pool_page *page, const struct pool_page *before)
{
	struct arena *arena = pages->block->arena;
	struct procfs_stat stat;
	struct process *process = arena_alloc(arena, sizeof(*process));
	if (before && before->process) {
		*process = process_copy(arena, before->process);
		return process;
	}
	if (!page->owner_visible || page->status != POOL_PAGE_LIVE)
		return NULL;
	if (procfs_describe(pages->procfs, arena, page->pid, process, &stat) < 0 ||
		stat.start_ticks != page->start_ticks)
		return NULL;
	return process;
}

static bool is_taken(const struct pages *pages, int32_t pid)
{
	struct procfs_stat stat;
	int r = procfs_stat(pages->procfs, pid, &stat);
	return r != -ESRCH && (r < 0 || !procfs_has_ended(&stat));
}

static const char *error_of(int status)
{
	switch (status) {
	case PAGE_DAMAGED: return "it is damaged, or no stats page";
	case PAGE_FOREIGN: return "it is another user's, or others may write to it";
	case PAGE_TOO_NEW: return "a newer libdbpool wrote it";
	case -EACCES: return "dbtop may not read it";
	default: return status < 0 ? strerror(-status) : NULL;
	}
}

static enum pool_page_status status_of(int status)
{
	switch (status) {
	case PAGE_OK: return POOL_PAGE_LIVE;
	case PAGE_DEAD_OWNER: return POOL_PAGE_DEAD;
	case PAGE_TOO_NEW: return POOL_PAGE_TOO_NEW;
	case PAGE_FOREIGN: return POOL_PAGE_FOREIGN;
	default: return status == -EACCES ? POOL_PAGE_FOREIGN : POOL_PAGE_DAMAGED;
	}
}

static void on_found(void *data, const char *path, int status, const struct page_copy *copy)
{
	struct pages *pages = data;
	struct pool_pages *block = pages->block;
	/* removed during the scan: its pool was closed properly */
	if (status == -ENOENT)
		return;
	block->items = arena_grow(
		block->arena, block->items, block->count, &pages->room, sizeof(*block->items));
	struct pool_page *page = &block->items[block->count++];
	*page = (struct pool_page){
		.path = text_clean(block->arena, path, strlen(path), TEXT_LINE),
		.status = status_of(status),
		.error = error_of(status),
		.read_at = block->read_at,
		.dead_since = INSTANT_UNKNOWN,
		.held_limit = -1,
		.held_max = -1,
		.wait_p99 = -1,
		.pending_writes = -1,
	};
	if (!copy)
		return;
	read_contents(block->arena, copy, page);
	const struct pool_page *before = find_before(pages, page);
	page->process = describe_owner(pages, page, before);
	if (page->status == POOL_PAGE_DEAD)
		page->pid_taken = is_taken(pages, page->pid);
	if (page->status == POOL_PAGE_DEAD)
		page->dead_since = before && before->status == POOL_PAGE_DEAD ? before->dead_since
									      : instant_now();
}

static void scan_on_worker(void *data)
{
	struct pages *pages = data;
	pages->room = 0;
	pages->scan_error = 0;
	pages->block->read_at = instant_now();
	pages->scan_left_out = 0;
	pages->scan_others = pages->folder ? 0 : page_count_others();
	pages->scan_error = pages->folder
		? page_scan_folders(&pages->folder, 1, MOST_PAGES, &pages->host, pages->buffer,
			  on_found, pages, &pages->scan_left_out)
		: page_scan_all(&pages->host, MOST_PAGES, pages->buffer, on_found, pages,
			  &pages->scan_left_out);
}

static void after_scan(void *data)
{
	struct pages *pages = data;
	pool_pages_unref(pages->before);
	pages->before = NULL;
	pool_pages_unref(pages->latest);
	pages->latest = pages->block;
	pages->block = NULL;
	pages->error = pages->scan_error;
	pages->left_out[0] = '\0';
	if (pages->scan_left_out)
		snprintf(pages->left_out, sizeof(pages->left_out),
			"%zu stats pages more than are read", pages->scan_left_out);
	else if (pages->scan_others)
		snprintf(pages->left_out, sizeof(pages->left_out),
			"stats pages of %zu other user%s are not read: dbtop as root reads them",
			pages->scan_others, plural_s(pages->scan_others));
	pages->options.published(pages->options.data);
}

struct pages *pages_new(uv_loop_t *loop, const struct pages_options *options)
{
	struct pages *pages = mem_alloc(sizeof(*pages));
	const struct worker_callbacks callbacks = { pages, scan_on_worker, after_scan, destroy };
	pages->worker = worker_new(loop, &callbacks);
	pages->options = *options;
	if (options->folder && *options->folder)
		pages->folder = mem_strdup(options->folder);
	pages->buffer = mem_alloc(sizeof(*pages->buffer));
	pages->procfs = procfs_new(options->proc_root);
	page_host_read(options->proc_root, &pages->host);
	return pages;
}

bool pages_refresh(struct pages *pages)
{
	if (worker_is_busy(pages->worker))
		return false;
	pool_pages_unref(pages->block);
	pages->block = pool_pages_new();
	pages->before = pages->latest ? pool_pages_ref(pages->latest) : NULL;
	worker_start(pages->worker);
	return true;
}

void pages_free(struct pages *pages)
{
	if (pages)
		worker_free(pages->worker);
}

const struct pool_pages *pages_latest(const struct pages *pages)
{
	return pages->latest;
}

int64_t pages_busy_for(const struct pages *pages)
{
	return worker_busy_for(pages->worker);
}

struct source_state pages_source(const struct pages *pages)
{
	struct source_state source = {
		.name = "pages",
		.status = pages->latest ? SOURCE_OK : SOURCE_WAITING,
		.taken_at = pages->latest ? pages->latest->read_at : INSTANT_UNKNOWN,
	};
	if (pages->left_out[0])
		source.error = pages->left_out;
	if (pages->error) {
		source.status = SOURCE_FAILED;
		source.error = pages->error == -EPERM
			? "the folder is another user's, or others may write to it"
			: strerror(-pages->error);
	}
	return source;
}
