/* The first minute: each thing that can be wrong has a screen that says what, and what to type. */
#include "live_group.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "set.h"

static struct term *start(const char *conninfo, const char *option)
{
	return term_start(&(struct term_options){ .width = 140, .height = 30 },
		(const char *const[]){ live_dbtop_path(), conninfo, option, NULL });
}

static void nobody_answers(void **state)
{
	(void)state;
	struct term *term = start("host=127.0.0.1 port=1 user=app dbname=postgres", NULL);
	assert_true(term_wait_text(term, "Nobody answers at 127.0.0.1:1"));
	assert_true(term_wait_text(term, "-h"));
	assert_true(term_wait_text(term, "trying again"));
	assert_true(term_wait_text(term, "q quit"));
	set_quit(term);
}

/* Neither what is typed nor its bytes come to the screen. */
static void a_password_is_asked_for_in_the_screen(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *secret = live_conninfo(server, LIVE_TCP4, "user=secret");
	struct term *term = start(secret, NULL);
	assert_true(term_wait_text(term, "for user secret"));
	assert_true(term_is_alternate(term));
	term_send(term, "wrong");
	assert_true(term_wait_text(term, "•••••▏"));
	assert_false(term_shows(term, "wrong"));
	term_press(term, "Enter");
	assert_true(term_wait_text(term, "password authentication failed"));
	assert_true(term_wait_text(term, " ▏"));
	term_send(term, "sés x");
	assert_true(term_wait_text(term, "•••••▏"));
	term_press(term, "Backspace");
	assert_true(term_wait_text(term, " ••••▏"));
	term_send(term, "ame\r");
	assert_true(term_wait_text(term, "none leaked"));
	assert_false(term_shows(term, "Password"));
	set_quit(term);
}

/* A server of the overview, too, says that it waits for one, and asks when it is opened. */
static void a_password_is_asked_for_when_a_server_is_opened(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *secret = live_conninfo(server, LIVE_TCP4, "user=secret");
	CLEANUP(cleanup_free) char *own = live_conninfo(server, LIVE_TCP4, NULL);
	struct term *term = start(own, secret);
	assert_true(term_wait_text(term, "2 servers"));
	assert_true(term_wait_text(term, "password: Enter"));
	term_press(term, "Enter");
	assert_true(term_wait_text(term, "for user secret"));
	term_send(term, "sés ame\r");
	assert_true(term_wait_text(term, "none leaked"));
	set_quit(term);
}

/* However long the interval is. */
static void a_proof_needs_no_second_interval(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
	live_client_killed(app);
	struct term *term = start(app, "--interval=3600");
	assert_true(term_wait_text(term, "1 leaked"));
	set_quit(term);
}

static void it_need_not_be_given(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *secret = live_conninfo(server, LIVE_TCP4, "user=secret");
	struct term *term = start(secret, NULL);
	assert_true(term_wait_text(term, "for user secret"));
	term_send(term, "q");
	assert_true(term_wait_text(term, "•▏"));
	term_press(term, "Esc");
	assert_true(term_wait_text(term, "W asks for the password again"));
	assert_true(term_wait_text(term, "does not let us in"));
	term_press(term, "W");
	assert_true(term_wait_text(term, "for user secret"));
	term_press(term, "Esc");
	assert_true(term_wait_gone(term, "for user secret"));
	set_quit(term);
	term = start(secret, "-w");
	assert_true(term_wait_text(term, "does not let us in"));
	assert_false(term_shows(term, "for user secret"));
	set_quit(term);
}

static void rows_that_are_hidden_are_reported_with_the_grant(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
	CLEANUP(cleanup_free) char *plain = live_conninfo(server, LIVE_TCP4, "user=plain");
	struct live_program *client = live_client(app, "idle", "1", NULL);
	struct term *term = start(plain, NULL);
	assert_true(term_wait_text(term, "not visible to this role"));
	assert_true(term_shows(term, "GRANT pg_monitor TO plain;"));
	set_quit(term);
	live_free(client);
}

static void a_server_with_nobody_on_it(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *own = live_conninfo(server, LIVE_TCP4, NULL);
	struct term *term = start(own, NULL);
	assert_true(term_wait_text(term, "none leaked"));
	assert_true(term_wait_text(term, "dbtop's own"));
	assert_true(term_wait_text(term, "Nobody else is connected."));
	set_quit(term);
}

static void a_full_server_shows_who_fills_it(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
	struct live_program *client = live_client(app, "idle", "2", NULL);
	struct term *term = start(app, NULL);
	assert_true(term_wait_text(term, "FULL: no slot is left"));
	assert_true(term_wait_text(term, "every slot is taken"));
	CLEANUP(cleanup_free) char *pid = mem_printf("%d", (int)live_pid(client));
	assert_true(term_wait_text(term, pid));
	set_quit(term);
	live_free(client);
}

/* --- what was not seen is not called nothing --- */

/* Runs as nobody, if we are root. */
static struct term *start_as_nobody(const char *conninfo)
{
	CLEANUP(cleanup_free) char *passfile = live_passfile(true);
	CLEANUP(cleanup_free) char *variable = mem_printf("PGPASSFILE=%s", passfile);
	CLEANUP(cleanup_free) char *home = mem_printf("HOME=%s", live_nobodys_folder());
	/* the build folder may be closed to nobody */
	CLEANUP(cleanup_free) char *dbtop = mem_printf("%s/dbtop", live_nobodys_folder());
	CLEANUP(cleanup_free) char *copy = mem_printf("cp '%s' %s", live_dbtop_path(), dbtop);
	assert_int_equal(system(copy), 0);
	return term_start(&(struct term_options){ .width = 140,
				  .height = 30,
				  .environment = (const char *const[]){ variable, home, NULL } },
		(const char *const[]){ "/usr/bin/setpriv", "--reuid=65534", "--regid=65534",
			"--clear-groups", dbtop, "-w", "-i", "0.2", conninfo, NULL });
}

