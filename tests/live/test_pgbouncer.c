/* PgBouncer in trouble, clients that starve behind it, and a leak through a transaction pool. */
#include "live_group.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

static void wrong(json_t *object, const char *why)
{
	char *text = json_dumps(object, JSON_COMPACT);
	fprintf(stderr, "%s\n", text); /* cmocka cuts long texts */
	fail_msg("%s: %s", why, text);
	free(text);
}

static bool is_text(json_t *object, const char *path, const char *expected)
{
	const char *found = live_text(object, path);
	return found && strcmp(found, expected) == 0;
}

static void assert_text(json_t *object, const char *path, const char *expected)
{
	if (!is_text(object, path, expected)) {
		fprintf(stderr, "%s is not %s\n", path, expected);
		wrong(object, path);
	}
}

/* A console that accepts, by the kernel, and never answers. */
static int hung_console(int *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 16) < 0 ||
		getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		fail_msg("no listener: %s", strerror(errno));
	*ret_port = ntohs(address.sin_port);
	return fd;
}

struct source {
	char *name;
	const char *status, *error; /* a part of it; NULL: none */
};

static bool is_so(json_t *root, const struct source *source)
{
	json_t *found = live_find_text(root, "sources", "name", source->name);
	const char *error = found ? live_text(found, "error") : NULL;
	if (!found || strcmp(live_text(found, "status"), source->status) != 0)
		return false;
	return source->error ? error && strstr(error, source->error) : !error;
}

/* The server's part goes on whatever the consoles do. On a busy machine an answer of the server may
 * be overdue now and then. */
static bool are_so(json_t *root, void *data)
{
	const struct source *sources = data;
	if (!is_text(root, "server.status", "ok"))
		return false;
	for (size_t i = 0; sources[i].name; i++)
		if (!is_so(root, &sources[i]))
			return false;
	return true;
}

static void consoles_in_trouble_are_reported_and_the_rest_goes_on(void **state)
{
	(void)state;
	struct live_pgbouncer *pgbouncer = live_pgbouncer_start(server, NULL);
	int hung_port, hung = hung_console(&hung_port);
	int port = live_pgbouncer_port(pgbouncer);
	CLEANUP(cleanup_free)
	char *good = live_pgbouncer_conninfo(pgbouncer, LIVE_TCP4, "user=stats");
	CLEANUP(cleanup_free)
	char *refused = live_pgbouncer_conninfo(pgbouncer, LIVE_TCP6, "user=app");
	CLEANUP(cleanup_free) char *silent = mem_printf("host=127.0.0.1 port=%d", hung_port);
	CLEANUP(cleanup_free) char *good_name = mem_printf("pgbouncer 127.0.0.1:%d", port);
	CLEANUP(cleanup_free) char *refused_name = mem_printf("pgbouncer [::1]:%d", port);
	CLEANUP(cleanup_free) char *silent_name = mem_printf("pgbouncer 127.0.0.1:%d", hung_port);
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	const char *const argv[] = { live_dbtop_path(), "--json", "--follow", "-i", "0.2",
		"--pgbouncer", good, "--pgbouncer", refused, "--pgbouncer", silent, conninfo,
		NULL };
	struct live_program *dbtop = live_start(&(struct live_program_options){ .argv = argv });

	struct source first[] = {
		{ good_name, "ok", NULL },
		{ refused_name, "failed", "not allowed" },
		{ silent_name, "failed", "did not answer" },
		{ NULL, NULL, NULL },
	};
	json_decref(live_await_json(dbtop, are_so, first, "each in its own trouble", 30000));

	live_pgbouncer_kill(pgbouncer);
	first[0] = (struct source){ good_name, "stale", "onnection" };
	first[1] = (struct source){ refused_name, "failed", "onnection refused" };
	first[1].name = NULL;
	json_decref(live_await_json(dbtop, are_so, first, "PgBouncer lost", 30000));

	live_pgbouncer_restart(pgbouncer);
	first[0] = (struct source){ good_name, "ok", NULL };
	json_decref(live_await_json(dbtop, are_so, first, "PgBouncer back", 60000));
	close(hung);
}

