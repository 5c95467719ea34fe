/* Copies checked pages to plain data. */
#include "collect/page_contents.h"

#include <errno.h>
#include <string.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/text.h"
#include "collect/page_hooks.h"
#include "model/peers.h"
#include "model/pool.h"
#include "page/reader.h"

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
	for (uint32_t i = 0; i < copy->n_slots; i++)
		page->slots[i] = read_slot(arena, i + 1, &copy->slots[i]);
	pool_page_find_longest(page);
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

static void read_copy(struct arena *arena, const struct page_copy *copy, struct pool_page *page)
{
	const struct page_sums *totals = &copy->totals;
	page->name = text(arena, copy->name);
	page->pid = page->inner_pid = copy->pid;
	page->pid_namespace = copy->pid_namespace;
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
	page->waited = totals->waited;
	page->wait_p99 = page_percentile(totals->wait, 0.99);
	page->held_limit = copy->limits.held > 0 ? copy->limits.held : -1;
	page->pending_writes = totals->pending_writes == PAGE_UNKNOWN ? -1 : totals->pending_writes;
	page->outbox = read_outbox(&totals->outbox);
	page->uptime = instant_elapsed(instant(copy->created), page->read_at);
	read_slots(arena, copy, page);
	page->hooks = arena_array(arena, POOL_HOOKS_MAX, sizeof(*page->hooks));
	page->n_hooks = page_hooks_read(copy, page->hooks);
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

struct pool_page page_contents_read(struct arena *arena, const char *path, int status,
	int64_t read_at, const struct page_copy *copy)
{
	struct pool_page page = {
		.path = text_clean(arena, path, strlen(path), TEXT_LINE),
		.status = status_of(status),
		.error = error_of(status),
		.read_at = read_at,
		.dead_since = INSTANT_UNKNOWN,
		.held_limit = -1,
		.held_max = -1,
		.wait_p99 = -1,
		.pending_writes = -1,
	};
	if (copy)
		read_copy(arena, copy, &page);
	return page;
}

const struct process *page_contents_writer(
	const struct peers *peers, const struct page_copy *copy, uint64_t mount_namespace)
{
	for (size_t i = 0; peers && copy->same_boot && i < peers->n_processes; i++) {
		const struct process *process = &peers->processes[i];
		int32_t pid = process->inner_pid ? process->inner_pid : process->pid;
		if (pid == copy->pid && process->start_ticks == copy->start_ticks &&
			process->pid_namespace && process->pid_namespace == copy->pid_namespace &&
			process->uid == copy->uid && process->ended_at == INSTANT_UNKNOWN &&
			(!mount_namespace || process->mount_namespace == mount_namespace))
			return process;
	}
	return NULL;
}

void page_contents_set_writer(
	struct arena *arena, struct pool_page *page, const struct process *writer)
{
	struct process *process = arena_alloc(arena, sizeof(*process));
	*process = process_copy(arena, writer);
	page->pid = writer->pid;
	page->owner_visible = true;
	page->process = process;
}
