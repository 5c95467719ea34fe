#include "outbox/remote.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "outbox/batch.h"
#include "outbox/statement.h"

/* How often a wait asks whether it shall give up. */
#define ASK_AGAIN_MS 200

#define DIVISION_BY_ZERO "22012"
#define READ_ONLY        "25006"

const char remote_table_sql[] =
	"CREATE SCHEMA IF NOT EXISTS dboutbox; "
	"CREATE TABLE IF NOT EXISTS dboutbox.applied (outbox text NOT NULL, epoch bigint NOT NULL, "
	"sequence bigint NOT NULL, applied_at timestamptz NOT NULL DEFAULT pg_catalog.now(), "
	"PRIMARY KEY (outbox, epoch));";

/* Always returns a row. */
static const char read_sql[] =
	"SELECT pg_catalog.pg_is_in_recovery(), applied.epoch, applied.sequence"
	" FROM (SELECT 1) AS always LEFT JOIN dboutbox.applied AS applied"
	" ON applied.outbox OPERATOR(pg_catalog.=) $1::pg_catalog.text";

static const char insert_sql[] =
	"INSERT INTO dboutbox.applied (outbox, epoch, sequence)"
	" VALUES ($1::pg_catalog.text, $2::pg_catalog.int8, 0) ON CONFLICT DO NOTHING";

/* Fails with a division by zero if no row has the expected number. Then the pipeline skips what
 * follows. Another sender's transaction that has not ended holds the row: this one waits for it. */
static const char move_sql[] =
	"WITH moved AS (UPDATE dboutbox.applied SET sequence = $4::pg_catalog.int8,"
	" applied_at = pg_catalog.now() WHERE outbox OPERATOR(pg_catalog.=) $1::pg_catalog.text"
	" AND epoch OPERATOR(pg_catalog.=) $2::pg_catalog.int8"
	" AND sequence OPERATOR(pg_catalog.=) $3::pg_catalog.int8 RETURNING 1)"
	" SELECT 1::pg_catalog.int8 OPERATOR(pg_catalog./) pg_catalog.count(*) FROM moved";

static const char durable_sql[] = "SET LOCAL synchronous_commit = on";

