/* One query of pg_locks, which everybody may read. */
#include "action/lock_impact.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/plural.h"
#include "model/action.h"
#include "session/cell.h"
#include "session/session.h"

/* What a lock is for, as one value: record_eq() takes two NULLs for the same. */
#define THING(l)                                                                                   \
	"ROW(" l ".locktype, " l ".database, " l ".relation, " l ".page, " l ".tuple, " l          \
	".virtualxid, " l ".transactionid, " l ".classid, " l ".objid, " l ".objsubid)"

/* Columns: the target's number, how many locks it holds, how many sessions wait for them. Locks on
 * a transaction's own ids are counted only if somebody waits for them: every transaction holds one.
 * Two locks of different modes on one thing count once. The table is read once, and a session
 * counts only while it is the one that was planned for. */
static const char sql[] =
	"WITH l AS MATERIALIZED (SELECT * FROM pg_catalog.pg_locks)"
	" SELECT t.n,"
	" (SELECT pg_catalog.count(DISTINCT ROW(h.locktype, h.database, h.relation, h.page,"
	"   h.tuple, h.classid, h.objid, h.objsubid))"
	"  FROM l h WHERE h.pid OPERATOR(pg_catalog.=) t.pid AND h.granted"
	"  AND h.locktype OPERATOR(pg_catalog.<>)"
	"   ALL (ARRAY['virtualxid', 'transactionid']))::pg_catalog.int4,"
	" (SELECT pg_catalog.count(DISTINCT w.pid) FROM l h"
	"  JOIN l w ON pg_catalog.record_eq(" THING("h") ", " THING(
		"w") ")"
		     "  WHERE h.pid OPERATOR(pg_catalog.=) t.pid AND h.granted AND NOT w.granted"
		     "  AND w.pid OPERATOR(pg_catalog.<>) t.pid)::pg_catalog.int4"
		     " FROM pg_catalog.json_to_recordset($1::pg_catalog.json)"
		     "  AS t(n pg_catalog.int4, pid pg_catalog.int4, start pg_catalog.timestamptz)"
		     " JOIN pg_catalog.pg_stat_get_activity(NULL::pg_catalog.int4) a"
		     "  ON a.pid OPERATOR(pg_catalog.=) t.pid"
		     "  AND a.backend_start OPERATOR(pg_catalog.=) t.start";

enum { COLUMN_NUMBER, COLUMN_LOCKS, COLUMN_WAITERS, N_COLUMNS };

struct lock_impact {
	struct session *session;
	struct lock_impact_callbacks callbacks;
	struct action *plan; /* whose locks were asked for; NULL: none */
};

struct lock_impact *lock_impact_new(
	struct session *session, const struct lock_impact_callbacks *callbacks)
{
	struct lock_impact *lock_impact = mem_alloc(sizeof(*lock_impact));
	lock_impact->session = session;
	lock_impact->callbacks = *callbacks;
	return lock_impact;
}

/* "open transaction, 7m12s, 3 locks, 2 wait for them" */
static const char *describe(struct arena *arena, const struct action_step *step)
{
	if (!step->session.locks)
		return step->session.loses;
	const char *locks = arena_printf(arena, "%s%s%d lock%s",
		step->session.loses ? step->session.loses : "", step->session.loses ? ", " : "",
		step->session.locks, plural_s(step->session.locks));
	if (!step->session.waiters)
		return locks;
	return arena_printf(arena, "%s, %d wait%s for %s", locks, step->session.waiters,
		step->session.waiters == 1 ? "s" : "", step->session.locks == 1 ? "it" : "them");
}

static void read_answer(struct action *plan, const PGresult *result)
{
	if (!cell_has_rows(result, N_COLUMNS))
		return;
	for (int row = 0; row < PQntuples(result); row++) {
		int32_t i = cell_int(result, row, COLUMN_NUMBER, -1);
		if (i < 0 || (size_t)i >= plan->n_steps || plan->steps[i].session.locks >= 0)
			continue;
		struct action_step *step = &plan->steps[i];
		step->session.locks = cell_int(result, row, COLUMN_LOCKS, 0);
		step->session.waiters = cell_int(result, row, COLUMN_WAITERS, 0);
		step->session.loses = describe(plan->arena, step);
	}
}

static void on_answer(void *data, const PGresult *result, int64_t sent_at)
{
	(void)sent_at;
	struct lock_impact *lock_impact = data;
	read_answer(lock_impact->plan, result);
	lock_impact->plan = NULL;
	lock_impact->callbacks.arrived(lock_impact->callbacks.data);
}

static char *list_steps(const struct action *plan)
{
	json_t *list = json_array();
	for (size_t i = 0; i < plan->n_steps; i++) {
		char start[INSTANT_TEXT_MAX];
		json_array_append_new(list,
			json_pack("{si si ss}", "n", (int)i, "pid", plan->steps[i].pid, "start",
				instant_rfc3339(plan->steps[i].session.backend_start, start)));
	}
	char *text = json_dumps(list, JSON_COMPACT);
	json_decref(list);
	return text;
}

bool lock_impact_ask(struct lock_impact *lock_impact, struct action *plan)
{
	lock_impact_forget(lock_impact);
	if (plan->n_steps == 0)
		return false;
	CLEANUP(cleanup_free) char *targets = list_steps(plan);
	const char *const params[] = { targets };
	const struct session_statement statement = { .sql = sql, .n_params = 1, .params = params };
	lock_impact->plan = plan;
	if (session_query(lock_impact->session, &statement, on_answer, lock_impact))
		return true;
	lock_impact->plan = NULL;
	return false;
}

void lock_impact_forget(struct lock_impact *lock_impact)
{
	session_forget(lock_impact->session, lock_impact);
	lock_impact->plan = NULL;
}

void lock_impact_free(struct lock_impact *lock_impact)
{
	if (!lock_impact)
		return;
	lock_impact_forget(lock_impact);
	free(lock_impact);
}
