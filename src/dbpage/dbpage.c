/* The functions of dbpage.h: checked arguments for the writer of stats pages. */
#include "dbpage/dbpage.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "dbpage/own.h"
#include "dbpage/prune.h"
#include "page/writer.h"

#define DEFAULT_HELD_MS 60000
#define BEAT_USEC       100000 /* the page's pair of clocks is updated at most this often */
#define KEEP_USEC       (INT64_C(3600) * 1000000)

struct dbpage {
	struct own own;
	struct page_writer *writer;
	struct page *page;
	unsigned serial; /* differs from that of all other pages of this process and its parents */
	atomic_flag beating; /* a thread updates the clocks */
	int64_t kept;        /* when the file's times were updated, monotonic */
};

_Static_assert((int)DBPAGE_DONE == (int)PAGE_DONE, "phases");
_Static_assert((int)DBPAGE_SLOT_CLOSING == (int)PAGE_SLOT_CLOSING, "states");
_Static_assert(DBPAGE_UNKNOWN == PAGE_UNKNOWN, "unknown");
_Static_assert(DBPAGE_SLOTS_MAX == PAGE_SLOTS_MAX, "slots");

static int64_t now_usec(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

static bool is_usable(const struct dbpage *page)
{
	return page && is_own(&page->own);
}

/* The struct of a program compiled with an older header is shorter. */
static int take_config(const struct dbpage_config *given, struct dbpage_config *ret)
{
	*ret = (struct dbpage_config){ 0 };
	if (!given || given->size < offsetof(struct dbpage_config, held_ms))
		return -EINVAL;
	memcpy(ret, given, given->size < sizeof(*ret) ? given->size : sizeof(*ret));
	if (!ret->name || !*ret->name)
		ret->name = program_invocation_short_name;
	if (!ret->server)
		ret->server = "";
	if (!ret->held_ms)
		ret->held_ms = DEFAULT_HELD_MS;
	bool fits = ret->max >= 1 && ret->max <= DBPAGE_SLOTS_MAX && ret->min >= 0 &&
		ret->min <= ret->max && ret->held_ms >= DBPAGE_OFF;
	return fits ? 0 : -EINVAL;
}

static int make_writer(const struct dbpage_config *config, struct page_writer **ret_writer)
{
	const struct page_writer_options options = {
		.folder = config->folder,
		.name = config->name,
		.server = config->server,
		.slots = (uint32_t)config->max,
		.limits = {
			.min = (uint32_t)config->min,
			.max = (uint32_t)config->max,
			.acquire_timeout = PAGE_NEVER,
			.idle_lifetime = PAGE_NEVER,
			.max_lifetime = PAGE_NEVER,
			.held = config->held_ms < 0 ? PAGE_NEVER
						    : config->held_ms * INT64_C(1000),
			.reclaim = PAGE_NEVER,
		},
	};
	struct page_writer *writer;
	int file, r = page_writer_new(&options, &writer, &file);
	if (r < 0)
		return r;
	if (file < 0) {
		page_writer_free(writer);
		return file;
	}
	*ret_writer = writer;
	return 0;
}

static int open_page(struct dbpage *page, const struct dbpage_config *given)
{
	struct dbpage_config config;
	int r = take_config(given, &config);
	if (r < 0)
		return r;
	r = own_init(&page->own);
	if (r < 0)
		return r;
	prune(config.folder, config.name);
	r = make_writer(&config, &page->writer);
	if (r < 0) {
		own_deinit(&page->own);
		return r;
	}
	page->page = page_writer_page(page->writer);
	page->kept = page->page->identity.created_monotonic;
	page_set(page->page->totals.phase, (uint32_t)PAGE_RUNNING);
	return 0;
}

struct dbpage *dbpage_open(const struct dbpage_config *config, int *ret_error)
{
	static atomic_uint serial;
	struct dbpage *page = calloc(1, sizeof(*page));
	int r = page ? open_page(page, config) : -ENOMEM;
	if (r == 0) {
		page->serial = atomic_fetch_add(&serial, 1) + 1;
		return page;
	}
	free(page);
	if (ret_error)
		*ret_error = r;
	return NULL;
}

const char *dbpage_path(const struct dbpage *page)
{
	return is_usable(page) ? page_writer_path(page->writer) : NULL;
}

/* Updates the pair of clocks when it is old, and each hour the file's times. */
static void beat(struct dbpage *page, int64_t now)
{
	if (now - page_get(page->page->clock.monotonic) < BEAT_USEC ||
		atomic_flag_test_and_set_explicit(&page->beating, memory_order_acquire))
		return;
	page_beat(page->page);
	if (now - page->kept >= KEEP_USEC) {
		page->kept = now;
		page_writer_keep(page->writer);
	}
	atomic_flag_clear_explicit(&page->beating, memory_order_release);
}

/* For counters of the whole page, which several threads change. */
#define count(counter, value) (void)__atomic_fetch_add(&(counter), (value), __ATOMIC_RELAXED)

/* Whether a slot in this state has a connection. */
static bool is_open(uint32_t state)
{
	return state == PAGE_SLOT_IDLE || state == PAGE_SLOT_HELD || state == PAGE_SLOT_CLOSING;
}

static bool is_same(const struct page_slot *slot, int32_t backend_pid, int64_t backend_start)
{
	return is_open(slot->state) && slot->backend_pid == backend_pid &&
		slot->backend_start == backend_start;
}

/* A connection takes the slot. */
static void set_connection(struct page *page, struct page_slot *slot, int32_t backend_pid,
	int64_t backend_start, int64_t now)
{
	if (is_open(slot->state))
		count(page->totals.closed, 1);
	if (slot->state == PAGE_SLOT_CONNECTING)
		page_slot_opened(slot, backend_pid, backend_start, now);
	else
		page_slot_found(slot, backend_pid, backend_start, now);
	count(page->totals.opened, 1);
}

/* Asks the kernel once a thread and page. A child's threads have other numbers: so has its page. */
static int32_t thread_id(const struct dbpage *page)
{
	static __thread unsigned serial;
	static __thread int32_t id;
	if (serial != page->serial) {
		serial = page->serial;
		id = (int32_t)gettid();
	}
	return id;
}

static void set_state(struct dbpage *page, struct page_slot *slot, enum page_slot_state state,
	const char *site, int64_t now)
{
	if (state == PAGE_SLOT_HELD) {
		page_slot_held(slot, now, thread_id(page), site ? site : "");
		page_add(slot->counters.acquired, 1);
	} else if (state == PAGE_SLOT_IDLE) {
		page_slot_idle(slot, now);
	} else {
		if (is_open(slot->state) && !is_open((uint32_t)state))
			count(page->page->totals.closed, 1);
		page_slot_state(slot, state, now);
	}
}

void dbpage_slot(struct dbpage *page, unsigned number, enum dbpage_slot_state state,
	int32_t backend_pid, int64_t backend_start, const char *site)
{
	if (!is_usable(page) || number >= page->page->head.slot_count ||
		(unsigned)state >= PAGE_SLOT_STATES)
		return;
	struct page_slot *slot = &page->page->slots[number];
	int64_t now = now_usec();
	int32_t pid = backend_pid > 0 ? backend_pid : 0;
	int64_t start = backend_start > 0 ? backend_start : PAGE_UNKNOWN;
	bool opens = state == DBPAGE_SLOT_IDLE || state == DBPAGE_SLOT_HELD;
	if (slot->state == PAGE_SLOT_HELD)
		page_slot_released(slot, now - slot->since_monotonic);
	if (opens && !is_same(slot, pid, start))
		set_connection(page->page, slot, pid, start, now);
	set_state(page, slot, (enum page_slot_state)state, site, now);
	beat(page, now);
}

void dbpage_change(const struct dbpage_change *change, const char *site)
{
	dbpage_slot(change->page, change->slot, change->state, change->backend_pid,
		change->backend_start, site);
}

void dbpage_counter(struct dbpage *page, enum dbpage_counter counter, int64_t add)
{
	if (!is_usable(page))
		return;
	struct page_totals *totals = &page->page->totals;
	switch (counter) {
	case DBPAGE_WAITERS: count(totals->waiters, (uint32_t)add); break;
	case DBPAGE_TIMEOUTS: count(totals->timeouts, (uint64_t)add); break;
	case DBPAGE_ERRORS: count(totals->errors, (uint64_t)add); break;
	case DBPAGE_RECLAIMED: count(totals->reclaimed, (uint64_t)add); break;
	case DBPAGE_LOST: count(totals->lost_slots, (uint64_t)add); break;
	}
	beat(page, now_usec());
}

void dbpage_phase(struct dbpage *page, enum dbpage_phase phase)
{
	if (!is_usable(page) || phase < DBPAGE_STARTING || phase > DBPAGE_DONE)
		return;
	page_set(page->page->totals.phase, (uint32_t)phase);
	beat(page, now_usec());
}

void dbpage_pending(struct dbpage *page, int64_t writes)
{
	if (!is_usable(page))
		return;
	page_set(page->page->totals.pending_writes, writes < 0 ? PAGE_UNKNOWN : writes);
	beat(page, now_usec());
}

void dbpage_close(struct dbpage *page)
{
	if (!page)
		return;
	if (is_own(&page->own))
		page_writer_free(page->writer);
	else
		page_writer_forget(page->writer);
	own_deinit(&page->own);
	free(page);
}
