#include "report/metrics_rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "model/assessment.h"
#include "report/metrics_counters.h"

static const char *or_empty(const char *text)
{
	return text ? text : "";
}

/* --- processes --- */

static int compare_labels(const struct process_sum *a, const struct process_sum *b)
{
	int order = strcmp(a->name, b->name);
	if (order == 0)
		order = strcmp(a->user, b->user);
	if (order == 0)
		order = strcmp(a->unit, b->unit);
	if (order == 0)
		order = strcmp(a->container, b->container);
	return order ? order : strcmp(a->host, b->host);
}

static int by_labels(const void *a, const void *b)
{
	return compare_labels(a, b);
}

static int by_connections(const void *a, const void *b)
{
	const struct process_sum *x = a, *y = b;
	if (x->connections != y->connections)
		return x->connections > y->connections ? -1 : 1;
	return compare_labels(x, y);
}

/* Adds neighbours with the same labels up; returns how many are left. */
static size_t merge(struct process_sum *rows, size_t count)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++) {
		if (kept > 0 && compare_labels(&rows[kept - 1], &rows[i]) == 0)
			rows[kept - 1].connections += rows[i].connections;
		else
			rows[kept++] = rows[i];
	}
	return kept;
}

/* Makes one row of all from `most` on. A process may really have that name and no other label. */
static size_t fold(struct process_sum *rows, size_t count, size_t most)
{
	struct process_sum rest = { METRICS_OTHER, "", "", "", "", 0 };
	if (count <= most)
		return count;
	for (size_t i = most; i < count; i++)
		rest.connections += rows[i].connections;
	for (size_t i = 0; i < most; i++) {
		if (compare_labels(&rows[i], &rest) == 0) {
			rows[i].connections += rest.connections;
			return most;
		}
	}
	rows[most] = rest;
	return most + 1;
}

static void sum_processes(struct arena *arena, const struct assessment *assessment, size_t most,
	struct metrics_rows *rows)
{
	struct process_sum *sums = arena_array(arena, assessment->n_processes + 1, sizeof(*sums));
	size_t count = 0;
	for (size_t i = 0; i < assessment->n_processes; i++) {
		const struct client_process *client = &assessment->processes[i];
		if (client->connections == 0)
			continue;
		sums[count++] = (struct process_sum){
			.name = or_empty(client->process.name),
			.user = or_empty(client->process.user),
			.unit = or_empty(client->process.unit),
			.container = or_empty(client->process.container),
			.host = or_empty(client->process.host),
			.connections = client->connections,
		};
	}
	qsort(sums, count, sizeof(*sums), by_labels);
	count = merge(sums, count);
	qsort(sums, count, sizeof(*sums), by_connections);
	rows->processes = sums;
	rows->n_processes = fold(sums, count, most);
}

/* --- pools --- */

static struct pool_sum *find_pool(struct metrics_rows *rows, const char *name)
{
	for (size_t i = 0; i < rows->n_pools; i++)
		if (strcmp(rows->pools[i].name, name) == 0)
			return &rows->pools[i];
	rows->pools[rows->n_pools] = (struct pool_sum){ .name = name };
	return &rows->pools[rows->n_pools++];
}

static void add_page(struct pool_sum *sum, const struct pool_page *page)
{
	sum->used += page->in_use;
	sum->idle += page->idle;
	sum->max += page->max;
	sum->waiting += page->waiting;
	if (page->pending_writes >= 0) {
		sum->has_pending = true;
		sum->pending += page->pending_writes;
	}
	if (page->outbox.present) {
		sum->has_outbox = true;
		sum->outbox_waiting += page->outbox.waiting;
	}
}

static void add(int64_t *sum, int64_t value)
{
	if (value >= 0)
		*sum = (*sum < 0 ? 0 : *sum) + value;
}

static void add_bouncer(
	struct metrics_rows *rows, const char *name, const struct bouncer_pool *pool)
{
	struct bouncer_sum *sum = NULL;
	for (size_t i = 0; i < rows->n_bouncers; i++)
		if (strcmp(rows->bouncers[i].name, name) == 0)
			sum = &rows->bouncers[i];
	if (!sum && rows->n_bouncers + 1 >= METRICS_POOLS_MAX && strcmp(name, METRICS_OTHER) != 0) {
		add_bouncer(rows, METRICS_OTHER, pool);
		return;
	}
	if (!sum) {
		sum = &rows->bouncers[rows->n_bouncers++];
		*sum = (struct bouncer_sum){ name, -1, -1, -1, -1, -1, -1 };
	}
	add(&sum->clients_active, pool->clients_active);
	add(&sum->clients_waiting, pool->clients_waiting);
	add(&sum->servers_active, pool->servers_active);
	add(&sum->servers_idle, pool->servers_idle);
	add(&sum->servers_other, pool->servers_other);
	if (pool->max_wait > sum->max_wait)
		sum->max_wait = pool->max_wait;
}

static void sum_pools(struct arena *arena, const struct assessment *assessment,
	const struct metrics_counters *counters, struct metrics_rows *rows)
{
	rows->pools = arena_array(arena, assessment->n_pools + 1, sizeof(*rows->pools));
	rows->bouncers = arena_array(arena, METRICS_POOLS_MAX, sizeof(*rows->bouncers));
	for (size_t i = 0; i < assessment->n_pools; i++) {
		const struct pool *pool = &assessment->pools[i];
		if (pool->bouncer)
			add_bouncer(rows, or_empty(pool->name), pool->bouncer);
		/* a dead process holds nothing, and nobody waits in it */
		else if (pool->page->status == POOL_PAGE_LIVE && !pool->elsewhere && !pool->unsure)
			add_page(find_pool(rows, metrics_counters_name(counters, pool->page->name)),
				pool->page);
	}
}

struct metrics_rows metrics_rows_make(struct arena *arena, const struct assessment *assessment,
	const struct metrics_counters *counters, int processes)
{
	struct metrics_rows rows = { 0 };
	sum_processes(arena, assessment, (size_t)processes, &rows);
	sum_pools(arena, assessment, counters, &rows);
	return rows;
}
