/* Opens one connection: with a deadline, and so that it can be given up. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dbpool/pool.h"
#include "dbpool/usage.h"

#define NAME_BYTES 64 /* NAMEDATALEN: 63 of them count */

/* Laid under what the application asked for: a dead network is noticed in half a minute. */
static const char *const defaults[][2] = {
	{ "keepalives_idle", "10" },
	{ "keepalives_interval", "5" },
	{ "keepalives_count", "3" },
	{ "tcp_user_timeout", "25000" },
};

#define N_DEFAULTS (sizeof(defaults) / sizeof(defaults[0]))

/* NAME/PID/SLOT; a long name is cut, never the rest. */
static void name_application(const struct config *config, int slot, char name[static NAME_BYTES])
{
	char rest[40];
	int length = snprintf(rest, sizeof(rest), "/%ld/%d", (long)getpid(), slot);
	snprintf(name, NAME_BYTES, "%.*s%s", NAME_BYTES - 1 - length, config->name, rest);
}

static PGconn *begin(const struct config *config, int slot)
{
	char name[NAME_BYTES];
	const char *keywords[N_DEFAULTS + 3], *values[N_DEFAULTS + 3];
	size_t n = 0;
	name_application(config, slot, name);
	for (; n < N_DEFAULTS; n++) {
		keywords[n] = defaults[n][0];
		values[n] = defaults[n][1];
	}
	if (config->conninfo[0]) {
		keywords[n] = "dbname"; /* a whole connection string: it is expanded */
		values[n++] = config->conninfo;
	}
	keywords[n] = "application_name";
	values[n++] = name;
	keywords[n] = NULL;
	values[n] = NULL;
	return PQconnectStartParams(keywords, values, 1);
}

/* False when the attempt is to be given up; why says so. */
static bool wait_socket(
	PGconn *conn, short events, int abort_fd, int64_t deadline, const char **ret_why)
{
	for (;;) {
		struct pollfd pollfds[] = { { .fd = PQsocket(conn), .events = events },
			{ .fd = abort_fd, .events = POLLIN } };
		int64_t usec = deadline - now_usec();
		if (usec <= 0) {
			*ret_why = "timeout: the server does not answer";
			return false;
		}
		int n = poll(pollfds, 2, usec > 1000000000 ? 1000000 : (int)(usec / 1000) + 1);
		if (n < 0 && errno != EINTR) {
			*ret_why = strerror(errno);
			return false;
		}
		if (n > 0 && pollfds[1].revents) {
			*ret_why = "the pool shuts down";
			return false;
		}
		if (n > 0 && pollfds[0].revents)
			return true;
	}
}

static bool finish_connecting(PGconn *conn, int abort_fd, int64_t deadline, const char **ret_why)
{
	PostgresPollingStatusType next = PGRES_POLLING_WRITING;
	if (PQstatus(conn) == CONNECTION_BAD)
		return false;
	for (;;) {
		if (next == PGRES_POLLING_OK)
			return true;
		if (next == PGRES_POLLING_FAILED)
			return false;
		short events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT;
		if (!wait_socket(conn, events, abort_fd, deadline, ret_why))
			return false;
		next = PQconnectPoll(conn);
	}
}

/* "FATAL:  53300: sorry, …", in whichever language. libpq keeps no SQLSTATE of a connection that
 * failed, but with verbose messages it stands in the text. With several hosts the last one's is
 * the verdict. NULL when no server spoke. */
static const char *find_sqlstate(const char *text)
{
	const char *found = NULL;
	for (const char *at = text; (at = strstr(at, ":  "));) {
		at += 3;
		if (strspn(at, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && at[5] == ':')
			found = at;
	}
	return found;
}

static int classify(PGconn *conn)
{
	static const struct {
		const char *sqlstate;
		int result;
	} classes[] = {
		{ "53300", DBPOOL_FULL }, { "28", DBPOOL_REFUSED }, /* invalid authorization */
		{ "3D000", DBPOOL_REFUSED },                        /* no such database */
		{ "42501", DBPOOL_REFUSED },                        /* no CONNECT privilege */
		{ "53", DBPOOL_FULL },                              /* other resources */
	};
	const char *text = PQerrorMessage(conn);
	const char *sqlstate = find_sqlstate(text);
	for (size_t i = 0; sqlstate && i < sizeof(classes) / sizeof(classes[0]); i++)
		if (strncmp(sqlstate, classes[i].sqlstate, strlen(classes[i].sqlstate)) == 0)
			return classes[i].result;
	if (PQconnectionNeedsPassword(conn) || strstr(text, "no password supplied"))
		return DBPOOL_REFUSED;
	return DBPOOL_UNREACHABLE;
}

/* Every function and operator is qualified, here and wherever the pool sends a statement: the
 * search_path is the application's, and may lead to functions of somebody else. */
static void ask_identity(struct link *link, int64_t deadline)
{
	PGresult *result = link_exec(link,
		"SELECT (extract(epoch FROM backend_start) OPERATOR(pg_catalog.*) 1000000)::bigint"
		" FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())",
		0, NULL, deadline);
	link->backend_pid = PQbackendPID(link->conn);
	link->backend_start = PAGE_UNKNOWN;
	if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1 &&
		!PQgetisnull(result, 0, 0))
		link->backend_start = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
}

