/* Copies stats pages to plain data, and describes their owners from /proc. */
#include "collect/pages.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/plural.h"
#include "collect/page_contents.h"
#include "collect/private_pages.h"
#include "loop/handle.h"
#include "loop/worker.h"
#include "model/assessment.h"
#include "model/peers.h"
#include "model/pool.h"
#include "page/reader.h"
#include "proc/procfs.h"

/* The maximum number of pages read from all folders: a full /tmp must not make dbtop slow. */
#define MOST_PAGES 1000

/* How long the others wait for the private pages, in ms. */
#define PRIVATE_MS 400

struct pages {
	struct pages_options options;
	char *folder; /* NULL: libdbpool's default folders */
	const struct pool_pages *latest;
	int error; /* negative errno of the last scan's folder */
	char *error_text;
	char left_out[120]; /* a text about pages that the scan did not read; "" */
	struct worker *worker;
	struct private_pages *private;
	uv_timer_t *timer;         /* for the private pages */
	bool awaits_private;       /* this scan's private pages */
	int32_t hangs;             /* the process whose private pages were not read in time */
	const struct peers *peers; /* the latest */

	/* the worker's while a scan runs */
	struct page_host host;
	struct procfs *procfs;
	struct page_copy *buffer;
	const struct pool_pages *before;
	const struct peers *scan_peers;
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
	peers_unref(pages->scan_peers);
	procfs_free(pages->procfs);
	free(pages->buffer);
	free(pages->error_text);
	free(pages->folder);
	free(pages);
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
	*page = page_contents_read(block->arena, path, status, block->read_at, copy);
	if (!copy)
		return;
	const struct process *writer =
		copy->owner_visible ? NULL : page_contents_writer(pages->scan_peers, copy, 0);
	if (writer) {
		page_contents_set_writer(block->arena, page, writer);
		return;
	}
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

static void say_what_is_left_out(struct pages *pages)
{
	pages->left_out[0] = '\0';
	if (pages->scan_left_out)
		snprintf(pages->left_out, sizeof(pages->left_out),
			"%zu stats pages more than are read", pages->scan_left_out);
	else if (pages->hangs)
		snprintf(pages->left_out, sizeof(pages->left_out),
			"the stats pages in the private folders of process %" PRId32
			" cannot be read in time",
			pages->hangs);
	else if (private_pages_left_out(pages->private))
		snprintf(pages->left_out, sizeof(pages->left_out),
			"more stats pages in private folders than are read");
	else if (pages->scan_others)
		snprintf(pages->left_out, sizeof(pages->left_out),
			"stats pages of %zu other user%s are not read: dbtop as root reads them",
			pages->scan_others, plural_s(pages->scan_others));
}

/* A folder that was named may be a wrong one. */
static void explain_error(struct pages *pages)
{
	const char *why = pages->error == -EPERM
		? "another user's, a link or no folder, or others may write to it"
		: strerror(-pages->error);
	free(pages->error_text);
	pages->error_text = pages->folder ? mem_printf("%s: %s: check --pages", pages->folder, why)
					  : mem_strdup(why);
}

static void publish(struct pages *pages)
{
	uv_timer_stop(pages->timer);
	pool_pages_unref(pages->before);
	pages->before = NULL;
	pool_pages_add(pages->block, private_pages_latest(pages->private));
	pool_pages_unref(pages->latest);
	pages->latest = pages->block;
	pages->block = NULL;
	pages->error = pages->scan_error;
	explain_error(pages);
	say_what_is_left_out(pages);
	pages->options.published(pages->options.data);
}

static void after_scan(void *data)
{
	struct pages *pages = data;
	if (!pages->awaits_private)
		publish(pages);
}

static void on_private_pages(void *data)
{
	struct pages *pages = data;
	bool awaited = pages->awaits_private;
	pages->awaits_private = false;
	pages->hangs = 0;
	if (awaited && !worker_is_busy(pages->worker))
		publish(pages);
}

/* The private pages are read too slowly: the others are published with those of the scan before. */
static void on_late(uv_timer_t *timer)
{
	struct pages *pages = timer->data;
	pages->awaits_private = false;
	pages->hangs = private_pages_reads(pages->private);
	if (!worker_is_busy(pages->worker))
		publish(pages);
}

struct pages *pages_new(uv_loop_t *loop, const struct pages_options *options)
{
	struct pages *pages = mem_alloc(sizeof(*pages));
	const struct worker_callbacks callbacks = { pages, scan_on_worker, after_scan, destroy };
	const struct private_pages_callbacks private = { pages, on_private_pages };
	pages->worker = worker_new(loop, &callbacks);
	pages->private = private_pages_new(loop, options->proc_root, &private);
	pages->timer = handle_new_timer(loop, pages);
	pages->options = *options;
	if (options->folder && *options->folder)
		pages->folder = mem_strdup(options->folder);
	pages->buffer = mem_alloc(sizeof(*pages->buffer));
	pages->procfs = procfs_new(options->proc_root);
	page_host_read(options->proc_root, &pages->host);
	return pages;
}

static bool is_busy(const struct pages *pages)
{
	return worker_is_busy(pages->worker) || pages->awaits_private;
}

bool pages_refresh(struct pages *pages)
{
	bool late = false;
	if (is_busy(pages))
		return false;
	pool_pages_unref(pages->block);
	pages->block = pool_pages_new();
	pages->before = pages->latest ? pool_pages_ref(pages->latest) : NULL;
	peers_unref(pages->scan_peers);
	pages->scan_peers = pages->peers ? peers_ref(pages->peers) : NULL;
	worker_start(pages->worker);
	pages->awaits_private =
		!pages->folder && private_pages_refresh(pages->private, pages->peers, &late);
	if (pages->awaits_private)
		uv_timer_start(pages->timer, on_late, PRIVATE_MS, 0);
	return true;
}

void pages_set_peers(struct pages *pages, const struct peers *peers)
{
	const struct peers *before = pages->peers;
	pages->peers = peers ? peers_ref(peers) : NULL;
	peers_unref(before);
}

void pages_free(struct pages *pages)
{
	if (!pages)
		return;
	handle_close(pages->timer);
	private_pages_free(pages->private);
	pages_set_peers(pages, NULL);
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
		source.error = pages->error_text;
	}
	return source;
}
