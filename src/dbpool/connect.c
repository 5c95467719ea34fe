/* Opens one connection, with a deadline. The attempt can be aborted. */
#include "dbpool/connect.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dbpool/config.h"
#include "dbpool/dbpool.h"
#include "dbpool/error.h"
#include "dbpool/link.h"
#include "dbpool/route.h"
#include "dbpool/usage.h"
#include "dbpool/util.h"
#include "page/layout.h"

#define NAME_BYTES 64 /* NAMEDATALEN: 63 bytes and a zero byte */

/* Defaults that the application's connection string overrides: they detect a dead network within
 * half a minute. */
static const char *const defaults[][2] = {
	{ "keepalives_idle", "10" },
	{ "keepalives_interval", "5" },
	{ "keepalives_count", "3" },
	{ "tcp_user_timeout", "25000" },
};

#define N_DEFAULTS (sizeof(defaults) / sizeof(defaults[0]))

/* Makes NAME/PID/SLOT. A long name is cut; PID and SLOT never are. */
static void name_application(
	const struct pool_config *config, int slot, char name[static NAME_BYTES])
{
	char rest[40];
	int length = snprintf(rest, sizeof(rest), "/%ld/%d", (long)getpid(), slot);
	snprintf(name, NAME_BYTES, "%.*s%s", NAME_BYTES - 1 - length, config->name, rest);
}

/* How long the end of an aborted attempt's session is waited for: a server that hangs in the midst
 * of a login must not hold up the pool's shutdown. */
#define ABORTED_WAIT 300000 /* µs */

/* What all attempts of one link_open() share. */
struct attempts {
	const struct pool_config *config;
	const struct routes *routes;
	int slot, abort_fd;
	int64_t deadline;     /* of all attempts together; INT64_MAX: each has its own */
	const char *standby;  /* target_session_attrs of this round; NULL: unchanged */
	unsigned rounds_left; /* including this one */
	char *error;
	size_t size;
};

/* One address of one host. Functions take NULL for the unchanged connection string. */
struct address {
	const char *host, *hostaddr, *port;
};

static PGconn *begin(const struct attempts *search, const struct address *place)
{
	const struct pool_config *config = search->config;
	char name[NAME_BYTES];
	const char *keywords[N_DEFAULTS + 7], *values[N_DEFAULTS + 7];
	size_t n = 0;
	name_application(config, search->slot, name);
	for (; n < N_DEFAULTS; n++) {
		keywords[n] = defaults[n][0];
		values[n] = defaults[n][1];
	}
	if (config->conninfo[0]) {
		keywords[n] = "dbname"; /* libpq expands a connection string given here */
		values[n++] = config->conninfo;
	}
	keywords[n] = "application_name";
	values[n++] = name;
	if (place) {
		keywords[n] = "host";
		values[n++] = place->host;
		keywords[n] = "hostaddr";
		values[n++] = place->hostaddr;
		keywords[n] = "port";
		values[n++] = place->port;
	}
	if (search->standby) {
		keywords[n] = "target_session_attrs";
		values[n++] = search->standby;
	}
	keywords[n] = NULL;
	values[n] = NULL;
	return PQconnectStartParams(keywords, values, 1);
}

/* Returns false, with the reason, when the attempt must be given up. */
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

/* Finds the SQLSTATE in a message such as "FATAL:  53300: sorry, …", in any language. libpq keeps
 * no SQLSTATE of a failed connection, but includes it in verbose messages. With several hosts the
 * last one counts. Returns NULL when there is none. */
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

/* Every function and operator is qualified, here and in all statements of the pool: the application
 * sets the search_path, which may lead to functions of another user. */
static void ask_identity(struct pool_link *link, int64_t deadline)
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

/* Sets a setting only where the server has it and its value is 0. Remembers what it set, for use
 * after RESET ALL. */
static bool set_one(struct pool_link *link, const char *name, int64_t usec, int64_t deadline)
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

static bool set_up(struct pool_link *link, const struct pool_config *config, int64_t deadline)
{
	ask_identity(link, deadline);
	return set_one(link, "client_connection_check_interval", config->check_interval,
		       deadline) &&
		set_one(link, "idle_in_transaction_session_timeout", config->idle_in_transaction,
			deadline) &&
		PQtransactionStatus(link->conn) == PQTRANS_IDLE;
}

