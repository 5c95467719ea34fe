/* A server that is stopped, goes away, comes back, or is full: keys are answered, the age of old
 * data is shown, and dbtop connects again. */
#include "set.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/instant.h"

/* dbtop's own backend: stopped, it answers nothing more. */
static pid_t own_backend(void)
{
	PGconn *conn = live_connect(private_server_conninfo(server));
	long pid = live_number(
		conn, "SELECT pid FROM pg_stat_activity WHERE application_name = 'dbtop'");
	PQfinish(conn);
	assert_true(pid > 1);
	return (pid_t)pid;
}

#define AT_ONCE (200 * USEC_PER_MSEC)

static void keys_are_answered_while_the_server_hangs(void **state)
{
	(void)state;
	struct term *term = set_open(100, 30, NULL);
	pid_t backend = own_backend();
	assert_int_equal(kill(backend, SIGSTOP), 0);
	/* it never answers, and each key would wait. The best of many: the machine may be busy */
	int64_t best = INT64_MAX;
	for (int i = 0; i < 50 && best >= AT_ONCE; i++) {
		int64_t begin = instant_monotonic();
		term_press(term, "?");
		assert_true(term_wait_text(term, "Help"));
		int64_t took = instant_monotonic() - begin;
		best = took < best ? took : best;
		term_press(term, "Esc");
		assert_true(term_wait_gone(term, "Help"));
	}
	assert_true(best < AT_ONCE);
	/* the age is in front, and the last data are still shown */
	assert_true(term_wait_text(term, "old"));
	assert_true(term_wait_text(term, "does not answer"));
	assert_true(term_shows(term, "forgetful"));
	/* a question asked now says that it is not answered */
	term_press(term, "l");
	assert_true(term_wait_text(term, "no answer from the server"));
	term_press(term, "Esc");
	assert_true(term_wait_gone(term, "no answer from the server"));
	assert_int_equal(kill(backend, SIGCONT), 0);
	assert_true(term_wait_text(term, "live"));
	assert_true(term_wait_gone(term, "does not answer"));
	set_quit(term);
}

static void its_session_is_ended_and_it_comes_back(void **state)
{
	(void)state;
	struct term *term = set_open(100, 30, NULL);
	pid_t before = own_backend();
	live_sql(server,
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
		"WHERE application_name = 'dbtop'");
	char condition[80];
	snprintf(condition, sizeof(condition), "application_name = 'dbtop' AND pid <> %d", before);
	live_wait_sessions(server, condition, 1, 20000);
	assert_true(term_wait_text(term, "live"));
	assert_true(term_wait_text(term, "2 leaked"));
	set_quit(term);
}

/* Full but for what is a superuser's: a plain role is not let in, and says what it sees. */
static void a_full_server_shows_who_holds_it(void **state)
{
	(void)state;
	live_sql(server, "CREATE ROLE plain LOGIN");
	char *conninfo = live_conninfo(server, LIVE_TCP4, "user=plain application_name=crowd");
	struct live_program *crowd = live_client(conninfo, "idle", "16", NULL);
	struct term_options options = { .width = 100, .height = 30 };
	struct term *term = set_start(&options, conninfo, NULL);
	assert_true(term_wait_text(term, "FULL"));
	assert_true(term_wait_text(term, "The server is full"));
	assert_true(term_wait_text(term, "live_client"));
	assert_true(term_shows(term, "trying again"));
	/* as soon as there is room it is let in */
	live_free(crowd);
	assert_true(term_wait_text(term, "live"));
	assert_true(term_wait_text(term, "not visible to this role"));
	assert_true(term_wait_text(term, "GRANT pg_monitor"));
	set_quit(term);
	free(conninfo);
}

static void nobody_answers(void **state)
{
	(void)state;
	struct term_options options = { .width = 100, .height = 30 };
	struct term *term = set_start(&options, "host=127.0.0.1 port=1 user=app dbname=app", NULL);
	assert_true(term_wait_text(term, "Nobody answers"));
	assert_true(term_shows(term, "Connection refused"));
	/* nothing to end, and it says so instead of failing */
	term_press(term, "k");
	assert_true(term_settle(term));
	term_press(term, "Esc ? Esc");
	assert_true(term_settle(term));
	assert_true(term_shows(term, "Nobody answers"));
	set_quit(term);
}

/* The last one: the set's application does not survive it. */
static void a_restarted_server_is_found_again(void **state)
{
	(void)state;
	char error[PRIVATE_SERVER_ERROR_MAX];
	struct term *term = set_open(100, 30, NULL);
	assert_int_equal(private_server_restart(server, error), 0);
	live_wait_sessions(server, "application_name = 'dbtop'", 1, 20000);
	assert_true(term_wait_text(term, "1 of 25 used"));
	assert_true(term_wait_text(term, "live"));
	assert_true(term_wait_text(term, "none leaked"));
	set_quit(term);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		LIVE_TEST(keys_are_answered_while_the_server_hangs),
		LIVE_TEST(its_session_is_ended_and_it_comes_back),
		LIVE_TEST(a_full_server_shows_who_holds_it),
		LIVE_TEST(nobody_answers),
		LIVE_TEST(a_restarted_server_is_found_again),
	};
	return SET_GROUP("server", tests);
}
