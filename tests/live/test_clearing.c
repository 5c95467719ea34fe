/* Stats pages that are over: folded in the panel, cleared with X after a plan, and only those. */
#include "live_group.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "term.h"

static struct private_server *other;
static char *folder; /* of the pages */

static struct live_program *start_pool(const struct private_server *at, const char *name)
{
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(at, LIVE_TCP4, NULL);
	const char *const argv[] = { PAGED_CLIENT_PATH, conninfo, folder, name, "rest", NULL };
	struct live_program *program = live_start(&(struct live_program_options){ .argv = argv });
	live_wait_out(program, "ready\n", 30000);
	return program;
}

/* Its page stays, and is evidence of nothing: its sessions end with it. */
static void let_die(const char *name)
{
	CLEANUP(cleanup_free) char *where = mem_printf("application_name LIKE '%s/%%'", name);
	struct live_program *program = start_pool(server, name);
	live_signal(program, SIGKILL);
	(void)live_finish(program, 10000);
	live_wait_sessions(server, where, 0, 20000);
}

static int count_pages(void)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir(folder);
	int count = 0;
	for (const struct dirent *entry; dir && (entry = readdir(dir));)
		count += strstr(entry->d_name, ".page") != NULL;
	return count;
}

static struct term *open_dashboard(const char *option, const char *value)
{
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	return term_start(&(struct term_options){ .width = 130, .height = 40 },
		(const char *const[]){ live_dbtop_path(), "-i", "0.2", "--pages", folder, conninfo,
			option, value, NULL });
}

static void what_is_over_is_cleared_when_asked(void **state)
{
	(void)state;
	struct live_program *alive = start_pool(server, "alive");
	(void)start_pool(other, "stranger");
	struct live_program *former = start_pool(other, "former");
	live_signal(former, SIGKILL);
	(void)live_finish(former, 10000);
	let_die("first");
	let_die("second");
	assert_int_equal(count_pages(), 5);
	struct term *term = open_dashboard(NULL, NULL);
	assert_true(term_wait_text(term,
		"2 pages of dead processes: nothing left behind · 2 pools of other servers, 1 "
		"ended   X clears them"));
	CLEANUP(cleanup_free) char *living = mem_printf("alive %d", (int)live_pid(alive));
	assert_true(term_shows(term, living));
	assert_false(term_shows(term, "stranger"));
	/* looking, and leaving it at that, changes nothing */
	term_press(term, "X");
	assert_true(term_wait_text(term, "Remove 3 stats pages of dead processes?"));
	assert_true(term_shows(term, "first "));
	assert_true(term_shows(term, "second "));
	assert_true(term_shows(term, "former "));
	assert_false(term_shows(term, "stranger"));
	term_press(term, "Esc");
	assert_true(term_wait_gone(term, "Remove 3"));
	assert_int_equal(count_pages(), 5);

	term_press(term, "X");
	assert_true(term_wait_text(term, "Remove 3 stats pages of dead processes?"));
	term_confirm(term);
	assert_true(term_wait_text(term, "done: 3 of 3 removed"));
	assert_int_equal(count_pages(), 2);
	term_press(term, "Esc");
	/* "1 page of a dead process", while the pages are read between two removals */
	assert_true(term_wait_gone(term, "dead process"));
	assert_true(term_wait_text(term, "1 pool of other servers"));
	term_press(term, "X");
	assert_true(
		term_wait_text(term, "no dead process here has left a page that can be removed"));

	CLEANUP(cleanup_free)
	char *path = mem_printf("%s/.local/state/dbtop/actions.jsonl", term_home(term));
	CLEANUP(cleanup_free) char *log = live_read(path);
	assert_non_null(log);
	assert_non_null(strstr(log, "\"action\":\"clear_pages\""));
	assert_non_null(strstr(log, "\"targets\":3"));
	const char *cleared = strstr(log, "\"result\":\"cleared\"");
	assert_non_null(cleared);
	assert_non_null(strstr(cleared + 1, "\"result\":\"cleared\""));
	term_press(term, "a");
	assert_true(term_wait_text(term, "clear pages: begins with 3 targets"));
	term_end(term);
	live_teardown(NULL);
}

static void who_may_not_act_clears_nothing(void **state)
{
	(void)state;
	let_die("mortal");
	int before = count_pages();
	struct term *term = open_dashboard("--readonly", NULL);
	assert_true(term_wait_text(term, "nothing left behind"));
	assert_false(term_shows(term, "X clears"));
	term_press(term, "X");
	assert_true(term_wait_text(term, "read-only: no action is possible"));
	term_end(term);
	term = open_dashboard("--app", "somebody");
	assert_true(term_wait_text(term, "nothing left behind"));
	term_press(term, "X");
	assert_true(term_wait_text(term, "another user's, or not of --app"));
	term_end(term);
	assert_int_equal(count_pages(), before);
}

static void start_other(void)
{
	other = live_server_start(NULL);
	folder = mem_printf("%s/pages", live_folder());
	assert_int_equal(mkdir(folder, 0700), 0);
}

static void stop_other(void)
{
	free(folder);
	private_server_stop(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(what_is_over_is_cleared_when_asked),
		LIVE_TEST(who_may_not_act_clears_nothing),
	};
	return LIVE_GROUP("clearing", tests, .set_up = start_other, .take_down = stop_other);
}
