/* The connection's life: resolve → connect → set up → statements → loss → wait → again.
 *
 * libpq changes its socket while it connects (the next address, a retry without encryption), and
 * closes the old one itself. A handle that still watched the old descriptor would watch a
 * stranger's once the number is used again; so the watch is dropped before each call that may close
 * it, and taken up again after. */
#include "session/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/assessment.h"
#include "session/failure.h"
#include "session/params.h"
#include "session/resolve.h"
#include "session/statement.h"

#define FIRST_RETRY_MS 250
#define LAST_RETRY_MS  15000
#define FULL_RETRY_MS  1000 /* a slot may come free at any moment */
#define DENIED_RETRY_MS                                                                            \
	30000 /* each attempt is a line in the server's log, and may lock us out                   \
	       */
#define MOST_OPTIONS 48

/* No statement of ours may keep the server busy for long; a name that shows in its log. */
static const char setup_sql[] =
	"SELECT set_config('statement_timeout', '5s', false),"
	" set_config('lock_timeout', '1s', false),"
	" set_config('idle_in_transaction_session_timeout', '30s', false),"
	" set_config('DateStyle', 'ISO', false), set_config('TimeZone', 'UTC', false)";

/* Laid under what the user asked for: a dead network is noticed in a minute, not in hours. */
static const char *const defaults[][2] = {
	{ "keepalives_idle", "20" },
	{ "keepalives_interval", "5" },
	{ "keepalives_count", "4" },
	{ "tcp_user_timeout", "40000" },
};

/* What differs between a PostgreSQL server and a PgBouncer's console. */
struct dialect {
	const char *setup_sql; /* NULL: there is nothing to set */
	const char *dbname;    /* expanded as a conninfo; NULL: the user's */
	bool simple;           /* the simple query protocol */
	bool asks;             /* a password that is missing is asked for: no attempt without it */
	unsigned connect_seconds, answer_seconds; /* 0: it ends its statements itself */
};

static const struct dialect postgresql = {
	.setup_sql = setup_sql,
	.asks = true,
	.connect_seconds = 10,
};

/* PgBouncer refuses a connection with `options`, and PGOPTIONS in the environment is meant for
 * PostgreSQL. As a parameter of its own an empty value would not stand over it. */
static const struct dialect console = {
	.dbname = "dbname=pgbouncer options='' target_session_attrs=any",
	.simple = true,
	.connect_seconds = 5,
	.answer_seconds = 3,
};

enum phase {
	PHASE_NEW,
	PHASE_RESOLVING,
	PHASE_CONNECTING,
	PHASE_SETTING_UP,
	PHASE_READY,
	PHASE_WAITING, /* for the next attempt */
};

struct session {
	uv_loop_t *loop;
	struct session_callbacks callbacks;
	const struct dialect *dialect;
	struct params params; /* with the password, once it was asked for */

	enum phase phase;
	struct resolve *resolve;
	PGconn *conn;
	uv_poll_t *poll; /* watches the connection's socket; NULL when nothing is to be watched */
	uv_timer_t *retry, *deadline;
	unsigned failures; /* attempts since the last success */

	struct statement_queue queue;
	bool sent;        /* the first of them is in flight */
	PGresult *result; /* the latest of the statement in flight */

	struct arena *texts; /* of state: reset at each change */
	struct server_state state;
	struct peers_target location;
};

static void connect_now(struct session *session);
static void send_next(struct session *session);

static void free_handle(uv_handle_t *handle)
{
	free(handle);
}

static void close_handle(void *handle)
{
	uv_close(handle, free_handle);
}

static const char *clean_copy(struct session *session, const char *text)
{
	return text && *text ? text_clean(session->texts, text, strlen(text), TEXT_LINE) : NULL;
}

/* The server's names as libpq settled them, from options, environment and service file. */
static void name_server(struct session *session, struct server_state *state)
{
	const PGconn *conn = session->conn;
	const char *port = conn ? PQport(conn) : params_get(&session->params, "port");
	state->host =
		clean_copy(session, conn ? PQhost(conn) : params_get(&session->params, "host"));
	state->port = port && *port ? atoi(port) : 5432;
	state->database =
		clean_copy(session, conn ? PQdb(conn) : params_get(&session->params, "dbname"));
	state->user =
		clean_copy(session, conn ? PQuser(conn) : params_get(&session->params, "user"));
}

