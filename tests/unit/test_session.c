/* session: the meaning of a failed connection, which hosts are looked up, parameters, the queue. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/instant.h"
#include "session/backoff.h"
#include "session/dial.h"
#include "session/failure.h"
#include "session/hosts.h"
#include "session/params.h"
#include "session/session.h"
#include "session/standing.h"
#include "session/statement.h"

static void failures_are_distinguished_by_their_code(void **state)
{
	(void)state;
	static const struct {
		const char *message;
		enum server_status status;
		const char *sqlstate, *text;
	} cases[] = {
		/* as libpq 15 writes them */
		{ "connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  53300: sorry, "
		  "too many "
		  "clients already\nLOCATION:  InitProcess, proc.c:359\n",
			SERVER_FULL, "53300", "sorry, too many clients already" },
		{ "connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  53300: zu "
		  "viele "
		  "Verbindungen\nLOCATION:  InitializeSessionUserId, miscinit.c:805\n",
			SERVER_ROLE_LIMIT, "53300", "zu viele Verbindungen" },
		{ "connection to server at \"127.0.0.1\", port 5432 failed: FATAL:  53300: too "
		  "many "
		  "connections for database \"x\"\nLOCATION:  CheckMyDatabase, postinit.c:402\n",
			SERVER_DATABASE_LIMIT, "53300", "too many connections for database \"x\"" },
		{ "FATAL:  53200: out of memory\n", SERVER_REFUSED, "53200", "out of memory" },
		{ "connection to server on socket \"/run/postgresql/.s.PGSQL.5432\" failed: FATAL: "
		  " 53300: "
		  "remaining connection slots are reserved for roles with the SUPERUSER "
		  "attribute\n",
			SERVER_FULL, "53300",
			"remaining connection slots are reserved for roles with the SUPERUSER "
			"attribute" },
		{ "connection to server at \"h\" (10.1.2.3), port 5432 failed: FATAL:  28P01: "
		  "password "
		  "authentication failed for user \"app\"\n",
			SERVER_DENIED, "28P01", "password authentication failed for user \"app\"" },
		{ "connection to server at \"h\" (10.1.2.3), port 5432 failed: SCHWERWIEGEND:  "
		  "3D000: "
		  "Datenbank »x« existiert nicht\n",
			SERVER_DENIED, "3D000", "Datenbank »x« existiert nicht" },
		{ "connection to server at \"127.0.0.1\", port 1 failed: Connection refused\n\tIs "
		  "the server "
		  "running on that host and accepting TCP/IP connections?\n",
			SERVER_REFUSED, "", "Connection refused" },
		{ "connection to server at \"::1\", port 1 failed: Connection refused\n\tIs the "
		  "server running?\n"
		  "connection to server at \"127.0.0.1\", port 1 failed: FATAL:  57P03: the "
		  "database system is "
		  "starting up\n",
			SERVER_REFUSED, "57P03", "the database system is starting up" },
		{ "connection to server at \"h\", port 1 failed: fe_sendauth: no password "
		  "supplied\n",
			SERVER_DENIED, "", "fe_sendauth: no password supplied" },
		{ "FATAL:  57P01: terminating connection due to administrator command\n",
			SERVER_REFUSED, "57P01",
			"terminating connection due to administrator command" },
		{ "could not look up \"x\": unknown node or service", SERVER_REFUSED, "",
			"could not look up \"x\": unknown node or service" },
		{ "", SERVER_REFUSED, "", "" },
		{ "FATAL:  5330", SERVER_REFUSED, "", "FATAL:  5330" },
		{ "FATAL:  53300: \033[2Jboo", SERVER_FULL, "53300", "␛[2Jboo" },
	};
	struct arena *arena = arena_new();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct session_failure failure = failure_read(arena, cases[i].message);
		assert_int_equal(failure.status, cases[i].status);
		assert_string_equal(failure.sqlstate, cases[i].sqlstate);
		assert_string_equal(failure.text, cases[i].text);
	}
	arena_free(arena);
}