/* Its connection has 5 s for each address; the report does without it before. With so many
 * addresses it is before on any machine. */
static void a_console_that_hangs_delays_no_report(void **state)
{
	(void)state;
	static const char hosts[] = "127.0.0.1,127.0.0.1,127.0.0.1,127.0.0.1,127.0.0.1,127.0.0.1,"
				    "127.0.0.1,127.0.0.1,127.0.0.1,127.0.0.1,127.0.0.1,127.0.0.1";
	int hung_port, hung = hung_console(&hung_port);
	CLEANUP(cleanup_free) char *silent = mem_printf("host=%s port=%d", hosts, hung_port);
	CLEANUP(cleanup_free) char *name = mem_printf("pgbouncer %s:%d", hosts, hung_port);
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	json_t *root = live_dbtop_json(NULL, conninfo, "--pgbouncer", silent, NULL);
	const struct source source = { name, "failed", "it has not answered yet" };
	if (!is_so(root, &source))
		wrong(root, "the console has not answered yet");
	json_decref(root);
	close(hung);
}

/* Whether the client is found that uses the session: not yet while PgBouncer has not answered, or
 * reported the link too late. */
static bool leaks(json_t *root, void *data)
{
	const long *client = data;
	json_t *found = live_find_text(root, "connections", "status", "leaked");
	if (!found || !is_text(found, "process.matched_by", "pgbouncer"))
		return false;
	assert_text(found, "reason", "idle_in_transaction_too_long");
	assert_text(found, "pgbouncer.pool_mode", "transaction");
	assert_int_equal(json_integer_value(live_member(found, "process.pid")), *client);
	return true;
}

static bool rests(json_t *root, void *data)
{
	(void)data;
	json_t *found = live_find_text(root, "connections", "protected", "pgbouncer_server");
	/* without its console, too: its process holds the session, once that was looked for */
	if (json_is_true(json_object_get(root, "settled")) &&
		live_find_text(root, "connections", "status", "leaked"))
		wrong(root, "an idle server of PgBouncer's is no leak");
	return found && json_number_value(live_member(found, "seconds")) > 0.5;
}

struct leak {
	const char *console, *conninfo;
};

/* Ends it, or says that it cannot tell: so slow a machine has no answer within the time of a
 * command.
 */
static bool is_ended(void *data)
{
	const struct leak *leak = data;
	struct live_run run = live_dbtop("--kill-leaked", "--yes", "--json", "--pgbouncer",
		leak->console, "--transaction-limit", "300ms", leak->conninfo, NULL);
	bool cannot_tell = run.status == 3;
	if (!cannot_tell) {
		json_t *result = live_parse_json(run.out);
		if (json_integer_value(json_object_get(result, "terminated")) != 1)
			fail_msg("status %d: %s, %s", run.status, run.out, run.err);
		json_decref(result);
	}
	live_run_clear(&run);
	return !cannot_tell;
}

