/* Stores values in a stats page.
 *
 * A sequence lock's writer usually orders its stores with a fence between the odd number and the
 * data. Here each data store is a release store instead: it costs the same (nothing, on x86), and
 * the thread sanitizer understands it. */
#include "page/writer.h"

#include <string.h>
#include <time.h>

#define store(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELEASE)

static uint32_t begin(uint32_t *seq)
{
	uint32_t odd = __atomic_load_n(seq, __ATOMIC_RELAXED) | 1;
	__atomic_store_n(seq, odd, __ATOMIC_RELAXED);
	return odd;
}

static void end(uint32_t *seq, uint32_t odd)
{
	store(*seq, odd + 1);
}

static int64_t read_clock(clockid_t clock)
{
	struct timespec ts;
	clock_gettime(clock, &ts);
	return ts.tv_sec * INT64_C(1000000) + ts.tv_nsec / 1000;
}

void page_beat(struct page *page)
{
	struct page_clock *clock = &page->clock;
	int64_t realtime = read_clock(CLOCK_REALTIME), monotonic = read_clock(CLOCK_MONOTONIC);
	uint32_t odd = begin(&clock->seq);
	store(clock->realtime, realtime);
	store(clock->monotonic, monotonic);
	end(&clock->seq, odd);
}

/* Stores a text word by word, each in one store. The bytes after the end of the text become
 * zero. */
static void store_text(char *field, size_t size, const char *text)
{
	uint64_t words[PAGE_SITE_MAX / sizeof(uint64_t)] = { 0 };
	memcpy(words, text, strnlen(text, size - 1));
	for (size_t i = 0; i < size / sizeof(words[0]); i++)
		store(((uint64_t *)(void *)field)[i], words[i]);
}

/* Shortens a long path to its end, which says more than its beginning. */
static const char *tail(const char *site)
{
	while (strncmp(site, "../", 3) == 0)
		site += 3;
	size_t length = strlen(site);
	if (length < PAGE_SITE_MAX)
		return site;
	const char *end = site + length - (PAGE_SITE_MAX - 1);
	const char *slash = strchr(end, '/');
	return slash && slash[1] ? slash + 1 : end;
}

static void set_backend(struct page_slot *slot, int32_t backend_pid, int64_t backend_start,
	int64_t opened, int64_t now)
{
	uint32_t odd = begin(&slot->seq);
	store(slot->state, (uint32_t)PAGE_SLOT_IDLE);
	store(slot->backend_pid, backend_pid);
	store(slot->backend_start, backend_start);
	store(slot->thread, 0);
	store(slot->since_monotonic, now);
	store(slot->opened_monotonic, opened);
	store(slot->uses, (uint64_t)0);
	store(slot->last_result_monotonic, (int64_t)0);
	store(slot->leaked, 0u);
	store_text(slot->site, sizeof(slot->site), "");
	end(&slot->seq, odd);
}

void page_slot_opened(
	struct page_slot *slot, int32_t backend_pid, int64_t backend_start, int64_t now)
{
	set_backend(slot, backend_pid, backend_start, now, now);
}

void page_slot_found(
	struct page_slot *slot, int32_t backend_pid, int64_t backend_start, int64_t now)
{
	set_backend(slot, backend_pid, backend_start, PAGE_UNKNOWN, now);
}

void page_slot_state(struct page_slot *slot, enum page_slot_state state, int64_t now)
{
	bool connected =
		state == PAGE_SLOT_IDLE || state == PAGE_SLOT_HELD || state == PAGE_SLOT_CLOSING;
	uint32_t odd = begin(&slot->seq);
	store(slot->state, (uint32_t)state);
	store(slot->thread, 0);
	store(slot->since_monotonic, now);
	store(slot->leaked, 0u);
	if (!connected) {
		store(slot->backend_pid, 0);
		store(slot->backend_start, PAGE_UNKNOWN);
		store(slot->opened_monotonic, PAGE_UNKNOWN);
		store_text(slot->site, sizeof(slot->site), "");
	}
	end(&slot->seq, odd);
}

void page_slot_held(struct page_slot *slot, int64_t now, int32_t thread, const char *site)
{
	uint32_t odd = begin(&slot->seq);
	store(slot->state, (uint32_t)PAGE_SLOT_HELD);
	store(slot->thread, thread);
	store(slot->since_monotonic, now);
	store(slot->uses, slot->uses + 1);
	if (site)
		store_text(slot->site, sizeof(slot->site), tail(site));
	end(&slot->seq, odd);
}

void page_slot_idle(struct page_slot *slot, int64_t now)
{
	uint32_t odd = begin(&slot->seq);
	store(slot->state, (uint32_t)PAGE_SLOT_IDLE);
	store(slot->thread, 0);
	store(slot->since_monotonic, now);
	store(slot->leaked, 0u);
	end(&slot->seq, odd);
}

void page_slot_released(struct page_slot *slot, int64_t hold)
{
	struct page_counters *counters = &slot->counters;
	page_add(counters->released, 1);
	page_add(counters->hold[page_bucket(hold)], 1);
	if (hold > counters->longest_hold)
		page_set(counters->longest_hold, hold);
}

void page_slot_leaked(struct page_slot *slot, bool leaked)
{
	uint32_t odd = begin(&slot->seq);
	store(slot->leaked, (uint32_t)leaked);
	end(&slot->seq, odd);
}

bool page_hook_add(struct page *page, const char *name, enum page_hook_phase phase,
	int64_t deadline, struct page_hook **ret_hook)
{
	for (size_t i = 0; i < PAGE_HOOKS_MAX; i++) {
		struct page_hook *hook = &page->hooks[i];
		if (hook->name[0])
			continue;
		uint32_t odd = begin(&hook->seq);
		store(hook->phase, (uint32_t)phase);
		store(hook->state, (uint32_t)PAGE_HOOK_WAITING);
		store(hook->deadline, deadline);
		store_text(hook->name, sizeof(hook->name), name);
		end(&hook->seq, odd);
		*ret_hook = hook;
		return true;
	}
	return false;
}

void page_hook_remove(struct page_hook *hook)
{
	uint32_t odd = begin(&hook->seq);
	store_text(hook->name, sizeof(hook->name), "");
	end(&hook->seq, odd);
}

void page_hook_set(
	struct page_hook *hook, enum page_hook_state state, int32_t result, int64_t duration)
{
	uint32_t odd = begin(&hook->seq);
	store(hook->state, (uint32_t)state);
	store(hook->result, result);
	store(hook->duration, duration);
	end(&hook->seq, odd);
}
