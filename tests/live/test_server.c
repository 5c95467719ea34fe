/* A server that is full, restarts, or is stopped. */
#include "live_group.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"

/* superuser_reserved_connections is 3: app has two slots */
static const char *const settings[] = { "max_connections=5", NULL };

static bool has_status(json_t *root, void *data)
{
	const char *status = live_text(root, "server.status");
	return status && strcmp(status, data) == 0;
}

static json_t *await_status(struct live_program *dbtop, const char *status)
{
	char text[32];
	snprintf(text, sizeof(text), "%s", status);
	return live_await_json(dbtop, has_status, text, status, 30000);
}

static void assert_nothing_known(json_t *root)
{
	static const char *const numbers[] = { "max", "reserved", "used", "free", "active", "idle",
		"idle_in_transaction", "leaked", "unknown" };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		assert_true(
			json_is_null(json_object_get(json_object_get(root, "slots"), numbers[i])));
	assert_int_equal(json_array_size(json_object_get(root, "connections")), 0);
}

static bool is_backend_of(const char *role, long pid)
{
	CLEANUP(cleanup_free) char *title = mem_printf("postgres: %s ", role);
	CLEANUP(cleanup_free) char *path = mem_printf("/proc/%ld/cmdline", pid);
	CLEANUP(cleanup_free) char *command = live_read(path);
	return command && strncmp(command, title, strlen(title)) == 0;
}

struct backends {
	const char *role;
	int count;
};

static bool are_as_many(void *data)
{
	const struct backends *wanted = data;
	int pid = private_server_pid(server), count = 0;
	CLEANUP(cleanup_free) char *path = mem_printf("/proc/%d/task/%d/children", pid, pid);
	CLEANUP(cleanup_free) char *children = live_read(path);
	assert_non_null(children);
	for (char *next = children, *end; strtol(next, &end, 10) > 0; next = end)
		count += is_backend_of(wanted->role, strtol(next, NULL, 10));
	return count == wanted->count;
}

/* A backend that refuses a client has a slot until it ends, a moment after the client has read the
 * refusal; pg_stat_activity does not show it. Waits until the role has so many backends. */
static void wait_for_backends(const char *role, int count)
{
	struct backends wanted = { role, count };
	if (!live_wait(are_as_many, &wanted, 20000))
		fail_msg("%s has not %d backends", role, count);
}

/* Who holds the slots is seen by the sockets alone. */
static void full_server_is_a_state_with_its_holders(void **state)
{
	(void)state;
	static const enum live_route routes[] = { LIVE_UNIX, LIVE_TCP4, LIVE_TCP6 };
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		CLEANUP(cleanup_free) char *app = live_conninfo(server, routes[i], "user=app");
		struct live_program *client = live_client(app, "idle", "2", NULL);
		int status;
		json_t *root = live_dbtop_json(&status, app, NULL);
		assert_int_equal(status, 3);
		assert_string_equal(live_text(root, "server.status"), "full");
		assert_non_null(live_text(root, "server.error"));
		assert_nothing_known(root);
		json_t *process =
			live_find_number(root, "processes", "pid", (long)live_pid(client));
		assert_int_equal(json_integer_value(live_member(process, "connections")), 2);
		json_decref(root);
		live_free(client);
		live_wait_sessions(server, NULL, 0, 20000);
		wait_for_backends("app", 0);
	}
}

static void other_modes_do_not_know_on_a_full_server(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
	CLEANUP(cleanup_free)
	char *holder = mem_printf("pid %d,", (int)live_pid(live_client(app, "idle", "2", NULL)));
	struct live_run run = live_dbtop("--once", app, NULL);
	assert_int_equal(run.status, 3);
	if (!strstr(run.out, holder))
		fail_msg("no holder in: %s", run.out);
	live_run_clear(&run);
	wait_for_backends("app", 2);
	run = live_dbtop("--kill-leaked", "--yes", app, NULL);
	assert_int_equal(run.status, 3);
	assert_string_equal(run.out, "");
	assert_non_null(strstr(run.err, "slot"));
	live_run_clear(&run);
	wait_for_backends("app", 2);
	run = live_dbtop("--kill-leaked", "--yes", "--json", app, NULL);
	assert_int_equal(run.status, 3);
	json_t *root = json_loads(run.out, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(root, "targets")), 0);
	json_decref(root);
	live_run_clear(&run);
	wait_for_backends("app", 2);
	assert_int_equal(live_sessions(server, "usename = 'app'"), 2);
}

