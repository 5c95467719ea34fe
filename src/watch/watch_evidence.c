/* Determines how the sessions ended: whether their clients closed them properly (Terminate message)
 * or abandoned them.
 *
 * PostgreSQL 14 and later counts abandoned sessions in pg_stat_database, but only for a whole
 * database. Sessions of other clients that ended during the shutdown may account for some of them.
 * Those beyond that number are the application's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "model/assessment.h"
#include "session/cell.h"
#include "session/session.h"
#include "target/target.h"
#include "watch/watch_parts.h"

#define COUNTS_SINCE  140000
#define AT_ONCE_SINCE 150000

/* Before PostgreSQL 15, counts go through the statistics collector, which writes them twice a
 * second. */
#define COUNTS_DELAY_MS 700
#define GATHER_MS       1500

static const char counts_sql[] =
	"SELECT coalesce(pg_catalog.sum(sessions), 0)::pg_catalog.int8,"
	" coalesce(pg_catalog.sum(sessions_abandoned), 0)::pg_catalog.int8"
	" FROM pg_catalog.pg_stat_database"
	" WHERE datname OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[])";

void watch_ask_about(struct watch *watch, const char *sql, const char *array, session_done_fn *done)
{
	const char *params[] = { array };
	const struct session_statement statement = { .sql = sql, .n_params = 1, .params = params };
	watch->waiting++;
	if (!session_query(target_session(watch->target), &statement, done, watch))
		watch->waiting--;
}

/* A PostgreSQL array of texts: {"a","b"}. The caller frees it. */
static char *text_array(const char *const *items, size_t count)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);
	if (!file)
		abort();
	putc('{', file);
	for (size_t i = 0; i < count; i++) {
		fputs(i ? ",\"" : "\"", file);
		for (const char *c = items[i]; *c; c++) {
			if (*c == '"' || *c == '\\')
				putc('\\', file);
			putc(*c, file);
		}
		putc('"', file);
	}
	putc('}', file);
	if (fclose(file) != 0)
		abort();
	return text;
}

static bool is_in_our_databases(const struct watch *watch, const char *database)
{
	for (size_t i = 0; i < watch->n_databases; i++)
		if (strcmp(watch->database_names[i], database) == 0)
			return true;
	return false;
}

static void forget_databases(struct watch *watch)
{
	for (size_t i = 0; i < watch->n_databases; i++)
		free(watch->database_names[i]);
	free(watch->database_names);
	free(watch->databases);
	watch->database_names = NULL;
	watch->databases = NULL;
	watch->n_databases = 0;
}

/* Lists the databases that the application is connected to, each once. */
static void list_databases(struct watch *watch)
{
	const struct activity *activity = target_assessment(watch->target)->activity;
	size_t n_backends = activity ? activity->n_backends : 0;
	forget_databases(watch);
	watch->database_names = mem_resize(NULL, n_backends + 1, sizeof(char *));
	for (size_t i = 0; i < n_backends; i++) {
		const struct backend *backend = &activity->backends[i];
		if (backend->database && !is_in_our_databases(watch, backend->database) &&
			watch_find_session(watch, backend->pid, backend->start))
			watch->database_names[watch->n_databases++] = mem_strdup(backend->database);
	}
	watch->databases =
		text_array((const char *const *)watch->database_names, watch->n_databases);
}

static int32_t server_version(const struct watch *watch)
{
	const struct activity *activity = target_assessment(watch->target)->activity;
	return activity ? activity->server.version : 0;
}

static void ask_counts(struct watch *watch, session_done_fn *done)
{
	if (server_version(watch) < COUNTS_SINCE || !watch->databases)
		return;
	watch_ask_about(watch, counts_sql, watch->databases, done);
}

static struct watch_counts read_counts(const PGresult *result)
{
	if (!cell_has_rows(result, 2) || PQntuples(result) != 1)
		return (struct watch_counts){ -1, -1 };
	return (struct watch_counts){ cell_number(result, 0, 0), cell_number(result, 0, 1) };
}

static void on_baseline(void *data, const PGresult *result, int64_t sent_at)
{
	(void)sent_at;
	struct watch *watch = data;
	watch->before = read_counts(result);
	watch->waiting--;
	watch_baseline_taken(watch);
}

void watch_take_baseline(struct watch *watch)
{
	list_databases(watch);
	watch_indexes_drop(watch->indexes);
	watch->n_foreign = 0;
	watch->based = false;
	watch_note_foreign(watch);
	watch->based = true;
	ask_counts(watch, on_baseline);
	watch_note_writes(watch);
}

