/* libdboutbox and a real server: what happens to a write that the server refuses, and what is
 * reported of those that wait. */
#include "outbox_set.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

static void a_refused_write_is_rejected_alone(void **state)
{
	(void)state;
	set_open(NULL);
	for (int i = 0; i < 50; i++)
		set_write(i);
	set_write_sql("INSERT INTO sent (id, number) VALUES (1, 1/0)");
	for (int i = 50; i < 100; i++)
		set_write(i);
	set_write_sql("INSERT INTO sent (number) VALUES (NULL)");
	set_flush();
	assert_int_equal(set_number("SELECT count(*) FROM sent"), 100);
	assert_int_equal(
		set_number("SELECT count(*) FROM (SELECT number, lag(number) OVER (ORDER BY id) "
			   "AS before FROM sent) AS s WHERE before > number"),
		0);
	assert_int_equal(set_stats().rejected, 2);
	assert_int_equal(set_await_event(DBOUTBOX_EVENT_REJECTED, 2).count, 2);
	assert_string_equal(set_await_event(DBOUTBOX_EVENT_REJECTED, 1).sqlstate, "23502");
	/* all statements of a write, or none */
	const struct dboutbox_statement two[] = {
		{ .sql = "INSERT INTO sent (number) VALUES (1000)" },
		{ .sql = "INSERT INTO sent (number) VALUES (1/0)" },
	};
	assert_int_equal(dboutbox_write_many(set_outbox, two, 2), DBOUTBOX_OK);
	set_write(1001);
	set_flush();
	assert_int_equal(set_number("SELECT count(*) FROM sent WHERE number = 1000"), 0);
	assert_int_equal(set_number("SELECT count(*) FROM sent WHERE number = 1001"), 1);
	assert_int_equal(set_stats().rejected, 3);
	set_close();
}

/* Each batch is read while the server works on the one before, which may be refused. */
static void a_backlog_is_sent_in_order(void **state)
{
	(void)state;
	set_open(NULL);
	dboutbox_close(set_outbox);
	struct dboutbox_config config = set_config();
	struct dbpool *pool = config.pool;
	config.pool = NULL;
	config.batch = 7;
	set_reopen(&config);
	for (int i = 0; i < 200; i++) {
		if (i % 45 == 10)
			set_write_sql("INSERT INTO sent (number) VALUES (1/0)");
		set_write(i);
	}
	dboutbox_close(set_outbox);
	config.pool = pool;
	set_reopen(&config);
	set_flush();
	assert_int_equal(set_number("SELECT count(*) FROM sent"), 200);
	assert_int_equal(
		set_number("SELECT count(*) FROM (SELECT number, row_number() OVER (ORDER BY id)"
			   " - 1 AS place FROM sent) AS s WHERE place <> number"),
		0);
	assert_int_equal(set_stats().rejected, 5);
	assert_int_equal(set_stats().sent, 200);
	set_close();
}

/* Which write it is shows only when they are sent one by one. */
static void a_refused_commit_is_found(void **state)
{
	(void)state;
	set_open(NULL);
	live_sql(server,
		"ALTER TABLE sent ADD CONSTRAINT once UNIQUE (number) DEFERRABLE INITIALLY "
		"DEFERRED");
	for (int i = 0; i < 30; i++)
		set_write(i == 17 ? 3 : i);
	set_flush();
	assert_int_equal(set_number("SELECT count(*) FROM sent"), 29);
	assert_int_equal(set_stats().rejected, 1);
	assert_string_equal(set_await_event(DBOUTBOX_EVENT_REJECTED, 1).sqlstate, "23505");
	set_close();
}

