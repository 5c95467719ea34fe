/* Labelled scenarios of real programs, all on one server at once: what dbtop says of each session
 * is compared with what is right. Each scenario logs in as a role of its own. */
#include "live.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

/* What is right. The role is the scenario's name. */
static const struct label {
	const char *role;
	int sessions;
	const char *reason, *certainty; /* NULL: not leaked */
	const char *protection;
} labels[] = {
	/* nobody wants them any more, or so it looks */
	{ "s_gone", 1, "client_gone", "proven", NULL },
	{ "s_idle", 1, "idle_too_long", "presumed", NULL },
	{ "s_unused", 1, "idle_too_long", "presumed", NULL },
	{ "s_psycopg2", 1, "idle_too_long", "presumed", NULL },
	{ "s_psycopg2_tx", 1, "idle_in_transaction_too_long", "presumed", NULL },
	{ "s_psycopg3", 2, "idle_too_long", "presumed", NULL },
	{ "s_sqlalchemy", 2, "idle_too_long", "presumed", NULL },
	{ "s_asyncpg", 2, "idle_too_long", "presumed", NULL },
	{ "s_node", 2, "idle_too_long", "presumed", NULL },
	{ "s_node_unused", 2, "idle_too_long", "presumed", NULL },
	{ "s_node_tx", 1, "idle_in_transaction_too_long", "presumed", NULL },
	{ "s_stranded", 1, "lock_stranded", "presumed", NULL },
	/* their silence is their purpose */
	{ "s_listen", 1, NULL, NULL, "listener" },
	{ "s_asyncpg_listen", 1, NULL, NULL, "listener" },
	{ "s_node_listen", 1, NULL, NULL, "listener" },
	{ "s_lock", 1, NULL, NULL, "advisory_lock" },
	{ "s_backup", 1, NULL, NULL, "backup" },
	{ "s_backup_tx", 1, NULL, NULL, "backup" },
	{ "s_named", 1, NULL, NULL, "backup" },
	{ "s_dump", 3, NULL, NULL, "backup" },
	{ "s_vacuum", 4, NULL, NULL, "backup" },
	{ "s_agent", 1, NULL, NULL, "system" },
	{ "s_basebackup", 1, NULL, NULL, "system" },
	{ "s_inner", 1, NULL, NULL, "backend_client" },
	{ "s_bouncer", 1, NULL, NULL, "pooler" },
	{ "s_pgpool", 1, NULL, NULL, "pooler" },
	{ "s_reserve", 1, NULL, NULL, "pgbouncer_server" },
	/* at work */
	{ "s_outer", 1, NULL, NULL, NULL },
	{ "s_waiter", 1, NULL, NULL, NULL },
	{ "s_lock_waiter", 1, NULL, NULL, NULL },
	{ "s_feeder", 1, NULL, NULL, NULL },
	{ "s_unsynced", 1, NULL, NULL, NULL },
	{ "s_unread", 1, NULL, NULL, NULL },
};
#define LABELS (sizeof(labels) / sizeof(labels[0]))

static struct private_server *server;
static int server_version; /* major */
static struct live_pgbouncer *asked, *not_asked;
static struct live_program *pgpool; /* NULL when it is not running */

static char *as(const char *role)
{
	CLEANUP(cleanup_free) char *more = mem_printf("user=%s", role);
	return live_conninfo(server, LIVE_TCP4, more);
}

static void make_roles(void)
{
	for (size_t i = 0; i < LABELS; i++) {
		CLEANUP(cleanup_free)
		char *sql =
			mem_printf("CREATE ROLE %s LOGIN SUPERUSER REPLICATION", labels[i].role);
		live_sql(server, sql);
	}
	live_sql(server,
		"CREATE TABLE fed (n int); CREATE TABLE big AS SELECT generate_series(1, 1000) n;"
		"CREATE TABLE bulk AS SELECT repeat(md5(n::text), 4) AS text"
		" FROM generate_series(1, 300000) n;"
		"CREATE TABLE small1 (n int); CREATE TABLE small2 (n int);"
		"CREATE EXTENSION postgres_fdw");
	live_sql(server, "CREATE DATABASE shop");
}

