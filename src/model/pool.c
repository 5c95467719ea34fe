/* Memory of the pages block, and functions for both kinds of pools. */
#include "model/pool.h"

#include <string.h>

#include <stdio.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/plural.h"
#include "model/peers.h"

struct pool_pages *pool_pages_new(void)
{
	struct arena *arena = arena_new();
	struct pool_pages *pages = arena_alloc(arena, sizeof(*pages));
	*pages = (struct pool_pages){ .arena = arena, .refs = 1, .read_at = INSTANT_UNKNOWN };
	return pages;
}

struct pool_pages *pool_pages_ref(const struct pool_pages *pages)
{
	struct pool_pages *shared = (struct pool_pages *)pages;
	shared->refs++;
	return shared;
}

void pool_pages_unref(const struct pool_pages *pages)
{
	struct pool_pages *shared = (struct pool_pages *)pages;
	if (!shared || --shared->refs > 0)
		return;
	pool_pages_unref(shared->more);
	arena_free(shared->arena);
}

bool pool_page_is_of(const struct pool_page *page, const struct process *process)
{
	bool is_there = page->host && process->host ? strcmp(page->host, process->host) == 0
						    : !page->host && !process->host;
	return page->owner_visible && is_there && process->pid == page->pid &&
		process->start_ticks == page->start_ticks;
}

bool pool_page_is_unseen(const struct pool_page *page)
{
	return page->status == POOL_PAGE_LIVE && !page->owner_visible;
}

void pool_page_find_longest(struct pool_page *page)
{
	page->held_max = -1;
	page->held_site = NULL;
	for (size_t i = 0; i < page->n_slots; i++) {
		const struct pool_slot *slot = &page->slots[i];
		int64_t held = slot->state == POOL_SLOT_IN_USE
			? instant_elapsed(slot->since, page->read_at)
			: -1;
		if (held <= page->held_max)
			continue;
		page->held_max = held;
		page->held_site = slot->site;
	}
}

void pool_pages_add(struct pool_pages *pages, const struct pool_pages *more)
{
	if (!more || !more->count)
		return;
	struct pool_page *items =
		arena_array(pages->arena, pages->count + more->count, sizeof(*items));
	if (pages->count)
		memcpy(items, pages->items, pages->count * sizeof(*items));
	memcpy(items + pages->count, more->items, more->count * sizeof(*items));
	pages->items = items;
	pages->count += more->count;
	pages->more = pool_pages_ref(more);
}

const char *pool_page_status_name(enum pool_page_status status)
{
	static const char *const names[] = {
		[POOL_PAGE_LIVE] = "live",
		[POOL_PAGE_DEAD] = "dead",
		[POOL_PAGE_DAMAGED] = "damaged",
		[POOL_PAGE_FOREIGN] = "foreign",
		[POOL_PAGE_TOO_NEW] = "too new",
	};
	return names[status];
}

const char *pool_fsync_name(enum pool_fsync fsync)
{
	return fsync == POOL_FSYNC_FULL ? "full" : "normal";
}

const char *pool_slot_state_name(enum pool_slot_state state)
{
	static const char *const names[] = {
		[POOL_SLOT_EMPTY] = "empty",
		[POOL_SLOT_RESERVE] = "reserve",
		[POOL_SLOT_IN_USE] = "in_use",
	};
	return names[state];
}

const char *pool_hook_phase_name(enum pool_hook_phase phase)
{
	static const char *const names[] = {
		[POOL_HOOK_STOP] = "stop",
		[POOL_HOOK_FLUSH] = "flush",
		[POOL_HOOK_CLOSED] = "closed",
	};
	return names[phase];
}

const char *pool_hook_state_name(enum pool_hook_state state)
{
	static const char *const names[] = {
		[POOL_HOOK_WAITING] = "waiting",
		[POOL_HOOK_RUNNING] = "running",
		[POOL_HOOK_DONE] = "done",
		[POOL_HOOK_FAILED] = "failed",
		[POOL_HOOK_LATE] = "late",
	};
	return names[state];
}

const char *pool_kind_name(enum pool_kind kind)
{
	return kind == POOL_DBPOOL ? "dbpool" : "pgbouncer";
}

bool pool_is_shown(const struct pool *pool)
{
	return !pool->elsewhere && !pool->spent;
}

bool pool_is_past(const struct pool *pool)
{
	return pool->spent ||
		(pool->elsewhere && pool->page && pool->page->status == POOL_PAGE_DEAD);
}

char *pool_folded(const struct pool *pools, size_t n_pools, size_t *ret_past,
	char text[static POOL_FOLDED_MAX])
{
	char dead[88] = "", others[56] = "", ended[40] = "";
	size_t spent = 0, elsewhere = 0, past = 0;
	for (size_t i = 0; i < n_pools; i++) {
		spent += pools[i].spent;
		elsewhere += pools[i].elsewhere;
		past += pool_is_past(&pools[i]);
	}
	if (spent)
		snprintf(dead, sizeof(dead), "%zu page%s of %sdead process%s: nothing left behind",
			spent, plural_s(spent), spent == 1 ? "a " : "", spent == 1 ? "" : "es");
	if (elsewhere)
		snprintf(others, sizeof(others), "%zu pool%s of other servers", elsewhere,
			plural_s(elsewhere));
	if (past > spent)
		snprintf(ended, sizeof(ended), ", %zu ended", past - spent);
	snprintf(text, POOL_FOLDED_MAX, "%s%s%s%s", dead, spent && elsewhere ? " · " : "", others,
		ended);
	if (ret_past)
		*ret_past = past;
	return text;
}

int pool_in_use(const struct pool *pool)
{
	if (pool->kind == POOL_PGBOUNCER)
		return pool->bouncer->servers_active;
	return pool->page->status == POOL_PAGE_LIVE ? pool->page->in_use : 0;
}

int pool_max(const struct pool *pool)
{
	return pool->kind == POOL_PGBOUNCER ? pool->bouncer->servers_max : pool->page->max;
}

int pool_waiting(const struct pool *pool)
{
	return pool->kind == POOL_PGBOUNCER ? pool->bouncer->clients_waiting : pool->page->waiting;
}

/* The length before "/DIGITS" at the end; 0 if it does not end so. */
static size_t before_number(const char *name, size_t length)
{
	size_t end = length;
	while (end > 0 && name[end - 1] >= '0' && name[end - 1] <= '9')
		end--;
	return end < length && end > 1 && name[end - 1] == '/' ? end - 1 : 0;
}

size_t pool_application_length(const char *application_name)
{
	size_t length = application_name ? strlen(application_name) : 0;
	size_t process = before_number(application_name, length);
	size_t name = before_number(application_name, process);
	return name ? name : length;
}