static void a_missing_table_is_waited_for(void **state)
{
	(void)state;
	set_open(NULL);
	set_write(1);
	set_flush();
	live_sql(server, "ALTER TABLE sent RENAME TO away");
	set_write(2);
	set_await_state(DBOUTBOX_HELD);
	assert_string_equal(set_await_event(DBOUTBOX_EVENT_HELD, 1).sqlstate, "42P01");
	set_write(3);
	assert_int_equal(dboutbox_flush(set_outbox, 100), 2);
	live_sql(server, "ALTER TABLE away RENAME TO sent");
	set_flush();
	assert_int_equal(set_number("SELECT count(*) FROM sent"), 3);
	assert_int_equal(set_await_event(DBOUTBOX_EVENT_HELD, 1).count, 1);
	assert_int_equal(set_await_event(DBOUTBOX_EVENT_SENDING, 1).count, 1);
	assert_int_equal(set_stats().rejected, 0);
	set_close();
}

static void a_table_that_cannot_be_made_is_reported(void **state)
{
	(void)state;
	live_sql(server, "REVOKE CREATE ON DATABASE postgres FROM app");
	set_open(NULL);
	set_write(1);
	set_await_state(DBOUTBOX_HELD);
	struct dboutbox_stats stats = set_stats();
	assert_non_null(strstr(stats.last_error, "CREATE TABLE IF NOT EXISTS dboutbox.applied"));
	/* a superuser runs what it says */
	live_sql(server, strstr(stats.last_error, "CREATE SCHEMA"));
	set_flush();
	assert_int_equal(set_number("SELECT count(*) FROM sent"), 1);
	live_sql(server, "GRANT CREATE ON DATABASE postgres TO app");
	set_close();
}

static void a_cancelled_write_is_rejected_after_five_retries(void **state)
{
	(void)state;
	set_open(NULL);
	set_write(1);
	set_write_sql("SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(60)");
	set_write(2);
	set_flush();
	assert_int_equal(set_number("SELECT count(*) FROM sent"), 2);
	assert_int_equal(set_await_event(DBOUTBOX_EVENT_REJECTED, 1).count, 1);
	assert_string_equal(set_await_event(DBOUTBOX_EVENT_REJECTED, 1).sqlstate, "57014");
	set_close();
}

static void it_may_stop_at_a_rejected_write(void **state)
{
	(void)state;
	set_open(NULL);
	dboutbox_close(set_outbox);
	struct dboutbox_config config = set_config();
	config.stop_on_reject = 1;
	set_reopen(&config);
	set_write_sql("SELECT 1/0");
	set_await_state(DBOUTBOX_ENDED);
	const struct dboutbox_statement statement = { .sql = "SELECT 1" };
	assert_int_equal(dboutbox_write(set_outbox, &statement), DBOUTBOX_STOPPED);
	set_close();
}

struct shown {
	int64_t waiting, rejected;
	double oldest; /* −1: null */
	bool normal;
};

/* pools[0].set_outbox, as dbtop prints it. */
static struct shown shown(void)
{
	json_t *root = live_dbtop_json(
		NULL, live_group_conninfo(LIVE_UNIX, NULL), "--pages", set_pages, NULL);
	json_t *pools = json_object_get(root, "pools");
	assert_int_equal(json_array_size(pools), 1);
	json_t *json = live_member(json_array_get(pools, 0), "outbox");
	assert_true(json_is_object(json));
	json_t *oldest = live_member(json, "oldest_seconds");
	const struct shown numbers = {
		.waiting = json_integer_value(live_member(json, "waiting")),
		.rejected = json_integer_value(live_member(json, "rejected")),
		.oldest = json_is_null(oldest) ? -1 : json_number_value(oldest),
		.normal = strcmp(json_string_value(live_member(json, "fsync")), "normal") == 0,
	};
	json_decref(root);
	return numbers;
}

static void assert_shown(int64_t waiting, int64_t rejected)
{
	struct shown numbers = shown();
	assert_int_equal(numbers.waiting, waiting);
	assert_int_equal(numbers.rejected, rejected);
	assert_int_equal(numbers.oldest >= 0, waiting > 0);
}

