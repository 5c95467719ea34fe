/* support/live.h itself: server, programs, clients, PgBouncer, and that nothing outlives us. */
#include "live_group.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "sweeper.h"

static void server_is_reached_by_every_route(void **state)
{
	(void)state;
	static const enum live_route routes[] = { LIVE_UNIX, LIVE_TCP4, LIVE_TCP6 };
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		CLEANUP(cleanup_free)
		char *conninfo = live_conninfo(server, routes[i], "user=app");
		PGconn *conn = live_connect(conninfo);
		CLEANUP(cleanup_free) char *user = live_value(conn, "SELECT current_user");
		assert_string_equal(user, "app");
		assert_int_equal(live_number(conn, "SHOW max_connections"), 30);
		PQfinish(conn);
	}
}

static void output_is_captured(void **state)
{
	(void)state;
	const struct live_program_options options = {
		.argv = (const char *const[]){ "sh", "-c", "cat; echo $X \"$PGHOST\" >&2; exit 3",
			NULL },
		.env = (const char *const[]){ "X=seen", NULL },
		.input = "typed",
	};
	struct live_run run = live_run(&options, 10000);
	assert_int_equal(run.status, 3);
	assert_string_equal(run.out, "typed");
	assert_string_equal(run.err, "seen \n");
	live_run_clear(&run);
}

static void clients_play_their_roles(void **state)
{
	(void)state;
	static const struct {
		const char *role, *where;
	} roles[] = {
		{ "idle", "state = 'idle' AND query = 'SELECT 1 AS idle'" },
		{ "transaction", "state = 'idle in transaction'" },
		{ "aborted", "state = 'idle in transaction (aborted)'" },
		{ "active", "state = 'active' AND wait_event = 'PgSleep'" },
		{ "listen", "query LIKE 'LISTEN%'" },
		{ "lock", "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')" },
	};
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
		struct live_program *client = live_client(conninfo, roles[i].role, NULL);
		live_wait_sessions(server, roles[i].where, 1, 10000);
		live_free(client);
		live_sql(server,
			"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
			" WHERE state = 'active' AND pid <> pg_backend_pid()");
		live_wait_sessions(server, NULL, 0, 10000);
	}
}

static void dbtop_is_run_and_its_json_is_read(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_UNIX, NULL);
	struct live_program *client = live_client(conninfo, "idle", "2", NULL);
	int status;
	json_t *root = live_dbtop_json(&status, conninfo, NULL);
	assert_int_equal(status, 0);
	assert_string_equal(live_text(root, "server.status"), "ok");
	json_t *found =
		live_find_number(root, "connections", "process.pid", (long)live_pid(client));
	assert_non_null(found);
	assert_string_equal(live_text(found, "process.matched_by"), "unix");
	assert_string_equal(live_text(found, "user"), "postgres");
	json_decref(root);
	struct live_run run = live_dbtop("--version", NULL);
	assert_int_equal(run.status, 0);
	assert_non_null(strstr(run.out, "dbtop"));
	live_run_clear(&run);
	/* a full disk */
	CLEANUP(cleanup_free)
	char *script =
		mem_printf("for option in --version --help; do "
			   "r=0; '%s' $option >/dev/full 2>/dev/null || r=$?; [ $r = 3 ]; done",
			live_dbtop_path());
	live_shell(script);
}

static void pgbouncer_leads_to_the_server(void **state)
{
	(void)state;
	struct live_pgbouncer *pgbouncer = live_pgbouncer_start(
		server, (const char *const[]){ "pool_mode = transaction", NULL });
	static const enum live_route routes[] = { LIVE_UNIX, LIVE_TCP4, LIVE_TCP6 };
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		CLEANUP(cleanup_free)
		char *conninfo =
			live_pgbouncer_conninfo(pgbouncer, routes[i], "user=app dbname=postgres");
		PGconn *conn = live_connect(conninfo);
		CLEANUP(cleanup_free) char *user = live_value(conn, "SELECT current_user");
		assert_string_equal(user, "app");
		PQfinish(conn);
	}
	CLEANUP(cleanup_free)
	char *without = live_pgbouncer_conninfo(
		pgbouncer, LIVE_TCP4, "user=app dbname=postgres passfile=/nowhere");
	PGconn *refused = PQconnectdb(without);
	assert_int_equal(PQstatus(refused), CONNECTION_BAD);
	assert_non_null(strstr(PQerrorMessage(refused), "password"));
	PQfinish(refused);
	CLEANUP(cleanup_free)
	char *console =
		live_pgbouncer_conninfo(pgbouncer, LIVE_TCP4, "user=admin dbname=pgbouncer");
	PGconn *conn = live_connect(console);
	live_exec(conn, "SHOW POOLS");
	PQfinish(conn);
	live_pgbouncer_stop(pgbouncer);
	live_wait_sessions(server, NULL, 0, 10000);
}