/* Only where the server has the setting and its administrator left it off. What was set is kept, to
 * be set again after RESET ALL. */
static bool set_one(struct link *link, const char *name, int64_t usec, int64_t deadline)
{
	char sql[256], statement[100];
	if (usec == INT64_MAX)
		return true;
	snprintf(sql, sizeof(sql),
		"SELECT pg_catalog.set_config('%s', '%lld', false)"
		" WHERE pg_catalog.current_setting('%s', true) OPERATOR(pg_catalog.=) '0'",
		name, (long long)(usec / 1000), name);
	PGresult *result = link_exec(link, sql, 0, NULL, deadline);
	if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1) {
		snprintf(statement, sizeof(statement), "SET %s=%lld;", name,
			(long long)(usec / 1000));
		char *settings =
			realloc(link->settings, strlen(link->settings) + strlen(statement) + 1);
		if (settings)
			link->settings = strcat(settings, statement);
	}
	PQclear(result);
	return PQstatus(link->conn) == CONNECTION_OK;
}

static bool set_up(struct link *link, const struct config *config, int64_t deadline)
{
	ask_identity(link, deadline);
	return set_one(link, "client_connection_check_interval", config->check_interval,
		       deadline) &&
		set_one(link, "idle_in_transaction_session_timeout", config->idle_in_transaction,
			deadline) &&
		PQtransactionStatus(link->conn) == PQTRANS_IDLE;
}

static int explain(PGconn *conn, const char *why, char *error, size_t size)
{
	const char *text = why ? why : PQerrorMessage(conn);
	size_t length = strnlen(text, size - 1);
	while (length && (text[length - 1] == '\n' || text[length - 1] == ' '))
		length--;
	memcpy(error, text, length);
	error[length] = '\0';
	for (char *at = error; (at = strchr(at, '\n'));)
		*at = ' ';
	return why ? DBPOOL_UNREACHABLE : classify(conn);
}

/* A child process may have been born with a copy of this socket: only a shutdown of the connection
 * itself ends it for certain. */
static void drop(struct link *link)
{
	int fd = PQsocket(link->conn);
	if (fd >= 0 && PQstatus(link->conn) != CONNECTION_OK)
		(void)shutdown(fd, SHUT_RDWR);
	link_free(link);
}

static struct link *link_new(const struct config *config, int slot)
{
	struct link *link = calloc(1, sizeof(*link));
	if (!link)
		return NULL;
	link->own_fd = -1;
	link->libpq_fd = -1;
	link->finished = true;
	link->settings = strdup("");
	link->conn = link->settings ? begin(config, slot) : NULL;
	if (!link->conn) {
		link_free(link);
		return NULL;
	}
	link->finished = false;
	return link;
}

int link_open(const struct config *config, int slot, int abort_fd, struct link **ret_link,
	char *error, size_t size)
{
	const char *why = NULL;
	int64_t now = now_usec();
	int64_t deadline =
		config->connect_timeout == INT64_MAX ? INT64_MAX : now + config->connect_timeout;
	struct link *link = link_new(config, slot);
	if (!link) {
		snprintf(error, size, "out of memory");
		return -ENOMEM;
	}
	PQsetErrorVerbosity(link->conn, PQERRORS_VERBOSE);
	bool open = finish_connecting(link->conn, abort_fd, deadline, &why);
	if (open)
		PQsetErrorVerbosity(link->conn, PQERRORS_DEFAULT);
	if (!open || !set_up(link, config, deadline)) {
		int result = explain(link->conn, why, error, size);
		drop(link);
		return result;
	}
	int r = link_watch(link);
	if (r < 0) {
		snprintf(error, size, "cannot duplicate the socket: %s", strerror(-r));
		link_free(link);
		return r;
	}
	link->cancel = PQgetCancel(link->conn);
	if (!link->cancel || !usage_watch(link)) {
		link_free(link);
		snprintf(error, size, "out of memory");
		return -ENOMEM;
	}
	link->heard = now_usec();
	*ret_link = link;
	return DBPOOL_OK;
}
