#include "watch/record_sessions.h"

#include <string.h>
#include <sys/socket.h>

#include "analyze/close_evidence.h"
#include "analyze/session_owner.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "model/assessment.h"
#include "model/pool.h"
#include "model/shutdown.h"

/* If the server does not show a TCP connection within this time, its port is not enough to find the
 * session. */
#define SCAN_AFTER (60 * USEC_PER_MSEC)

/* What converts the server's instants to our monotonic clock, as precisely as the time of its
 * answer allows. */
static int64_t to_local(const struct assessment *assessment)
{
	if (assessment->server_now == INSTANT_UNKNOWN)
		return INSTANT_UNKNOWN;
	return assessment->activity->taken_monotonic - assessment->server_now;
}

struct session_reading session_reading_make(const struct shutdown_record *record,
	const struct assessment *assessment, bool by_arrival, struct arena *arena)
{
	struct session_reading reading = { .assessment = assessment, .now = instant_monotonic() };
	reading.to_local = to_local(assessment);
	reading.matches = session_owner_match(
		record, assessment, reading.to_local, by_arrival, arena, &reading.n_matches);
	return reading;
}

static int64_t local(const struct session_reading *reading, int64_t instant)
{
	return session_owner_local(instant, reading->to_local);
}

/* The server read its clock between the question and its answer: `instant` is the latest that is
 * possible. Before the shutdown the earliest is needed: what ends before the newest connection
 * seems to be opened is not taken for a sign of the shutdown. */
static int64_t earliest(const struct session_reading *reading, int64_t instant)
{
	const struct activity *activity = reading->assessment->activity;
	return instant == INSTANT_UNKNOWN
		? instant
		: instant - (activity->taken_monotonic - activity->asked_monotonic);
}

/* The scan that first saw the socket may have begun before the signal. If no scan was running at
 * the signal, a session that starts late still belongs to a socket opened before it. */
static int64_t opened_at(const struct shutdown_record *record,
	const struct session_reading *reading, const struct session_match *match)
{
	int64_t began_at = local(reading, match->row->backend->start);
	if (match->owner == OWNER_LENT)
		return local(reading, match->row->backend->xact_start);
	if (match->socket == NO_SOCKET)
		return shutdown_has_begun(record) ? began_at : earliest(reading, began_at);
	int64_t opened_at = record->sockets[match->socket].opened_at;
	bool late = shutdown_has_begun(record) && began_at > opened_at && !reading->is_exact;
	return late ? began_at : opened_at;
}

static void take_socket(struct shutdown_connection *connection, struct shutdown_socket *socket)
{
	connection->inode = socket->inode;
	connection->owner = socket->owner;
	socket->taken = true;
}

static void add(struct shutdown_record *record, const struct session_reading *reading,
	const struct session_match *match)
{
	const struct backend *backend = match->row->backend;
	struct shutdown_connection *connection = shutdown_add_connection(record);
	connection->backend = backend->pid;
	connection->backend_start = backend->start;
	connection->owner = match->process;
	connection->opened_at = opened_at(record, reading, match);
	connection->presumed = match->owner == OWNER_ARRIVAL;
	if (match->owner == OWNER_LENT) {
		connection->link = LINK_LENT;
		connection->lent_since = backend->xact_start;
	} else {
		connection->after_signal =
			shutdown_has_begun(record) && connection->opened_at > record->signalled_at;
	}
	if (match->socket != NO_SOCKET)
		take_socket(connection, &record->sockets[match->socket]);
}

/* True if the transaction has ended, or the session is lent to another client by now. If the answer
 * took long, our conversion of an instant is inaccurate: compare the server's own instants to
 * recognise the same transaction. */
static bool is_given_back(const struct shutdown_connection *connection,
	const struct session_reading *reading, const struct backend *backend)
{
	if (backend->xact_start == INSTANT_UNKNOWN)
		return true;
	return backend->xact_start != connection->lent_since &&
		local(reading, backend->xact_start) > connection->opened_at + 100 * USEC_PER_MSEC;
}

/* The record's string, or a copy of the new one if that differs. */
static const char *update_text(struct arena *arena, const char *known, const char *text)
{
	return !text || (known && strcmp(known, text) == 0) ? known : arena_strdup(arena, text);
}

/* The state of a session whose client has logged in; NULL before. Since PostgreSQL 18 the server
 * shows a session before its login, without a database and not counted yet. */
