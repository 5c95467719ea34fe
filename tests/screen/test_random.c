/* Thousands of random keys, clicks and resizes: nothing ends dbtop, and the screen is the same when
 * it is drawn afresh. The server is a private one: a plan that is confirmed ends its sessions, and
 * new ones come. So is the folder of stats pages, and no configuration but ours names a command
 * that starts a proxy. $DBTOP_TEST_SEED repeats a run. */
#include "set.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "look.h"

#define STEPS         10000
#define COMPARE_EVERY 40

/* Not the ones that end, stop or pause it (its age would run), and not an o: the word that confirms
 * an emergency has one. Those have tests of their own. Esc is there more than once, as some pages
 * know no other way back. */
static const char *const keys[] = { "k", "K", "c", "/", "s", "S", "g", "Space", "u", "Enter",
	"Left", "Right", "Up", "Down", "PgUp", "PgDn", "Home", "End", "j", "J", "G", "a", "y", "t",
	"?", "F1", "Esc", "Ctrl-l", "Ctrl-d", "Ctrl-u", "Backspace", "Delete", "Tab", "w", "e", "b",
	"é", "漢", "!", ":", "n", "N", "l", "f", "x", "Insert", "F5", "m", "[", "]", "P", "E", "X",
	"Esc", "Esc" };

static const struct {
	int width, height;
} sizes[] = { { 80, 24 }, { 120, 36 }, { 200, 50 }, { 40, 12 }, { 30, 8 }, { 100, 30 }, { 1, 1 },
	{ 2, 2 }, { 79, 23 }, { 500, 200 }, { 20, 40 }, { 300, 4 }, { 60, 15 }, { 10, 3 },
	{ 132, 43 } };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static unsigned int seed;

/* --- what it looks at --- */

static char *pages;     /* the folder of stats pages, … */
static char *page;      /* the one in it of a dead process … */
static char *kept_page; /* … and the same file in another folder */
static char *config;

static char *find_page(void)
{
	CLEANUP(cleanup_dir) DIR *dir = opendir(pages);
	char *path = NULL;
	for (const struct dirent *entry; dir && !path && (entry = readdir(dir));)
		if (strstr(entry->d_name, ".page"))
			path = mem_printf("%s/%s", pages, entry->d_name);
	return path;
}

/* X removes it as often as it is asked to. */
static void give_page(void)
{
	if (access(page, F_OK) != 0)
		assert_int_equal(link(kept_page, page), 0);
}

static void let_a_pool_die(void)
{
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(server, LIVE_TCP4, NULL);
	const char *const argv[] = { PAGED_CLIENT_PATH, conninfo, pages, "mortal", "rest", NULL };
	struct live_program *pool = live_start(&(struct live_program_options){ .argv = argv });
	live_wait_out(pool, "ready\n", 30000);
	live_signal(pool, SIGKILL);
	(void)live_finish(pool, 10000);
	live_free(pool);
	live_wait_sessions(server, "application_name LIKE 'mortal%'", 0, 20000);
	page = find_page();
	assert_non_null(page);
	assert_int_equal(link(page, kept_page), 0);
}

static void make_folders(void)
{
	set_enter();
	pages = mem_printf("%s/pages", live_folder());
	kept_page = mem_printf("%s/kept", live_folder());
	config = live_file(live_folder(), "config.yaml", "proxy: {health: \"\", start: []}\n");
	assert_int_equal(mkdir(pages, 0700), 0);
	let_a_pool_die();
}

static void free_folders(void)
{
	free(pages);
	free(page);
	free(kept_page);
	free(config);
}

/* --- what is done --- */

static size_t choose(size_t n)
{
	return (size_t)rand_r(&seed) % n;
}

static void resize(struct term *term)
{
	size_t i = choose(COUNT(sizes) + 4);
	if (i < COUNT(sizes))
		term_resize(term, sizes[i].width, sizes[i].height);
	else
		term_resize(term, 1 + (int)choose(160), 1 + (int)choose(60));
}

/* Bytes that are no key of ours: broken, unknown and half sequences. */
static void send_noise(struct term *term)
{
	static const char *const noise[] = { "\033[99~", "\033[1;5A", "\033O", "\033[", "\xff\xfe",
		"\xc3", "\033[200~xx\033[201~", "\033]0;x\007", "\033[<0;5;5M", "\033[<64;3;3M",
		"\033[M abc", "\033\033\033" };
	term_send(term, noise[choose(COUNT(noise))]);
}

static void step(struct term *term)
{
	size_t what = choose(100);
	if (what < 6)
		resize(term);
	else if (what < 9)
		send_noise(term);
	else
		term_press(term, keys[choose(COUNT(keys))]);
	term_read(term, 0);
}

static void print_cell(const char *when, const struct term_cell *cell)
{
	fprintf(stderr, "%s: U+%04X width %d fg %d bg %d%s%s%s%s\n", when, cell->chars[0],
		cell->width, cell->fg, cell->bg, cell->bold ? " bold" : "",
		cell->underline ? " underline" : "", cell->italic ? " italic" : "",
		cell->reverse ? " reverse" : "");
}