static int start_server(void **state)
{
	(void)state;
	server = live_wide_server_start((const char *const[]){
		"max_connections=100", "max_wal_senders=5", "wal_level=replica", NULL });
	make_roles();
	CLEANUP(cleanup_free) char *ours = live_conninfo(server, LIVE_UNIX, NULL);
	PGconn *conn = live_connect(ours);
	server_version = PQserverVersion(conn) / 10000;
	PQfinish(conn);
	const char *const settings[] = { "pool_mode = transaction", "default_pool_size = 4",
		"auth_user = postgres", NULL };
	asked = live_pgbouncer_start(server, settings);
	not_asked = live_pgbouncer_start(server, settings);
	live_keep(true);
	return 0;
}

/* Killed, it would leave its shared memory and semaphores behind. Its parent alone is signalled: it
 * ends its children. */
static void stop_pgpool(void)
{
	if (!pgpool)
		return;
	(void)kill(live_pid(pgpool), SIGINT);
	(void)live_finish(pgpool, 30000);
	live_free(pgpool);
	pgpool = NULL;
}

static int clean_up(void **state)
{
	stop_pgpool();
	live_teardown(state);
	live_sql(server,
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
		" WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()");
	live_wait_sessions(server, NULL, 0, 20000);
	return 0;
}

static int stop_server(void **state)
{
	(void)state;
	live_pgbouncer_stop(asked);
	live_pgbouncer_stop(not_asked);
	private_server_stop(server);
	return 0;
}

static struct live_program *python(const char *driver, const char *role)
{
	CLEANUP(cleanup_free) char *conninfo = as(role);
	const char *const argv[] = { "/usr/bin/python3", "tests/live/sessions.py", driver, conninfo,
		NULL };
	struct live_program *program = live_start(&(struct live_program_options){ .argv = argv });
	live_wait_out(program, "ready\n", 60000);
	return program;
}

static void node(const char *play, const char *role)
{
	CLEANUP(cleanup_free) char *conninfo = as(role);
	const char *const argv[] = { "node", "tests/live/sessions.js", play, conninfo, NULL };
	const char *const environment[] = { live_node_path(), NULL };
	struct live_program *program =
		live_start(&(struct live_program_options){ .argv = argv, .env = environment });
	live_wait_out(program, "ready\n", 60000);
}

static void client(const char *role, const char *part, const char *first, const char *second)
{
	CLEANUP(cleanup_free) char *conninfo = as(role);
	(void)live_client(conninfo, part, first, second, NULL);
}

static void wait_for(const char *role, const char *state, long count)
{
	CLEANUP(cleanup_free)
	char *where = mem_printf("usename = '%s' AND state ~ '%s'", role, state);
	live_wait_sessions(server, where, count, 30000);
}

/* One whose server waits for more of its request, and one that reads no answer. */
static void start_halting(void)
{
	client("s_unsynced", "unsynced", NULL, NULL);
	client("s_unread", "send", "SELECT repeat('x', 1000) FROM generate_series(1, 100000)",
		NULL);
	live_wait_sessions(server,
		"usename || wait_event IN ('s_unsyncedClientRead', 's_unreadClientWrite')"
		" AND state = 'active'",
		2, 30000);
}

/* --- backups and maintenance --- */

static void stop_children(pid_t pid)
{
	CLEANUP(cleanup_free) char *path = mem_printf("/proc/%d/task/%d/children", pid, pid);
	CLEANUP(cleanup_free) char *children = live_read(path);
	assert_non_null(children);
	for (char *next = children, *end; strtol(next, &end, 10) > 0; next = end)
		assert_int_equal(kill((pid_t)strtol(next, NULL, 10), SIGSTOP), 0);
}

/* The client's program under that name, which the caller frees. */
static char *client_called(const char *name)
{
	char *path = mem_printf("%s/%s", live_folder(), name);
	const char *const copy[] = { "cp", live_client_path(), path, NULL };
	struct live_run run = live_run(&(struct live_program_options){ .argv = copy }, 10000);
	assert_int_equal(run.status, 0);
	live_run_clear(&run);
	return path;
}