static void dbtop_shows_what_waits(void **state)
{
	(void)state;
	set_open(NULL);
	assert_shown(0, 0);
	live_sql(server, "ALTER TABLE sent RENAME TO away");
	for (int i = 0; i < 3; i++)
		set_write(i);
	assert_shown(3, 0);
	assert_false(shown().normal);
	dboutbox_close(set_outbox);
	assert_shown(3, 0);
	struct dboutbox_config config = set_config();
	config.fsync = DBOUTBOX_FSYNC_NORMAL;
	set_reopen(&config);
	assert_shown(3, 0);
	assert_true(shown().normal);
	live_sql(server, "ALTER TABLE away RENAME TO sent");
	set_write_sql("SELECT 1/0");
	set_flush();
	assert_shown(0, 1);
	set_close();
}

static void a_closed_outbox_leaves_no_hook(void **state)
{
	(void)state;
	set_open(NULL);
	for (int i = 0; i < DBPOOL_HOOKS_MAX + 1; i++) {
		dboutbox_close(set_outbox);
		struct dboutbox_config config = set_config();
		set_reopen(&config);
		set_write(i);
	}
	set_close();
	assert_int_equal(set_number("SELECT count(*) FROM sent"), DBPOOL_HOOKS_MAX + 1);
}

static atomic_bool is_rejecting;

/* Its thread is told to end in the midst of a step that another one would follow. */
static void pause_when_rejected(void *data, const struct dboutbox_event *event)
{
	(void)data;
	if (event->kind != DBOUTBOX_EVENT_REJECTED)
		return;
	atomic_store(&is_rejecting, true);
	usleep(300000);
}

static bool rejects(void *data)
{
	(void)data;
	return atomic_load(&is_rejecting);
}

static void a_closed_outbox_holds_no_connection(void **state)
{
	(void)state;
	struct dbpool_stats stats;
	set_open(NULL);
	dboutbox_close(set_outbox);
	struct dboutbox_config config = set_config();
	config.log = pause_when_rejected;
	config.flush_ms = 1;
	set_reopen(&config);
	set_write_sql("SELECT 1/0");
	assert_true(live_wait(rejects, NULL, SET_TIMEOUT));
	dboutbox_close(set_outbox);
	set_outbox = NULL;
	dbpool_stats(set_pool, &stats, sizeof(stats));
	assert_int_equal(stats.in_use, 0);
	set_close();
}

/* The rows that a statement returns are dropped. */
static void statements_keep_their_parameters(void **state)
{
	(void)state;
	set_open(NULL);
	live_sql(server,
		"CREATE TABLE IF NOT EXISTS texts (a text, b text); GRANT ALL ON texts TO app");
	const char *const params[] = { "O'Brien \\ ü", NULL };
	const struct dboutbox_statement statement = {
		.sql = "INSERT INTO texts VALUES ($1, $2) RETURNING a",
		.n_params = 2,
		.params = params
	};
	assert_int_equal(dboutbox_write(set_outbox, &statement), DBOUTBOX_OK);
	set_flush();
	assert_int_equal(
		set_number("SELECT count(*) FROM texts WHERE a = E'O''Brien \\\\ ü' AND b IS NULL"),
		1);
	set_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(a_refused_write_is_rejected_alone),
		LIVE_TEST(a_backlog_is_sent_in_order),
		LIVE_TEST(a_refused_commit_is_found),
		LIVE_TEST(a_missing_table_is_waited_for),
		LIVE_TEST(a_table_that_cannot_be_made_is_reported),
		LIVE_TEST(a_cancelled_write_is_rejected_after_five_retries),
		LIVE_TEST(it_may_stop_at_a_rejected_write),
		LIVE_TEST(dbtop_shows_what_waits),
		LIVE_TEST(a_closed_outbox_leaves_no_hook),
		LIVE_TEST(a_closed_outbox_holds_no_connection),
		LIVE_TEST(statements_keep_their_parameters),
	};
	return LIVE_GROUP(
		"outbox", tests, .settings = set_settings, .set_up = set_up, .sql = SET_SQL);
}
