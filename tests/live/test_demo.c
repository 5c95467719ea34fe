/* dbtop --demo: however it ends, no process and no file of it is left. */
#include "live.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "term.h"

#define MOST_PROCESSES 64

struct demo {
	struct term *term;
	char *tmp; /* its TMPDIR */
	pid_t pids[MOST_PROCESSES];
	size_t n_pids;
};

static int count_entries(const char *path, char *ret_name, size_t size)
{
	CLEANUP(cleanup_dir) DIR *folder = opendir(path);
	int count = 0;
	for (struct dirent *entry; folder && (entry = readdir(folder));) {
		if (entry->d_name[0] == '.')
			continue;
		count++;
		if (ret_name)
			snprintf(ret_name, size, "%s", entry->d_name);
	}
	return count;
}

/* Without the password nobody is let in. */
static void assert_closed(const char *socket_path, int port)
{
	CLEANUP(cleanup_free)
	char *conninfo = mem_printf(
		"host=%s port=%d user=postgres dbname=shop passfile=/nowhere", socket_path, port);
	PGconn *conn = PQconnectdb(conninfo);
	assert_int_equal(PQstatus(conn), CONNECTION_BAD);
	assert_true(PQconnectionNeedsPassword(conn));
	PQfinish(conn);
}

/* The demo's server, once it takes connections: NULL before. */
static PGconn *connect_to(const struct demo *demo)
{
	char name[256], socket_path[600], passfile[600];
	if (count_entries(demo->tmp, name, sizeof(name)) != 1)
		return NULL;
	snprintf(passfile, sizeof(passfile), "%s/%s/passfile", demo->tmp, name);
	snprintf(socket_path, sizeof(socket_path), "%s/%s/server", demo->tmp, name);
	CLEANUP(cleanup_dir) DIR *folder = opendir(socket_path);
	for (struct dirent *entry; folder && (entry = readdir(folder));) {
		int port;
		if (sscanf(entry->d_name, ".s.PGSQL.%d", &port) != 1 ||
			strstr(entry->d_name, ".lock"))
			continue;
		CLEANUP(cleanup_free)
		char *conninfo = mem_printf("host=%s port=%d user=postgres dbname=shop passfile=%s",
			socket_path, port, passfile);
		PGconn *conn = PQconnectdb(conninfo);
		if (PQstatus(conn) == CONNECTION_OK) {
			assert_closed(socket_path, port);
			return conn;
		}
		PQfinish(conn);
	}
	return NULL;
}

/* Until dbtop is connected, and the importer, the last of the application, has its session. */
static bool is_up(void *data)
{
	const struct demo *demo = data;
	term_read(demo->term, 0);
	PGconn *conn = connect_to(demo);
	if (!conn)
		return false;
	long count = live_number(conn,
		"SELECT count(DISTINCT application_name) FROM pg_stat_activity"
		" WHERE application_name IN ('dbtop', 'importer')");
	PQfinish(conn);
	return count == 2;
}

static void note(struct demo *demo, pid_t pid)
{
	for (size_t i = 0; i < demo->n_pids; i++)
		if (demo->pids[i] == pid)
			return;
	if (demo->n_pids < MOST_PROCESSES)
		demo->pids[demo->n_pids++] = pid;
}

/* Whose environment has the demo's TMPDIR: all that dbtop started. PostgreSQL's processes write
 * over theirs, and are asked for below. */
static void note_descendants(struct demo *demo)
{
	CLEANUP(cleanup_free) char *variable = mem_printf("TMPDIR=%s", demo->tmp);
	CLEANUP(cleanup_dir) DIR *proc = opendir("/proc");
	for (struct dirent *entry; (entry = readdir(proc));) {
		int pid = atoi(entry->d_name);
		char path[64], environment[16384];
		snprintf(path, sizeof(path), "/proc/%d/environ", pid);
		CLEANUP(cleanup_file) FILE *file = pid > 0 ? fopen(path, "re") : NULL;
		size_t n = file ? fread(environment, 1, sizeof(environment) - 1, file) : 0;
		environment[n] = '\0';
		for (size_t at = 0; at < n; at += strlen(environment + at) + 1)
			if (strcmp(environment + at, variable) == 0)
				note(demo, pid);
	}
}