/* What comes from the network has no SQLSTATE, and says what to do next as well. */
static void each_failure_of_the_way_has_a_hint(void **state)
{
	(void)state;
	static const char *const messages[] = {
		"could not look up \"x\": Name or service not known",
		"definition of service \"x\" not found",
		"service file \"/x\" not found",
		"syntax error in service file \"/x\", line 4",
		"invalid integer value \"x\" for connection option \"connect_timeout\"",
		"invalid port number: \"0\"",
		"invalid sslmode value: \"x\"",
		"could not match 2 port numbers to 3 hosts",
		"could not parse network address \"x\": Name or service not known",
		"the server did not answer in 10 s",
		"connection to server at \"h\" (10.1.2.3), port 1 failed: No route to host",
		"connection to server at \"::1\", port 1 failed: Network is unreachable",
	};
	struct arena *arena = arena_new();
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		struct session_failure failure = failure_read(arena, messages[i]);
		assert_int_equal(failure.status, SERVER_REFUSED);
		assert_non_null(failure.hint);
	}
	arena_free(arena);
}

static void only_names_are_looked_up(void **state)
{
	(void)state;
	char name[] = "db.example.org", folder[] = "/run/postgresql", socket[] = "@socket";
	char address[] = "127.0.0.1", none[] = "";
	assert_true(host_is_name(&(struct host){ name, none, none }));
	assert_false(host_is_name(&(struct host){ name, address, none }));
	assert_false(host_is_name(&(struct host){ folder, none, none }));
	assert_false(host_is_name(&(struct host){ socket, none, none }));
	assert_false(host_is_name(&(struct host){ none, none, none }));
}

static void assert_host(
	const struct host *host, const char *name, const char *address, const char *port)
{
	assert_string_equal(host->name, name);
	assert_string_equal(host->address, address);
	assert_string_equal(host->port, port);
}

/* Like libpq: lists of the same length, or one port for all hosts. */
static void lists_are_cut_into_hosts(void **state)
{
	(void)state;
	struct params params = { 0 };
	struct host *hosts = NULL;
	size_t count;
	assert_int_equal(hosts_cut(&params, &hosts, &count), 0);
	assert_int_equal(count, 1);
	assert_host(&hosts[0], "", "", "");
	hosts_free(hosts, count);
	params_set(&params, "host", "a,,/run/b");
	params_set(&params, "port", "1,2,");
	assert_int_equal(hosts_cut(&params, &hosts, &count), 0);
	assert_int_equal(count, 3);
	assert_host(&hosts[0], "a", "", "1");
	assert_host(&hosts[1], "", "", "2");
	assert_host(&hosts[2], "/run/b", "", "");
	hosts_free(hosts, count);
	params_set(&params, "port", "5");
	params_set(&params, "hostaddr", "::1,,10.0.0.1");
	assert_int_equal(hosts_cut(&params, &hosts, &count), 0);
	assert_int_equal(count, 3);
	assert_host(&hosts[0], "a", "::1", "5");
	assert_host(&hosts[1], "", "", "5");
	assert_host(&hosts[2], "/run/b", "10.0.0.1", "5");
	hosts_free(hosts, count);
	params_set(&params, "port", "1,2");
	assert_int_equal(hosts_cut(&params, &hosts, &count), -EINVAL);
	params_set(&params, "port", "");
	params_set(&params, "host", "a,b");
	assert_int_equal(hosts_cut(&params, &hosts, &count), -EINVAL);
	params_clear(&params);
	hosts_free(NULL, 0);
}

/* `said` gets what libpq wrote to stderr. */
static char *settle(struct params *params, char *said, size_t size)
{
	FILE *file = tmpfile();
	assert_non_null(file);
	int before = dup(STDERR_FILENO);
	fflush(stderr);
	assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
	char *error = hosts_complete(params, params);
	fflush(stderr);
	dup2(before, STDERR_FILENO);
	close(before);
	rewind(file);
	said[fread(said, 1, size - 1, file)] = '\0';
	fclose(file);
	return error;
}

/* libpq warns about a password file that others can read. Only the attempt itself may cause this
 * warning. */
