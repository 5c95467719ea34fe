#include "analyze/close_evidence.h"

#include <sys/wait.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"

/* Sockets without a session that were opened before the signal: their sessions may have been
 * counted after it. */
static int64_t count_unmatched(const struct shutdown_record *record)
{
	int64_t count = 0;
	for (size_t i = 0; i < record->n_sockets; i++) {
		const struct shutdown_socket *socket = &record->sockets[i];
		count += !socket->taken && !socket->pooled && socket->established &&
			socket->opened_at <= record->signalled_at;
	}
	return count;
}

/* How many sessions were counted since the command was started that are no known connections; −1:
 * not known.
 *
 * A session's first report of its counts fails while another one reports, and is repeated some
 * seconds later, or at its end. So a session may be counted after the signal although it was there
 * before; once all have ended, all are counted. */
static int64_t count_since_start(const struct shutdown_record *record)
{
	if (record->counted_at_start < 0 || record->counts_after.all < 0)
		return -1;
	int64_t count = record->counts_after.all - record->counted_at_start;
	for (size_t i = 0; i < record->n_connections; i++) {
		const struct shutdown_connection *connection = &record->connections[i];
		if (connection->link != LINK_DIRECT)
			continue;
		/* counted at the start already, or not counted yet */
		if ((connection->backend && connection->backend_start <= record->started_at) ||
			(connection->backend && connection->ended_at == INSTANT_UNKNOWN))
			return -1;
		count--;
	}
	return count;
}

struct unseen_sessions close_evidence_unseen(const struct shutdown_record *record)
{
	int64_t count = record->counts_after.sessions - record->counts_before.sessions;
	int64_t uncertain = count_unmatched(record);
	if (record->counts_before.sessions < 0 || record->counts_after.sessions < 0)
		return (struct unseen_sessions){ -1, -1 };
	for (size_t i = 0; i < record->n_connections; i++) {
		const struct shutdown_connection *connection = &record->connections[i];
		if (connection->link != LINK_DIRECT)
			continue;
		count -= connection->after_signal;
		uncertain += !connection->after_signal && !connection->counted_before;
	}
	for (size_t i = 0; i < record->n_foreign; i++)
		count -= record->foreign[i].came && !record->foreign[i].doubtful;
	int64_t since_start = count_since_start(record);
	if (since_start >= 0 && since_start < count)
		count = since_start;
	int64_t least = count - uncertain;
	return (struct unseen_sessions){ least > 0 ? least : 0, count > 0 ? count : 0 };
}

bool close_evidence_is_alone(const struct shutdown_record *record)
{
	for (size_t i = 0; i < record->n_foreign; i++)
		if (!record->foreign[i].doubtful)
			return false;
	return record->server_version >= AT_ONCE_SINCE;
}

/* How many of the sessions counted as abandoned may be foreign: each foreign session that has
 * ended, and each session that no sample shows. */
static int64_t count_others(const struct shutdown_record *record)
{
	int64_t unseen = close_evidence_unseen(record).most;
	int64_t others = unseen > 0 ? unseen : 0;
	for (size_t i = 0; i < record->n_foreign; i++)
		others += record->foreign[i].gone && !record->foreign[i].doubtful;
	return others;
}

/* True if the kernel closed what the process still had open. A process that catches the signal may
 * close everything and then still die by that signal between two samples. */
static bool died_outright(
	const struct shutdown_record *record, const struct shutdown_process *process)
{
	return process->has_status && WIFSIGNALED(process->status) &&
		(WTERMSIG(process->status) != record->signal_number ||
			process->disposition == DISPOSITION_DEFAULT);
}

/* True if every sample of the process shows this socket open, and no stats page shows that its
 * pools were closed. */
static bool ended_with(
	const struct shutdown_process *process, const struct shutdown_connection *connection)
{
	return !process->closed_its_pools && process->ended_at != INSTANT_UNKNOWN &&
		connection->inode && connection->closed_at != INSTANT_UNKNOWN &&
		connection->closed_at >= process->ended_at;
}

/* Sockets that were open in the last sample of their process. Unless the process died by a signal,
 * it may have closed them after that sample. */
struct open_at_end {
	bool any;
	bool pooled;   /* to PgBouncer, whose clients pg_stat_database does not count */
	bool by_death; /* the process died by a signal: the kernel closed them */
};

static struct open_at_end find_open_at_end(const struct shutdown_record *record)
{
	struct open_at_end found = { 0 };
	struct arena *arena = arena_new();
	const struct map *pids = shutdown_index_pids(record, arena);
	for (size_t i = 0; i < record->n_connections; i++) {
		const struct shutdown_connection *connection = &record->connections[i];
		uint32_t owner =
			connection->owner ? map_get(pids, (uint64_t)connection->owner) : MAP_NONE;
		if (owner == MAP_NONE || !ended_with(&record->processes[owner], connection))
			continue;
		found.any = true;
		found.pooled |= connection->link == LINK_POOLED;
		found.by_death |= died_outright(record, &record->processes[owner]);
	}
	arena_free(arena);
	return found;
}

enum close_evidence close_evidence_find(const struct shutdown_record *record)
{
	const struct open_at_end open = find_open_at_end(record);
	bool counted = record->counts_before.abandoned >= 0 &&
		record->counts_after.abandoned >= 0 && shutdown_has_link(record, LINK_DIRECT);
	int64_t abandoned = record->counts_after.abandoned - record->counts_before.abandoned;
	bool none_abandoned = counted && abandoned <= 0;
	if (none_abandoned && !open.pooled)
		return CLOSE_CONFIRMED;
	if (counted && abandoned > count_others(record))
		return CLOSE_ABANDONED;
	if (open.by_death)
		return CLOSE_ABANDONED_PRESUMED;
	return (none_abandoned ? open.pooled : open.any) ? CLOSE_NOT_VISIBLE : CLOSE_UNKNOWN;
}