static const char *state_of(const struct backend *backend)
{
	return backend->state == BACKEND_STATE_STARTING ? NULL : backend->state_text;
}

static void update(struct shutdown_record *record, struct shutdown_connection *connection,
	const struct session_reading *reading, const struct connection *row)
{
	const struct backend *backend = row->backend;
	struct arena *arena = record->arena;
	connection->state = update_text(arena, connection->state, state_of(backend));
	connection->database = update_text(arena, connection->database, backend->database);
	if (!connection->application_name)
		connection->application_name = arena_strdup(arena, backend->application_name);
	if (row->slot && row->slot->state == POOL_SLOT_IN_USE)
		connection->site = update_text(arena, connection->site, row->slot->site);
	if (!shutdown_has_begun(record))
		connection->pool_unseen = row->pool_unseen;
	connection->state_age =
		instant_elapsed(backend->state_change, reading->assessment->server_now);
	connection->worked_at = local(reading, backend->query_start);
	if (connection->link == LINK_LENT && is_given_back(connection, reading, backend))
		connection->ended_at = reading->now;
}

void record_sessions(struct shutdown_record *record, const struct session_reading *reading)
{
	const struct assessment *assessment = reading->assessment;
	struct arena *arena = arena_new();
	const struct map *sessions = shutdown_index_sessions(record, arena);
	for (size_t i = 0; i < reading->n_matches; i++) {
		const struct session_match *match = &reading->matches[i];
		uint32_t at = map_get(sessions,
			shutdown_identity(
				match->row->backend->pid, (uint64_t)match->row->backend->start));
		if (at != MAP_NONE && match->socket != NO_SOCKET)
			take_socket(&record->connections[at], &record->sockets[match->socket]);
		else if (match->owner != OWNER_LENT || !reading->armed)
			add(record, reading, match);
	}
	sessions = shutdown_index_sessions(record, arena);
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *row = &assessment->connections[i];
		uint32_t at = map_get(sessions,
			shutdown_identity(row->backend->pid, (uint64_t)row->backend->start));
		if (at != MAP_NONE)
			update(record, &record->connections[at], reading, row);
	}
	arena_free(arena);
}

void record_missing(struct shutdown_record *record, const struct session_reading *reading)
{
	const struct activity *activity = reading->assessment->activity;
	int64_t at = activity->taken_monotonic;
	struct arena *arena = arena_new();
	struct map *present = map_new(arena, activity->n_backends);
	for (size_t i = 0; i < activity->n_backends; i++)
		map_set(present,
			shutdown_identity(
				activity->backends[i].pid, (uint64_t)activity->backends[i].start),
			0);
	for (size_t i = 0; i < record->n_connections; i++) {
		struct shutdown_connection *connection = &record->connections[i];
		if (connection->backend && connection->ended_at == INSTANT_UNKNOWN &&
			map_get(present,
				shutdown_identity(connection->backend,
					(uint64_t)connection->backend_start)) == MAP_NONE)
			connection->ended_at = at;
	}
	arena_free(arena);
}

/* Notes what the latest scan shows of the client end. */
static void note_client(struct foreign_session *session, const struct assessment *assessment,
	const struct connection *row)
{
	const struct peers *peers = assessment->peers;
	bool shown = peers && row->end != CLIENT_END_UNKNOWN;
	session->lost_client = row->end == CLIENT_END_GONE;
	session->looked_at = shown ? peers->dump_began : INSTANT_UNKNOWN;
	if (!peers || shown || !row->scanned || peers->dump_began == session->missed_at[0] ||
		assessment->activity->asked_monotonic < peers->dump_began)
		return;
	session->missed_at[1] = session->missed_at[0];
	session->missed_at[0] = peers->dump_began;
}

/* A session that existed before the signal and was not found to be the application's is foreign. A
 * later session is foreign once the process that holds its client end is visible. */