static void set_state(struct session *session, enum server_status status, const char *message)
{
	struct arena *old = session->texts;
	struct server_state before = session->state;
	session->texts = arena_new();
	struct server_state state = {
		.status = status,
		.latency = before.latency,
		.retry_at = INSTANT_UNKNOWN,
	};
	name_server(session, &state);
	if (!state.host)
		state.host = arena_strdup(session->texts, before.host);
	if (message) {
		struct failure failure = failure_read(session->texts, message);
		if (status != SERVER_CONNECTING)
			state.status = failure.status;
		state.error = failure.text;
		state.hint = failure.hint;
		memcpy(state.sqlstate, failure.sqlstate, sizeof(state.sqlstate));
	}
	session->state = state;
	arena_free(old);
}

static void tell(struct session *session)
{
	if (session->callbacks.changed)
		session->callbacks.changed(session->callbacks.data);
}

/* The callback comes last: it may queue the next statement. */
static void finish_first(struct session *session, PGresult *result)
{
	struct statement *statement = statement_pop(&session->queue);
	session->sent = false;
	uv_timer_stop(session->deadline);
	if (statement->sent_at != INSTANT_UNKNOWN && result)
		session->state.latency = instant_monotonic() - statement->sent_monotonic;
	if (statement->done)
		statement->done(statement->data, result, statement->sent_at);
	PQclear(result);
	statement_free(statement);
}

static void fail_all(struct session *session)
{
	PQclear(session->result);
	session->result = NULL;
	/* those queued by the callbacks meanwhile are refused: there is no connection */
	while (session->queue.first)
		finish_first(session, NULL);
}

static void unwatch(struct session *session)
{
	if (session->poll)
		close_handle(session->poll);
	session->poll = NULL;
}

static void on_retry(uv_timer_t *timer)
{
	connect_now(timer->data);
}

static uint64_t retry_delay(const struct session *session)
{
	uint64_t delay = LAST_RETRY_MS;
	if (session->state.status == SERVER_FULL)
		delay = FULL_RETRY_MS;
	else if (session->state.status == SERVER_DENIED)
		delay = DENIED_RETRY_MS;
	else if (session->failures < 6)
		delay = (uint64_t)FIRST_RETRY_MS << session->failures;
	/* ± a quarter: many dbtops must not come back in step */
	return delay * 3 / 4 + (uint64_t)random() % (delay / 2 + 1);
}

static void wait_for_retry(struct session *session)
{
	session->phase = PHASE_WAITING;
	uv_timer_stop(session->deadline);
	if (session_needs_password(session))
		return;
	uint64_t delay = retry_delay(session);
	session->failures++;
	session->state.retry_at = instant_now() + (int64_t)delay * USEC_PER_MSEC;
	uv_timer_start(session->retry, on_retry, delay, 0);
}

/* The end of an attempt or of a connection: the message is read while there is a connection. */
static void lose(struct session *session, const char *message)
{
	set_state(session, SERVER_REFUSED, message);
	bool needs_password = session->conn && PQconnectionNeedsPassword(session->conn);
	unwatch(session);
	session->phase = PHASE_WAITING;
	session->location.own = (struct endpoint){ 0 };
	session->location.own_inode = 0;
	session->location.backend_pid = 0;
	PQfinish(session->conn);
	session->conn = NULL;
	fail_all(session);
	if (needs_password) {
		session->state.status = SERVER_DENIED;
		session->state.hint = "the server asks for a password";
		session->state.sqlstate[0] = '\0';
	}
	wait_for_retry(session);
	tell(session);
}

static void lose_with_libpq(struct session *session)
{
	CLEANUP(cleanup_free) char *message = mem_strdup(PQerrorMessage(session->conn));
	lose(session, message && *message ? message : "the server closed the connection");
}

static void on_deadline(uv_timer_t *timer)
{
	struct session *session = timer->data;
	const struct dialect *dialect = session->dialect;
	char message[64];
	snprintf(message, sizeof(message), "the server did not answer in %u s",
		session->phase == PHASE_READY ? dialect->answer_seconds : dialect->connect_seconds);
	lose(session, message);
}

static void set_deadline(struct session *session, unsigned seconds)
{
	uv_timer_start(session->deadline, on_deadline, seconds * UINT64_C(1000), 0);
}

static void on_socket(uv_poll_t *poll, int status, int events);

static void watch(struct session *session, int events)
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
			return;
		}
		session->poll->data = session;
	}
	uv_poll_start(session->poll, events, on_socket);
}

