/* libdboutbox against a real server: nothing is lost and nothing is doubled, whatever ends at
 * whatever moment; and what becomes of a write that the server refuses. */
#include "live_group.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "dboutbox.h"
#include "dbpool.h"

#define TIMEOUT 90000

static const char *conninfo;
static char *file;  /* of the test's outbox */
static char *pages; /* the folder of this process's stats pages */
static PGconn *conn;
static unsigned seed = 7;

static void prepare(void)
{
	conninfo = live_group_conninfo(LIVE_TCP4, "user=app");
	pages = mem_printf("%s/pages", live_folder());
}

/* A new table and a new file for each test. */
static void begin(void)
{
	static int count;
	free(file);
	file = mem_printf("%s/outbox-%d", live_folder(), count++);
	live_sql(server,
		"DROP TABLE IF EXISTS sent; CREATE TABLE sent (id serial PRIMARY KEY, "
		"number bigint NOT NULL); GRANT ALL ON sent, sent_id_seq TO app; "
		"DROP SCHEMA IF EXISTS dboutbox CASCADE");
}

static void connect_again(void)
{
	PQfinish(conn);
	conn = live_connect(live_group_conninfo(LIVE_UNIX, NULL));
}

static long number(const char *sql)
{
	connect_again();
	return live_number(conn, sql);
}

/* --- other processes --- */

static struct live_program *start(const char *more, const char *role, long argument)
{
	CLEANUP(cleanup_free) char *text = mem_printf("%ld", argument);
	const char *argv[] = { OUTBOX_CLIENT_PATH, live_group_conninfo(LIVE_TCP4, more), file, role,
		text, NULL };
	const struct live_program_options options = { .argv = argv };
	return live_start(&options);
}

/* Sends what is left; the outbox must then be empty. */
static void drain(void)
{
	struct live_program *program = start("user=app", "drain", 0);
	int status = live_finish(program, TIMEOUT);
	if (status != 0 || strncmp(live_out(program), "0 ", 2) != 0)
		fail_msg("status %d: %s%s", status, live_out(program), live_err(program));
	live_free(program);
}

/* Each acknowledged number exactly once, none twice, all in order. */
static void compare(const bool *acknowledged, long n)
{
	connect_again();
	assert_int_equal(
		live_number(conn, "SELECT count(*) - count(DISTINCT number) FROM sent"), 0);
	assert_int_equal(
		live_number(conn,
			"SELECT count(*) FROM (SELECT number, lag(number) OVER (ORDER BY id) "
			"AS before FROM sent) AS s WHERE before > number"),
		0);
	PGresult *result = PQexec(conn, "SELECT number FROM sent");
	bool *found = calloc((size_t)n + 1, sizeof(*found));
	for (int i = 0; i < PQntuples(result); i++) {
		long value = atol(PQgetvalue(result, i, 0));
		if (value >= 0 && value < n)
			found[value] = true;
	}
	PQclear(result);
	for (long i = 0; i < n; i++)
		if (acknowledged[i] && !found[i])
			fail_msg("%ld was acknowledged, and is lost", i);
	free(found);
}

#define NUMBERS 4000000

static long note_acknowledged(struct live_program *program, bool *acknowledged, long last)
{
	for (const char *line = live_out(program); *line && strchr(line, '\n');
		line = strchr(line, '\n') + 1) {
		last = atol(line);
		assert_true(last >= 0 && last < NUMBERS);
		acknowledged[last] = true;
	}
	return last;
}

/* Stops the server as a crash would, and starts it again. */
static void crash_server(void)
{
	char error[PRIVATE_SERVER_ERROR_MAX];
	kill(private_server_pid(server), SIGQUIT);
	if (private_server_restart(server, error) < 0)
		fail_msg("restart: %s", error);
}

static void kill_and_restart(const char *more, int rounds)
{
	begin();
	bool *acknowledged = calloc(NUMBERS, sizeof(*acknowledged));
	long last = 0;
	for (int round = 0; round < rounds; round++) {
		struct live_program *program = start(more, "write", last + 1);
		usleep((useconds_t)rand_r(&seed) % 300000);
		if (rand_r(&seed) % 3 == 0)
			crash_server();
		usleep((useconds_t)rand_r(&seed) % 200000);
		live_signal(program, SIGKILL);
		assert_int_equal(live_finish(program, TIMEOUT), 128 + SIGKILL);
		last = note_acknowledged(program, acknowledged, last) + 1;
		live_free(program);
	}
	drain();
	compare(acknowledged, last + 1);
	assert_true(last > rounds);
	free(acknowledged);
}