/* pg_dump and pg_basebackup refuse a server that is newer than they are: a client of their name and
 * sessions stands in for them. */
static bool is_newer_than_its_tools(void)
{
	const char *const argv[] = { "pg_dump", "--version", NULL };
	struct live_run run = live_run(&(struct live_program_options){ .argv = argv }, 10000);
	int version = 0;
	assert_int_equal(sscanf(run.out, "pg_dump (PostgreSQL) %d", &version), 1);
	live_run_clear(&run);
	return server_version > version;
}

static void stand_in(const char *name, const char *conninfo, const char *part, const char *argument)
{
	CLEANUP(cleanup_free) char *path = client_called(name);
	const char *const argv[] = { path, conninfo, part, argument, NULL };
	live_wait_out(live_start(&(struct live_program_options){ .argv = argv }), "ready\n", 20000);
}

/* The workers are stopped as soon as they are there: the leader waits for them, idle in its
 * transaction. */
static void start_pg_dump(void)
{
	CLEANUP(cleanup_free) char *conninfo = as("s_dump");
	if (is_newer_than_its_tools()) {
		stand_in("pg_dump", conninfo, "transaction", "3");
		return;
	}
	CLEANUP(cleanup_free) char *to = mem_printf("%s/dump", live_folder());
	const char *const argv[] = { "pg_dump", "-Fd", "-j2", "-Z9", "-f", to, "-d", conninfo,
		NULL };
	/* a group of its own: the stopped workers are killed with it */
	struct live_program *dump =
		live_start(&(struct live_program_options){ .argv = argv, .own_group = true });
	live_wait_sessions(server, "usename = 's_dump'", 3, 30000);
	stop_children(live_pid(dump));
}

/* One of four waits for a lock; the others are idle. */
static void start_vacuumdb(void)
{
	CLEANUP(cleanup_free) char *conninfo = as("s_vacuum");
	client("postgres", "sql", "BEGIN", "LOCK big IN SHARE UPDATE EXCLUSIVE MODE");
	const char *const argv[] = { "vacuumdb", "-j4", "-t", "big", "-t", "small1", "-t", "small2",
		"-t", "fed", "-d", conninfo, NULL };
	live_start(&(struct live_program_options){ .argv = argv });
	wait_for("s_vacuum", "^idle$", 3);
}

static bool has_walsender(void *data)
{
	return live_number(data,
		       "SELECT count(*) FROM pg_stat_activity"
		       " WHERE usename = 's_basebackup' AND backend_type = 'walsender'") == 1;
}

/* Nobody reads what its walsender sends, so the walsender waits. */
static void start_basebackup(void)
{
	CLEANUP(cleanup_free) char *conninfo = as("s_basebackup");
	if (is_newer_than_its_tools()) {
		CLEANUP(cleanup_free)
		char *replication = mem_printf("%s replication=true", conninfo);
		stand_in("pg_basebackup", replication, "sql", "IDENTIFY_SYSTEM");
		return;
	}
	const char *const argv[] = { "pg_basebackup", "-D", "-", "-Ft", "-X", "none", "-c", "fast",
		"-d", conninfo, NULL };
	int ends[2];
	assert_int_equal(pipe(ends), 0);
	live_start(&(struct live_program_options){ .argv = argv, .out = ends[1] });
	close(ends[1]);
	CLEANUP(cleanup_free) char *ours = live_conninfo(server, LIVE_UNIX, NULL);
	PGconn *conn = live_connect(ours);
	assert_true(live_wait(has_walsender, conn, 30000));
	PQfinish(conn);
}

/* --- agents, foreign data, poolers --- */

/* A program of that name. */
static void start_agent(void)
{
	CLEANUP(cleanup_free) char *conninfo = as("s_agent");
	stand_in("repmgrd", conninfo, "idle", NULL);
}

