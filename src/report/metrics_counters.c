/* What each page had counted when it was seen last is remembered; what it counted since is added to
 * its name. */
#include "report/metrics_counters.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/assessment.h"

/* A page that is missing for a while may come back; those missing longest are forgotten. */
#define PAGES_MAX 1024

struct page_memory {
	char *path;
	int32_t pid;
	uint64_t start_ticks;
	uint64_t timeouts, rejected, wait[POOL_WAIT_BUCKETS], waited;
	uint64_t seen; /* the number of the scan */
};

struct metrics_counters {
	struct page_memory *pages;
	size_t n_pages, pages_room;
	struct pool_counts *pools;
	size_t n_pools, pools_room;
	uint64_t results[RESULT_COUNT];
	uint64_t scans;
	int64_t read_at; /* of the latest pages */
};

struct metrics_counters *metrics_counters_new(void)
{
	return mem_alloc(sizeof(struct metrics_counters));
}

void metrics_counters_free(struct metrics_counters *counters)
{
	if (!counters)
		return;
	for (size_t i = 0; i < counters->n_pages; i++)
		free(counters->pages[i].path);
	for (size_t i = 0; i < counters->n_pools; i++)
		free(counters->pools[i].name);
	free(counters->pages);
	free(counters->pools);
	free(counters);
}

static struct pool_counts *find_pool(const struct metrics_counters *counters, const char *name)
{
	for (size_t i = 0; i < counters->n_pools; i++)
		if (strcmp(counters->pools[i].name, name) == 0)
			return &counters->pools[i];
	return NULL;
}

const char *metrics_counters_name(const struct metrics_counters *counters, const char *name)
{
	const char *shown = name ? name : "";
	return find_pool(counters, shown) ? shown : METRICS_OTHER;
}

/* The last place is METRICS_OTHER's. */
static struct pool_counts *add_pool(struct metrics_counters *counters, const char *name)
{
	struct pool_counts *found = find_pool(counters, name);
	if (found)
		return found;
	if (counters->n_pools + 1 >= METRICS_POOLS_MAX && strcmp(name, METRICS_OTHER) != 0)
		return add_pool(counters, METRICS_OTHER);
	counters->pools = mem_grow(counters->pools, counters->n_pools, &counters->pools_room,
		sizeof(*counters->pools));
	counters->pools[counters->n_pools] = (struct pool_counts){ .name = mem_strdup(name) };
	return &counters->pools[counters->n_pools++];
}

static void forget_oldest(struct metrics_counters *counters)
{
	size_t oldest = 0;
	for (size_t i = 1; i < counters->n_pages; i++)
		if (counters->pages[i].seen < counters->pages[oldest].seen)
			oldest = i;
	free(counters->pages[oldest].path);
	counters->pages[oldest] = counters->pages[--counters->n_pages];
}

static struct page_memory *find_page(
	struct metrics_counters *counters, const struct pool_page *page)
{
	for (size_t i = 0; i < counters->n_pages; i++) {
		struct page_memory *memory = &counters->pages[i];
		if (memory->pid == page->pid && memory->start_ticks == page->start_ticks &&
			strcmp(memory->path, page->path) == 0)
			return memory;
	}
	if (counters->n_pages == PAGES_MAX)
		forget_oldest(counters);
	counters->pages = mem_grow(counters->pages, counters->n_pages, &counters->pages_room,
		sizeof(*counters->pages));
	struct page_memory *added = &counters->pages[counters->n_pages++];
	*added = (struct page_memory){
		.path = mem_strdup(page->path),
		.pid = page->pid,
		.start_ticks = page->start_ticks,
	};
	return added;
}

/* The increase since the last time. A count that fell belongs to a new counter, which began at 0.
 */
static uint64_t take(uint64_t *last, uint64_t now)
{
	uint64_t more = now >= *last ? now - *last : now;
	*last = now;
	return more;
}

static void count_page(struct metrics_counters *counters, const struct pool_page *page)
{
	struct page_memory *memory = find_page(counters, page);
	struct pool_counts *pool = add_pool(counters, page->name ? page->name : "");
	memory->seen = counters->scans;
	pool->timeouts += take(&memory->timeouts, page->timeouts);
	for (size_t i = 0; i < POOL_WAIT_BUCKETS; i++)
		pool->wait[i] += take(&memory->wait[i], page->wait[i]);
	pool->waited += take(&memory->waited, page->waited);
	if (!page->outbox.present)
		return;
	pool->has_outbox = true;
	pool->rejected += take(&memory->rejected, (uint64_t)page->outbox.rejected);
}

void metrics_counters_update(struct metrics_counters *counters, const struct assessment *assessment)
{
	if (!assessment->pages || assessment->pages->read_at == counters->read_at)
		return;
	counters->read_at = assessment->pages->read_at;
	counters->scans++;
	for (size_t i = 0; i < assessment->n_pools; i++) {
		const struct pool *pool = &assessment->pools[i];
		if (pool->page && !pool->elsewhere && !pool->unsure)
			count_page(counters, pool->page);
	}
}

void metrics_counters_note(struct metrics_counters *counters, enum action_result result)
{
	counters->results[result]++;
}

uint64_t metrics_counters_results(
	const struct metrics_counters *counters, enum action_result result)
{
	return counters->results[result];
}

const struct pool_counts *metrics_counters_pools(
	const struct metrics_counters *counters, size_t *ret_count)
{
	*ret_count = counters->n_pools;
	return counters->pools;
}