static void killed_processes_lose_and_double_nothing(void **state)
{
	(void)state;
	kill_and_restart("user=app", live_rounds(12));
}

static void neither_does_a_role_that_commits_without_waiting(void **state)
{
	(void)state;
	kill_and_restart("user=app options='-c synchronous_commit=off'", live_rounds(6));
}

static void a_power_loss_loses_and_doubles_nothing(void **state)
{
	(void)state;
	begin();
	bool *acknowledged = calloc(NUMBERS, sizeof(*acknowledged));
	long last = 0;
	for (int round = 0; round < live_rounds(12); round++) {
		struct live_program *program =
			start("user=app", "power", last / 1000 + 1 + rand_r(&seed) % 15);
		int status = live_finish(program, TIMEOUT);
		if (status != 0)
			fail_msg("status %d: %s", status, live_err(program));
		last = note_acknowledged(program, acknowledged, last);
		live_free(program);
	}
	drain();
	compare(acknowledged, last + 1);
	free(acknowledged);
}

static void a_full_disk_is_reported(void **state)
{
	(void)state;
	begin();
	assert_int_equal(mkdir(file, 0700), 0);
	struct live_program *program = start("user=app", "full", 0);
	int status = live_finish(program, TIMEOUT);
	if (status != 0)
		fail_msg("status %d: %s", status, live_err(program));
	assert_int_equal(number("SELECT count(*) FROM sent"), atol(live_out(program)));
	assert_int_equal(rmdir(file), 0);
}

static void the_pools_shutdown_sends_what_it_can(void **state)
{
	(void)state;
	begin();
	struct live_program *program = start("user=app", "shutdown", 300);
	assert_int_equal(live_finish(program, TIMEOUT), 0);
	assert_string_equal(live_out(program), "0\n");
	assert_int_equal(number("SELECT count(*) FROM sent"), 300);
	/* and what it cannot send stays */
	begin();
	live_sql(server, "REVOKE ALL ON sent FROM app");
	program = start("user=app", "shutdown", 30);
	assert_int_equal(live_finish(program, TIMEOUT), 0);
	assert_string_equal(live_out(program), "30\n");
	live_sql(server, "GRANT ALL ON sent TO app");
	drain();
	assert_int_equal(number("SELECT count(*) FROM sent"), 30);
}

/* --- this process --- */

static struct dbpool *pool;
static struct dboutbox *outbox;

#define KINDS (DBOUTBOX_EVENT_STOPPED + 1)

struct event {
	int count;
	int64_t writes;
	char sqlstate[6], text[1024];
};

static pthread_mutex_t events_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct event events[KINDS];

static void on_event(void *data, const struct dboutbox_event *event)
{
	(void)data;
	pthread_mutex_lock(&events_mutex);
	events[event->kind].count++;
	events[event->kind].writes += event->count;
	snprintf(events[event->kind].sqlstate, sizeof(events[0].sqlstate), "%s", event->sqlstate);
	snprintf(events[event->kind].text, sizeof(events[0].text), "%s", event->text);
	pthread_mutex_unlock(&events_mutex);
}

static struct event event_of(enum dboutbox_event_kind kind)
{
	pthread_mutex_lock(&events_mutex);
	struct event event = events[kind];
	pthread_mutex_unlock(&events_mutex);
	return event;
}

struct awaited {
	enum dboutbox_event_kind kind;
	int count;
};

static bool was_reported(void *data)
{
	const struct awaited *awaited = data;
	return event_of(awaited->kind).count >= awaited->count;
}

/* An event may come a moment after a flush that it belongs to has returned. */
static struct event await_events(enum dboutbox_event_kind kind, int count)
{
	struct awaited awaited = { kind, count };
	if (!live_wait(was_reported, &awaited, TIMEOUT))
		fail_msg("event %d was reported %d times", (int)kind, event_of(kind).count);
	return event_of(kind);
}

static struct event await_event(enum dboutbox_event_kind kind)
{
	return await_events(kind, 1);
}

static struct dboutbox_config standard(void)
{
	return (struct dboutbox_config){
		.size = sizeof(struct dboutbox_config), .path = file, .pool = pool, .log = on_event
	};
}

static void open_outbox(const struct dboutbox_config *config)
{
	outbox = dboutbox_open(config, NULL);
	if (!outbox)
		fail_msg("%s", dboutbox_error());
}

static void begin_here(void)
{
	begin();
	memset(events, 0, sizeof(events));
	const struct dbpool_config config = { .size = sizeof(config),
		.conninfo = conninfo,
		.name = "here",
		.no_signals = 1,
		.no_exit = 1,
		.page_folder = pages };
	if (dbpool_new(&config, &pool) != DBPOOL_OK)
		fail_msg("%s", dbpool_error());
	struct dboutbox_config standard_config = standard();
	open_outbox(&standard_config);
}