static void locate_socket(struct peers_target *location, const struct sockaddr *address)
{
	struct sockaddr_un server;
	struct stat st;
	location->socket_device = location->socket_inode = 0;
	memcpy(&server, address, sizeof(server));
	if (server.sun_family != AF_UNIX || !server.sun_path[0] || stat(server.sun_path, &st) != 0)
		return;
	location->socket_device = st.st_dev;
	location->socket_inode = st.st_ino;
}

/* Learns the server's address and our own as soon as the kernel knows them: on a full server this
 * is all we get. */
static void locate(struct session *session)
{
	/* zeroed: a path may come without its terminator */
	struct sockaddr_storage address = { 0 };
	socklen_t size = sizeof(address);
	int fd = PQsocket(session->conn);
	struct stat st;
	if (fd < 0 || getpeername(fd, (struct sockaddr *)&address, &size) != 0)
		return;
	struct peers_target *location = &session->location;
	location->server = endpoint_from_sockaddr((struct sockaddr *)&address);
	location->port = (uint16_t)atoi(PQport(session->conn));
	locate_socket(location, (struct sockaddr *)&address);
	size = sizeof(address);
	if (getsockname(fd, (struct sockaddr *)&address, &size) == 0)
		location->own = endpoint_from_sockaddr((struct sockaddr *)&address);
	if (fstat(fd, &st) == 0)
		location->own_inode = (uint32_t)st.st_ino;
}

static void become_ready(struct session *session)
{
	uv_timer_stop(session->deadline);
	session->phase = PHASE_READY;
	session->failures = 0;
	set_state(session, SERVER_OK, NULL);
	tell(session);
	session->callbacks.ready(session->callbacks.data);
}

static void on_set_up(void *data, const PGresult *result, int64_t sent_at)
{
	(void)sent_at;
	/* a server that refuses the settings can still be watched; a lost one was told already */
	if (result)
		become_ready(data);
}

static void ignore_notice(void *data, const PGresult *result)
{
	(void)data;
	(void)result;
}

/* The attempt's deadline runs on until it is answered: it may well be the first thing that is not.
 */
static void set_up(struct session *session)
{
	locate(session);
	session->location.backend_pid = PQbackendPID(session->conn);
	session->phase = PHASE_SETTING_UP;
	PQsetnonblocking(session->conn, 1);
	watch(session, UV_READABLE);
	if (!session->dialect->setup_sql) {
		become_ready(session);
		return;
	}
	const struct session_statement statement = { .sql = session->dialect->setup_sql };
	statement_push(&session->queue, &statement, on_set_up, session);
	send_next(session);
}