static void no_password_file_is_read_to_settle_the_hosts(void **state)
{
	(void)state;
	char path[] = "/tmp/test-session-XXXXXX", said[1000];
	static const char line[] = "*:*:*:*:from-the-file\n";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, line, sizeof(line) - 1), sizeof(line) - 1);
	assert_int_equal(fchmod(fd, 0644), 0);
	close(fd);
	unsetenv("PGPASSWORD");
	struct params params = { 0 };
	params_set(&params, "host", "db");
	params_set(&params, "user", "app");
	params_set(&params, "passfile", path);
	params_set(&params, "sslmode", "disable");
	assert_null(settle(&params, said, sizeof(said)));
	assert_string_equal(said, "");
	assert_null(params_get(&params, "password"));
	assert_string_equal(params_get(&params, "passfile"), path);
	assert_string_equal(params_get(&params, "sslmode"), "disable");
	assert_string_equal(params_get(&params, "target_session_attrs"), "any");
	setenv("PGPASSWORD", "from-the-environment", 1);
	assert_null(settle(&params, said, sizeof(said)));
	assert_string_equal(params_get(&params, "password"), "from-the-environment");
	params_set(&params, "password", "");
	assert_null(settle(&params, said, sizeof(said)));
	assert_string_equal(params_get(&params, "password"), "");
	unsetenv("PGPASSWORD");
	unlink(path);
	params_clear(&params);
}

static void params_hold_each_keyword_once(void **state)
{
	(void)state;
	struct params params = { 0 }, over = { 0 };
	params_set(&params, "host", "a");
	params_set(&params, "port", "1");
	params_set(&over, "host", "b");
	params_set(&over, "user", "u");
	params_lay_over(&params, &over);
	assert_int_equal(params.count, 3);
	assert_string_equal(params_get(&params, "host"), "b");
	assert_string_equal(params_get(&params, "user"), "u");
	assert_null(params_get(&params, "dbname"));
	assert_null(params.keywords[params.count]);
	for (int i = 0; i < 2 * PARAMS_MOST; i++) {
		char name[16];
		snprintf(name, sizeof(name), "k%d", i);
		params_set(&params, name, "v");
	}
	assert_int_equal(params.count, PARAMS_MOST);
	assert_null(params.keywords[PARAMS_MOST]);
	params_clear(&params);
	params_clear(&over);
	assert_null(params_get(&params, "host"));
}

static void on_done(void *data, const PGresult *result, int64_t sent_at)
{
	(void)result;
	(void)sent_at;
	*(int *)data += 1;
}

static void what_was_not_sent_is_forgotten(void **state)
{
	(void)state;
	struct statement_queue queue;
	int ours = 0, theirs = 0;
	const char *params[] = { "1", NULL };
	const struct session_statement statement = { "SELECT $1, $2", 2, params };
	statement_queue_init(&queue);
	statement_push(&queue, &statement, on_done, &ours);
	statement_push(&queue, &statement, on_done, &theirs);
	statement_push(&queue, &statement, on_done, &ours);
	queue.first->sent_at = 5;
	statement_forget(&queue, &ours);
	assert_null(queue.first->done);
	assert_ptr_equal(queue.first->next->data, &theirs);
	assert_null(queue.first->next->next);
	statement_push(&queue, &statement, on_done, &ours);
	statement_free(statement_pop(&queue));
	assert_ptr_equal(queue.first->data, &theirs);
	assert_null(queue.first->params[1]);
	assert_ptr_equal(queue.first->next->data, &ours);
	statement_queue_deinit(&queue);
	assert_null(statement_pop(&queue));
}

static struct dial_callbacks dialed; /* of the attempt that a session has begun */

struct dial *__wrap_dial_start_asking(uv_loop_t *loop, const struct params *params,
	unsigned seconds, const char *const *command, const struct dial_callbacks *callbacks);

struct dial *__wrap_dial_start_asking(uv_loop_t *loop, const struct params *params,
	unsigned seconds, const char *const *command, const struct dial_callbacks *callbacks)
{
	(void)loop;
	(void)params;
	(void)seconds;
	(void)command;
	dialed = *callbacks;
	return (struct dial *)&dialed;
}

static void on_ready(void *data)
{
	*(int *)data += 1;
}

/* A connection whose socket the loop cannot watch (too many descriptors, or none) is lost: the
 * session does not become ready without one. */