static void end_here(void)
{
	dboutbox_close(outbox);
	outbox = NULL;
	dbpool_free(pool);
	pool = NULL;
	PQfinish(conn);
	conn = NULL;
}

static void write_sql(const char *sql)
{
	const struct dboutbox_statement statement = { .sql = sql };
	if (dboutbox_write(outbox, &statement) != DBOUTBOX_OK)
		fail_msg("%s", dboutbox_error());
}

static void write_here(long value)
{
	CLEANUP(cleanup_free)
	char *sql = mem_printf("INSERT INTO sent (number) VALUES (%ld)", value);
	write_sql(sql);
}

static struct dboutbox_stats stats_here(void)
{
	struct dboutbox_stats stats;
	dboutbox_stats(outbox, &stats, sizeof(stats));
	return stats;
}

static bool is_in_state(void *data)
{
	return stats_here().state == *(const enum dboutbox_state *)data;
}

static void await_state(enum dboutbox_state state)
{
	if (!live_wait(is_in_state, &state, TIMEOUT))
		fail_msg(
			"%s: %s", dboutbox_state_name(stats_here().state), stats_here().last_error);
}

static void a_refused_write_is_rejected_alone(void **state)
{
	(void)state;
	begin_here();
	for (int i = 0; i < 50; i++)
		write_here(i);
	write_sql("INSERT INTO sent (id, number) VALUES (1, 1/0)");
	for (int i = 50; i < 100; i++)
		write_here(i);
	write_sql("INSERT INTO sent (number) VALUES (NULL)");
	assert_int_equal(dboutbox_flush(outbox, TIMEOUT), 0);
	assert_int_equal(number("SELECT count(*) FROM sent"), 100);
	assert_int_equal(
		number("SELECT count(*) FROM (SELECT number, lag(number) OVER (ORDER BY id) "
		       "AS before FROM sent) AS s WHERE before > number"),
		0);
	assert_int_equal(stats_here().rejected, 2);
	assert_int_equal(await_events(DBOUTBOX_EVENT_REJECTED, 2).count, 2);
	assert_string_equal(await_event(DBOUTBOX_EVENT_REJECTED).sqlstate, "23502");
	/* all statements of a write, or none */
	const struct dboutbox_statement two[] = {
		{ .sql = "INSERT INTO sent (number) VALUES (1000)" },
		{ .sql = "INSERT INTO sent (number) VALUES (1/0)" },
	};
	assert_int_equal(dboutbox_write_many(outbox, two, 2), DBOUTBOX_OK);
	write_here(1001);
	assert_int_equal(dboutbox_flush(outbox, TIMEOUT), 0);
	assert_int_equal(number("SELECT count(*) FROM sent WHERE number = 1000"), 0);
	assert_int_equal(number("SELECT count(*) FROM sent WHERE number = 1001"), 1);
	assert_int_equal(stats_here().rejected, 3);
	end_here();
}

/* Which write it is shows only when they are sent one by one. */
static void a_refused_commit_is_found(void **state)
{
	(void)state;
	begin_here();
	live_sql(server,
		"ALTER TABLE sent ADD CONSTRAINT once UNIQUE (number) DEFERRABLE INITIALLY "
		"DEFERRED");
	for (int i = 0; i < 30; i++)
		write_here(i == 17 ? 3 : i);
	assert_int_equal(dboutbox_flush(outbox, TIMEOUT), 0);
	assert_int_equal(number("SELECT count(*) FROM sent"), 29);
	assert_int_equal(stats_here().rejected, 1);
	assert_string_equal(await_event(DBOUTBOX_EVENT_REJECTED).sqlstate, "23505");
	end_here();
}

static void a_missing_table_is_waited_for(void **state)
{
	(void)state;
	begin_here();
	write_here(1);
	assert_int_equal(dboutbox_flush(outbox, TIMEOUT), 0);
	live_sql(server, "ALTER TABLE sent RENAME TO away");
	write_here(2);
	await_state(DBOUTBOX_HELD);
	assert_string_equal(await_event(DBOUTBOX_EVENT_HELD).sqlstate, "42P01");
	write_here(3);
	assert_int_equal(dboutbox_flush(outbox, 100), 2);
	live_sql(server, "ALTER TABLE away RENAME TO sent");
	assert_int_equal(dboutbox_flush(outbox, TIMEOUT), 0);
	assert_int_equal(number("SELECT count(*) FROM sent"), 3);
	assert_int_equal(await_event(DBOUTBOX_EVENT_HELD).count, 1);
	assert_int_equal(await_event(DBOUTBOX_EVENT_SENDING).count, 1);
	assert_int_equal(stats_here().rejected, 0);
	end_here();
}