/* True for "LOCATION:  InitProcess, proc.c:359", in any language: it says nothing to users. */
static bool is_location(const char *line, size_t length)
{
	size_t end = length;
	while (end && line[end - 1] >= '0' && line[end - 1] <= '9')
		end--;
	return end < length && end > 3 && strncmp(line + end - 3, ".c:", 3) == 0;
}

/* Appends the lines of libpq's message that are for people, as one line. */
static void copy_lines(char *error, size_t size, const char *text)
{
	for (; *text; text += *text == '\n') {
		size_t used = strlen(error), length = strcspn(text, "\n");
		if (length && !is_location(text, length))
			snprintf(error + used, size - used, "%s%.*s", used ? " " : "", (int)length,
				text);
		text += length;
	}
}

/* Which limit is reached. The name of the server's routine is the same in every language. A pooler
 * between us and the server names none. */
static const char *which_limit(const char *text)
{
	const char *sqlstate = find_sqlstate(text);
	if (!sqlstate || strncmp(sqlstate, "53300", 5) != 0 || !strstr(text, ".c:"))
		return "";
	if (strstr(text, " InitializeSessionUserId,"))
		return "the role's connection limit is reached: ";
	if (strstr(text, " CheckMyDatabase,"))
		return "the database's connection limit is reached: ";
	return "all of the server's connection slots are in use: ";
}

static int explain(PGconn *conn, const char *why, char *error, size_t size)
{
	const char *text = why ? why : PQerrorMessage(conn);
	int result = why ? DBPOOL_UNREACHABLE : classify(conn);
	snprintf(error, size, "%s", result == DBPOOL_FULL ? which_limit(text) : "");
	copy_lines(error, size, text);
	return result;
}

static bool is_aborted(const struct attempts *search)
{
	struct pollfd pollfd = { .fd = search->abort_fd, .events = POLLIN };
	return poll(&pollfd, 1, 0) > 0;
}

/* A child process may have inherited this socket. Only shutdown() ends the connection then; close()
 * does not. A shutdown of the pool aborts attempts: a server that was past the login has a session
 * already, and its end is waited for, so that none is left when dbpool_shutdown() returns. */
static void drop(const struct attempts *search, struct pool_link *link)
{
	int fd = PQsocket(link->conn), own = -1;
	ConnStatusType status = PQstatus(link->conn);
	bool spoke = status == CONNECTION_OK || status == CONNECTION_AWAITING_RESPONSE ||
		status == CONNECTION_AUTH_OK;
	if (fd >= 0 && spoke && is_aborted(search))
		own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (fd >= 0 && status != CONNECTION_OK)
		(void)shutdown(fd, own < 0 ? SHUT_RDWR : SHUT_WR);
	link_free(link);
	if (own < 0)
		return;
	(void)shutdown(own, SHUT_WR);
	(void)link_wait_ended(&own, 1, now_usec() + ABORTED_WAIT, false);
}

static struct pool_link *link_new(const struct attempts *search, const struct address *place)
{
	struct pool_link *link = calloc(1, sizeof(*link));
	if (!link)
		return NULL;
	link->own_fd = -1;
	link->libpq_fd = -1;
	link->finished = true;
	link->settings = strdup("");
	link->conn = link->settings ? begin(search, place) : NULL;
	if (!link->conn) {
		link_free(link);
		return NULL;
	}
	link->finished = false;
	return link;
}

/* Appends an attempt's error to the text of all attempts. */
static void add_error(const struct attempts *search, const char *text)
{
	size_t length = strlen(search->error);
	snprintf(search->error + length, search->size - length, "%s%s", length ? "; " : "", text);
}

static int complete(
	const struct attempts *search, struct pool_link *link, struct pool_link **ret_link)
{
	int r = link_watch(link);
	if (r < 0) {
		snprintf(search->error, search->size, "cannot duplicate the socket: %s",
			strerror(-r));
		link_free(link);
		return r;
	}
	link->cancel = PQgetCancel(link->conn);
	if (!link->cancel || !usage_watch(link)) {
		link_free(link);
		snprintf(search->error, search->size, "out of memory");
		return -ENOMEM;
	}
	link->heard = now_usec();
	*ret_link = link;
	return DBPOOL_OK;
}

/* *ret_next: true when another address may succeed. libpq, too, tries the next address after these
 * failures: no server answered, the server is not of the wanted kind, or it is still starting. */