void record_foreign(struct shutdown_record *record, const struct assessment *assessment)
{
	struct arena *arena = arena_new();
	const struct map *sessions = shutdown_index_sessions(record, arena);
	const struct map *known = shutdown_index_foreign(record, arena);
	for (size_t i = 0; i < record->n_foreign; i++)
		record->foreign[i].gone = true;
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *row = &assessment->connections[i];
		const struct backend *backend = row->backend;
		uint64_t key = shutdown_identity(backend->pid, (uint64_t)backend->start);
		/* the server's workers have no client, and are not counted */
		bool is_client = backend->kind == BACKEND_CLIENT || backend->kind == BACKEND_HIDDEN;
		if (!is_client || !backend->database || row->verdict.protection == PROTECTION_OWN ||
			map_get(sessions, key) != MAP_NONE ||
			!shutdown_has_database(record, backend->database))
			continue;
		uint32_t at = map_get(known, key);
		struct foreign_session *session =
			at == MAP_NONE ? shutdown_add_foreign(record) : &record->foreign[at];
		if (at == MAP_NONE)
			*session = (struct foreign_session){
				.backend = backend->pid,
				.backend_start = backend->start,
				.came = record->based || !state_of(backend),
				.doubtful = record->based,
			};
		session->gone = false;
		note_client(session, assessment, row);
		if (row->process != NO_PROCESS || row->end == CLIENT_END_ELSEWHERE)
			session->doubtful = false;
	}
	arena_free(arena);
}

void record_backend_ended(struct shutdown_record *record, int32_t pid, int64_t at)
{
	for (size_t i = 0; i < record->n_connections; i++) {
		struct shutdown_connection *connection = &record->connections[i];
		if (connection->backend == pid && connection->ended_at == INSTANT_UNKNOWN)
			connection->ended_at = at;
	}
}

/* A socket that was opened after the signal and closed before its session was found. */
static bool is_unseen(const struct shutdown_record *record, const struct shutdown_socket *socket)
{
	return !socket->taken && !socket->pooled && socket->established &&
		socket->opened_at > record->signalled_at;
}

/* Sessions that no sample shows are the application's only if there are no foreign sessions. */
void record_unseen(struct shutdown_record *record)
{
	const struct unseen_sessions unseen = close_evidence_unseen(record);
	bool has_direct = shutdown_has_link(record, LINK_DIRECT);
	int64_t added = 0;
	for (size_t i = 0; i < record->n_sockets && added < unseen.least; i++) {
		struct shutdown_socket *socket = &record->sockets[i];
		if (!is_unseen(record, socket))
			continue;
		struct shutdown_connection *connection = shutdown_add_connection(record);
		connection->after_signal = true;
		connection->inode = socket->inode;
		connection->owner = socket->owner;
		connection->opened_at = socket->opened_at;
		connection->closed_at = socket->closed_at;
		socket->taken = true;
		added++;
	}
	for (bool alone = close_evidence_is_alone(record);
		alone && has_direct && added < unseen.least; added++) {
		/* the exact time is not known: some time after the signal */
		struct shutdown_connection *connection = shutdown_add_connection(record);
		connection->after_signal = connection->counted = true;
		connection->opened_at = connection->closed_at = record->signalled_at;
	}
	record->may_have_opened =
		record->based && has_direct && (unseen.most < 0 || unseen.most > added);
}

void record_baseline(struct shutdown_record *record)
{
	for (size_t i = 0; i < record->n_connections; i++)
		record->connections[i].counted_before = record->connections[i].state != NULL;
}

void record_write(struct shutdown_record *record, int32_t backend, int64_t backend_start,
	enum write_outcome outcome)
{
	for (size_t i = 0; i < record->n_connections; i++) {
		struct shutdown_connection *connection = &record->connections[i];
		if (connection->backend == backend && connection->backend_start == backend_start &&
			outcome > connection->outcome)
			connection->outcome = outcome;
	}
}

bool record_needs_scan(const struct shutdown_record *record, int64_t now)
{
	for (size_t i = 0; i < record->n_sockets; i++) {
		const struct shutdown_socket *socket = &record->sockets[i];
		bool late = now - socket->opened_at > SCAN_AFTER;
		if (socket->open && socket->established &&
			(socket->pooled ||
				(!socket->taken && (socket->local.family == AF_UNIX || late))))
			return true;
	}
	return false;
}

bool record_needs_answers(const struct shutdown_record *record, const struct assessment *assessment)
{
	bool begun = shutdown_has_begun(record);
	for (size_t i = 0; i < record->n_sockets; i++)
		if (!record->sockets[i].taken && record->sockets[i].established &&
			record->sockets[i].open)
			return true;
	for (size_t i = 0; begun && i < record->n_connections; i++)
		if (!shutdown_connection_is_over(&record->connections[i]))
			return true;
	return begun && assessment->n_bouncers > 0;
}