static void what_cannot_be_watched_is_lost(void **state)
{
	(void)state;
	struct session *(*const make[])(uv_loop_t * loop, const struct params *params,
		const struct session_callbacks *callbacks) = { session_new, session_new_console };
	for (size_t i = 0; i < sizeof(make) / sizeof(make[0]); i++) {
		uv_loop_t loop;
		int ready = 0;
		const struct params params = { 0 };
		const struct session_callbacks callbacks = { .data = &ready, .ready = on_ready };
		assert_int_equal(uv_loop_init(&loop), 0);
		struct session *session = make[i](&loop, &params, &callbacks);
		session_start(session);
		/* libpq refuses it, and has no socket */
		const struct dial_result result = {
			.conn = PQconnectStart("host=/nonexistent port=none"), .seconds = 5
		};
		assert_int_equal(PQsocket(result.conn), -1);
		dialed.done(dialed.data, &result);
		assert_int_equal(ready, 0);
		assert_false(session_is_ready(session));
		assert_int_equal(session_state(session)->status, SERVER_REFUSED);
		session_free(session);
		uv_run(&loop, UV_RUN_DEFAULT);
		assert_int_equal(uv_loop_close(&loop), 0);
	}
}

/* Within a quarter of `ms`. */
static void assert_about(uint64_t delay, uint64_t ms)
{
	assert_in_range(delay, ms - ms / 4, ms + ms / 4);
}

static void attempts_grow_rarer(void **state)
{
	(void)state;
	assert_about(backoff_delay(SERVER_REFUSED, 0), 250);
	assert_about(backoff_delay(SERVER_REFUSED, 1), 500);
	assert_about(backoff_delay(SERVER_REFUSED, 5), 8000);
	assert_about(backoff_delay(SERVER_REFUSED, 6), 15000);
	assert_about(backoff_delay(SERVER_REFUSED, 4000000000), 15000);
	assert_about(backoff_delay(SERVER_FULL, 40), 1000);
	assert_about(backoff_delay(SERVER_DENIED, 0), 30000);
}

/* Before libpq has a connection, the names are those of the parameters, cleaned. */
static void a_standing_is_fit_to_be_shown(void **state)
{
	(void)state;
	struct standing standing;
	struct params params = { 0 };
	params_set(&params, "host", "db\x1b[2J");
	params_set(&params, "user", "");
	standing_init(&standing);
	assert_int_equal(standing.state.latency, -1);
	assert_true(standing.state.retry_at == INSTANT_UNKNOWN);
	standing_set(&standing, NULL, &params, SERVER_CONNECTING, NULL);
	assert_string_equal(standing.state.host, "db␛[2J");
	assert_int_equal(standing.state.port, 5432);
	assert_null(standing.state.user);
	assert_null(standing.state.database);
	assert_null(standing.state.error);
	standing.state.latency = 77;
	standing.state.pooler = true;
	standing.state.retry_at = 5;
	params_clear(&params);
	params_set(&params, "port", "6543");
	standing_set(&standing, NULL, &params, SERVER_REFUSED,
		"FATAL:  53300: sorry, too many clients already");
	/* the host is that of the last attempt */
	assert_string_equal(standing.state.host, "db␛[2J");
	assert_int_equal(standing.state.port, 6543);
	assert_int_equal(standing.state.status, SERVER_FULL);
	assert_string_equal(standing.state.sqlstate, "53300");
	assert_non_null(standing.state.error);
	assert_int_equal(standing.state.latency, 77);
	/* until the next connection */
	assert_true(standing.state.pooler);
	assert_true(standing.state.retry_at == INSTANT_UNKNOWN);
	standing_set(&standing, NULL, &params, SERVER_CONNECTING,
		"FATAL:  53300: sorry, too many clients already");
	assert_int_equal(standing.state.status, SERVER_CONNECTING);
	standing_deinit(&standing);
	params_clear(&params);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(failures_are_distinguished_by_their_code),
		cmocka_unit_test(each_failure_of_the_way_has_a_hint),
		cmocka_unit_test(only_names_are_looked_up),
		cmocka_unit_test(lists_are_cut_into_hosts),
		cmocka_unit_test(no_password_file_is_read_to_settle_the_hosts),
		cmocka_unit_test(params_hold_each_keyword_once),
		cmocka_unit_test(what_was_not_sent_is_forgotten),
		cmocka_unit_test(what_cannot_be_watched_is_lost),
		cmocka_unit_test(attempts_grow_rarer),
		cmocka_unit_test(a_standing_is_fit_to_be_shown),
	};
	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