static int try_place(const struct attempts *search, const struct address *place, int64_t deadline,
	struct pool_link **ret_link, bool *ret_next)
{
	char error[TEXT_MAX];
	const char *why = NULL;
	struct pool_link *link = link_new(search, place);
	*ret_next = false;
	if (!link) {
		snprintf(search->error, search->size, "out of memory");
		return -ENOMEM;
	}
	PQsetErrorVerbosity(link->conn, PQERRORS_VERBOSE);
	bool open = finish_connecting(link->conn, search->abort_fd, deadline, &why);
	if (open)
		PQsetErrorVerbosity(link->conn, PQERRORS_DEFAULT);
	if (open && set_up(link, search->config, deadline))
		return complete(search, link, ret_link);
	int result = explain(link->conn, why, error, sizeof(error));
	const char *sqlstate = why ? NULL : find_sqlstate(PQerrorMessage(link->conn));
	*ret_next =
		result == DBPOOL_UNREACHABLE && (!sqlstate || strncmp(sqlstate, "57P03", 5) == 0);
	add_error(search, error);
	drop(search, link);
	return result;
}

static int64_t share(int64_t deadline, unsigned parts)
{
	int64_t now = now_usec();
	return deadline == INT64_MAX || deadline < now ? deadline : now + (deadline - now) / parts;
}

/* The deadline of one address: at most the given one, and at most connect_timeout from now. */
static int64_t limit(const struct attempts *search, int64_t deadline)
{
	int64_t each = search->routes->each;
	if (each == INT64_MAX)
		return deadline;
	int64_t own = now_usec() + each;
	return own < deadline ? own : deadline;
}

static int try_host(const struct attempts *search, const struct route *route, int64_t deadline,
	struct pool_link **ret_link, bool *ret_next)
{
	struct addresses addresses;
	int result = DBPOOL_UNREACHABLE;
	int r = route_addresses(route, search->routes->random, &addresses);
	*ret_next = true;
	if (r != 0) {
		char error[TEXT_MAX];
		snprintf(error, sizeof(error), "could not translate host name \"%s\": %s",
			route->host, gai_strerror(r));
		add_error(search, error);
		return result;
	}
	unsigned n = addresses.n ? addresses.n : 1;
	for (unsigned i = 0; i < n && *ret_next && !is_aborted(search); i++) {
		struct address place = { route->host, addresses.n ? addresses.texts[i] : "",
			route->port };
		result = try_place(
			search, &place, limit(search, share(deadline, n - i)), ret_link, ret_next);
	}
	return result;
}

/* Tries each host once. */
static int try_hosts(const struct attempts *search, struct pool_link **ret_link, bool *ret_next)
{
	const struct routes *routes = search->routes;
	int result = DBPOOL_UNREACHABLE;
	*ret_next = true;
	for (unsigned i = 0; i < routes->n && *ret_next && !is_aborted(search); i++) {
		unsigned left = routes->n * search->rounds_left - i;
		result = try_host(search, &routes->hosts[i], share(search->deadline, left),
			ret_link, ret_next);
	}
	return result;
}

/* Passes the whole connection string to libpq, with the time of all its hosts. */
static int try_whole(const struct attempts *search, struct pool_link **ret_link)
{
	bool next;
	return try_place(search, NULL, limit(search, search->deadline), ret_link, &next);
}

static int search_all(struct attempts *search, struct pool_link **ret_link)
{
	bool next;
	if (search->routes->n == 0)
		return try_whole(search, ret_link);
	if (search->routes->prefer_standby) {
		search->standby = "standby";
		search->rounds_left = 2;
		int result = try_hosts(search, ret_link, &next);
		if (!next)
			return result;
		search->standby = "any";
		search->rounds_left = 1;
	}
	return try_hosts(search, ret_link, &next);
}

int link_open(const struct pool_config *config, int slot, int abort_fd, struct pool_link **ret_link,
	char *error, size_t size)
{
	struct routes routes;
	int r = routes_read(config->conninfo, &routes);
	error[0] = '\0';
	if (r < 0) {
		snprintf(error, size, "out of memory");
		return r;
	}
	struct attempts search = {
		.config = config,
		.routes = &routes,
		.slot = slot,
		.abort_fd = abort_fd,
		.rounds_left = 1,
		.error = error,
		.size = size,
	};
	bool own = !config->connect_timeout_given && routes.each != INT64_MAX;
	search.deadline = own || config->connect_timeout == INT64_MAX
		? INT64_MAX
		: now_usec() + config->connect_timeout;
	r = search_all(&search, ret_link);
	if (r != DBPOOL_OK && !error[0])
		snprintf(error, size, "the pool shuts down");
	routes_clear(&routes);
	return r;
}
