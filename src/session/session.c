/* The phases of a connection: dial → set up → statements → loss → wait → dial … */
#include "session/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "loop/handle.h"
#include "model/assessment.h"
#include "session/backoff.h"
#include "session/dial.h"
#include "session/dialect.h"
#include "session/farewell.h"
#include "session/locate.h"
#include "session/params.h"
#include "session/password_command.h"
#include "session/standing.h"
#include "session/statement.h"

enum session_phase {
	PHASE_NEW,
	PHASE_DIALING,
	PHASE_SETTING_UP,
	PHASE_READY,
	PHASE_WAITING, /* waits for the next attempt */
};

struct session {
	uv_loop_t *loop;
	struct session_callbacks callbacks;
	const struct dialect *dialect;
	struct params params; /* includes the password once the user has entered it */

	enum session_phase phase;
	struct dial *dial; /* the present round of attempts; NULL between rounds */
	PGconn *conn;
	uv_poll_t *poll; /* watches the connection's socket; NULL while nothing is watched */
	uv_timer_t *retry, *deadline;
	unsigned failures;        /* attempts since the last success */
	unsigned connect_seconds; /* an address's time limit in the last attempt */

	struct statement_queue queue;
	int64_t sent_monotonic;  /* of the statement whose callback is called */
	char **password_command; /* NULL: none */
	bool never_asks;
	bool sent;        /* the first statement was sent and is not answered yet */
	bool is_overdue;  /* the deadline has passed, and the socket is read once more */
	PGresult *result; /* the latest result of the statement that was sent */

	struct standing standing;
	struct peers_target location;
};

static void connect_now(struct session *session);
static void send_next(struct session *session);

static void stand(struct session *session, enum server_status status, const char *message)
{
	standing_set(&session->standing, session->conn, &session->params, status, message);
}

static void report_change(struct session *session)
{
	if (session->callbacks.changed)
		session->callbacks.changed(session->callbacks.data);
}

/* Calls the callback after all state is updated, because it may queue the next statement. */
static void finish_first(struct session *session, PGresult *result)
{
	struct statement *statement = statement_pop(&session->queue);
	session->sent = false;
	uv_timer_stop(session->deadline);
	if (statement->sent_at != INSTANT_UNKNOWN && result)
		session->standing.state.latency = instant_monotonic() - statement->sent_monotonic;
	session->sent_monotonic =
		statement->sent_at == INSTANT_UNKNOWN ? INSTANT_UNKNOWN : statement->sent_monotonic;
	if (statement->done)
		statement->done(statement->data, result, statement->sent_at);
	PQclear(result);
	statement_free(statement);
}

static void fail_all(struct session *session)
{
	PQclear(session->result);
	session->result = NULL;
	/* statements that the callbacks add are refused, because there is no connection */
	while (session->queue.first)
		finish_first(session, NULL);
}

static void unwatch(struct session *session)
{
	handle_close(session->poll);
	session->poll = NULL;
}

static void on_retry(uv_timer_t *timer)
{
	connect_now(timer->data);
}

static void wait_for_retry(struct session *session)
{
	session->phase = PHASE_WAITING;
	uv_timer_stop(session->deadline);
	if (session_needs_password(session))
		return;
	uint64_t delay = backoff_delay(session->standing.state.status, session->failures++);
	session->standing.state.retry_at = instant_now() + (int64_t)delay * USEC_PER_MSEC;
	uv_timer_start(session->retry, on_retry, delay, 0);
}

/* Ends an attempt or a connection. The message is copied before the connection is closed. */
static void lose(struct session *session, const char *message)
{
	stand(session, SERVER_REFUSED, message);
	bool needs_password = session->conn && PQconnectionNeedsPassword(session->conn);
	unwatch(session);
	session->phase = PHASE_WAITING;
	locate_forget_own(&session->location);
	PQfinish(session->conn);
	session->conn = NULL;
	fail_all(session);
	if (needs_password) {
		session->standing.state.status = SERVER_DENIED;
		session->standing.state.hint =
			"the server asks for a password: PGPASSWORD, ~/.pgpass, or try -W";
		session->standing.state.sqlstate[0] = '\0';
	}
	wait_for_retry(session);
	report_change(session);
}

static void lose_with_libpq(struct session *session)
{
	CLEANUP(cleanup_free) char *message = mem_strdup(PQerrorMessage(session->conn));
	lose(session, message && *message ? message : "the server closed the connection");
}

/* The loop runs timers before it reads sockets: if we were stopped or had no processor, the answer
 * may be there. So the loop reads once more before the server is given up. */
static void on_deadline(uv_timer_t *timer)
{
	struct session *session = timer->data;
	char message[64];
	if (!session->is_overdue) {
		session->is_overdue = true;
		uv_timer_start(timer, on_deadline, 1, 0);
		return;
	}
	snprintf(message, sizeof(message), "the server did not answer in %u s",
		session->phase == PHASE_READY ? session->dialect->answer_seconds
					      : session->connect_seconds);
	lose(session, message);
}