static void a_client_that_keeps_its_transaction_is_the_leak(void **state)
{
	(void)state;
	struct live_pgbouncer *pgbouncer = live_pgbouncer_start(
		server, (const char *const[]){ "pool_mode = transaction", NULL });
	CLEANUP(cleanup_free)
	char *console = live_pgbouncer_conninfo(pgbouncer, LIVE_UNIX, "user=stats");
	CLEANUP(cleanup_free) char *tcp = live_pgbouncer_conninfo(pgbouncer, LIVE_TCP4, NULL);
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	/* one that has rested for long: the reserve */
	PGconn *conn = live_connect(tcp);
	live_exec(conn, "SELECT 1");
	/* One that goes on: a single report does without a console that has not answered in 2 s,
	 * which a busy machine can make of any. */
	struct live_program *dbtop =
		live_dbtop_start(NULL, "--json", "--follow", "-i", "0.2", "--pgbouncer", console,
			"--transaction-limit", "300ms", "--idle-limit", "300ms", conninfo, NULL);
	json_decref(live_await_json(dbtop, rests, NULL, "a reserve", 20000));

	struct live_program *client =
		live_client(tcp, "sql", "BEGIN", "SELECT 1 AS forgotten", NULL);
	long pid = live_pid(client);
	json_decref(live_await_json(dbtop, leaks, &pid, "the client's leak", 20000));
	live_free(dbtop);

	const struct leak leak = { console, conninfo };
	assert_true(live_wait(is_ended, (void *)&leak, 20000));
	live_wait_sessions(server, "query LIKE '%forgotten%'", 0, 10000);
	/* the database is not paused: others go on */
	live_exec(conn, "SELECT 2");
	PQfinish(conn);
	PGconn *next = live_connect(tcp);
	live_exec(next, "SELECT 3");
	PQfinish(next);
}

struct starving {
	long first, second;
};

static bool both_wait(json_t *root, void *data)
{
	const struct starving *starving = data;
	json_t *waiting = json_object_get(root, "waiting");
	if (json_array_size(waiting) != 2)
		return false;
	bool first = false, second = false;
	for (size_t i = 0; i < 2; i++) {
		json_t *waiter = json_array_get(waiting, i);
		json_t *process = live_member(waiter, "process.pid");
		/* a client's socket is looked for once it was seen */
		if (!process || json_number_value(live_member(waiter, "seconds")) < 0.3)
			return false;
		first |= json_integer_value(process) == starving->first;
		second |= json_integer_value(process) == starving->second;
	}
	if (!first || !second)
		wrong(waiting, "somebody else waits");
	json_t *pool = live_find_text(root, "pools", "kind", "pgbouncer");
	return pool && json_integer_value(live_member(pool, "clients_waiting")) == 2;
}

static void who_starves_is_named(void **state)
{
	(void)state;
	struct live_pgbouncer *pgbouncer = live_pgbouncer_start(server,
		(const char *const[]){ "pool_mode = transaction", "default_pool_size = 1",
			"query_wait_timeout = 0", NULL });
	CLEANUP(cleanup_free)
	char *console = live_pgbouncer_conninfo(pgbouncer, LIVE_TCP4, "user=stats");
	CLEANUP(cleanup_free) char *tcp = live_pgbouncer_conninfo(pgbouncer, LIVE_TCP4, NULL);
	CLEANUP(cleanup_free) char *local = live_pgbouncer_conninfo(pgbouncer, LIVE_UNIX, NULL);
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	PGconn *holder = live_connect(tcp);
	live_exec(holder, "BEGIN");
	const struct starving starving = {
		.first = live_pid(live_client(tcp, "send", "SELECT 1 AS hungry", NULL)),
		.second = live_pid(live_client(local, "send", "SELECT 2 AS hungry", NULL)),
	};
	const char *const argv[] = { live_dbtop_path(), "--json", "--follow", "-i", "0.2",
		"--pgbouncer", console, conninfo, NULL };
	struct live_program *dbtop = live_start(&(struct live_program_options){ .argv = argv });
	json_decref(live_await_json(dbtop, both_wait, (void *)&starving, "two that wait", 20000));
	PQfinish(holder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(a_console_that_hangs_delays_no_report),
		LIVE_TEST(consoles_in_trouble_are_reported_and_the_rest_goes_on),
		LIVE_TEST(a_client_that_keeps_its_transaction_is_the_leak),
		LIVE_TEST(who_starves_is_named),
	};
	return LIVE_GROUP("pgbouncer", tests, .wide = true,
		.settings = (const char *const[]){ "max_connections=40", NULL });
}
