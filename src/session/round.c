/* The order of the attempts and the reasons to stop are the same as in libpq's PQconnectPoll(). But
 * PQconnectPoll() ignores connect_timeout, and gives an address up only when the kernel does. So
 * each attempt here gets exactly one address. */
#include "session/round.h"

#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "session/conninfo.h"
#include "session/failure.h"
#include "session/hosts.h"
#include "session/locate.h"
#include "session/password_command.h"

/* The most addresses of one name that are tried, so that a hostile name server cannot make a round
 * endless. */
#define MOST_ADDRESSES 8

/* A file that cannot exist: libpq then looks for no other. */
#define NO_PASSFILE "/dev/null/none"

/* So many steps of an attempt may follow when its time is over, each for an answer that is there:
 * we may be slower than the server. A login takes some ten; a hostile server's would have no end.
 */
#define LATE_STEPS 20

/* How long the password command may take. */
#define COMMAND_SECONDS 10

/* What follows an attempt. */
enum outcome {
	OUTCOME_DONE,         /* connected, or refused by a server that answered */
	OUTCOME_NEXT_ADDRESS, /* no answer, or too slow */
	OUTCOME_NEXT_HOST,    /* the server is starting, or not of the wanted kind */
};

/* Keeps an open connection, or a failed attempt with its error, as the outcome. */
static void keep_result(struct round *round, PGconn *conn, const char *error)
{
	PQfinish(round->conn);
	free(round->error);
	round->conn = conn;
	round->error = error ? mem_strdup(error) : NULL;
}

/* 'connection to server at "h" (1.2.3.4), port 5432 failed: why' → 'h (1.2.3.4): why' */
static void note_error(
	struct round *round, const struct host *host, const char *address, const char *error)
{
	const char *why = strstr(error, " failed: ");
	const char *name = *host->name ? host->name : *address ? address : "local socket";
	bool both = *host->name && *address && strcmp(host->name, address) != 0;
	why = why ? why + strlen(" failed: ") : error;
	char *longer = mem_printf("%s%s%s%s%s%s: %.*s", round->errors ? round->errors : "",
		round->errors ? ", " : "", name, both ? " (" : "", both ? address : "",
		both ? ")" : "", (int)strcspn(why, "\n"), why);
	free(round->errors);
	round->errors = longer;
	round->failed++;
}

static void forget_errors(struct round *round)
{
	keep_result(round, NULL, NULL);
	free(round->errors);
	round->errors = NULL;
	round->failed = 0;
}

static void locate(struct round *round, const PGconn *conn)
{
	struct peers_target before = round->seen;
	locate_ends(conn, &round->seen);
	if (memcmp(&before, &round->seen, sizeof(before)) != 0)
		round->hooks.located(round->hooks.data, &round->seen);
}

static bool step(const struct round *round, enum round_step step)
{
	return round->hooks.step(round->hooks.data, step);
}

/* Waits until the socket is ready. Returns false when the time is over and it is not, or the round
 * must end. */
static bool wait_for(struct round *round, const PGconn *conn, short events, int64_t deadline)
{
	struct pollfd fds[] = {
		{ .fd = PQsocket(conn), .events = events },
		{ .fd = round->wake, .events = POLLIN },
	};
	for (;;) {
		int64_t left = deadline - instant_monotonic();
		int ms = left / USEC_PER_MSEC < INT_MAX ? (int)(left / USEC_PER_MSEC) + 1 : INT_MAX;
		int n = poll(fds, 2, left > 0 ? ms : 0);
		if (fds[1].revents && n > 0)
			return false;
		if (n > 0 || (n < 0 && errno != EINTR))
			return true;
		if (left <= 0)
			return false;
	}
}

static bool has_verified(const struct params *params, PGconn *conn)
{
	const char *mode = params_get(params, "sslmode");
	/* libpq says that SSL is in use before the handshake is over */
	return mode && strcmp(mode, "verify-full") == 0 && PQsslInUse(conn) &&
		PQstatus(conn) != CONNECTION_SSL_STARTUP && PQstatus(conn) != CONNECTION_BAD;
}

/* Runs the attempt to its end. Returns false when its time is over. *ret_reached: the address
 * accepted a connection. */
static bool run_attempt(struct round *round, const struct params *params, PGconn *conn,
	bool *ret_reached, int64_t deadline)
{
	PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;
	int late = 0;
	while (PQstatus(conn) != CONNECTION_BAD) {
		short events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT;
		late += instant_monotonic() >= deadline;
		if (late > LATE_STEPS || !wait_for(round, conn, events, deadline))
			return false;
		locate(round, conn);
		*ret_reached = PQstatus(conn) != CONNECTION_STARTED;
		wanted = PQconnectPoll(conn);
		if (has_verified(params, conn))
			round->verified = true;
		if (wanted == PGRES_POLLING_OK || wanted == PGRES_POLLING_FAILED)
			break;
	}
	/* Our own end of a Unix socket is known only now. */
	locate(round, conn);
	return true;
}