static void set_deadline(struct session *session, unsigned seconds)
{
	session->is_overdue = false;
	uv_timer_start(session->deadline, on_deadline, seconds * UINT64_C(1000), 0);
}

static void on_socket(uv_poll_t *poll, int status, int events);

/* Returns false, after closing the connection, when its socket cannot be watched. */
static bool watch(struct session *session, int events)
{
	int fd = PQsocket(session->conn);
	uv_os_fd_t watched = -1;
	if (session->poll && (uv_fileno((uv_handle_t *)session->poll, &watched) || watched != fd))
		unwatch(session);
	if (!session->poll) {
		session->poll = mem_alloc(sizeof(*session->poll));
		if (uv_poll_init(session->loop, session->poll, fd) != 0) {
			free(session->poll);
			session->poll = NULL;
			lose(session, "the socket cannot be watched");
			return false;
		}
		session->poll->data = session;
	}
	uv_poll_start(session->poll, events, on_socket);
	return true;
}

static void become_ready(struct session *session)
{
	uv_timer_stop(session->deadline);
	session->phase = PHASE_READY;
	session->failures = 0;
	stand(session, SERVER_OK, NULL);
	report_change(session);
	session->callbacks.ready(session->callbacks.data);
}

/* Records whether there is a pooler. Through one each statement may run in another backend, so the
 * session has no backend pid. */
static void set_pooler(struct session *session, bool pooler)
{
	session->standing.state.pooler = pooler;
	if (pooler)
		session->location.backend_pid = 0;
}

/* Not used when it cannot be set up: it would have the role's search_path and no time limit. */
static void on_set_up(void *data, const PGresult *result, int64_t sent_at)
{
	(void)sent_at;
	struct session *session = data;
	if (!result)
		return; /* the connection was lost, which is reported already */
	if (PQresultStatus(result) != PGRES_TUPLES_OK) {
		const char *message = PQresultErrorMessage(result);
		lose(session, *message ? message : "the server does not answer as PostgreSQL does");
		return;
	}
	set_pooler(session, PQntuples(result) != 1);
	become_ready(session);
}

/* Sets the session up. The server may not answer, so the time limit of an address applies. */
static void set_up(struct session *session)
{
	session->location.backend_pid = PQbackendPID(session->conn);
	session->phase = PHASE_SETTING_UP;
	PQsetnonblocking(session->conn, 1);
	set_deadline(session, session->connect_seconds);
	if (!watch(session, UV_READABLE))
		return;
	if (!session->dialect->setup_sql) {
		become_ready(session);
		return;
	}
	char pid[16];
	snprintf(pid, sizeof(pid), "%d", PQbackendPID(session->conn));
	const char *const params[] = { pid };
	const struct session_statement statement = {
		.sql = session->dialect->setup_sql,
		.n_params = 1,
		.params = params,
	};
	statement_push(&session->queue, &statement, on_set_up, session);
	send_next(session);
}

static void read_results(struct session *session)
{
	while (session->conn && session->sent && !PQisBusy(session->conn)) {
		PGresult *result = PQgetResult(session->conn);
		if (result) {
			PQclear(session->result);
			session->result = result;
			continue;
		}
		result = session->result;
		session->result = NULL;
		finish_first(session, result);
		if (session->conn && !session->sent)
			send_next(session);
	}
}

