/* The shutdown watch on the screen: armed by w or --watch, it grows a timeline and a verdict, and
 * what was left is one key away. */
#include "live_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "set.h"

/* Its stats pages are put below live_folder(). Waits until the server has so many sessions. */
static struct live_program *start_program(const char *path, const char *does, long sessions)
{
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	CLEANUP(cleanup_free) char *runtime = mem_printf("XDG_RUNTIME_DIR=%s", live_folder());
	const char *argv[] = { path, conninfo, does, NULL }, *env[] = { runtime, NULL };
	const struct live_program_options options = { .argv = argv, .env = env };
	struct live_program *dying = live_start(&options);
	live_wait_sessions(server, "true", sessions, 20000);
	return dying;
}

static struct live_program *start_dying(const char *does)
{
	return start_program(DYING_PATH, does, 2);
}

static struct term *start(const char *option, const char *value)
{
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	return term_start(&(struct term_options){ .width = 110, .height = 30 },
		(const char *const[]){ live_dbtop_path(), conninfo, option, value, NULL });
}

static void end(struct term *term, int expected)
{
	int status;
	assert_true(term_wait_exit(term, &status));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), expected);
	term_end(term);
}

static void a_good_shutdown_passes(void **state)
{
	(void)state;
	struct live_program *dying = start_dying("closed-first");
	CLEANUP(cleanup_free) char *pid = mem_printf("%d", live_pid(dying));
	struct term *term = start("--watch", pid);
	assert_true(term_wait_text(term, "watching dying"));
	assert_true(term_wait_text(term, "· 2 connections"));
	assert_true(term_wait_text(term, "armed: waits for its end"));
	assert_true(term_shows(term, "press Ctrl-C in its terminal"));
	/* its sessions are in use: nothing is left */
	assert_true(term_shows(term, "w arm again"));
	assert_false(term_shows(term, "k end"));
	term_press(term, "k");
	assert_true(term_wait_text(term, "there is no verdict yet on what is left"));
	term_resize(term, 30, 8);
	assert_true(term_wait_text(term, "there is no verdict"));
	term_press(term, "Up");
	assert_true(term_wait_text(term, "Esc close"));
	assert_false(term_shows(term, " k "));
	term_resize(term, 110, 30);
	assert_true(term_wait_text(term, "Esc close, watch on"));
	live_signal(dying, SIGINT);
	assert_true(term_wait_text(term, "PASS"));
	assert_true(term_wait_text(term, "all 2 connections closed in"));
	assert_true(term_shows(term, "before the process ended"));
	assert_true(term_wait_text(term, "nothing left on the server"));
	assert_true(term_wait_gone(term, "w arm again"));
	assert_true(term_wait_gone(term, "watch on"));
	assert_true(term_shows(term, "Esc close"));
	assert_false(term_shows(term, "k end"));
	/* the graph */
	assert_true(term_wait_text(term, "██"));
	term_press(term, "Esc");
	assert_true(term_wait_gone(term, "nothing left on the server"));
	/* the rule above the table remembers */
	assert_true(term_wait_text(term, "watched dying"));
	term_press(term, "q");
	end(term, 0);
}

/* A process that is stuck in the kernel: reading its command line takes for ever. For dbtop alone,
 * in a mount namespace of its own, that file is a FIFO that nobody writes to. */
static struct term *start_beside_hung(pid_t pid)
{
	/* unshare cannot make "/" private in a chroot, where it is no mount point */
	static const char script[] =
		"mount --make-rprivate /proc && "
		"mount --bind \"$1\" \"/proc/$2/cmdline\" && exec \"$3\" \"$4\"";
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	CLEANUP(cleanup_free) char *number = mem_printf("%d", pid);
	CLEANUP(cleanup_free) char *fifo = mem_printf("%s/cmdline", live_folder());
	assert_int_equal(mkfifo(fifo, 0600), 0);
	return term_start(&(struct term_options){ .width = 110, .height = 30 },
		(const char *const[]){ "/usr/bin/unshare", getuid() ? "-rm" : "-m", "--propagation",
			"unchanged", "sh", "-c", script, "sh", fifo, number, live_dbtop_path(),
			conninfo, NULL });
}