static enum outcome judge(PGconn *conn, bool reached)
{
	struct arena *arena = arena_new();
	struct session_failure failure = failure_read(arena, PQerrorMessage(conn));
	enum outcome outcome = OUTCOME_NEXT_ADDRESS;
	if (strcmp(failure.sqlstate, "57P03") == 0) /* cannot_connect_now */
		outcome = OUTCOME_NEXT_HOST;
	else if (failure.sqlstate[0] || PQconnectionNeedsPassword(conn))
		outcome = OUTCOME_DONE;
	else if (PQparameterStatus(conn, "server_version"))
		/* The server accepted us, but is not of the kind that target_session_attrs
		 * requires. */
		outcome = OUTCOME_NEXT_HOST;
	else if (reached)
		outcome = OUTCOME_DONE;
	arena_free(arena);
	return outcome;
}

static enum outcome fail(struct round *round, const struct host *host, const char *address,
	PGconn *conn, enum outcome outcome)
{
	const char *error = PQerrorMessage(conn);
	if (!error || !*error)
		error = "the server closed the connection";
	/* The first error is the most useful, unless a later one comes from a server. */
	if (!round->error || outcome != OUTCOME_NEXT_ADDRESS)
		keep_result(round, conn, error);
	note_error(round, host, address, error);
	if (round->conn != conn)
		PQfinish(conn);
	return outcome;
}

static enum outcome time_out(
	struct round *round, const struct host *host, const char *address, PGconn *conn)
{
	char error[64];
	snprintf(error, sizeof(error), "the server did not answer in %u s", round->seconds);
	note_error(round, host, address, error);
	if (round->error)
		PQfinish(conn);
	else
		keep_result(round, conn, error);
	return OUTCOME_NEXT_ADDRESS;
}

/* Runs the command, if the server asks for a password that we do not have. Returns whether there is
 * a password now that was not tried. */
static bool ask_command(struct round *round, PGconn *conn, const char **ret_error)
{
	char password[PASSWORD_MAX] = "";
	if (!round->asks_command || round->has_asked || !PQconnectionNeedsPassword(conn))
		return false;
	round->has_asked = true;
	*ret_error = password_command_run(
		round->password_command, COMMAND_SECONDS, round->wake, password);
	if (*ret_error)
		return false;
	params_set(&round->params, "password", password);
	explicit_bzero(password, sizeof(password));
	return true;
}

static enum outcome try_address(
	struct round *round, const struct host *host, const char *address, const char *attrs)
{
	struct params params = { 0 };
	bool reached = false;
	const char *command_error = NULL;
	int64_t deadline = instant_monotonic() + (int64_t)round->seconds * USEC_PER_SEC;
	params_lay_over(&params, &round->params);
	params_set(&params, "host", host->name);
	params_set(&params, "hostaddr", address);
	params_set(&params, "port", host->port);
	params_set(&params, "target_session_attrs", attrs);
	locate_forget_own(&round->seen);
	round->verified = false;
	PGconn *conn = conninfo_start(&params);
	if (!conn) {
		params_clear(&params);
		keep_result(round, NULL, "out of memory");
		return OUTCOME_DONE;
	}
	bool in_time = run_attempt(round, &params, conn, &reached, deadline);
	params_clear(&params);
	if (!in_time)
		return time_out(round, host, address, conn);
	if (ask_command(round, conn, &command_error)) {
		PQfinish(conn);
		return try_address(round, host, address, attrs);
	}
	if (command_error) {
		/* without the connection, which would be asked for a password */
		PQfinish(conn);
		keep_result(round, NULL, command_error);
		return OUTCOME_DONE;
	}
	if (PQstatus(conn) != CONNECTION_OK)
		return fail(round, host, address, conn, judge(conn, reached));
	keep_result(round, conn, NULL);
	return OUTCOME_DONE;
}

static size_t random_below(size_t n)
{
	uint32_t number = 0;
	(void)!getrandom(&number, sizeof(number), 0);
	return number % n;
}

/* True if hosts and their addresses are tried in a random order. */
static bool is_shuffled(const struct round *round)
{
	const char *balance = params_get(&round->params, "load_balance_hosts");
	return balance && strcmp(balance, "random") == 0;
}

typedef char address_text[NI_MAXHOST];