static void start_foreign(void)
{
	CLEANUP(cleanup_free)
	char *sql = mem_printf("CREATE SERVER self FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host"
			       " '127.0.0.1', port '%d', dbname 'postgres');"
			       "CREATE USER MAPPING FOR s_outer SERVER self OPTIONS"
			       " (user 's_inner', password '%s');"
			       "CREATE FOREIGN TABLE far (n int) SERVER self OPTIONS"
			       " (table_name 'fed')",
		private_server_port(server), live_password());
	live_sql(server, sql);
	CLEANUP(cleanup_free) char *conninfo = as("s_outer");
	(void)live_client(conninfo, "send", "BEGIN", "SELECT count(*) FROM far",
		"SELECT pg_sleep(3600)", NULL);
	wait_for("s_inner", "^idle in transaction$", 1);
	wait_for("s_outer", "^active$", 1);
}

static char *through(const struct live_pgbouncer *pgbouncer, const char *role)
{
	CLEANUP(cleanup_free) char *more = mem_printf("user=%s dbname=postgres", role);
	return live_pgbouncer_conninfo(pgbouncer, LIVE_TCP4, more);
}

/* Who ran a statement through it has left: the session is its reserve. */
static void leave_in_reserve(const struct live_pgbouncer *pgbouncer, const char *role)
{
	CLEANUP(cleanup_free) char *conninfo = through(pgbouncer, role);
	live_free(live_client(conninfo, "idle", NULL));
	wait_for(role, "^idle$", 1);
}

/* Who took the lock has left; a client of the same database waits for it. */
static void strand_a_lock(void)
{
	CLEANUP(cleanup_free) char *conninfo = through(asked, "s_stranded");
	CLEANUP(cleanup_free) char *waiter = as("s_waiter");
	live_free(live_client(conninfo, "sql", "SELECT pg_advisory_lock(1000)", NULL));
	(void)live_client(waiter, "send", "SELECT pg_advisory_lock(1000)", NULL);
	wait_for("s_waiter", "^active$", 1);
}

static void start_pgpool(void)
{
	const char *folder = live_nobodys_folder();
	int port = live_free_port();
	CLEANUP(cleanup_free)
	char *text = mem_printf(
		"listen_addresses = '127.0.0.1'\nport = %d\nsocket_dir = '%s'\n"
		"pcp_listen_addresses = ''\npcp_port = %d\npcp_socket_dir = '%s'\n"
		"backend_clustering_mode = 'raw'\nbackend_hostname0 = '127.0.0.1'\n"
		"backend_port0 = %d\nbackend_weight0 = 1\nbackend_flag0 = 'ALWAYS_PRIMARY'\n"
		"num_init_children = 2\nmax_pool = 1\nconnection_cache = on\n"
		"enable_pool_hba = off\nallow_clear_text_frontend_auth = on\npool_passwd = ''\n"
		"pid_file_name = '%s/pgpool.pid'\nlogdir = '%s'\n"
		"sr_check_period = 0\nhealth_check_period = 0\n",
		port, folder, live_free_port(), folder, private_server_port(server), folder,
		folder);
	CLEANUP(cleanup_free) char *path = live_file(folder, "pgpool.conf", text);
	CLEANUP(cleanup_free) char *empty = live_file(folder, "pool_hba.conf", "");
	CLEANUP(cleanup_free) char *pcp = live_file(folder, "pcp.conf", "");
	assert_int_equal(chmod(path, 0644) | chmod(empty, 0644) | chmod(pcp, 0644), 0);
	const char *const argv[] = { "/usr/sbin/pgpool", "-n", "-f", path, "-a", empty, "-F", pcp,
		NULL };
	pgpool = live_start(&(struct live_program_options){
		.argv = argv, .own_group = true, .folder = folder, .unprivileged = true });
	live_wait_err(pgpool, "pgpool-II successfully started", 30000);
	CLEANUP(cleanup_free)
	char *conninfo = mem_printf("host=127.0.0.1 port=%d user=s_pgpool dbname=shop password=%s",
		port, live_password());
	/* pgpool keeps no connection to the database postgres, and none whose client was killed */
	const char *const psql[] = { "psql", "-X", "-d", conninfo, "-c", "SELECT 1", NULL };
	struct live_run run = live_run(&(struct live_program_options){ .argv = psql }, 20000);
	if (run.status != 0)
		fail_msg("psql through pgpool: %s", run.err);
	live_run_clear(&run);
	wait_for("s_pgpool", "^idle$", 1);
}