static const struct situation {
	const char *name, *more; /* of the connection */
	const char *sessions;    /* of the role app */
	const char *revoke;      /* NULL: nothing */
	bool as_nobody;
	const char *shows; /* when it is there */
	/* what the keys say, on the first row of the application */
	struct {
		const char *key, *says, *never;
	} keys[6];
} situations[] = {
	{ "a plain role", "user=plain", "1", NULL, false, "not visible to this role",
		{ { "k", "cannot tell: 1 session is hidden from this role", "is leaked" },
			{ "End c", "cannot tell: 1 session is hidden from this role", "runs here" },
			{ "End K",
				"nothing here can be ended: it is dbtop's own, the system's, or "
				"hidden",
				"none leaked" },
			{ "/ n o b o d y Enter K", "no connection is selected",
				"can be ended" } } },
	{ "a full server", "user=plain", "2", NULL, false, "FULL: no slot is left",
		{ { "k", "cannot tell: not connected: ", "is leaked" },
			{ "c", "cannot tell: not connected: ", "runs here" },
			{ "K", "cannot tell: not connected: ", "can be ended" },
			{ "E", "perhaps more: not connected: ", "nothing to stop" } } },
	{ "a poll that fails", "user=plain", "1",
		"REVOKE EXECUTE ON FUNCTION pg_catalog.pg_stat_get_activity(int4) FROM PUBLIC",
		false, "does not show its sessions",
		{ { "k", "cannot tell: the last poll failed: permission denied", "is leaked" },
			{ "c", "cannot tell: the last poll failed: ", "runs here" },
			{ "K", "cannot tell: the last poll failed: ", "can be ended" },
			{ "E", "perhaps more: the last poll failed: ", "nothing to stop" } } },
	{ "another user's processes", "user=postgres", "1", NULL, true, "2 of 5 used",
		{ { "k", "no connection is leaked", NULL },
			{ "End w", "there is no process of this machine here to watch", NULL },
			{ "E", "cannot tell: 1 session belongs to processes of another user",
				"nothing to stop" } } },
	{ "nobody there", "port=1 user=plain", "1", NULL, false, "Nobody answers at",
		{ { "k", "cannot tell: not connected: ", "is leaked" },
			{ "c", "cannot tell: not connected: ", "runs here" },
			{ "K", "cannot tell: not connected: ", "can be ended" },
			{ "w", "there is no process of this machine here to watch", NULL },
			{ "E", "cannot tell: not connected: ", "nothing to stop" } } },
};

static void press_keys(struct term *term, const struct situation *situation)
{
	for (size_t i = 0; i < 6 && situation->keys[i].key; i++) {
		term_press(term, situation->keys[i].key);
		if (!term_wait_text(term, situation->keys[i].says) ||
			(situation->keys[i].never && term_shows(term, situation->keys[i].never))) {
			term_print(term, situation->name);
			fail_msg("%s, %s", situation->name, situation->keys[i].key);
		}
		/* so that the next words are the next key's */
		if (strcmp(situation->keys[i].key, "E") == 0)
			return;
		term_press(term, "t");
		assert_true(term_wait_gone(term, situation->keys[i].says));
	}
}

static void what_was_not_seen_is_not_called_nothing(void **state)
{
	for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
		const struct situation *situation = &situations[i];
		if (situation->as_nobody && getuid() != 0)
			continue;
		CLEANUP(cleanup_free) char *app = live_conninfo(server, LIVE_TCP4, "user=app");
		CLEANUP(cleanup_free)
		char *conninfo = live_conninfo(server, LIVE_TCP4, situation->more);
		(void)live_client(app, "idle", situation->sessions, NULL);
		if (situation->revoke)
			live_sql(server, situation->revoke);
		struct term *term =
			situation->as_nobody ? start_as_nobody(conninfo) : start(conninfo, "-w");
		assert_true(term_wait_text(term, situation->shows));
		press_keys(term, situation);
		live_sql(server,
			"GRANT EXECUTE ON FUNCTION pg_catalog.pg_stat_get_activity(int4)"
			" TO PUBLIC");
		live_group_clean_up(state);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		LIVE_TEST(nobody_answers),
		LIVE_TEST(a_password_is_asked_for_in_the_screen),
		LIVE_TEST(a_password_is_asked_for_when_a_server_is_opened),
		LIVE_TEST(a_proof_needs_no_second_interval),
		LIVE_TEST(it_need_not_be_given),
		LIVE_TEST(rows_that_are_hidden_are_reported_with_the_grant),
		LIVE_TEST(a_server_with_nobody_on_it),
		LIVE_TEST(a_full_server_shows_who_fills_it),
		LIVE_TEST(what_was_not_seen_is_not_called_nothing),
	};
	return LIVE_GROUP("first_use",
		tests, /* 3 of 5 slots are a superuser's: a plain role has two */
		.settings = (const char *const[]){ "max_connections=5", NULL },
		.sql = "CREATE ROLE app LOGIN; CREATE ROLE plain LOGIN; "
		       "CREATE ROLE secret LOGIN PASSWORD 'sés ame'; GRANT pg_monitor TO secret");
}