/* Returns the number of addresses. Returns 0 after it has noted the error. */
static size_t look_up(struct round *round, const struct host *host, address_text *ret_addresses)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	size_t count = 0;
	if (!step(round, ROUND_LOOKS_UP))
		return 0;
	int r = getaddrinfo(host->name, NULL, &hints, &found);
	if (!step(round, ROUND_TRIES)) {
		if (r == 0)
			freeaddrinfo(found);
		return 0;
	}
	for (struct addrinfo *a = found; r == 0 && a && count < MOST_ADDRESSES; a = a->ai_next)
		if (getnameinfo(a->ai_addr, a->ai_addrlen, ret_addresses[count],
			    sizeof(*ret_addresses), NULL, 0, NI_NUMERICHOST) == 0)
			count++;
	if (r == 0)
		freeaddrinfo(found);
	if (count)
		return count;
	CLEANUP(cleanup_free)
	char *error = mem_printf(
		"could not look up \"%s\": %s", host->name, r ? gai_strerror(r) : "no address");
	if (!round->error)
		keep_result(round, NULL, error);
	note_error(round, host, "", r ? gai_strerror(r) : "no address");
	return 0;
}

static enum outcome try_host(struct round *round, const struct host *host, const char *attrs)
{
	address_text addresses[MOST_ADDRESSES];
	if (!host_is_name(host))
		return step(round, ROUND_TRIES) ? try_address(round, host, host->address, attrs)
						: OUTCOME_DONE;
	size_t count = look_up(round, host, addresses);
	for (size_t i = 0; i + 1 < count && is_shuffled(round); i++) {
		size_t other = i + random_below(count - i);
		address_text kept;
		memcpy(kept, addresses[i], sizeof(kept));
		memcpy(addresses[i], addresses[other], sizeof(kept));
		memcpy(addresses[other], kept, sizeof(kept));
	}
	for (size_t i = 0; i < count && step(round, ROUND_TRIES); i++) {
		enum outcome outcome = try_address(round, host, addresses[i], attrs);
		if (outcome != OUTCOME_NEXT_ADDRESS)
			return outcome;
	}
	return OUTCOME_NEXT_HOST;
}

static bool try_hosts(
	struct round *round, const struct host *hosts, size_t count, const char *attrs)
{
	for (size_t i = 0; i < count; i++)
		if (try_host(round, &hosts[i], attrs) == OUTCOME_DONE)
			return true;
	return false;
}

static void shuffle(struct host *hosts, size_t count)
{
	for (size_t i = 0; i + 1 < count; i++) {
		size_t other = i + random_below(count - i);
		struct host kept = hosts[i];
		hosts[i] = hosts[other];
		hosts[other] = kept;
	}
}

/* Reads connect_timeout. Returns false after it has kept the error. */
static bool read_timeout(struct round *round)
{
	const char *text = params_get(&round->params, "connect_timeout");
	char *end = NULL;
	errno = 0;
	long seconds = text && *text ? strtol(text, &end, 10) : 0;
	if (errno || (end && (end == text || end[strspn(end, " \t\n")]))) {
		CLEANUP(cleanup_free)
		char *error = mem_printf("invalid integer value \"%s\" for connection option "
					 "\"connect_timeout\"",
			text);
		keep_result(round, NULL, error);
		return false;
	}
	if (seconds > 0)
		round->seconds = seconds < INT_MAX ? (unsigned)seconds : INT_MAX;
	return true;
}

/* If several attempts failed and no server answered, the error names all of them. */
static void join_errors(struct round *round)
{
	if (round->failed < 2 || !round->error)
		return;
	struct arena *arena = arena_new();
	if (!failure_read(arena, round->error).sqlstate[0]) {
		free(round->error);
		round->error = mem_strdup(round->errors);
	}
	arena_free(arena);
}

void round_run(struct round *round)
{
	struct host *hosts;
	size_t count;
	const char *given = params_get(&round->params, "password");
	round->asks_command = round->password_command && (!given || !*given);
	char *error = hosts_complete(&round->params, &round->params);
	if (error) {
		keep_result(round, NULL, error);
		free(error);
		return;
	}
	if (round->asks_command) {
		params_set(&round->params, "password", "");
		params_set(&round->params, "passfile", NO_PASSFILE);
	}
	if (!read_timeout(round))
		return;
	if (hosts_cut(&round->params, &hosts, &count) < 0) {
		/* This attempt fails at once with libpq's own message. */
		PGconn *conn = conninfo_start(&round->params);
		keep_result(round, conn, conn ? PQerrorMessage(conn) : "out of memory");
		return;
	}
	if (is_shuffled(round))
		shuffle(hosts, count);
	const char *attrs = params_get(&round->params, "target_session_attrs");
	bool prefers = attrs && strcmp(attrs, "prefer-standby") == 0;
	attrs = !attrs ? "" : prefers ? "standby" : attrs;
	if (!try_hosts(round, hosts, count, attrs) && prefers) {
		forget_errors(round);
		(void)try_hosts(round, hosts, count, "any");
	}
	join_errors(round);
	hosts_free(hosts, count);
}

void round_clear(struct round *round)
{
	PQfinish(round->conn);
	free(round->error);
	free(round->errors);
	params_clear(&round->params);
	*round = (struct round){ .wake = -1 };
}