static void a_table_that_cannot_be_made_is_reported(void **state)
{
	(void)state;
	live_sql(server, "REVOKE CREATE ON DATABASE postgres FROM app");
	begin_here();
	write_here(1);
	await_state(DBOUTBOX_HELD);
	struct dboutbox_stats stats = stats_here();
	assert_non_null(strstr(stats.last_error, "CREATE TABLE IF NOT EXISTS dboutbox.applied"));
	/* a superuser runs what it says */
	char *run = strstr(stats.last_error, "CREATE SCHEMA");
	for (char *role; (role = strstr(run, "the role"));)
		memcpy(role, "app     ", 8);
	live_sql(server, run);
	assert_int_equal(dboutbox_flush(outbox, TIMEOUT), 0);
	assert_int_equal(number("SELECT count(*) FROM sent"), 1);
	live_sql(server, "GRANT CREATE ON DATABASE postgres TO app");
	end_here();
}

static void a_cancelled_write_is_rejected_after_five_retries(void **state)
{
	(void)state;
	begin_here();
	write_here(1);
	write_sql("SELECT pg_cancel_backend(pg_backend_pid()), pg_sleep(60)");
	write_here(2);
	assert_int_equal(dboutbox_flush(outbox, TIMEOUT), 0);
	assert_int_equal(number("SELECT count(*) FROM sent"), 2);
	assert_int_equal(await_event(DBOUTBOX_EVENT_REJECTED).count, 1);
	assert_string_equal(await_event(DBOUTBOX_EVENT_REJECTED).sqlstate, "57014");
	end_here();
}

static void it_may_stop_at_a_rejected_write(void **state)
{
	(void)state;
	begin_here();
	dboutbox_close(outbox);
	struct dboutbox_config config = standard();
	config.stop_on_reject = 1;
	open_outbox(&config);
	write_sql("SELECT 1/0");
	await_state(DBOUTBOX_ENDED);
	const struct dboutbox_statement statement = { .sql = "SELECT 1" };
	assert_int_equal(dboutbox_write(outbox, &statement), DBOUTBOX_STOPPED);
	end_here();
}