static struct watch_foreign_session *add_foreign(struct watch *watch, const struct backend *backend)
{
	watch->foreign = mem_grow(
		watch->foreign, watch->n_foreign, &watch->foreign_room, sizeof(*watch->foreign));
	struct watch_foreign_session *foreign = &watch->foreign[watch->n_foreign++];
	*foreign = (struct watch_foreign_session){
		.pid = backend->pid,
		.start = backend->start,
		.came = watch->based,
		.doubtful = watch->based,
	};
	return foreign;
}

/* A session that existed before the signal and was not found to be the application's is foreign. A
 * later session is foreign once the process that holds its client end is visible. */
void watch_note_foreign(struct watch *watch)
{
	const struct assessment *assessment = target_assessment(watch->target);
	if (!assessment->activity || !watch->databases)
		return;
	for (size_t i = 0; i < watch->n_foreign; i++)
		watch->foreign[i].gone = true;
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *row = &assessment->connections[i];
		const struct backend *backend = row->backend;
		if (!backend->database || row->verdict.protection == PROTECTION_OWN ||
			watch_find_session(watch, backend->pid, backend->start) ||
			!is_in_our_databases(watch, backend->database))
			continue;
		struct watch_foreign_session *foreign =
			watch_find_foreign(watch, backend->pid, backend->start);
		if (!foreign)
			foreign = add_foreign(watch, backend);
		foreign->gone = false;
		if (row->process != NO_PROCESS || row->end == CLIENT_END_ELSEWHERE)
			foreign->doubtful = false;
	}
}

static int count_ours(const struct watch *watch)
{
	int count = 0;
	for (size_t i = 0; i < watch->record.n_connections; i++)
		count += watch->record.connections[i].link == LINK_DIRECT &&
			watch->record.connections[i].after_signal;
	return count;
}

/* The number of sessions that the server counted since the baseline and that are neither known
 * connections of the application nor known foreign sessions. */
static int64_t count_unseen(const struct watch *watch)
{
	int64_t known = count_ours(watch);
	for (size_t i = 0; i < watch->n_foreign; i++)
		known += watch->foreign[i].came && !watch->foreign[i].doubtful;
	if (watch->before.sessions < 0 || watch->after.sessions < 0)
		return 0;
	return watch->after.sessions - watch->before.sessions - known;
}

/* True if no foreign session is, or was, in the application's databases. */
static bool is_alone(const struct watch *watch)
{
	for (size_t i = 0; i < watch->n_foreign; i++)
		if (!watch->foreign[i].doubtful)
			return false;
	return true;
}

/* How many of the sessions counted as abandoned may be foreign: each foreign session that has
 * ended, and each session that no sample shows. */
