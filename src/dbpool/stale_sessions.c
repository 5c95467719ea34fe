/* Ends the sessions that a dead process of the same name left behind on the server. The process's
 * stats page proves that it has ended, and which sessions were its own. */
#include "dbpool/stale_sessions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbpool/event.h"
#include "dbpool/link.h"
#include "dbpool/state.h"
#include "dbpool/util.h"
#include "page/reader.h"

#define TIMEOUT INT64_C(2000000)

struct session_search {
	struct dbpool *pool;
	struct pool_link *link;
	int64_t deadline;
	struct page_host host;
	struct page_copy *again; /* for the page that is removed */
};

/* Ends a session only if its pid, its start and the end of its application_name are those on the
 * page. The server checks this in the same statement, because pids are reused. */
static const char end_sql[] =
	"SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
	" WHERE pid OPERATOR(pg_catalog.=) $1::int"
	" AND pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid()"
	" AND pg_catalog.right(application_name, pg_catalog.length($2::pg_catalog.text))"
	" OPERATOR(pg_catalog.=) $2::pg_catalog.text"
	" AND ($3::bigint IS NULL OR"
	" (extract(epoch FROM backend_start) OPERATOR(pg_catalog.*) 1000000)::bigint"
	" OPERATOR(pg_catalog.=) $3::bigint)";

static bool same_name(const char *ours, const char *cleaned, size_t size)
{
	size_t length = strnlen(ours, size - 1);
	for (size_t i = 0; i < length; i++) {
		char c = ours[i] >= 0x20 && ours[i] < 0x7f ? ours[i] : '?';
		if (c != cleaned[i])
			return false;
	}
	return cleaned[length] == '\0';
}

/* Returns false when the statement failed. */
static bool end_session(const struct session_search *search, int32_t owner, int slot,
	const struct page_slot_copy *copy)
{
	char pid[16], suffix[40], start[24];
	const char *const values[] = { pid, suffix,
		copy->backend_start == PAGE_UNKNOWN ? NULL : start };
	snprintf(pid, sizeof(pid), "%d", copy->backend_pid);
	snprintf(suffix, sizeof(suffix), "/%d/%d", owner, slot);
	snprintf(start, sizeof(start), "%lld", (long long)copy->backend_start);
	PGresult *result = link_exec(search->link, end_sql, 3, values, search->deadline);
	bool asked = PQresultStatus(result) == PGRES_TUPLES_OK;
	bool found = asked && PQntuples(result) > 0;
	struct dbpool_event event = { .kind = DBPOOL_EVENT_PREDECESSOR,
		.slot = slot,
		.backend_pid = copy->backend_pid,
		.thread = copy->thread,
		.site = copy->site[0] ? copy->site : NULL,
		.result = asked ? 0 : DBPOOL_REFUSED,
		.warning = !asked };
	if (found || !asked)
		report_event(search->pool, &event,
			"session %d of the dead process %d, slot %d, %s%s%s", copy->backend_pid,
			owner, slot, found ? "was ended" : "could not be ended",
			copy->site[0] ? ": borrowed at " : "", copy->site);
	PQclear(result);
	return asked;
}

static void end_sessions(void *data, const char *path, int status, const struct page_copy *copy)
{
	const struct session_search *search = data;
	const struct pool_config *config = &search->pool->config;
	bool all = true;
	if (status != PAGE_DEAD_OWNER || !same_name(config->name, copy->name, PAGE_NAME_MAX) ||
		!same_name(config->server, copy->server, PAGE_SERVER_MAX))
		return;
	for (uint32_t i = 0; i < copy->n_slots; i++)
		if (!copy->slots[i].torn && copy->slots[i].backend_pid)
			all = end_session(search, copy->pid, (int)i + 1, &copy->slots[i]) && all;
	/* The server may have taken its time: in between, another pool may have removed the page,
	 * and a process of another container may have its own in this place. */
	if (all)
		(void)!page_clear(path, &search->host, copy->pid, copy->start_ticks, search->again);
}

void stale_sessions_end(struct dbpool *pool, struct pool_link *link)
{
	char folder[PAGE_PATH_MAX];
	struct session_search search = {
		.pool = pool, .link = link, .deadline = now_usec() + TIMEOUT
	};
	if (pool->config.raw.no_predecessors || pool->config.raw.no_page ||
		page_folder(pool->config.page_folder, folder, sizeof(folder)) < 0)
		return;
	struct page_copy *buffers = calloc(2, sizeof(*buffers));
	if (!buffers)
		return;
	search.again = &buffers[1];
	page_host_read("/proc", &search.host);
	(void)page_scan(folder, &search.host, buffers, end_sessions, &search);
	free(buffers);
}