static void note_backends(struct demo *demo)
{
	PGconn *conn = connect_to(demo);
	assert_non_null(conn);
	PGresult *result =
		PQexec(conn, "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()");
	for (int i = 0; i < PQntuples(result); i++)
		note(demo, atoi(PQgetvalue(result, i, 0)));
	PQclear(result);
	PQfinish(conn);
}

static struct demo start_demo(void)
{
	struct demo demo = { .tmp = mem_printf("%s/tmp-XXXXXX", live_folder()) };
	assert_non_null(mkdtemp(demo.tmp));
	/* PostgreSQL is another user there, when we are root */
	assert_int_equal(chmod(demo.tmp, 0711), 0);
	CLEANUP(cleanup_free) char *tmp = mem_printf("TMPDIR=%s", demo.tmp);
	/* what the user's other servers need is not the demo's */
	const struct term_options options = {
		.width = 100,
		.height = 30,
		.environment = (const char *const[]){ tmp, "PGSERVICE=other",
			"PGHOSTADDR=192.0.2.1", "PGPASSWORD=other", NULL },
	};
	demo.term =
		term_start(&options, (const char *const[]){ live_dbtop_path(), "--demo", NULL });
	if (!live_wait(is_up, &demo, 60000)) {
		term_print(demo.term, "no demo");
		fail();
	}
	note_descendants(&demo);
	note_backends(&demo);
	/* dbtop, its guardian, the application's three that live, the postmaster, its own four, the
	 * sessions */
	assert_true(demo.n_pids > 12);
	return demo;
}

static bool is_gone(pid_t pid)
{
	char path[64], line[256];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	CLEANUP(cleanup_file) FILE *file = fopen(path, "re");
	/* a zombie of an init that does not reap belongs to no test */
	return !file || !fgets(line, sizeof(line), file) || strstr(line, ") Z ");
}

static bool has_left_nothing(void *data)
{
	const struct demo *demo = data;
	for (size_t i = 0; i < demo->n_pids; i++)
		if (!is_gone(demo->pids[i]))
			return false;
	return count_entries(demo->tmp, NULL, 0) == 0;
}

static void demo_leaves_no_trace(void **state)
{
	(void)state;
	static const int signals[] = { SIGTERM, SIGHUP, SIGKILL };
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct demo demo = start_demo();
		int status;
		assert_int_equal(kill(term_pid(demo.term), signals[i]), 0);
		assert_true(term_wait_exit(demo.term, &status));
		if (!live_wait(has_left_nothing, &demo, 20000))
			fail_msg("signal %d leaves something of %s", signals[i], demo.tmp);
		term_end(demo.term);
		free(demo.tmp);
	}
}

static bool has_no_session(void *data)
{
	return live_number(data,
		       "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client "
		       "backend' "
		       "AND pid <> pg_backend_pid() AND application_name <> 'dbtop'") == 0;
}

/* As root the server runs as another user; as a plain user it runs as ours, and is still left
 * alone.
 */
static void the_emergency_stops_its_application(void **state)
{
	(void)state;
	struct demo demo = start_demo();
	term_press(demo.term, "E");
	assert_true(term_wait_text(demo.term, "type stop, then Enter:"));
	assert_true(term_wait_text(demo.term, "[x]"));
	/* on a row, one process is ticked first */
	if (term_shows(demo.term, "is ticked; * ticks all"))
		term_press(demo.term, "*");
	assert_true(term_wait_gone(demo.term, "* ticks all"));
	term_press(demo.term, "s t o p");
	term_confirm(demo.term);
	assert_true(term_wait_text(demo.term, "Emergency: done"));
	assert_true(term_wait_text(demo.term, "no connection left"));
	PGconn *conn = connect_to(&demo);
	assert_non_null(conn);
	/* A login that was under way when its process was stopped ends by itself. */
	assert_true(live_wait(has_no_session, conn, 10000));
	PQfinish(conn);
	int status;
	assert_int_equal(kill(term_pid(demo.term), SIGTERM), 0);
	assert_true(term_wait_exit(demo.term, &status));
	assert_true(live_wait(has_left_nothing, &demo, 20000));
	term_end(demo.term);
	free(demo.tmp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(demo_leaves_no_trace, live_teardown),
		cmocka_unit_test_teardown(the_emergency_stops_its_application, live_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