static void a_process_that_hangs_holds_up_nothing(void **state)
{
	(void)state;
	struct live_program *hung = start_dying("closed-first");
	struct live_program *other = start_program(DYING_PATH, "closed-first", 4);
	CLEANUP(cleanup_free) char *other_pid = mem_printf("%d", live_pid(other));
	CLEANUP(cleanup_free) char *watching = mem_printf("watching dying %d", live_pid(hung));
	CLEANUP(cleanup_free) char *pid = mem_printf("%d", live_pid(hung));
	struct term *term = start_beside_hung(live_pid(hung));
	/* the sessions are shown, and keys are answered */
	assert_true(term_wait_text(term, " of 25 used"));
	term_press(term, "?");
	assert_true(term_wait_text(term, "Esc close"));
	term_press(term, "Esc");
	/* the next look leaves its command line out: all are matched */
	assert_true(term_wait_text(term, other_pid));
	assert_true(term_wait_text(term, pid));
	term_press(term, "/");
	term_send(term, pid);
	term_press(term, "Enter");
	assert_true(term_wait_gone(term, other_pid));
	term_press(term, "w");
	assert_true(term_wait_text(term, watching));
	/* before that it would be said to have held none */
	assert_true(term_wait_text(term, "· 2 connections"));
	live_signal(hung, SIGINT);
	assert_true(term_wait_text(term, "all 2 connections closed in"));
	term_press(term, "Esc q");
	/* the look that hangs is not waited for */
	end(term, 0);
	live_free(other);
	live_wait_sessions(server, NULL, 0, 20000);
}

/* Its process ends at once, faster than we look: but its page is gone. */
static void a_pool_reports_that_it_closed(void **state)
{
	(void)state;
	struct live_program *dying = start_program(DYING_POOL_PATH, "closed", 2);
	CLEANUP(cleanup_free) char *pid = mem_printf("%d", live_pid(dying));
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	CLEANUP(cleanup_free) char *pages = mem_printf("%s/dbpool", live_folder());
	struct term *term = term_start(&(struct term_options){ .width = 110, .height = 30 },
		(const char *const[]){
			live_dbtop_path(), conninfo, "--watch", pid, "--pages", pages, NULL });
	assert_true(term_wait_text(term, "· 2 connections"));
	assert_true(term_wait_text(term, "armed: waits for its end"));
	assert_true(term_wait_text(term, "in its pool's reserve"));
	live_signal(dying, SIGINT);
	assert_true(term_wait_text(term, "all 2 connections closed in"));
	term_press(term, "Esc");
	term_press(term, "q");
	end(term, 0);
}

/* Python closes its connections as it ends, and then sends itself the signal again. */
static void python_dies_by_its_own_signal(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	for (int i = 0; i < live_rounds(5); i++) {
		const char *argv[] = { "/usr/bin/python3", "tests/live/dying.py", conninfo,
			"raised", NULL };
		struct live_program *python =
			live_start(&(struct live_program_options){ .argv = argv });
		CLEANUP(cleanup_free) char *pid = mem_printf("%d", live_pid(python));
		live_wait_sessions(server, "true", 2, 20000);
		struct term *term = start("--watch", pid);
		assert_true(term_wait_text(term, "· 2 connections"));
		live_signal(python, SIGINT);
		assert_true(term_wait_text(term, "PASS"));
		assert_true(term_shows(term, "all 2 connections"));
		assert_false(term_shows(term, "held no connection"));
		term_press(term, "Esc q");
		end(term, 0);
		live_free(python);
		live_wait_sessions(server, "true", 0, 20000);
	}
}

static void what_is_left_is_one_key_away(void **state)
{
	(void)state;
	struct live_program *dying = start_dying("left-sessions");
	struct term *term = start(NULL, NULL);
	assert_true(term_wait_text(term, "dying"));
	term_press(term, "w");
	assert_true(term_wait_text(term, "watching dying"));
	assert_true(term_wait_text(term, "· 2 connections"));
	live_signal(dying, SIGINT);
	assert_true(term_wait_text(term, "FAIL"));
	assert_true(term_wait_text(term, "1 connection left 5 s after exit"));
	assert_true(term_wait_text(term, "k end 1"));
	term_press(term, "k");
	assert_true(term_wait_text(term, "[x]"));
	term_confirm(term);
	live_wait_sessions(server, "application_name <> 'dbtop'", 0, 20000);
	assert_true(term_wait_text(term, "1 of 1 ended"));
	term_press(term, "F10");
	end(term, 0);
}

/* As a role that does not see all sessions: a socket whose session does not show for 2 seconds
 * means that the server hides it. Not one whose session was ended, though the application still
 * holds it.
 */
static void what_was_ended_before_spoils_no_verdict(void **state)
{
	(void)state;
	live_sql(server, "CREATE ROLE plain LOGIN");
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, "user=plain");
	struct live_program *app = live_client(conninfo, "idle", "2", NULL);
	CLEANUP(cleanup_free) char *pid = mem_printf("%d", live_pid(app));
	struct term *term = term_start(&(struct term_options){ .width = 110, .height = 30 },
		(const char *const[]){
			live_dbtop_path(), conninfo, "--watch", pid, "--idle-limit", "0.1", NULL });
	assert_true(term_wait_text(term, "· 2 connections"));
	term_press(term, "Esc");
	assert_true(term_wait_text(term, "2 leaked"));
	term_press(term, "k");
	assert_true(term_wait_text(term, "End 2 leaked connections?"));
	term_press(term, "Space");
	assert_true(term_wait_text(term, "end 1"));
	term_confirm(term);
	assert_true(term_wait_text(term, "1 of 1 ended"));
	live_wait_sessions(server, "usename = 'plain' AND application_name <> 'dbtop'", 1, 20000);
	/* the watch is armed again: it sees that socket for the first time */
	term_press(term, "Esc w");
	assert_true(term_wait_text(term, "w arm again"));
	term_press(term, "w");
	assert_true(term_wait_text(term, "· 1 connection"));
	usleep(2500000);
	live_signal(app, SIGINT);
	assert_true(term_wait_text(term, "PASS"));
	assert_true(term_shows(term, "1 connection gone in"));
	term_press(term, "Esc q");
	end(term, 0);
}