static int64_t monotonic(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* --- failures --- */

/* The first line only: the rest is context. */
static void copy_line(char *to, size_t size, const char *text)
{
	snprintf(to, size, "%.*s", (int)strcspn(text, "\r\n"), text);
}

static enum remote_result lost(const struct remote *remote, struct remote_failure *failure)
{
	*failure = (struct remote_failure){ .write = REMOTE_NO_WRITE };
	const char *text = PQerrorMessage(remote->conn);
	copy_line(failure->message, sizeof(failure->message),
		*text ? text : "the server did not answer in time");
	return REMOTE_LOST;
}

static void note(struct remote_failure *failure, const PGresult *result, size_t write)
{
	*failure = (struct remote_failure){ .write = write };
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	snprintf(failure->sqlstate, sizeof(failure->sqlstate), "%s", sqlstate ? sqlstate : "");
	copy_line(failure->message, sizeof(failure->message),
		text ? text : PQresultErrorMessage(result));
}

/* --- waiting --- */

/* Sends what is queued and reads until a result is there. */
static bool wait_for_result(const struct remote *remote)
{
	while (PQisBusy(remote->conn)) {
		int unsent = PQflush(remote->conn);
		int64_t left = remote->give_up_at(remote->data) - monotonic();
		if (unsent < 0 || left <= 0)
			return false;
		struct pollfd fd = {
			.fd = PQsocket(remote->conn),
			.events = (short)(POLLIN | (unsent ? POLLOUT : 0)),
		};
		int64_t ms = left / 1000 + 1;
		if (poll(&fd, 1, ms > ASK_AGAIN_MS ? ASK_AGAIN_MS : (int)ms) < 0 && errno != EINTR)
			return false;
		if (fd.revents && !PQconsumeInput(remote->conn))
			return false;
	}
	return true;
}

/* The next result; *ret_result is NULL between two statements. */
static bool next_result(const struct remote *remote, PGresult **ret_result)
{
	if (!wait_for_result(remote))
		return false;
	*ret_result = PQgetResult(remote->conn);
	return PQstatus(remote->conn) == CONNECTION_OK;
}

static bool is_good(const PGresult *result)
{
	ExecStatusType status = PQresultStatus(result);
	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
		status == PGRES_EMPTY_QUERY;
}

/* One statement outside of a pipeline. *ret_result is NULL unless it succeeded. */
static enum remote_result ask(
	const struct remote *remote, PGresult **ret_result, struct remote_failure *failure)
{
	*ret_result = NULL;
	enum remote_result outcome = REMOTE_DONE;
	for (;;) {
		PGresult *result;
		if (!next_result(remote, &result)) {
			PQclear(*ret_result);
			*ret_result = NULL;
			return lost(remote, failure);
		}
		if (!result)
			return outcome;
		if (!is_good(result)) {
			note(failure, result, REMOTE_NO_WRITE);
			outcome = failure->sqlstate[0] ? REMOTE_REFUSED : REMOTE_LOST;
		}
		PQclear(*ret_result);
		*ret_result = is_good(result) ? result : NULL;
		if (!*ret_result)
			PQclear(result);
	}
}

static enum remote_result ask_text(
	const struct remote *remote, const char *sql, struct remote_failure *failure)
{
	if (PQsetnonblocking(remote->conn, 1) != 0 || !PQsendQuery(remote->conn, sql))
		return lost(remote, failure);
	PGresult *result;
	enum remote_result outcome = ask(remote, &result, failure);
	PQclear(result);
	return outcome;
}

/* --- numbers --- */

static enum remote_result take_numbers(const PGresult *result, struct remote_applied **ret_applied,
	size_t *ret_count, struct remote_failure *failure)
{
	size_t n = (size_t)PQntuples(result), count = 0;
	if (n && strcmp(PQgetvalue(result, 0, 0), "t") == 0) {
		*failure = (struct remote_failure){
			.sqlstate = READ_ONLY,
			.message = "the server is a standby",
			.write = REMOTE_NO_WRITE,
		};
		return REMOTE_REFUSED;
	}
	struct remote_applied *applied = calloc(n + 1, sizeof(*applied));
	if (!applied)
		return REMOTE_NO_MEMORY;
	for (size_t i = 0; i < n; i++)
		if (!PQgetisnull(result, (int)i, 1))
			applied[count++] = (struct remote_applied){
				.epoch = strtoll(PQgetvalue(result, (int)i, 1), NULL, 10),
				.sequence = strtoll(PQgetvalue(result, (int)i, 2), NULL, 10),
			};
	*ret_applied = applied;
	*ret_count = count;
	return REMOTE_DONE;
}

enum remote_result remote_read(const struct remote *remote, const char *id,
	struct remote_applied **ret_applied, size_t *ret_count, struct remote_failure *ret_failure)
{
	if (PQsetnonblocking(remote->conn, 1) != 0 ||
		!PQsendQueryParams(remote->conn, read_sql, 1, NULL, &id, NULL, NULL, 0))
		return lost(remote, ret_failure);
	PGresult *result;
	enum remote_result outcome = ask(remote, &result, ret_failure);
	if (outcome == REMOTE_DONE)
		outcome = take_numbers(result, ret_applied, ret_count, ret_failure);
	PQclear(result);
	return outcome;
}

enum remote_result remote_create(const struct remote *remote, struct remote_failure *ret_failure)
{
	return ask_text(remote, remote_table_sql, ret_failure);
}

/* --- batches --- */

/* A pipeline's results come in the order of its statements: those before the writes' (BEGIN, …),
 * the writes', and those behind them. */
struct pipeline {
	const struct remote *remote;
	const struct batch *batch;
	int64_t epoch;
	size_t count;  /* of writes */
	size_t before; /* statements before the first write's */
	size_t queued; /* all statements */
	struct statement_view view;
};

static bool queue(struct pipeline *pipeline, const char *sql, int n, const char *const *params)
{
	pipeline->queued++;
	return PQsendQueryParams(pipeline->remote->conn, sql, n, NULL, params, NULL, NULL, 0) == 1;
}

static bool queue_begin(struct pipeline *pipeline, const char *id, int64_t expected, bool is_new)
{
	char epoch[24], from[24], to[24];
	snprintf(epoch, sizeof(epoch), "%" PRId64, pipeline->epoch);
	snprintf(from, sizeof(from), "%" PRId64, expected);
	snprintf(to, sizeof(to), "%" PRId64, pipeline->batch->writes[pipeline->count - 1].sequence);
	const char *const params[] = { id, epoch, from, to };
	bool good = queue(pipeline, "BEGIN", 0, NULL) && queue(pipeline, durable_sql, 0, NULL) &&
		(!is_new || queue(pipeline, insert_sql, 2, params)) &&
		queue(pipeline, move_sql, 4, params);
	pipeline->before = pipeline->queued;
	return good;
}

/* Queues a write's statements. 0, −ENOMEM, −EBADMSG, or 1: libpq refused. */
static int queue_write(struct pipeline *pipeline, size_t index)
{
	const struct batch_write *write = &pipeline->batch->writes[index];
	struct statement_reader reader = { .blob = write->blob, .size = write->size };
	int r;
	while ((r = statement_read(&reader, &pipeline->view)) == 1)
		if (!queue(pipeline, pipeline->view.sql, pipeline->view.n_params,
			    pipeline->view.params))
			return 1;
	return r;
}

/* Which write the statement of this number belongs to, and its text. */
static size_t find_write(struct pipeline *pipeline, size_t number, char *ret_sql, size_t size)
{
	*ret_sql = '\0';
	if (number < pipeline->before)
		return REMOTE_NO_WRITE;
	size_t at = pipeline->before;
	for (size_t i = 0; i < pipeline->count; i++) {
		const struct batch_write *write = &pipeline->batch->writes[i];
		struct statement_reader reader = { .blob = write->blob, .size = write->size };
		while (statement_read(&reader, &pipeline->view) == 1)
			if (at++ == number) {
				snprintf(ret_sql, size, "%s", pipeline->view.sql);
				return i;
			}
	}
	return REMOTE_NO_WRITE;
}

/* Reads the results of all statements up to the pipeline's end. *ret_failed is the number of the
 * statement that failed, whose failure is noted; else `queued`. False: the connection is lost. */
static bool read_pipeline(
	const struct pipeline *pipeline, size_t *ret_failed, struct remote_failure *failure)
{
	size_t number = 0, failed = pipeline->queued;
	for (;;) {
		PGresult *result;
		if (!next_result(pipeline->remote, &result))
			return false;
		if (!result) {
			number++;
			continue;
		}
		ExecStatusType status = PQresultStatus(result);
		if (status == PGRES_FATAL_ERROR && failed == pipeline->queued) {
			note(failure, result, REMOTE_NO_WRITE);
			failed = number;
		}
		PQclear(result);
		if (status == PGRES_PIPELINE_SYNC)
			break;
	}
	*ret_failed = failed;
	return true;
}

static enum remote_result queue_all(struct pipeline *pipeline, const char *id, int64_t expected,
	bool is_new, struct remote_failure *failure)
{
	if (!queue_begin(pipeline, id, expected, is_new))
		return lost(pipeline->remote, failure);
	for (size_t i = 0; i < pipeline->count; i++) {
		int r = queue_write(pipeline, i);
		if (r == 1)
			return lost(pipeline->remote, failure);
		if (r == -ENOMEM)
			return REMOTE_NO_MEMORY;
		if (r < 0) {
			*failure = (struct remote_failure){ .write = i,
				.message = "the write in the file is damaged" };
			return REMOTE_DAMAGED;
		}
	}
	/* A function that a write called may have changed it. */
	if (!queue(pipeline, durable_sql, 0, NULL) || !queue(pipeline, "COMMIT", 0, NULL) ||
		!PQpipelineSync(pipeline->remote->conn))
		return lost(pipeline->remote, failure);
	return REMOTE_DONE;
}

static enum remote_result run_pipeline(struct pipeline *pipeline, const char *id, int64_t expected,
	bool is_new, struct remote_failure *failure)
{
	enum remote_result outcome = queue_all(pipeline, id, expected, is_new, failure);
	if (outcome != REMOTE_DONE)
		return outcome;
	if (pipeline->remote->sent)
		pipeline->remote->sent(pipeline->remote->sent_data);
	size_t failed;
	if (!read_pipeline(pipeline, &failed, failure) ||
		!PQexitPipelineMode(pipeline->remote->conn))
		return lost(pipeline->remote, failure);
	if (failed == pipeline->queued)
		return REMOTE_DONE;
	if (!failure->sqlstate[0])
		return REMOTE_LOST;
	failure->write = find_write(pipeline, failed, failure->sql, sizeof(failure->sql));
	if (failed + 1 == pipeline->before && strcmp(failure->sqlstate, DIVISION_BY_ZERO) == 0)
		return REMOTE_CONFLICT;
	return REMOTE_REFUSED;
}

enum remote_result remote_send(const struct remote *remote, const char *id, int64_t epoch,
	const struct batch *batch, size_t count, int64_t expected, bool is_new,
	struct remote_failure *ret_failure)
{
	struct pipeline pipeline = {
		.remote = remote, .batch = batch, .epoch = epoch, .count = count
	};
	if (PQsetnonblocking(remote->conn, 1) != 0 || !PQenterPipelineMode(remote->conn))
		return lost(remote, ret_failure);
	enum remote_result outcome = run_pipeline(&pipeline, id, expected, is_new, ret_failure);
	free(pipeline.view.params);
	if (PQtransactionStatus(remote->conn) == PQTRANS_INERROR) {
		struct remote_failure ignored;
		if (ask_text(remote, "ROLLBACK", &ignored) == REMOTE_LOST)
			return lost(remote, ret_failure);
	}
	return outcome;
}