/* --- the comparison --- */

static void start_all(void)
{
	start_pg_dump();
	start_basebackup();
	client("s_idle", "idle", NULL, NULL);
	client("s_unused", "connect", NULL, NULL);
	client("s_listen", "listen", NULL, NULL);
	client("s_lock", "lock", NULL, NULL);
	client("s_lock_waiter", "send", "SELECT pg_advisory_lock(42)", NULL);
	bool old = server_version < 15; /* then the function has another name */
	client("s_backup", "sql",
		old ? "/* nightly */ SELECT pg_catalog.pg_start_backup('a', true, false)"
		    : "/* nightly */ SELECT pg_catalog.pg_backup_start('a', true)",
		NULL);
	client("s_backup_tx", "sql", "BEGIN",
		old ? "SELECT * FROM pg_start_backup('b', fast := true, exclusive := false)"
		    : "SELECT * FROM pg_backup_start('b', fast := true)");
	client("s_named application_name=pg_restore", "idle", NULL, NULL);
	python("psycopg2_idle", "s_psycopg2");
	python("psycopg2_transaction", "s_psycopg2_tx");
	python("psycopg3_pool", "s_psycopg3");
	python("sqlalchemy_pool", "s_sqlalchemy");
	python("asyncpg_pool", "s_asyncpg");
	python("asyncpg_listen", "s_asyncpg_listen");
	python("psycopg2_copy", "s_feeder");
	start_halting();
	node("pool", "s_node");
	node("unused", "s_node_unused");
	node("transaction", "s_node_tx");
	node("listen", "s_node_listen");
	start_vacuumdb();
	start_agent();
	start_foreign();
	leave_in_reserve(not_asked, "s_bouncer");
	leave_in_reserve(asked, "s_reserve");
	start_pgpool();
	strand_a_lock();
	CLEANUP(cleanup_free) char *gone = as("s_gone");
	live_free(live_client(gone, "active", NULL));
	live_wait_sessions(server,
		"state_change > clock_timestamp() - interval '300ms' AND state ~ 'idle'", 0, 30000);
}

static bool is_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

struct score {
	int right_leaks, found_leaks, missed_leaks, wrong;
};

static void compare(json_t *connection, const struct label *label, struct score *score)
{
	const char *reason = live_text(connection, "reason");
	const char *protection = live_text(connection, "protected");
	/* a session at work needs no protection */
	bool active = is_equal(live_text(connection, "status"), "active");
	bool right = is_equal(reason, label->reason) &&
		is_equal(live_text(connection, "certainty"), label->certainty) &&
		(is_equal(protection, label->protection) || (active && !protection));
	score->right_leaks += reason && label->reason;
	score->found_leaks += reason != NULL;
	score->missed_leaks += !reason && label->reason;
	score->wrong += !right;
	if (!right)
		print_message("%s: %s %s, not %s %s: %s\n", label->role,
			reason ? reason : "no leak", protection ? protection : "",
			label->reason ? label->reason : "no leak",
			label->protection ? label->protection : "",
			live_text(connection, "evidence"));
}