static void ctrl_c_asks_while_a_watch_is_armed(void **state)
{
	(void)state;
	struct live_program *dying = start_dying("closed");
	CLEANUP(cleanup_free) char *pid = mem_printf("%d", live_pid(dying));
	struct term *term = start("--watch", pid);
	assert_true(term_wait_text(term, "· 2 connections"));
	term_press(term, "Ctrl-C");
	assert_true(term_wait_text(term, "Quit, and stop watching"));
	term_press(term, "Esc");
	assert_true(term_wait_gone(term, "Quit, and stop watching"));
	/* the same for a signal that was meant for the whole job */
	kill(term_pid(term), SIGINT);
	assert_true(term_wait_text(term, "Quit, and stop watching"));
	term_press(term, "Enter");
	end(term, 0);
	assert_true(live_running(dying));
}

static void the_last_verdict_stays_reachable(void **state)
{
	(void)state;
	struct live_program *first = start_dying("closed-first");
	struct live_program *second = start_program(DYING_PATH, "closed-first", 4);
	CLEANUP(cleanup_free) char *one = mem_printf("watching dying %d", live_pid(first));
	CLEANUP(cleanup_free) char *one_over = mem_printf("watched dying %d", live_pid(first));
	CLEANUP(cleanup_free) char *two = mem_printf("watching dying %d", live_pid(second));
	CLEANUP(cleanup_free) char *number = mem_printf("%d", live_pid(first));
	CLEANUP(cleanup_free) char *other = mem_printf("%d", live_pid(second));
	struct term *term = start("--watch", number);
	assert_true(term_wait_text(term, one));
	assert_true(term_wait_text(term, "· 2 connections"));
	live_signal(first, SIGINT);
	assert_true(term_wait_text(term, "PASS"));
	assert_true(term_wait_text(term, one_over));
	/* another process is watched now */
	term_press(term, "Esc");
	term_press(term, "/");
	term_send(term, other);
	term_press(term, "Enter");
	assert_true(term_wait_text(term, "· 2 of 3"));
	term_press(term, "w");
	assert_true(term_wait_text(term, two));
	assert_true(term_wait_gone(term, "PASS"));
	assert_true(term_wait_text(term, "v other verdict"));
	term_press(term, "v");
	assert_true(term_wait_text(term, one_over));
	assert_true(term_wait_text(term, "PASS"));
	term_press(term, "v");
	assert_true(term_wait_text(term, two));
	term_press(term, "Ctrl-C");
	assert_true(term_wait_text(term, "Quit, and stop watching"));
	term_press(term, "Enter");
	end(term, 0);
	live_free(second);
	live_free(first);
	live_wait_sessions(server, NULL, 0, 20000);
}

static void dbtop_does_not_watch_itself(void **state)
{
	(void)state;
	struct term *term = start(NULL, NULL);
	/* its process is found by the first scan */
	CLEANUP(cleanup_free) char *pid = mem_printf(" %d", term_pid(term));
	assert_true(term_wait_text(term, pid));
	term_press(term, "w");
	assert_true(term_wait_text(term, "that is dbtop itself"));
	assert_false(term_shows(term, "watching"));
	term_press(term, "q");
	end(term, 0);
}

static void nobody_to_watch_is_a_mistake(void **state)
{
	(void)state;
	struct term *term = start("--watch", "0");
	assert_true(term_wait_text(term, "no process has the number \"0\""));
	end(term, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(a_good_shutdown_passes),
		LIVE_TEST(a_process_that_hangs_holds_up_nothing),
		LIVE_TEST(a_pool_reports_that_it_closed),
		LIVE_TEST(python_dies_by_its_own_signal),
		LIVE_TEST(what_is_left_is_one_key_away),
		LIVE_TEST(what_was_ended_before_spoils_no_verdict),
		LIVE_TEST(ctrl_c_asks_while_a_watch_is_armed),
		LIVE_TEST(the_last_verdict_stays_reachable),
		LIVE_TEST(dbtop_does_not_watch_itself),
		LIVE_TEST(nobody_to_watch_is_a_mistake),
	};
	return LIVE_GROUP("watch", tests, .sql = NULL);
}
