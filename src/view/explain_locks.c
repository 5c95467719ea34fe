/* Selects the rows of the lock table that concern one session. */
#include "view/explain_locks.h"

#include <string.h>

#include "base/arena.h"
#include "base/duration.h"
#include "base/instant.h"
#include "model/lock.h"
#include "view/lock_tree.h"

#define MOST_LINES 24

/* The lock table; NULL if there is none, or if it is older than the session: its rows may then be
 * those of an earlier session with the same pid. */
static const struct lock_table *table_of(
	const struct assessment *assessment, const struct connection *connection)
{
	const struct lock_table *table = assessment->locks;
	if (!table || table->error || connection->first_seen > table->taken_at)
		return NULL;
	return table;
}

static const struct lock *wait_of(const struct lock_table *table, int32_t pid)
{
	for (size_t i = 0; table && i < table->count; i++)
		if (!table->items[i].granted && table->items[i].pid == pid)
			return &table->items[i];
	return NULL;
}

const char *explain_lock_wait(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection)
{
	const struct lock *lock =
		wait_of(table_of(assessment, connection), connection->backend->pid);
	char age[DURATION_TEXT_MAX];
	if (!lock)
		return NULL;
	int64_t since =
		lock->since == INSTANT_UNKNOWN ? connection->backend->query_start : lock->since;
	if (since == INSTANT_UNKNOWN)
		return arena_printf(arena, "%s on %s", lock->mode, lock->object);
	return arena_printf(arena, "%s on %s, for %s", lock->mode, lock->object,
		duration_format(instant_elapsed(since, assessment->server_now), age));
}

static const char *name_session(
	struct arena *arena, const struct assessment *assessment, int32_t pid)
{
	const struct connection *connection = lock_tree_session(assessment, assessment->locks, pid);
	if (!pid)
		return "a prepared transaction: see pg_prepared_xacts";
	if (!connection)
		return arena_printf(arena, "%d", pid);
	const char *name = connection->backend->application_name;
	const char *state = connection->backend->state_text;
	return arena_printf(arena, "%d%s%s%s%s", pid, name && *name ? " " : "", name ? name : "",
		state ? ", " : "", state ? state : "");
}

static const char *add_line(struct arena *arena, const char *lines, const char *line)
{
	return lines ? arena_printf(arena, "%s\n%s", lines, line) : line;
}

const char *explain_blocked_by(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection)
{
	const struct lock *lock =
		wait_of(table_of(assessment, connection), connection->backend->pid);
	const char *lines = NULL;
	for (size_t i = 0; lock && i < lock->n_blockers && i < MOST_LINES; i++)
		lines = add_line(arena, lines, name_session(arena, assessment, lock->blockers[i]));
	return lines;
}

static bool waits_for(const struct lock *lock, int32_t pid)
{
	for (size_t i = 0; i < lock->n_blockers; i++)
		if (lock->blockers[i] == pid)
			return true;
	return false;
}

const char *explain_blocks(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection)
{
	const struct lock_table *table = table_of(assessment, connection);
	const char *lines = NULL;
	for (size_t i = 0, count = 0; table && i < table->count && count < MOST_LINES; i++) {
		const struct lock *lock = &table->items[i];
		if (lock->granted || !waits_for(lock, connection->backend->pid))
			continue;
		count++;
		lines = add_line(arena, lines,
			arena_printf(arena, "%s: %s on %s",
				name_session(arena, assessment, lock->pid), lock->mode,
				lock->object));
	}
	return lines;
}

const char *explain_locks_held(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection)
{
	const struct lock_table *table = table_of(assessment, connection);
	const char *lines = NULL;
	size_t count = 0;
	if (!table || table->subject != connection->backend->pid)
		return NULL;
	for (size_t i = 0; i < table->count; i++) {
		const struct lock *lock = &table->items[i];
		/* Each transaction holds the lock on itself; it is left out. */
		if (!lock->granted || lock->pid != connection->backend->pid ||
			strcmp(lock->type, "virtualxid") == 0)
			continue;
		if (++count <= MOST_LINES)
			lines = add_line(arena, lines,
				arena_printf(arena, "%s on %s", lock->mode, lock->object));
	}
	if (count > MOST_LINES)
		lines = add_line(
			arena, lines, arena_printf(arena, "and %zu more", count - MOST_LINES));
	return lines ? lines : "no lock";
}

const char *explain_locks_age(struct arena *arena, const struct assessment *assessment)
{
	const struct lock_table *table = assessment->locks;
	char age[DURATION_TEXT_MAX];
	if (!table)
		return assessment->server.status == SERVER_OK ? "just now: no answer yet" : NULL;
	if (table->error)
		return arena_printf(arena, "failed: %s", table->error);
	duration_format(instant_elapsed(table->taken_at, assessment->now), age);
	return arena_printf(arena, "%s ago", age);
}