static void flush(struct session *session)
{
	int left = PQflush(session->conn);
	if (left < 0)
		lose_with_libpq(session);
	else
		(void)watch(session, left ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

static void step_connected(struct session *session, int events)
{
	if ((events & UV_READABLE) && !PQconsumeInput(session->conn)) {
		/* results that arrived before the end are still answers */
		read_results(session);
		if (session->conn)
			lose_with_libpq(session);
		return;
	}
	if (events & UV_READABLE)
		read_results(session);
	if (session->conn && (events & UV_WRITABLE))
		flush(session);
	if (session->conn && PQstatus(session->conn) == CONNECTION_BAD)
		lose_with_libpq(session);
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
	struct session *session = poll->data;
	if (poll != session->poll)
		return;
	step_connected(session, status < 0 ? UV_READABLE : events);
	/* libuv stops to watch a socket that has an error. If there were words of the server before
	 * it, libpq has read only these, and must be called again to meet the error. */
	if (status < 0 && session->conn && poll == session->poll)
		(void)watch(session, UV_READABLE);
}

static void send_next(struct session *session)
{
	struct statement *statement = session->queue.first;
	if (!statement || session->sent)
		return;
	if (!dialect_send(session->dialect, session->conn, statement)) {
		lose_with_libpq(session);
		return;
	}
	session->sent = true;
	if (session->dialect->answer_seconds)
		set_deadline(session, session->dialect->answer_seconds);
	statement->sent_at = instant_now();
	statement->sent_monotonic = instant_monotonic();
	flush(session);
}

static void on_located(void *data, const struct peers_target *where)
{
	struct session *session = data;
	session->location = *where;
}

static void on_dialed(void *data, const struct dial_result *result)
{
	struct session *session = data;
	session->dial = NULL;
	session->conn = result->conn;
	session->connect_seconds = result->seconds;
	if (result->error)
		lose(session, result->error);
	else
		set_up(session);
}

static void connect_now(struct session *session)
{
	struct params params = { 0 };
	const struct dial_callbacks callbacks = {
		.data = session,
		.located = on_located,
		.done = on_dialed,
	};
	uv_timer_stop(session->retry);
	session->standing.state.retry_at = INSTANT_UNKNOWN;
	session->phase = PHASE_DIALING;
	dialect_params(session->dialect, &session->params, &params);
	session->dial = dial_start_asking(session->loop, &params, session->dialect->connect_seconds,
		(const char *const *)session->password_command, &callbacks);
	params_clear(&params);
}

static struct session *new_session(uv_loop_t *loop, const struct params *params,
	const struct session_callbacks *callbacks, const struct dialect *dialect)
{
	struct session *session = mem_alloc(sizeof(*session));
	session->loop = loop;
	session->dialect = dialect;
	session->callbacks = *callbacks;
	statement_queue_init(&session->queue);
	standing_init(&session->standing);
	params_lay_over(&session->params, params);
	dialect_take_environment(&session->params);
	session->retry = handle_new_timer(session->loop, session);
	session->deadline = handle_new_timer(session->loop, session);
	stand(session, SERVER_CONNECTING, NULL);
	return session;
}

struct session *session_new(
	uv_loop_t *loop, const struct params *params, const struct session_callbacks *callbacks)
{
	return new_session(loop, params, callbacks, &dialect_postgresql);
}

struct session *session_new_console(
	uv_loop_t *loop, const struct params *params, const struct session_callbacks *callbacks)
{
	return new_session(loop, params, callbacks, &dialect_console);
}

void session_start(struct session *session)
{
	connect_now(session);
}

void session_free(struct session *session)
{
	if (!session)
		return;
	dial_abandon(session->dial);
	unwatch(session);
	handle_close(session->retry);
	handle_close(session->deadline);
	PQclear(session->result);
	farewell(session->loop, session->conn);
	statement_queue_deinit(&session->queue);
	params_clear(&session->params);
	argv_free(session->password_command);
	standing_deinit(&session->standing);
	free(session);
}

bool session_query(struct session *session, const struct session_statement *statement,
	session_done_fn *done, void *data)
{
	if (session->phase != PHASE_READY)
		return false;
	statement_push(&session->queue, statement, done, data);
	send_next(session);
	return true;
}

void session_forget(struct session *session, const void *data)
{
	statement_forget(&session->queue, data);
}

void session_set_password(struct session *session, const char *password)
{
	params_set(&session->params, "password", password);
	if (session->phase == PHASE_WAITING)
		connect_now(session);
}

void session_retry(struct session *session)
{
	if (session->phase == PHASE_WAITING && !session_needs_password(session))
		connect_now(session);
}

bool session_needs_password(const struct session *session)
{
	if (!session->dialect->asks || session->never_asks || session->phase != PHASE_WAITING ||
		session->standing.state.status != SERVER_DENIED)
		return false;
	/* 28P01 is invalid_password */
	bool refused = strcmp(session->standing.state.sqlstate, "28P01") == 0;
	return refused || !session->standing.state.sqlstate[0];
}

void session_never_ask(struct session *session)
{
	session->never_asks = true;
}

void session_set_password_command(struct session *session, const char *const *argv)
{
	argv_free(session->password_command);
	session->password_command = argv_copy(argv);
	session->never_asks |= session->password_command != NULL;
}

bool session_is_trying(const struct session *session)
{
	return session->phase == PHASE_SETTING_UP ||
		(session->phase == PHASE_DIALING && dial_is_trying(session->dial));
}

bool session_is_ready(const struct session *session)
{
	return session->phase == PHASE_READY;
}

bool session_is_pooled(const struct session *session)
{
	return session->standing.state.pooler;
}

void session_answered_by(struct session *session, int32_t backend_pid)
{
	if (session->phase == PHASE_READY && backend_pid &&
		backend_pid != session->location.backend_pid)
		set_pooler(session, true);
}

int64_t session_sent_monotonic(const struct session *session)
{
	return session->sent_monotonic;
}

const struct server_state *session_state(const struct session *session)
{
	return &session->standing.state;
}

PGconn *session_connection(const struct session *session)
{
	return session->phase == PHASE_READY ? session->conn : NULL;
}

void session_locate(const struct session *session, struct peers_target *ret_target)
{
	*ret_target = session->location;
}