static void step_connecting(struct session *session)
{
	/* the attempt may close its socket: see the head of this file */
	unwatch(session);
	locate(session);
	switch (PQconnectPoll(session->conn)) {
	case PGRES_POLLING_OK: set_up(session); return;
	case PGRES_POLLING_FAILED: lose_with_libpq(session); return;
	case PGRES_POLLING_READING: watch(session, UV_READABLE); return;
	default: watch(session, UV_WRITABLE); return;
	}
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
		watch(session, left ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

static void step_connected(struct session *session, int events)
{
	if ((events & UV_READABLE) && !PQconsumeInput(session->conn)) {
		/* what came before the end is still an answer */
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
	if (session->phase == PHASE_CONNECTING)
		step_connecting(session);
	else
		step_connected(session, status < 0 ? UV_READABLE : events);
}

static bool send_statement(const struct session *session, const struct statement *statement)
{
	if (session->dialect->simple)
		return PQsendQuery(session->conn, statement->sql);
	return PQsendQueryParams(session->conn, statement->sql, statement->n_params, NULL,
		(const char *const *)statement->params, NULL, NULL, 1);
}

static void send_next(struct session *session)
{
	struct statement *statement = session->queue.first;
	if (!statement || session->sent)
		return;
	if (!send_statement(session, statement)) {
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

static void begin(struct session *session, const char *hosts, const char *addresses)
{
	struct params params = { 0 };
	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		params_set(&params, defaults[i][0], defaults[i][1]);
	params_lay_over(&params, &session->params);
	if (session->dialect->dbname)
		params_set(&params, "dbname", session->dialect->dbname);
	if (addresses) {
		params_set(&params, "host", hosts);
		params_set(&params, "hostaddr", addresses);
	}
	params_set(&params, "application_name", "dbtop");
	params_set(&params, "client_encoding", "UTF8");
	session->conn = PQconnectStartParams((const char *const *)params.keywords,
		(const char *const *)params.values, session->dialect->dbname != NULL);
	params_clear(&params);
	if (!session->conn) {
		lose(session, "out of memory");
		return;
	}
	session->phase = PHASE_CONNECTING;
	PQsetErrorVerbosity(session->conn, PQERRORS_VERBOSE);
	PQsetNoticeReceiver(session->conn, ignore_notice, NULL);
	if (PQstatus(session->conn) == CONNECTION_BAD) {
		lose_with_libpq(session);
		return;
	}
	set_deadline(session, session->dialect->connect_seconds);
	watch(session, UV_WRITABLE);
}

static void on_resolved(void *data, const char *hosts, const char *addresses, const char *error)
{
	struct session *session = data;
	session->resolve = NULL;
	if (addresses) {
		begin(session, hosts, addresses);
		return;
	}
	CLEANUP(cleanup_free)
	char *message = mem_printf(
		"could not look up \"%s\": %s", params_get(&session->params, "host"), error);
	lose(session, message);
}

static void connect_now(struct session *session)
{
	const char *host = params_get(&session->params, "host");
	uv_timer_stop(session->retry);
	session->state.retry_at = INSTANT_UNKNOWN;
	if (resolve_is_name(host) && !params_get(&session->params, "hostaddr")) {
		session->phase = PHASE_RESOLVING;
		session->resolve = resolve_start(session->loop, host, on_resolved, session);
	} else {
		begin(session, NULL, NULL);
	}
}

/* PGHOST names the host as well as -h does, and must be looked up here, too. A service file is
 * libpq's to read: a name in there is the one case where a look-up makes us wait. */
static void take_environment(struct session *session)
{
	const char *host = getenv("PGHOST");
	if (host && *host && !params_get(&session->params, "host") &&
		!params_get(&session->params, "service") && !getenv("PGSERVICE") &&
		!getenv("PGHOSTADDR"))
		params_set(&session->params, "host", host);
}

static uv_timer_t *timer_new(struct session *session)
{
	uv_timer_t *timer = mem_alloc(sizeof(*timer));
	uv_timer_init(session->loop, timer);
	timer->data = session;
	return timer;
}

static struct session *new_session(uv_loop_t *loop, const struct params *params,
	const struct session_callbacks *callbacks, const struct dialect *dialect)
{
	struct session *session = mem_alloc(sizeof(*session));
	session->loop = loop;
	session->dialect = dialect;
	session->callbacks = *callbacks;
	statement_queue_init(&session->queue);
	session->texts = arena_new();
	session->state.latency = -1;
	session->state.retry_at = INSTANT_UNKNOWN;
	params_lay_over(&session->params, params);
	take_environment(session);
	session->retry = timer_new(session);
	session->deadline = timer_new(session);
	set_state(session, SERVER_CONNECTING, NULL);
	return session;
}

struct session *session_new(
	uv_loop_t *loop, const struct params *params, const struct session_callbacks *callbacks)
{
	return new_session(loop, params, callbacks, &postgresql);
}

struct session *session_new_console(
	uv_loop_t *loop, const struct params *params, const struct session_callbacks *callbacks)
{
	return new_session(loop, params, callbacks, &console);
}

void session_start(struct session *session)
{
	connect_now(session);
}

void session_free(struct session *session)
{
	if (!session)
		return;
	resolve_abandon(session->resolve);
	unwatch(session);
	close_handle(session->retry);
	close_handle(session->deadline);
	PQclear(session->result);
	PQfinish(session->conn);
	statement_queue_deinit(&session->queue);
	params_clear(&session->params);
	arena_free(session->texts);
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
	if (!session->dialect->asks || session->phase != PHASE_WAITING ||
		session->state.status != SERVER_DENIED)
		return false;
	bool refused = strcmp(session->state.sqlstate, "28P01") == 0;
	return refused || !session->state.sqlstate[0];
}

bool session_is_ready(const struct session *session)
{
	return session->phase == PHASE_READY;
}

const struct server_state *session_state(const struct session *session)
{
	return &session->state;
}

PGconn *session_connection(const struct session *session)
{
	return session->phase == PHASE_READY ? session->conn : NULL;
}

void session_locate(const struct session *session, struct peers_target *ret_target)
{
	*ret_target = session->location;
}