static int64_t count_others(const struct watch *watch)
{
	int64_t others = 0;
	int64_t unseen = count_unseen(watch);
	for (size_t i = 0; i < watch->n_foreign; i++)
		others += watch->foreign[i].gone && !watch->foreign[i].doubtful;
	return others + (unseen > 0 ? unseen : 0);
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
static bool ended_with(const struct watch *watch, const struct shutdown_process *process,
	const struct shutdown_connection *connection)
{
	return !watch_closed_its_pools(watch, process->pid) &&
		process->ended_at != INSTANT_UNKNOWN && connection->owner == process->pid &&
		connection->inode && connection->closed_at != INSTANT_UNKNOWN &&
		connection->closed_at >= process->ended_at;
}

/* The process that held the connection's socket last. */
static const struct shutdown_process *owner_of(
	const struct watch *watch, const struct shutdown_connection *connection)
{
	return connection->owner ? watch_find_pid(watch, connection->owner) : NULL;
}

/* True if a process died by a signal while it had sockets open. */
static bool died_with_sockets(const struct watch *watch)
{
	const struct shutdown_record *record = &watch->record;
	for (size_t i = 0; i < record->n_connections; i++) {
		const struct shutdown_process *owner = owner_of(watch, &record->connections[i]);
		if (owner && died_outright(record, owner) &&
			ended_with(watch, owner, &record->connections[i]))
			return true;
	}
	return false;
}

/* True if the last sample of an ended process shows sockets open. Unless the process died by a
 * signal, it may have closed them after that sample. `pooled`: only sockets to PgBouncer, whose
 * clients pg_stat_database does not count; otherwise all. */
static bool ended_with_sockets(const struct watch *watch, bool pooled)
{
	const struct shutdown_record *record = &watch->record;
	for (size_t i = 0; i < record->n_connections; i++) {
		const struct shutdown_connection *connection = &record->connections[i];
		const struct shutdown_process *owner = owner_of(watch, connection);
		if (owner && (!pooled || connection->link == LINK_POOLED) &&
			ended_with(watch, owner, connection))
			return true;
	}
	return false;
}

static bool has_direct(const struct watch *watch)
{
	for (size_t i = 0; i < watch->record.n_connections; i++)
		if (watch->record.connections[i].link == LINK_DIRECT)
			return true;
	return false;
}

static enum close_evidence close_evidence(const struct watch *watch)
{
	bool counted =
		watch->before.abandoned >= 0 && watch->after.abandoned >= 0 && has_direct(watch);
	int64_t abandoned = watch->after.abandoned - watch->before.abandoned;
	if (counted && abandoned <= 0 && !ended_with_sockets(watch, true))
		return CLOSE_CONFIRMED;
	if (counted && abandoned > count_others(watch))
		return CLOSE_ABANDONED;
	if (died_with_sockets(watch))
		return CLOSE_ABANDONED_PRESUMED;
	return ended_with_sockets(watch, counted && abandoned <= 0) ? CLOSE_NOT_VISIBLE
								    : CLOSE_UNKNOWN;
}

static void add_counted(struct watch *watch, const struct watch_socket *socket)
{
	struct shutdown_connection *connection = shutdown_add_connection(&watch->record);
	connection->after_signal = true;
	if (socket) {
		connection->inode = socket->inode;
		connection->owner = socket->owner;
		connection->opened_at = socket->opened_at;
		connection->closed_at = socket->closed_at;
		return;
	}
	/* the exact time is not known: some time after the signal */
	connection->counted = true;
	connection->opened_at = connection->closed_at = watch->record.signalled_at;
}

/* Adds connections that were closed before their session was seen. The server counted their
 * sessions, so they were not cancel requests. Sessions that no sample shows are the application's
 * if there are no foreign sessions. Before PostgreSQL 15 the counts are too old for that. */
static void add_unseen(struct watch *watch)
{
	int64_t unseen = count_unseen(watch);
	for (size_t i = 0; i < watch->n_sockets && unseen > 0; i++) {
		struct watch_socket *socket = &watch->sockets[i];
		if (socket->taken || socket->pooled || !socket->established ||
			socket->opened_at <= watch->record.signalled_at)
			continue;
		add_counted(watch, socket);
		socket->taken = true;
		unseen--;
	}
	bool alone = is_alone(watch) && server_version(watch) >= AT_ONCE_SINCE;
	for (; alone && has_direct(watch) && unseen > 0; unseen--)
		add_counted(watch, NULL);
}

void watch_complete(struct watch *watch)
{
	const struct assessment *assessment = target_assessment(watch->target);
	uv_timer_stop(watch->timer);
	session_forget(target_session(watch->target), watch);
	if (assessment->server.status != SERVER_OK)
		watch->record.blind = "the server is not reachable";
	watch->record.close_evidence = close_evidence(watch);
	add_unseen(watch);
	watch->stage = WATCH_COMPLETE;
	watch_changed(watch);
	if (watch->options.complete)
		watch->options.complete(watch->options.data);
}

void watch_complete_when_answered(struct watch *watch)
{
	if (watch->waiting == 0 && watch->stage == WATCH_GATHERING)
		watch_complete(watch);
}

static void on_counts(void *data, const PGresult *result, int64_t sent_at)
{
	(void)sent_at;
	struct watch *watch = data;
	watch->after = read_counts(result);
	watch->waiting--;
	watch_complete_when_answered(watch);
}

static void gather(struct watch *watch)
{
	watch_read_pages(watch, instant_monotonic());
	ask_counts(watch, on_counts);
	watch_ask_outcomes(watch);
	watch_complete_when_answered(watch);
}

static void on_delay(uv_timer_t *timer)
{
	struct watch *watch = timer->data;
	watch_time_out(watch, GATHER_MS);
	gather(watch);
}

void watch_gather(struct watch *watch)
{
	/* answers to statements sent before the signal are of no use now */
	session_forget(target_session(watch->target), watch);
	watch->waiting = 0;
	if (server_version(watch) >= AT_ONCE_SINCE || server_version(watch) < COUNTS_SINCE) {
		watch_time_out(watch, GATHER_MS);
		gather(watch);
	} else {
		uv_timer_start(watch->timer, on_delay, COUNTS_DELAY_MS, 0);
	}
}

void watch_forget(struct watch *watch)
{
	session_forget(target_session(watch->target), watch);
	forget_databases(watch);
}