static bool has_client(json_t *root, void *data)
{
	return live_find_number(root, "connections", "process.pid", (long)live_pid(data)) != NULL;
}

static void enters_when_a_slot_comes_free(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
	struct live_program *one = live_client(app, "idle", NULL);
	struct live_program *other = live_client(app, "idle", NULL);
	struct live_program *dbtop =
		live_dbtop_start(NULL, "--json", "--follow", "-i", "0.2", app, NULL);
	json_decref(await_status(dbtop, "full"));
	live_free(one);
	json_t *root = live_await_json(dbtop, has_client, other, "the other client", 30000);
	assert_int_equal(json_integer_value(live_member(root, "slots.used")), 2);
	assert_int_equal(json_integer_value(live_member(root, "slots.max")), 5);
	assert_int_equal(json_integer_value(live_member(root, "slots.reserved")), 3);
	assert_int_equal(json_integer_value(live_member(root, "slots.free")), 0);
	json_decref(root);
	/* … and keeps the connection that it has, however full it gets */
	CLEANUP(cleanup_free) char *super = live_conninfo(server, LIVE_TCP4, NULL);
	live_client(super, "idle", "2", NULL);
	root = live_dbtop_json(NULL, app, NULL);
	assert_string_equal(live_text(root, "server.status"), "full");
	json_decref(root);
	wait_for_backends("app", 2);
	json_decref(await_status(dbtop, "ok"));
}

/* A backend that ends at once with a statement unread says why, and resets the connection. Both are
 * there when dbtop looks. The server takes it for a crash, and comes back. */
static void a_reset_after_the_last_words_is_noticed(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *super = live_conninfo(server, LIVE_TCP4, NULL);
	struct live_program *dbtop =
		live_dbtop_start(NULL, "--json", "--follow", "-i", "0.2", super, NULL);
	json_decref(await_status(dbtop, "ok"));
	PGconn *conn = live_connect(super);
	int backend = (int)live_number(
		conn, "SELECT pid FROM pg_stat_activity WHERE application_name = 'dbtop'");
	PQfinish(conn);
	assert_true(backend > 0);
	assert_int_equal(kill(backend, SIGSTOP), 0);
	json_decref(await_status(dbtop, "stale"));
	live_signal(dbtop, SIGSTOP);
	assert_int_equal(kill(backend, SIGQUIT), 0);
	assert_int_equal(kill(backend, SIGCONT), 0);
	while (kill(backend, 0) == 0)
		usleep(10000);
	live_signal(dbtop, SIGCONT);
	json_decref(await_status(dbtop, "ok"));
}

static void restart(void)
{
	char error[PRIVATE_SERVER_ERROR_MAX];
	if (private_server_restart(server, error) < 0)
		fail_msg("restart: %s", error);
}

static bool has_started_later(json_t *root, void *data)
{
	const char *started = live_text(root, "server.started_at");
	return has_status(root, (void *)"ok") && started && strcmp(started, data) > 0;
}

/* The typed password serves for every attempt. */
static void restart_is_survived_without_asking_again(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *secret = live_conninfo(server, LIVE_TCP4, "user=secret");
	const struct live_program_options options = { .terminal = true };
	struct live_program *dbtop =
		live_dbtop_start(&options, "-W", "--json", "--follow", "-i", "0.2", secret, NULL);
	live_wait_prompt(dbtop, "Password for user secret", 20000);
	live_type(dbtop, "sesame\n");
	json_t *root = await_status(dbtop, "ok");
	CLEANUP(cleanup_free) char *started = mem_strdup(live_text(root, "server.started_at"));
	json_decref(root);
	restart();
	json_decref(live_await_json(
		dbtop, has_started_later, started, "the server's second start", 30000));
}

static bool is_over(void *data)
{
	return instant_monotonic() > *(int64_t *)data;
}