static bool is_gone(void *data)
{
	const pid_t *pid = data;
	return kill(*pid, 0) != 0 && errno == ESRCH;
}

static bool is_removed(void *path)
{
	return access(path, F_OK) != 0;
}

/* A test program that is killed: its children, its server and its folder go, too, and a backend
 * that a test has stopped. */
static void nothing_outlives_a_killed_test(void **state)
{
	(void)state;
	struct told {
		pid_t child, postmaster, stopped;
		char folder[64];
	} told;
	int pipes[2];
	assert_int_equal(pipe(pipes), 0);
	pid_t test = fork();
	if (test == 0) {
		struct private_server *own = live_server_start(NULL);
		const struct live_program_options options = {
			.argv = (const char *const[]){ "sleep", "1000", NULL },
			.own_session = true,
		};
		PGconn *conn = live_connect(private_server_conninfo(own));
		told = (struct told){ live_pid(live_start(&options)), private_server_pid(own),
			PQbackendPID(conn), "" };
		kill(told.stopped, SIGSTOP);
		strncpy(told.folder, private_server_folder(own), sizeof(told.folder) - 1);
		ssize_t written = write(pipes[1], &told, sizeof(told));
		raise(written == sizeof(told) ? SIGKILL : SIGABRT);
	}
	assert_int_equal(read(pipes[0], &told, sizeof(told)), sizeof(told));
	close(pipes[0]);
	close(pipes[1]);
	assert_int_equal(waitpid(test, NULL, 0), test);
	assert_true(live_wait(is_gone, &told.child, 10000));
	assert_true(live_wait(is_gone, &told.postmaster, 10000));
	assert_true(live_wait(is_gone, &told.stopped, 10000));
	assert_true(live_wait(is_removed, told.folder, 10000));
}

/* What a program started lives on when that is killed, in a session of its own. Its environment has
 * it ended. */
static void nothing_that_a_program_started_outlives_a_killed_test(void **state)
{
	(void)state;
	static const char script[] = "setsid sh -c 'echo $$; exec sleep 1000' & wait";
	CLEANUP(cleanup_free) char *value = mem_printf("%s/killed", live_folder());
	char text[16] = "";
	int pipes[2];
	assert_int_equal(pipe(pipes), 0);
	pid_t test = fork();
	if (test == 0) {
		struct cleaner sweeper;
		const struct live_program_options options = {
			.argv = (const char *const[]){ "sh", "-c", script, NULL },
			.out = pipes[1],
		};
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (sweeper_start(value, &sweeper) == 0)
			(void)live_start(&options);
		for (;;)
			pause();
	}
	ssize_t size = read(pipes[0], text, sizeof(text) - 1);
	close(pipes[0]);
	close(pipes[1]);
	pid_t sleeper = size > 0 ? atoi(text) : 0;
	assert_true(sleeper > 0);
	assert_int_equal(kill(sleeper, 0), 0);
	assert_int_equal(kill(test, SIGTERM), 0);
	assert_int_equal(waitpid(test, NULL, 0), test);
	assert_true(live_wait(is_gone, &sleeper, 10000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(server_is_reached_by_every_route),
		LIVE_TEST(output_is_captured),
		LIVE_TEST(clients_play_their_roles),
		LIVE_TEST(dbtop_is_run_and_its_json_is_read),
		LIVE_TEST(pgbouncer_leads_to_the_server),
		LIVE_TEST(nothing_outlives_a_killed_test),
		LIVE_TEST(nothing_that_a_program_started_outlives_a_killed_test),
	};
	return LIVE_GROUP("support", tests, .wide = true,
		.settings = (const char *const[]){ "max_connections=30", NULL },
		.sql = "CREATE ROLE app LOGIN");
}
