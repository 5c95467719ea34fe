/* Assigns slots to backends. */
#include "analyze/join_pages.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyze/client_processes.h"
#include "analyze/join_proxy.h"
#include "analyze/page_claim.h"
#include "analyze/pool_place.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"

/* The largest difference: a pool notes the time when its connection is established, PostgreSQL when
 * it begins. */
#define OPENED_TOLERANCE (2 * USEC_PER_SEC)

struct join {
	struct assessment *assessment;
	struct client_processes *processes;
	struct page_claims *claims;
	struct map *by_pid; /* backend pid → index into the assessment's connections */
};

/* The page's process in the list; NO_PROCESS if its pid means nothing here. */
static uint32_t owner_of(const struct join *join, const struct pool_page *page)
{
	if (!page->owner_visible)
		return NO_PROCESS;
	uint32_t found = page->host
		? NO_PROCESS
		: client_processes_find(join->processes, page->pid, page->start_ticks);
	if (found != NO_PROCESS)
		return found;
	bool alive = page->status == POOL_PAGE_LIVE;
	struct process process = {
		.pid = page->pid,
		.start_ticks = page->start_ticks,
		.started_at = INSTANT_UNKNOWN,
		.name = page->name,
		.uid = page->uid,
	};
	if (page->process)
		process = *page->process;
	process.cpu_percent = NAN;
	process.rss_bytes = -1;
	process.ended_at = alive ? INSTANT_UNKNOWN : page->dead_since;
	return client_processes_add(join->processes, &process, alive);
}

static bool is_owner(const struct assessment *assessment, const struct connection *connection,
	const struct pool_page *page)
{
	const struct client_process *process = assessment_process(assessment, connection);
	return process && pool_page_is_of(page, &process->process);
}

/* A pid alone may have been used again. Without the start, process or name must agree, and the
 * times must fit. */
static bool is_same_session(const struct join *join, const struct connection *connection,
	const struct pool_page *page, const struct pool_slot *slot)
{
	int64_t start = connection->backend->start;
	if (start == INSTANT_UNKNOWN)
		return false;
	if (slot->backend_start != INSTANT_UNKNOWN)
		return slot->backend_start == start;
	if (!is_owner(join->assessment, connection, page) &&
		!page_claim_is_agreed(join->claims, connection, page, slot))
		return false;
	if (slot->connected_at != INSTANT_UNKNOWN)
		return llabs(slot->connected_at - start) <= OPENED_TOLERANCE;
	/* A session that began after the slot's state did is another one. */
	return slot->since != INSTANT_UNKNOWN && start <= slot->since + OPENED_TOLERANCE;
}

/* Sets the process of the session where the page knows more than the sockets: behind a forwarder,
 * and after the process's death. */
static void set_process(
	const struct join *join, struct connection *connection, const struct pool_page *page)
{
	if (is_owner(join->assessment, connection, page))
		return;
	uint32_t owner = owner_of(join, page);
	if (owner == NO_PROCESS)
		return;
	connection->process = owner;
	connection->matched_by = MATCHED_PAGE;
	if (page->status == POOL_PAGE_LIVE && connection->end != CLIENT_END_GONE)
		connection->end = CLIENT_END_HELD;
}

/* If several pages claim one session, the first credible one gets it. */
static void take_claim(const struct join *join, struct connection *connection,
	const struct pool *pool, const struct pool_slot *slot)
{
	bool declared;
	const char *evidence;
	enum page_claim claim =
		page_claim_judge(join->claims, connection, pool->page, slot, &declared, &evidence);
	if (evidence && !connection->evidence)
		connection->evidence = evidence;
	if (claim < PAGE_CLAIM_PROTECTS || connection->slot_certain ||
		(claim == PAGE_CLAIM_PROTECTS && connection->slot))
		return;
	connection->pool = pool;
	connection->slot = slot;
	connection->slot_certain = claim == PAGE_CLAIM_BELIEVED;
	connection->declared_gone = declared;
	if (connection->slot_certain || connection->process == NO_PROCESS)
		set_process(join, connection, pool->page);
}

static void join_slot(
	const struct join *join, const struct pool *pool, const struct pool_slot *slot)
{
	uint32_t index = map_get(join->by_pid, (uint64_t)slot->backend_pid);
	if (!slot->backend_pid || index == MAP_NONE)
		return;
	struct connection *connection = &join->assessment->connections[index];
	if (is_same_session(join, connection, pool->page, slot))
		take_claim(join, connection, pool, slot);
}

static bool has_pages(const struct assessment *assessment)
{
	for (size_t i = 0; i < assessment->n_pools; i++)
		if (assessment->pools[i].page)
			return true;
	return false;
}

static bool has_page(const struct assessment *assessment, int32_t pid)
{
	for (size_t i = 0; i < assessment->n_pools; i++)
		if (assessment->pools[i].page && assessment->pools[i].page->inner_pid == pid)
			return true;
	return false;
}

/* Names of the form that libdbpool gives, of processes whose page is not among those read: it is
 * another user's, in a private /tmp, in a container or on another machine. */
static void mark_unseen(struct assessment *assessment)
{
	for (size_t i = 0; i < assessment->n_connections; i++) {
		struct connection *connection = &assessment->connections[i];
		int32_t pid;
		connection->pool_unseen = !connection->slot &&
			join_proxy_read_name(connection->backend->application_name, &pid) &&
			!has_page(assessment, pid);
	}
}

void join_pages(struct assessment *assessment, const struct assessment *previous,
	struct client_processes *processes)
{
	mark_unseen(assessment);
	if (!has_pages(assessment))
		return;
	struct join join = {
		.assessment = assessment,
		.processes = processes,
		.claims = page_claims_new(assessment),
		.by_pid = map_new(assessment->arena, assessment->n_connections),
	};
	for (size_t i = 0; i < assessment->n_connections; i++)
		map_set(join.by_pid, (uint64_t)assessment->connections[i].backend->pid,
			(uint32_t)i);
	for (size_t i = 0; i < assessment->n_pools; i++) {
		struct pool *pool = &assessment->pools[i];
		if (!pool->page)
			continue;
		for (size_t slot = 0; assessment->activity && slot < pool->page->n_slots; slot++)
			join_slot(&join, pool, &pool->page->slots[slot]);
		pool_place_judge(assessment, previous, join.by_pid, pool);
		if (pool_is_shown(pool))
			pool->process = owner_of(&join, pool->page);
	}
}