/* Before the first attempt, and when the server asks; in each mode that asks on the terminal. */
static void an_interrupted_question_gives_the_echo_back(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *secret = live_conninfo(server, LIVE_TCP4, "user=secret");
	const char *const modes[][6] = {
		{ "-W" },
		{ "-W", "--json" },
		{ "--json" },
		{ "--once" },
		{ "--kill-leaked" },
		{ "--shutdown-test", "--", "sleep", "60" },
	};
	const struct live_program_options options = { .terminal = true };
	/* these are interrupted when their time to connect is over */
	int64_t begun = instant_monotonic();
	struct live_program *late[] = {
		live_dbtop_start(&options, "-d", secret, "--json", NULL),
		live_dbtop_start(
			&options, "-d", secret, "--shutdown-test", "--", "sleep", "60", NULL),
	};
	for (size_t i = 0; i < 2 * sizeof(modes) / sizeof(modes[0]); i++) {
		const char *const *mode = modes[i / 2];
		struct live_program *dbtop = live_dbtop_start(
			&options, "-d", secret, mode[0], mode[1], mode[2], mode[3], NULL);
		live_wait_prompt(dbtop, "Password for user secret", 20000);
		assert_false(live_echoes(dbtop));
		if (i % 2)
			live_signal(dbtop, SIGTERM);
		else
			live_type(dbtop, "\003sesame\n");
		assert_int_equal(live_finish(dbtop, 20000), 128 + (i % 2 ? SIGTERM : SIGINT));
		assert_true(live_echoes(dbtop));
		assert_string_equal(live_out(dbtop), "");
		live_free(dbtop);
		wait_for_backends("secret", 0);
	}
	for (size_t i = 0; i < sizeof(late) / sizeof(late[0]); i++) {
		live_wait_prompt(late[i], "Password for user secret", 20000);
		(void)live_wait(is_over, &(int64_t){ begun + 17 * USEC_PER_SEC }, 20000);
		live_type(late[i], "\003");
		assert_int_equal(live_finish(late[i], 20000), 128 + SIGINT);
		assert_string_equal(live_out(late[i]), "");
	}
}

static void wrong_password_is_refused_once(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *secret = live_conninfo(server, LIVE_TCP4, "user=secret");
	int status;
	json_t *root = live_dbtop_json(&status, "-w", secret, NULL);
	assert_int_equal(status, 3);
	assert_string_equal(live_text(root, "server.status"), "denied");
	json_decref(root);
	CLEANUP(cleanup_free)
	char *wrong = live_conninfo(server, LIVE_TCP4, "user=secret password=simsim");
	root = live_dbtop_json(&status, wrong, NULL);
	assert_int_equal(status, 3);
	assert_string_equal(live_text(root, "server.status"), "denied");
	json_decref(root);
}

static bool has_lost_its_rows(json_t *root, void *data)
{
	(void)data;
	return !has_status(root, (void *)"ok") &&
		json_integer_value(live_member(root, "server.age_ms")) > 300;
}

/* A backend that is stopped answers nothing: the rows stay, and grow old. */
static void stopped_server_leaves_stale_rows(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
	struct live_program *client = live_client(app, "idle", NULL);
	struct live_program *dbtop =
		live_dbtop_start(NULL, "--json", "--follow", "-i", "0.2", app, NULL);
	json_t *root = await_status(dbtop, "ok");
	json_t *own = live_find_text(root, "connections", "application_name", "dbtop");
	pid_t backend = (pid_t)json_integer_value(live_member(own, "pid"));
	json_decref(root);
	assert_int_equal(kill(backend, SIGSTOP), 0);
	root = await_status(dbtop, "stale");
	assert_true(has_lost_its_rows(root, NULL));
	assert_non_null(
		live_find_number(root, "connections", "process.pid", (long)live_pid(client)));
	assert_int_equal(json_integer_value(live_member(root, "slots.used")), 2);
	json_decref(root);
	assert_int_equal(kill(backend, SIGCONT), 0);
	json_decref(await_status(dbtop, "ok"));
	/* as it was, over the same connection */
	assert_int_equal(live_sessions(server, "application_name = 'dbtop'"), 1);
	live_signal(dbtop, SIGINT);
	live_finish(dbtop, 10000);
}