static void every_scenario_has_its_verdict(void **state)
{
	(void)state;
	start_all();
	CLEANUP(cleanup_free) char *ours = live_conninfo(server, LIVE_TCP4, NULL);
	CLEANUP(cleanup_free)
	char *console = live_pgbouncer_conninfo(asked, LIVE_TCP4, "user=admin dbname=pgbouncer");
	int status;
	json_t *root = live_dbtop_json(&status, ours, "--idle-limit", "100ms",
		"--transaction-limit", "100ms", "--pgbouncer", console, NULL);
	struct score score = { 0 };
	for (size_t i = 0; i < LABELS; i++) {
		int found = 0;
		size_t at;
		json_t *connection;
		json_array_foreach(json_object_get(root, "connections"), at, connection)
		{
			if (!is_equal(live_text(connection, "user"), labels[i].role))
				continue;
			found++;
			compare(connection, &labels[i], &score);
		}
		if (found != labels[i].sessions)
			fail_msg("%s: %d sessions, not %d", labels[i].role, found,
				labels[i].sessions);
	}
	static const char *const halting[] = { "s_feeder", "s_unsynced", "s_unread" };
	for (size_t i = 0; i < 3; i++) {
		json_t *found = live_find_text(root, "connections", "user", halting[i]);
		assert_true(
			json_number_value(live_member(found, "waits_for_client_seconds")) > 0.1);
	}
	json_t *outer = live_find_text(root, "connections", "user", "s_outer");
	assert_true(json_is_null(live_member(outer, "waits_for_client_seconds")));
	json_t *pool = live_find_text(root, "connections", "user", "s_psycopg3");
	assert_non_null(strstr(live_text(pool, "evidence"), "2 alike of python3"));
	json_t *unused = live_find_text(root, "connections", "user", "s_unused");
	assert_string_equal(live_text(unused, "evidence"), "no statement since login");
	unused = live_find_text(root, "connections", "user", "s_node_unused");
	assert_non_null(strstr(live_text(unused, "evidence"), "no statement since login"));
	print_message("precision %d of %d, recall %d of %d\n", score.right_leaks, score.found_leaks,
		score.right_leaks, score.right_leaks + score.missed_leaks);
	assert_int_equal(score.wrong, 0);
	assert_int_equal(score.right_leaks, score.found_leaks);
	assert_int_equal(score.missed_leaks, 0);
	assert_int_equal(status, 1);
	json_decref(root);
}

/* --- what only one who looks on can know --- */

static bool is_seen(json_t *root, void *data)
{
	json_t *found = live_find_text(root, "connections", "user", "s_psycopg2");
	const char *query = live_text(found, "query");
	return query && strstr(query, data);
}

/* A second dbtop that came later cannot know. */
static void a_listener_is_remembered(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *conninfo = as("s_psycopg2");
	CLEANUP(cleanup_free) char *ours = live_conninfo(server, LIVE_TCP4, NULL);
	static char steps[][12] = { "LISTEN jobs", "COMMIT", "SELECT 1" };
	struct live_program *dbtop = live_dbtop_start(
		NULL, "--json", "--follow", "-i", "0.1", "--idle-limit", "100ms", ours, NULL);
	const char *const argv[] = { "/usr/bin/python3", "tests/live/sessions.py",
		"psycopg2_listen", conninfo, NULL };
	struct live_program *listener =
		live_start(&(struct live_program_options){ .argv = argv, .terminal = true });
	live_wait_out(listener, "connected\n", 30000);
	for (size_t i = 0; i < 3; i++) {
		live_type(listener, "\n");
		json_t *root = live_await_json(dbtop, is_seen, steps[i], steps[i], 30000);
		json_t *found = live_find_text(root, "connections", "user", "s_psycopg2");
		assert_string_equal(live_text(found, "protected"), "listener");
		json_decref(root);
	}
	live_type(listener, "\n");
	live_wait_sessions(server,
		"usename = 's_psycopg2' AND state = 'idle'"
		" AND state_change < clock_timestamp() - interval '200ms'",
		1, 20000);
	json_t *root = live_dbtop_json(NULL, ours, "--idle-limit", "100ms", NULL);
	json_t *found = live_find_text(root, "connections", "user", "s_psycopg2");
	assert_string_equal(live_text(found, "reason"), "idle_too_long");
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(every_scenario_has_its_verdict, clean_up),
		cmocka_unit_test_teardown(a_listener_is_remembered, clean_up),
	};
	return cmocka_run_group_tests_name("scenarios", tests, start_server, stop_server);
}