/* Whether a clock explains each row that changed: then its text did. */
static bool time_went_by(
	const struct term_screen *before, const struct term_screen *after, int *ret_x, int *ret_y)
{
	for (int y = 0; y < after->height; y++) {
		if (term_rows_equal(before, after, y, ret_x))
			continue;
		CLEANUP(cleanup_free) char *was = term_screen_line(before, y);
		CLEANUP(cleanup_free) char *is = term_screen_line(after, y);
		if (strcmp(was, is) == 0 || !look_time_went_by(before, after, y)) {
			*ret_y = y;
			return false;
		}
	}
	return true;
}

/* Draws afresh; true when nothing changed that a clock does not explain. */
static bool is_clean(struct term *term, bool *ret_compared)
{
	assert_true(term_settle(term));
	struct term_screen *before = term_copy(term);
	size_t written = term_written(term);
	term_press(term, "Ctrl-l");
	assert_true(term_settle(term));
	struct term_screen *after = term_copy(term);
	int x, y;
	bool equal = term_screens_equal(before, after, &x, &y);
	CLEANUP(cleanup_free) char *text = term_screen_text(after);
	/* libvterm's line of one column is not one: see term_screen.c */
	bool clean = equal || after->width == 1 || time_went_by(before, after, &x, &y);
	/* Ctrl-L writes everything again, or it was no test */
	*ret_compared = clean && term_written(term) - written >= strlen(text);
	if (!clean) {
		CLEANUP(cleanup_free) char *was = term_screen_text(before);
		fprintf(stderr, "--- garbled at column %d, row %d; it was\n%s", x, y, was);
		print_cell("was", term_cell(before, x, y));
		print_cell("is", term_cell(after, x, y));
		term_print(term, "drawn afresh it is");
	}
	free(before);
	free(after);
	return clean;
}

static void seed_it(void)
{
	const char *given = getenv("DBTOP_TEST_SEED");
	seed = given ? (unsigned int)strtoul(given, NULL, 10) : (unsigned int)time(NULL);
	print_message("DBTOP_TEST_SEED=%u repeats this session\n", seed);
}

static void end_session(struct term *term)
{
	/* ncurses takes up to 16 bytes in one packet for the rest of a character that was broken
	 * off */
	assert_true(term_wait_taken(term));
	for (int i = 0; i < 10; i++)
		term_press(term, "Esc");
	term_resize(term, 120, 36);
	assert_true(term_wait_text(term, "slots"));
	set_quit(term);
}

/* Sessions come and go, plans are confirmed, and a refresh falls into everything. */
static void nothing_ends_it(void **state)
{
	(void)state;
	seed_it();
	char *conninfo = live_conninfo(server, LIVE_TCP4, "application_name=churn");
	struct live_program *churn = live_client(conninfo, "churn", NULL);
	struct term *term = set_open(80, 24, "--pages", pages, "-c", config, NULL);
	int steps = live_rounds(STEPS / 2);
	for (int i = 0; i < steps; i++) {
		step(term);
		if (i % COMPARE_EVERY == 0)
			assert_true(term_wait_taken(term));
		give_page();
	}
	end_session(term);
	/* its sessions were ended, but nobody confirmed an emergency */
	assert_true(live_running(churn));
	live_free(churn);
	free(conninfo);
}

/* Its backend is stopped: no answer falls between two looks. */
static void stop_backend(int signal_number)
{
	PGconn *conn = live_connect(private_server_conninfo(server));
	long pid = live_number(
		conn, "SELECT pid FROM pg_stat_activity WHERE application_name = 'dbtop'");
	PQfinish(conn);
	assert_true(pid > 1 && kill((pid_t)pid, signal_number) == 0);
}

/* Only keys change the screen: what is left of an older frame is a mistake. */
static void nothing_is_garbled(void **state)
{
	(void)state;
	seed_it();
	struct term *term =
		set_open(80, 24, "--readonly", "-i", "3600", "--pages", pages, "-c", config, NULL);
	stop_backend(SIGSTOP);
	int steps = live_rounds(STEPS / 2), compared = 0;
	for (int i = 0; i < steps; i++) {
		step(term);
		if (i % COMPARE_EVERY)
			continue;
		bool is_comparison;
		if (!is_clean(term, &is_comparison))
			fail_msg("step %d", i);
		compared += is_comparison;
	}
	/* but for those where Ctrl-L is not a key: where text is typed */
	print_message("%d comparisons in %d steps\n", compared, steps);
	assert_true(compared > steps / COMPARE_EVERY / 2);
	stop_backend(SIGCONT);
	end_session(term);
	/* read-only it removes nothing */
	assert_int_equal(access(page, F_OK), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		LIVE_TEST(nothing_is_garbled),
		LIVE_TEST(nothing_ends_it),
	};
	return LIVE_GROUP("random", tests, .set_up = make_folders, .take_down = free_folders,
		.kept = SET_SESSIONS);
}