static void server_that_never_answers_is_given_up(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
	assert_int_equal(kill(private_server_pid(server), SIGSTOP), 0);
	struct live_run run = live_dbtop("--json", app, NULL);
	assert_int_equal(kill(private_server_pid(server), SIGCONT), 0);
	assert_int_equal(run.status, 3);
	json_t *root = json_loads(run.out, 0, NULL);
	assert_false(has_status(root, (void *)"ok"));
	assert_nothing_known(root);
	json_decref(root);
	live_run_clear(&run);
}

static void nobody_there_is_reported_at_once(void **state)
{
	(void)state;
	int status;
	json_t *root = live_dbtop_json(&status, "host=127.0.0.1 port=1 user=app", NULL);
	assert_int_equal(status, 3);
	assert_string_equal(live_text(root, "server.status"), "refused");
	assert_nothing_known(root);
	json_decref(root);
	root = live_dbtop_json(&status, "host=/nowhere port=1 user=app", NULL);
	assert_int_equal(status, 3);
	assert_string_equal(live_text(root, "server.status"), "refused");
	json_decref(root);
}

/* The state and the words, over a real socket: which of them cannot be had from a real server at
 * will. Only a full server is called full, and has the emergency as its hint. */
static void each_refusal_is_known_by_code_and_routine(void **state)
{
	(void)state;
	static const struct {
		const char *code, *routine, *text, *status, *hint;
	} cases[] = {
		{ "53100", "BasicOpenFilePerm", "Auf dem Ger\xc3\xa4t ist kein Platz frei",
			"refused", "the server's disk is full" },
		{ "53200", "AllocSetAlloc", "Speicher aufgebraucht", "refused",
			"the server has no memory left" },
		{ "53300", "InitProcess", "tut mir leid, schon zu viele Verbindungen", "full",
			"--emergency" },
		{ "53300", "InitPostgres", "verbleibende Verbindungen sind reserviert", "full",
			"--emergency" },
		{ "53300", "InitializeSessionUserId", "zu viele Verbindungen von Rolle",
			"role_limit", "connect as another one (-U, or user=)" },
		{ "53300", "CheckMyDatabase", "zu viele Verbindungen zu Datenbank",
			"database_limit", "connect to another one (-d)" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *const argv[] = { "/usr/bin/python3", "tests/support/refusing_server.py",
			cases[i].code, cases[i].routine, cases[i].text, NULL };
		int port, status;
		struct live_program *refusing =
			live_start(&(struct live_program_options){ .argv = argv });
		live_wait_out(refusing, "\n", 20000);
		assert_int_equal(sscanf(live_out(refusing), "port %d", &port), 1);
		CLEANUP(cleanup_free)
		char *way = mem_printf("host=127.0.0.1 port=%d user=app sslmode=disable "
				       "gssencmode=disable",
			port);
		json_t *root = live_dbtop_json(&status, way, NULL);
		struct live_run run = live_dbtop("--once", way, NULL);
		if (status != 3 || run.status != 3 ||
			strcmp(live_text(root, "server.status"), cases[i].status) != 0 ||
			strcmp(live_text(root, "server.error"), cases[i].text) != 0 ||
			!strstr(run.out, cases[i].hint) ||
			(strcmp(cases[i].hint, "--emergency") != 0 &&
				strstr(run.out, "--emergency")))
			fail_msg("%s %s: %d %d %s %s", cases[i].code, cases[i].routine, status,
				run.status, json_dumps(root, JSON_INDENT(1)), run.out);
		live_run_clear(&run);
		json_decref(root);
		live_free(refusing);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(full_server_is_a_state_with_its_holders),
		LIVE_TEST(other_modes_do_not_know_on_a_full_server),
		LIVE_TEST(enters_when_a_slot_comes_free),
		LIVE_TEST(a_reset_after_the_last_words_is_noticed),
		LIVE_TEST(restart_is_survived_without_asking_again),
		LIVE_TEST(an_interrupted_question_gives_the_echo_back),
		LIVE_TEST(wrong_password_is_refused_once),
		LIVE_TEST(stopped_server_leaves_stale_rows),
		LIVE_TEST(server_that_never_answers_is_given_up),
		LIVE_TEST(nobody_there_is_reported_at_once),
		LIVE_TEST(each_refusal_is_known_by_code_and_routine),
	};
	return LIVE_GROUP("server", tests, .settings = settings,
		.sql = "CREATE ROLE app LOGIN; CREATE ROLE secret LOGIN PASSWORD 'sesame'");
}
