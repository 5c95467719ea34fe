/* libdboutbox: a server that has lost what it confirmed, and a file that was replaced. */
#include "outbox_set.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

static void what_a_server_lost_is_sent_again(void **state)
{
	(void)state;
	set_open(NULL);
	for (int i = 0; i < 10; i++)
		set_write(i);
	set_flush();
	/* as if it had been restored from a backup */
	live_sql(server,
		"DELETE FROM sent WHERE number >= 4; UPDATE dboutbox.applied SET sequence = 4; "
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");
	set_write(10);
	set_flush();
	assert_int_equal(set_number("SELECT count(*) FROM sent"), 11);
	assert_int_equal(set_number("SELECT count(DISTINCT number) FROM sent"), 11);
	assert_int_equal(set_await_event(DBOUTBOX_EVENT_RESENT, 1).writes, 6);
	set_close();
}

/* The same, but the file does not keep what was sent. */
static void what_is_not_kept_is_reported_as_a_gap(void **state)
{
	(void)state;
	set_open(NULL);
	dboutbox_close(set_outbox);
	struct dboutbox_config config = set_config();
	config.keep_ms = DBOUTBOX_OFF;
	set_reopen(&config);
	for (int i = 0; i < 3; i++)
		set_write(i);
	set_flush();
	live_sql(server,
		"DELETE FROM sent WHERE number >= 1; UPDATE dboutbox.applied SET sequence = 1; "
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");
	set_write(3);
	set_flush();
	assert_int_equal(set_await_event(DBOUTBOX_EVENT_GAP, 1).writes, 2);
	assert_int_equal(set_stats().gap, 2);
	assert_int_equal(set_number("SELECT count(*) FROM sent WHERE number IN (0, 3)"), 2);
	assert_int_equal(set_number("SELECT count(*) FROM sent"), 2);
	set_close();
}

static void copy_file(const char *from, const char *to)
{
	FILE *in = fopen(from, "r"), *out = fopen(to, "w");
	assert_non_null(in);
	assert_non_null(out);
	char bytes[4096];
	size_t n;
	while ((n = fread(bytes, 1, sizeof(bytes), in)) > 0)
		assert_int_equal(fwrite(bytes, 1, n, out), n);
	fclose(in);
	assert_int_equal(fclose(out), 0);
}

/* What the copy has and the server applied is not sent again; what the server has and the copy has
 * not stops it. */
static void an_older_copy_doubles_nothing(void **state)
{
	(void)state;
	set_open(NULL);
	CLEANUP(cleanup_free) char *copy = mem_printf("%s-copy", set_file);
	live_sql(server, "ALTER TABLE sent RENAME TO away");
	for (int i = 0; i < 5; i++)
		set_write(i);
	dboutbox_close(set_outbox);
	copy_file(set_file, copy);
	live_sql(server, "ALTER TABLE away RENAME TO sent");
	struct dboutbox_config config = set_config();
	set_reopen(&config);
	set_write(5);
	set_flush();
	dboutbox_close(set_outbox);
	copy_file(copy, set_file);
	set_reopen(&config);
	set_write(6);
	set_flush();
	assert_int_equal(set_number("SELECT count(*) FROM sent"), 7);
	assert_int_equal(set_number("SELECT count(DISTINCT number) FROM sent"), 7);
	/* a copy of which the same epoch went on elsewhere */
	live_sql(server,
		"UPDATE dboutbox.applied SET sequence = 100; "
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");
	set_write(7);
	set_await_state(DBOUTBOX_ENDED);
	const struct dboutbox_statement statement = { .sql = "SELECT 1" };
	assert_int_equal(dboutbox_write(set_outbox, &statement), DBOUTBOX_DIVERGED);
	assert_int_equal(set_number("SELECT count(*) FROM sent"), 7);
	unlink(copy);
	set_close();
}

static void a_standby_is_left(void **state)
{
	(void)state;
	set_open(NULL);
	set_write(1);
	set_flush();
	live_sql(server,
		"ALTER ROLE app SET default_transaction_read_only = on; "
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");
	set_write(2);
	set_await_state(DBOUTBOX_WAITING);
	live_sql(server, "ALTER ROLE app RESET default_transaction_read_only");
	set_flush();
	assert_int_equal(set_number("SELECT count(*) FROM sent"), 2);
	set_close();
}

/* --- a standby that is promoted without the last commits --- */

static struct private_server *standby;

static void run_shell(const char *command)
{
	const char *argv[] = { "/bin/sh", "-ec", command, NULL };
	const struct live_program_options options = { .argv = argv,
		.folder = private_server_folder(standby) };
	struct live_run run = live_run(&options, SET_TIMEOUT);
	if (run.status != 0)
		fail_msg("%s: %s%s", command, run.out, run.err);
	live_run_clear(&run);
}

static void end_at_once(const struct private_server *ended)
{
	siginfo_t info;
	kill(private_server_pid(ended), SIGQUIT);
	/* it stays a zombie, for private_server_restart() */
	assert_int_equal(
		waitid(P_PID, (id_t)private_server_pid(ended), &info, WEXITED | WNOWAIT), 0);
}

static void start_again(struct private_server *ended)
{
	char error[PRIVATE_SERVER_ERROR_MAX];
	if (private_server_restart(ended, error) < 0)
		fail_msg("%s", error);
}

/* A second server: its data are replaced by a copy of the first one's, and it becomes the first
 * one's standby. */
static void start_standby(void)
{
	char error[PRIVATE_SERVER_ERROR_MAX];
	const struct private_server_options options = { .tcp = true,
		.password = private_server_password(server) };
	if (private_server_start(&options, &standby, error) < 0)
		fail_msg("%s", error);
	end_at_once(standby);
	CLEANUP(cleanup_free)
	char *command = mem_printf(
		"rm -rf data/*; pg_basebackup -d '%s' -c fast -X fetch -F tar -D - |"
		" tar -x --numeric-owner -C data; touch data/standby.signal;"
		" chown --reference=data data/standby.signal; echo \"primary_conninfo ="
		" 'host=127.0.0.1 port=%d user=postgres password=%s'\" >>data/postgresql.auto.conf",
		private_server_conninfo(server), private_server_port(server),
		private_server_password(server));
	run_shell(command);
	start_again(standby);
}

static long number_there(const char *sql)
{
	PGconn *conn = live_connect(private_server_conninfo(standby));
	long number = live_number(conn, sql);
	PQfinish(conn);
	return number;
}

/* live_sql() writes, which a standby refuses. */
static void run_there(const char *sql)
{
	PGconn *conn = live_connect(private_server_conninfo(standby));
	PGresult *result = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(result);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		fail_msg("%s: %s", sql, PQerrorMessage(conn));
	PQclear(result);
	PQfinish(conn);
}

static bool has_ten(void *data)
{
	(void)data;
	return number_there("SELECT count(*) FROM sent") == 10;
}

static bool follows_nobody(void *data)
{
	(void)data;
	return number_there("SELECT count(*) FROM pg_stat_wal_receiver") == 0;
}

static void a_promoted_standby_gets_what_it_lacks(void **state)
{
	(void)state;
	set_begin();
	start_standby();
	CLEANUP(cleanup_free)
	char *both = mem_printf("host=127.0.0.1,127.0.0.1 port=%d,%d user=app dbname=postgres"
				" target_session_attrs=read-write passfile=%s",
		private_server_port(server), private_server_port(standby),
		private_server_passfile(server));
	set_open(both);
	for (int i = 0; i < 10; i++)
		set_write(i);
	set_flush();
	assert_true(live_wait(has_ten, NULL, SET_TIMEOUT));
	run_there("ALTER SYSTEM SET primary_conninfo = ''");
	run_there("SELECT pg_reload_conf()");
	assert_true(live_wait(follows_nobody, NULL, SET_TIMEOUT));
	for (int i = 10; i < 20; i++)
		set_write(i);
	set_flush();
	assert_int_equal(set_number("SELECT count(*) FROM sent"), 20);
	end_at_once(server);
	for (int i = 20; i < 25; i++)
		set_write(i);
	run_there("SELECT pg_promote(true, 80)");
	set_flush();
	assert_int_equal(number_there("SELECT count(*) FROM sent"), 25);
	assert_int_equal(number_there("SELECT count(DISTINCT number) FROM sent"), 25);
	assert_int_equal(number_there("SELECT count(*) FROM (SELECT number, lag(number) OVER"
				      " (ORDER BY id) AS before FROM sent) AS s"
				      " WHERE before > number"),
		0);
	assert_int_equal(set_await_event(DBOUTBOX_EVENT_RESENT, 1).writes, 10);
	set_close();
	start_again(server);
}

static int end_standby(void **state)
{
	private_server_stop(standby);
	standby = NULL;
	return live_group_clean_up(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(what_a_server_lost_is_sent_again),
		LIVE_TEST(what_is_not_kept_is_reported_as_a_gap),
		LIVE_TEST(an_older_copy_doubles_nothing),
		LIVE_TEST(a_standby_is_left),
		cmocka_unit_test_teardown(a_promoted_standby_gets_what_it_lacks, end_standby),
	};
	return LIVE_GROUP(
		"outbox_lost", tests, .settings = set_settings, .set_up = set_up, .sql = SET_SQL);
}
