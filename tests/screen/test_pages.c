/* The details and the locks page on a real server: what they show, live, and what they ask for. */
#include "live_group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "set.h"

static PGconn *connect_as(const char *name)
{
	CLEANUP(cleanup_free) char *more = NULL;
	assert_true(asprintf(&more, "application_name=%s", name) > 0);
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, more);
	return live_connect(conninfo);
}

static struct term *open_dashboard(int width, int height)
{
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	return term_start(&(struct term_options){ .width = width, .height = height },
		(const char *const[]){ live_dbtop_path(), "-i", "0.2", conninfo, NULL });
}

static size_t asked_for_locks(void)
{
	CLEANUP(cleanup_free) char *log = live_group_log();
	size_t count = 0;
	for (const char *at = log; (at = strstr(at, "pg_blocking_pids")); at++)
		count++;
	return count;
}

/* The clock in the header moved on: so many seconds of refreshes. */
static void wait_for_seconds(struct term *term, int seconds)
{
	for (; seconds; seconds--) {
		CLEANUP(cleanup_free) char *line = term_line(term, 0);
		const char *clock = strrchr(line, ' ');
		assert_non_null(clock);
		assert_true(term_wait_gone(term, clock + 1));
	}
}

static char *backend_text(const char *format, PGconn *conn)
{
	char *text;
	assert_true(asprintf(&text, format, PQbackendPID(conn)) > 0);
	return text;
}

static void locks_then_details_then_the_end(void **state)
{
	(void)state;
	PGconn *holder = connect_as("holder"), *first = connect_as("first"),
	       *second = connect_as("second");
	live_exec(holder, "BEGIN; LOCK TABLE outbox");
	assert_true(PQsendQuery(first, "SELECT count(*) FROM outbox"));
	live_wait_sessions(
		server, "application_name = 'first' AND wait_event_type = 'Lock'", 1, 10000);
	assert_true(PQsendQuery(second, "INSERT INTO outbox VALUES (1)"));
	live_wait_sessions(
		server, "application_name = 'second' AND wait_event_type = 'Lock'", 1, 10000);

	size_t before = asked_for_locks();
	struct term *term = open_dashboard(150, 60);
	assert_true(term_wait_text(term, "holder"));
	wait_for_seconds(term, 2);
	assert_int_equal(asked_for_locks(), before);

	term_press(term, "l");
	assert_true(term_wait_text(term, "Locks: 2 wait, 1 holds them up"));
	assert_true(term_wait_text(term, "BEGIN; LOCK TABLE outbox"));
	assert_true(term_wait_text(term, "AccessShareLock on outbox"));
	assert_true(term_wait_text(term, "held: AccessExclusiveLock"));
	assert_true(term_shows(term, "Enter details"));

	term_press(term, "Enter");
	CLEANUP(cleanup_free) char *title = backend_text("┌ backend %d ", holder);
	assert_true(term_wait_text(term, title));
	assert_true(term_wait_text(term, "first, active: AccessShareLock on outbox"));
	assert_true(term_wait_text(term, "AccessExclusiveLock on outbox"));
	assert_true(term_wait_text(term, "its open transaction is rolled back"));
	/* no statement of it runs */
	assert_true(term_shows(term, "K kill"));
	assert_false(term_shows(term, "c cancel"));

	term_press(term, "K");
	assert_true(term_wait_text(term, "End 1 connection?"));
	term_confirm(term);
	assert_true(term_wait_text(term, "done: 1 of 1 ended"));
	term_press(term, "Esc");
	CLEANUP(cleanup_free) char *ended = backend_text("backend %d has ended", holder);
	assert_true(term_wait_text(term, ended));
	assert_true(term_wait_gone(term, "K kill"));
	term_press(term, "Esc");
	assert_true(term_wait_text(term, "Nobody waits for a lock."));
	assert_false(term_shows(term, "Enter details"));
	term_press(term, "Esc");
	assert_true(term_wait_gone(term, "Nobody waits for a lock."));

	size_t asked = asked_for_locks();
	assert_true(asked > before);
	wait_for_seconds(term, 2);
	assert_int_equal(asked_for_locks(), asked);
	term_end(term);
	PQfinish(holder);
	PQfinish(first);
	PQfinish(second);
}

/* It is no picture of the moment at which Enter was pressed. */
static void details_are_live(void **state)
{
	(void)state;
	PGconn *conn = connect_as("worker");
	live_exec(conn, "SELECT 1 AS at_first");
	struct term *term = open_dashboard(120, 50);
	assert_true(term_wait_text(term, "at_first"));
	/* each key acts on the rows that are seen: the next waits for the frame */
	term_press(term, "/ w o r k e r Enter");
	assert_true(term_wait_gone(term, "dbtop -i"));
	assert_true(term_settle(term));
	term_press(term, "End");
	assert_true(term_settle(term));
	term_press(term, "Enter");
	CLEANUP(cleanup_free) char *title = backend_text("┌ backend %d ", conn);
	assert_true(term_wait_text(term, title));
	assert_true(term_wait_text(term, "nothing: no statement runs"));
	live_exec(conn, "BEGIN; SELECT 2 AS later");
	assert_true(term_wait_text(term, "2 AS later"));
	assert_true(term_wait_text(term, "idle in transaction"));
	PQfinish(conn);
	assert_true(term_wait_text(term, "has ended"));
	assert_true(term_shows(term, "2 AS later"));
	term_end(term);
}

static void every_size_shows_them(void **state)
{
	static const int sizes[][2] = { { 80, 24 }, { 120, 36 }, { 200, 50 }, { 40, 12 },
		{ 30, 8 } };
	(void)state;
	struct term *term = open_dashboard(80, 24);
	assert_true(term_wait_text(term, "leaked"));
	term_press(term, "l");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		term_resize(term, sizes[i][0], sizes[i][1]);
		assert_true(term_settle(term));
		assert_true(term_wait_text(term, "Nobody waits"));
	}
	term_press(term, "Esc");
	assert_true(term_wait_gone(term, "Nobody waits"));
	term_press(term, "End");
	assert_true(term_settle(term));
	term_press(term, "Enter");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		term_resize(term, sizes[i][0], sizes[i][1]);
		assert_true(term_settle(term));
		assert_true(term_wait_text(term, "backend"));
	}
	term_end(term);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		LIVE_TEST(locks_then_details_then_the_end),
		LIVE_TEST(details_are_live),
		LIVE_TEST(every_size_shows_them),
	};
	return LIVE_GROUP("pages", tests,
		.settings = (const char *const[]){ "log_statement=all", NULL },
		.sql = "CREATE TABLE outbox (id int)");
}
