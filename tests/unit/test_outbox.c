/* libdboutbox without a server: statements, the file, its limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/outbox_fixture.h"
#include "outbox/dboutbox.h"
#include "outbox/sqlstate.h"
#include "outbox/statement.h"
#include "outbox/store.h"

/* --- statements --- */

static void refuses_what_it_cannot_carry(void **state)
{
	(void)state;
	static const char *const good[] = { "INSERT INTO t VALUES (1)", "select 1",
		"WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x",
		"/* COMMIT */ UPDATE t SET a = 1", "-- ROLLBACK\nDELETE FROM t", "CALL p()",
		"DO $$BEGIN END$$", "NOTIFY jobs",
		"/* a /* nested */ comment */ INSERT INTO t VALUES (1)", "(SELECT 1)",
		"committed_insert", "setting" };
	static const char *const bad[] = { "", "  ", ";", "-- nothing", "/* open", "COMMIT",
		"begin", " \n\tRollback", "/* x */SET a = 1", "-- x\r\ncopy t from stdin",
		"LISTEN a", "PREPARE p AS SELECT 1", "declare c cursor for select 1",
		";;; SAVEPOINT a", "END", "abort", "start transaction", "release a", "reset all",
		"discard all", "/* a /* b */ */ commit", "EXECUTE p", "fetch 1 from c",
		"unlisten *", "load 'x'" };
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (statement_refusal(good[i]))
			fail_msg("%s: %s", good[i], statement_refusal(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!statement_refusal(bad[i]))
			fail_msg("not refused: %s", bad[i]);
}

static void statements_come_back_as_they_were(void **state)
{
	(void)state;
	const char *const params[] = { "a", NULL, "", "ü'\"\\" };
	const struct dboutbox_statement statements[] = {
		{ .sql = "INSERT INTO t VALUES ($1, $2, $3, $4)", .n_params = 4, .params = params },
		{ .sql = "SELECT 1" },
	};
	void *blob;
	size_t size;
	assert_int_equal(statement_encode(statements, 2, &blob, &size), 0);
	struct statement_reader reader = { .blob = blob, .size = size };
	struct statement_view view = { 0 };
	assert_int_equal(statement_read(&reader, &view), 1);
	assert_string_equal(view.sql, statements[0].sql);
	assert_int_equal(view.n_params, 4);
	assert_string_equal(view.params[0], "a");
	assert_null(view.params[1]);
	assert_string_equal(view.params[2], "");
	assert_string_equal(view.params[3], params[3]);
	assert_int_equal(statement_read(&reader, &view), 1);
	assert_string_equal(view.sql, "SELECT 1");
	assert_int_equal(view.n_params, 0);
	assert_int_equal(statement_read(&reader, &view), 0);
	/* cut anywhere, it is damaged, and nothing is read beyond its end */
	for (size_t cut = 0; cut < size; cut++) {
		unsigned char *copy = malloc(cut ? cut : 1);
		memcpy(copy, blob, cut);
		reader = (struct statement_reader){ .blob = copy, .size = cut };
		int r;
		while ((r = statement_read(&reader, &view)) == 1)
			;
		assert_int_equal(r, -EBADMSG);
		free(copy);
	}
	free(view.params);
	free(blob);
}

static void sqlstates_have_their_action(void **state)
{
	(void)state;
	static const struct {
		const char *sqlstate;
		enum sqlstate_action action;
	} rows[] = {
		{ NULL, SQLSTATE_RECONNECT },
		{ "", SQLSTATE_RECONNECT },
		{ "08006", SQLSTATE_RECONNECT },
		{ "25006", SQLSTATE_RECONNECT },
		{ "57P01", SQLSTATE_RECONNECT },
		{ "57014", SQLSTATE_RETRY_FEW },
		{ "40001", SQLSTATE_RETRY },
		{ "40P01", SQLSTATE_RETRY },
		{ "53100", SQLSTATE_RETRY },
		{ "55P03", SQLSTATE_RETRY },
		{ "58030", SQLSTATE_RETRY },
		{ "28P01", SQLSTATE_HOLD },
		{ "3D000", SQLSTATE_HOLD },
		{ "3F000", SQLSTATE_HOLD },
		{ "42P01", SQLSTATE_HOLD },
		{ "42501", SQLSTATE_HOLD },
		{ "0A000", SQLSTATE_HOLD },
		{ "22012", SQLSTATE_REJECT },
		{ "23505", SQLSTATE_REJECT },
		{ "54000", SQLSTATE_REJECT },
		{ "P0001", SQLSTATE_REJECT },
		{ "25001", SQLSTATE_REJECT },
		{ "XX000", SQLSTATE_REJECT },
	};
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (sqlstate_action(rows[i].sqlstate) != rows[i].action)
			fail_msg("%s", rows[i].sqlstate ? rows[i].sqlstate : "NULL");
}

/* --- the file --- */

static int open_error(const struct dboutbox_config *config)
{
	int error = 0;
	assert_null(dboutbox_open(config, &error));
	assert_true(*dboutbox_error());
	return error;
}

static void writes_stay_in_the_file(void **state)
{
	(void)state;
	struct dboutbox *outbox = open_standard();
	assert_int_equal(stats_of(outbox).state, DBOUTBOX_LOCAL);
	for (int i = 0; i < 10; i++)
		assert_int_equal(write_number(outbox, i), DBOUTBOX_OK);
	assert_int_equal(dboutbox_flush(outbox, 10000), 10);
	dboutbox_close(outbox);
	struct stat status;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	outbox = open_standard();
	struct dboutbox_stats stats = stats_of(outbox);
	assert_int_equal(stats.pending, 10);
	assert_true(stats.pending_bytes > 10 * 25 && stats.oldest > 0);
	assert_int_equal(write_number(outbox, 10), DBOUTBOX_OK);
	assert_int_equal(stats_of(outbox).pending, 11);
	dboutbox_close(outbox);
}

static void a_file_is_open_once(void **state)
{
	(void)state;
	struct dboutbox_config config = standard();
	struct dboutbox *outbox = open_standard();
	assert_int_equal(open_error(&config), DBOUTBOX_BUSY);
	pid_t pid = fork();
	if (pid == 0) {
		/* the child neither uses nor closes it */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		int r = write_number(outbox, 1);
		dboutbox_close(outbox);
		pause();
		_exit(r);
	}
	assert_int_equal(write_number(outbox, 1), DBOUTBOX_OK);
	dboutbox_close(outbox);
	/* nor does it keep the file from being opened again */
	outbox = open_standard();
	assert_int_equal(stats_of(outbox).pending, 1);
	kill(pid, SIGKILL);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	dboutbox_close(outbox);
}

static void a_forked_child_is_refused(void **state)
{
	(void)state;
	struct dboutbox *outbox = open_standard();
	pid_t pid = fork();
	if (pid == 0) {
		bool good = write_number(outbox, 1) == DBOUTBOX_FORKED &&
			dboutbox_flush(outbox, 0) == -DBOUTBOX_FORKED;
		dboutbox_close(outbox);
		_exit(good ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(write_number(outbox, 2), DBOUTBOX_OK);
	assert_int_equal(stats_of(outbox).pending, 1);
	dboutbox_close(outbox);
}

static void other_files_are_refused(void **state)
{
	(void)state;
	struct dboutbox_config config = standard();
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	for (int i = 0; i < 100; i++)
		assert_int_equal(
			write(fd, "this is no database, and long enough to be read\n", 48), 48);
	close(fd);
	assert_int_equal(open_error(&config), DBOUTBOX_DAMAGED);
	unlink(path);
	sqlite3 *db;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE t (a)", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(open_error(&config), DBOUTBOX_DAMAGED);
	sqlite3_close(db);
	unlink(path);
	dboutbox_close(open_standard());
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_int_equal(open_error(&config), DBOUTBOX_LAYOUT);
	config.path = "/nowhere/at/all";
	assert_int_equal(open_error(&config), DBOUTBOX_IO);
	config.path = "";
	assert_int_equal(open_error(&config), -EINVAL);
	config = standard();
	config.size = 4;
	assert_int_equal(open_error(&config), -EINVAL);
	config = standard();
	config.max_writes = -5;
	assert_int_equal(open_error(&config), -EINVAL);
	assert_int_equal(open_error(NULL), -EINVAL);
}

static void a_full_outbox_drops_nothing(void **state)
{
	(void)state;
	struct dboutbox_config config = standard();
	config.max_writes = 3;
	struct dboutbox *outbox = open_with(&config);
	for (int i = 0; i < 3; i++)
		assert_int_equal(write_number(outbox, i), DBOUTBOX_OK);
	assert_int_equal(write_number(outbox, 3), DBOUTBOX_FULL);
	assert_int_equal(stats_of(outbox).pending, 3);
	dboutbox_close(outbox);
	config.max_writes = 0;
	config.max_bytes = 1000;
	outbox = open_with(&config);
	int r, n = 0;
	while ((r = write_number(outbox, n)) == DBOUTBOX_OK)
		n++;
	assert_int_equal(r, DBOUTBOX_FULL);
	assert_true(n > 3 && stats_of(outbox).pending_bytes <= 1000);
	assert_int_equal(stats_of(outbox).pending, 3 + n);
	dboutbox_close(outbox);
}

static void bad_writes_are_refused(void **state)
{
	(void)state;
	struct dboutbox *outbox = open_standard();
	struct dboutbox_statement statement = { .sql = "COMMIT" };
	assert_int_equal(dboutbox_write(outbox, &statement), DBOUTBOX_STATEMENT);
	assert_non_null(strstr(dboutbox_error(), "controls a transaction"));
	statement = (struct dboutbox_statement){ .sql = NULL };
	assert_int_equal(dboutbox_write(outbox, &statement), -EINVAL);
	statement = (struct dboutbox_statement){ .sql = "SELECT $1", .n_params = 1 };
	assert_int_equal(dboutbox_write(outbox, &statement), -EINVAL);
	statement = (struct dboutbox_statement){ .sql = "SELECT $1", .n_params = 65536 };
	assert_int_equal(dboutbox_write(outbox, &statement), -EINVAL);
	assert_int_equal(dboutbox_write_many(outbox, &statement, 0), -EINVAL);
	/* one bad statement, and none is stored */
	const struct dboutbox_statement two[] = { { .sql = "SELECT 1" }, { .sql = "SET a = 1" } };
	assert_int_equal(dboutbox_write_many(outbox, two, 2), DBOUTBOX_STATEMENT);
	assert_int_equal(stats_of(outbox).pending, 0);
	dboutbox_close(outbox);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, clean_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses_what_it_cannot_carry),
		cmocka_unit_test(statements_come_back_as_they_were),
		cmocka_unit_test(sqlstates_have_their_action),
		TEST(writes_stay_in_the_file),
		TEST(a_file_is_open_once),
		TEST(a_forked_child_is_refused),
		TEST(other_files_are_refused),
		TEST(a_full_outbox_drops_nothing),
		TEST(bad_writes_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