static void what_a_server_lost_is_sent_again(void **state)
{
	(void)state;
	begin_here();
	for (int i = 0; i < 10; i++)
		write_here(i);
	assert_int_equal(dboutbox_flush(outbox, TIMEOUT), 0);
	/* as if it had been restored from a backup */
	live_sql(server,
		"DELETE FROM sent WHERE number >= 4; UPDATE dboutbox.applied SET sequence = 4; "
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");
	write_here(10);
	assert_int_equal(dboutbox_flush(outbox, TIMEOUT), 0);
	assert_int_equal(number("SELECT count(*) FROM sent"), 11);
	assert_int_equal(number("SELECT count(DISTINCT number) FROM sent"), 11);
	assert_int_equal(await_event(DBOUTBOX_EVENT_RESENT).writes, 6);
	end_here();
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
	begin_here();
	CLEANUP(cleanup_free) char *copy = mem_printf("%s-copy", file);
	live_sql(server, "ALTER TABLE sent RENAME TO away");
	for (int i = 0; i < 5; i++)
		write_here(i);
	dboutbox_close(outbox);
	copy_file(file, copy);
	live_sql(server, "ALTER TABLE away RENAME TO sent");
	struct dboutbox_config config = standard();
	open_outbox(&config);
	write_here(5);
	assert_int_equal(dboutbox_flush(outbox, TIMEOUT), 0);
	dboutbox_close(outbox);
	copy_file(copy, file);
	open_outbox(&config);
	write_here(6);
	assert_int_equal(dboutbox_flush(outbox, TIMEOUT), 0);
	assert_int_equal(number("SELECT count(*) FROM sent"), 7);
	assert_int_equal(number("SELECT count(DISTINCT number) FROM sent"), 7);
	/* a copy of which the same epoch went on elsewhere */
	live_sql(server,
		"UPDATE dboutbox.applied SET sequence = 100; "
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");
	write_here(7);
	await_state(DBOUTBOX_ENDED);
	const struct dboutbox_statement statement = { .sql = "SELECT 1" };
	assert_int_equal(dboutbox_write(outbox, &statement), DBOUTBOX_DIVERGED);
	assert_int_equal(number("SELECT count(*) FROM sent"), 7);
	unlink(copy);
	end_here();
}

static void a_standby_is_left(void **state)
{
	(void)state;
	begin_here();
	write_here(1);
	assert_int_equal(dboutbox_flush(outbox, TIMEOUT), 0);
	live_sql(server,
		"ALTER ROLE app SET default_transaction_read_only = on; "
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'app'");
	write_here(2);
	await_state(DBOUTBOX_WAITING);
	live_sql(server, "ALTER ROLE app RESET default_transaction_read_only");
	assert_int_equal(dboutbox_flush(outbox, TIMEOUT), 0);
	assert_int_equal(number("SELECT count(*) FROM sent"), 2);
	end_here();
}

struct shown {
	int64_t waiting, rejected;
	double oldest; /* −1: null */
	bool normal;
};

/* pools[0].outbox, as dbtop prints it. */
static struct shown shown(void)
{
	json_t *root =
		live_dbtop_json(NULL, live_group_conninfo(LIVE_UNIX, NULL), "--pages", pages, NULL);
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
	begin_here();
	assert_shown(0, 0);
	live_sql(server, "ALTER TABLE sent RENAME TO away");
	for (int i = 0; i < 3; i++)
		write_here(i);
	assert_shown(3, 0);
	assert_false(shown().normal);
	dboutbox_close(outbox);
	assert_shown(3, 0);
	struct dboutbox_config config = standard();
	config.fsync = DBOUTBOX_FSYNC_NORMAL;
	open_outbox(&config);
	assert_shown(3, 0);
	assert_true(shown().normal);
	live_sql(server, "ALTER TABLE away RENAME TO sent");
	write_sql("SELECT 1/0");
	assert_int_equal(dboutbox_flush(outbox, TIMEOUT), 0);
	assert_shown(0, 1);
	end_here();
}

static void a_closed_outbox_leaves_no_hook(void **state)
{
	(void)state;
	begin_here();
	for (int i = 0; i < DBPOOL_HOOKS_MAX + 1; i++) {
		dboutbox_close(outbox);
		struct dboutbox_config config = standard();
		open_outbox(&config);
		write_here(i);
	}
	end_here();
	assert_int_equal(number("SELECT count(*) FROM sent"), DBPOOL_HOOKS_MAX + 1);
}

static void statements_keep_their_parameters(void **state)
{
	(void)state;
	begin_here();
	live_sql(server,
		"CREATE TABLE IF NOT EXISTS texts (a text, b text); GRANT ALL ON texts TO app");
	const char *const params[] = { "O'Brien \\ ü", NULL };
	const struct dboutbox_statement statement = {
		.sql = "INSERT INTO texts VALUES ($1, $2)", .n_params = 2, .params = params
	};
	assert_int_equal(dboutbox_write(outbox, &statement), DBOUTBOX_OK);
	assert_int_equal(dboutbox_flush(outbox, TIMEOUT), 0);
	assert_int_equal(
		number("SELECT count(*) FROM texts WHERE a = E'O''Brien \\\\ ü' AND b IS NULL"), 1);
	end_here();
}

int main(void)
{
	static const char *const settings[] = { "fsync=on", "full_page_writes=on",
		"synchronous_commit=on", NULL };
	const struct CMUnitTest tests[] = {
		LIVE_TEST(killed_processes_lose_and_double_nothing),
		LIVE_TEST(neither_does_a_role_that_commits_without_waiting),
		LIVE_TEST(a_power_loss_loses_and_doubles_nothing),
		LIVE_TEST(a_full_disk_is_reported),
		LIVE_TEST(the_pools_shutdown_sends_what_it_can),
		LIVE_TEST(a_refused_write_is_rejected_alone),
		LIVE_TEST(a_refused_commit_is_found),
		LIVE_TEST(a_missing_table_is_waited_for),
		LIVE_TEST(a_table_that_cannot_be_made_is_reported),
		LIVE_TEST(a_cancelled_write_is_rejected_after_five_retries),
		LIVE_TEST(it_may_stop_at_a_rejected_write),
		LIVE_TEST(what_a_server_lost_is_sent_again),
		LIVE_TEST(an_older_copy_doubles_nothing),
		LIVE_TEST(a_standby_is_left),
		LIVE_TEST(dbtop_shows_what_waits),
		LIVE_TEST(a_closed_outbox_leaves_no_hook),
		LIVE_TEST(statements_keep_their_parameters),
	};
	return LIVE_GROUP("outbox", tests, .settings = settings, .set_up = prepare,
		.sql = "CREATE ROLE app LOGIN; GRANT CREATE ON DATABASE postgres TO app; "
		       "GRANT ALL ON SCHEMA public TO app");
}
