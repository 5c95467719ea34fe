/* The overview of servers: what needs a person first, and that no key meant for one server reaches
 * another. */
#include "set.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"

/* Beside the group's server. */
static struct private_server *other;

static void start_other(void)
{
	other = live_server_start(NULL);
	live_sql(other, "CREATE ROLE plain LOGIN");
	live_keep(true);
}

static void stop_other(void)
{
	private_server_stop(other);
}

/* --- the configuration --- */

struct databases {
	FILE *out;
	char *text;
	size_t size;
};

static void begin(struct databases *databases)
{
	databases->out = open_memstream(&databases->text, &databases->size);
	fputs("databases:\n", databases->out);
}

static void add(struct databases *databases, const char *name, const char *conninfo)
{
	fprintf(databases->out, "  %s: \"%s\"\n", name, conninfo);
}

static void add_server(struct databases *databases, const char *name,
	const struct private_server *to, const char *more)
{
	CLEANUP(cleanup_free) char *conninfo = live_conninfo(to, LIVE_TCP4, more);
	add(databases, name, conninfo);
}

static void add_port(struct databases *databases, const char *name, int port)
{
	CLEANUP(cleanup_free)
	char *conninfo =
		mem_printf("host=127.0.0.1 port=%d user=app dbname=app connect_timeout=2", port);
	add(databases, name, conninfo);
}

/* The file's path, which the caller frees. */
static char *finish(struct databases *databases)
{
	fclose(databases->out);
	char *path = live_file(live_folder(), "servers.yaml", databases->text);
	free(databases->text);
	return path;
}

/* alpha is the group's server, beta the other one. */
static char *two_servers(void)
{
	struct databases databases;
	begin(&databases);
	add_server(&databases, "alpha", server, NULL);
	add_server(&databases, "beta", other, NULL);
	return finish(&databases);
}

/* The last argument is --all, or a name. */
static struct term *open_at(
	int width, int height, const char *config, const char *what, const char *interval)
{
	return term_start(&(struct term_options){ .width = width, .height = height },
		(const char *const[]){ live_dbtop_path(), "-w", "-c", config, "-i", interval,
			"--transaction-limit", SET_LIMIT, what, NULL });
}

static struct term *open_config(int width, int height, const char *config, const char *what)
{
	return open_at(width, height, config, what, "0.5");
}

/* A port where connections are accepted by the kernel, and nobody answers. */
static int open_hole(int *ret_fd)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*ret_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(*ret_fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(*ret_fd, 16), 0);
	assert_int_equal(getsockname(*ret_fd, (struct sockaddr *)&address, &length), 0);
	return ntohs(address.sin_port);
}

/* Two sessions that are leaked soon. */
static void leak(const struct private_server *on)
{
	CLEANUP(cleanup_free)
	char *conninfo = live_conninfo(on, LIVE_TCP4, "application_name=forgetful");
	live_client(conninfo, "transaction", "2", NULL);
}

static long leaks_left(const struct private_server *on)
{
	return live_sessions(on, "application_name = 'forgetful'");
}

/* --- screens --- */

struct line_wanted {
	int y;
	const char *a, *b;
};

static bool has_line(struct term *term, void *data)
{
	const struct line_wanted *wanted = data;
	CLEANUP(cleanup_free) char *line = term_line(term, wanted->y);
	return strstr(line, wanted->a) && strstr(line, wanted->b);
}

static void wait_line(struct term *term, int y, const char *a, const char *b)
{
	struct line_wanted wanted = { y, a, b };
	assert_true(term_wait(term, has_line, &wanted, a));
}

/* Opens the only server that the filter leaves. */
static void open_by_name(struct term *term, const char *name)
{
	CLEANUP(cleanup_free) char *keys = mem_alloc(2 * strlen(name) + 1);
	for (size_t i = 0; name[i]; i++) {
		keys[2 * i] = name[i];
		keys[2 * i + 1] = ' ';
	}
	CLEANUP(cleanup_free) char *filter = mem_printf("filter: %s", name);
	CLEANUP(cleanup_free) char *title = mem_printf("%s: postgres @", name);
	term_press(term, "/");
	term_press(term, keys);
	term_press(term, "Enter");
	assert_true(term_wait_text(term, filter));
	assert_true(term_settle(term));
	term_press(term, "Enter");
	assert_true(term_wait_text(term, title));
}

static void back_to_all(struct term *term)
{
	term_press(term, "Esc");
	assert_true(term_wait_text(term, "2 servers"));
	term_press(term, "Esc");
	assert_true(term_wait_gone(term, "filter:"));
}

static const int sizes[][2] = { { 120, 36 }, { 80, 24 }, { 200, 50 }, { 40, 12 }, { 30, 8 } };

/* 50 servers, most of them well: the others are on top at every size, and by signs and words. */
static void fifty_servers_are_seen_at_one_glance(void **state)
{
	(void)state;
	struct databases databases;
	int hole;
	begin(&databases);
	for (int i = 1; i <= 45; i++) {
		char name[16];
		snprintf(name, sizeof(name), "app%d", i);
		add_server(&databases, name, server, NULL);
	}
	add_server(&databases, "plain", other, "user=plain");
	add_server(&databases, "crowded", other, NULL);
	add_port(&databases, "dead", live_free_port());
	add_port(&databases, "gone", live_free_port());
	add_port(&databases, "hole", open_hole(&hole));
	CLEANUP(cleanup_free) char *config = finish(&databases);
	/* all that a plain role may have; what is left are a superuser's */
	CLEANUP(cleanup_free)
	char *crowd = live_conninfo(other, LIVE_TCP4, "user=plain application_name=crowd");
	live_client(crowd, "idle", "22", NULL);
	/* fifty polls twice a second are more than a busy machine can do */
	struct term *term = open_at(120, 36, config, "--all", "2");
	assert_true(term_wait_text(term, "50 servers"));
	assert_true(term_wait_text(term, "3 not reached"));
	assert_true(term_wait_text(term, "1 full"));
	assert_true(term_wait_gone(term, "connecting"));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int first = sizes[i][0] >= 60 ? 3 : 1;
		term_resize(term, sizes[i][0], sizes[i][1]);
		wait_line(term, 0, "50 servers", "3 not reached");
		wait_line(term, first, "! dead", "no answer");
		wait_line(term, first + 1, "! gone", "no answer");
		wait_line(term, first + 2, "! hole", "no answer");
		wait_line(term, first + 3, "! plain", "FULL");
		wait_line(term, first + 4, "! crowded", "none free");
		wait_line(term, first + 5, "  app1 ", " ok");
	}
	/* to the end of the list and back, while the hole keeps silent */
	term_press(term, "End");
	assert_true(term_wait_text(term, "app45"));
	term_press(term, "Home");
	assert_true(term_wait_text(term, "dead"));
	assert_int_equal(live_sessions(server, "application_name = 'dbtop'"), 45);
	set_quit(term);
	close(hole);
}

static void keys_that_end_something_need_a_server(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *config = two_servers();
	leak(server);
	struct term *term = open_config(100, 30, config, "--all");
	assert_true(term_wait_text(term, "2 leaked"));
	static const char *const keys[] = { "k", "K", "c", "E", "w", "X", "Space", "u" };
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		term_press(term, "?");
		assert_true(term_wait_text(term, "open the server"));
		term_press(term, "Esc");
		assert_true(term_wait_gone(term, "Help"));
		term_press(term, keys[i]);
		assert_true(term_wait_text(term, "open a server with Enter first"));
	}
	assert_int_equal(leaks_left(server), 2);
	set_quit(term);
}

/* Both servers have two leaks; the table of alpha is shown. */
static struct term *open_leaking_alpha(void)
{
	CLEANUP(cleanup_free) char *config = two_servers();
	leak(server);
	leak(other);
	struct term *term = open_config(120, 36, config, "--all");
	assert_true(term_wait_text(term, "2 with leaks"));
	open_by_name(term, "alpha");
	assert_true(term_wait_text(term, "✗ 2 leaked"));
	return term;
}

/* What was begun on one server is never carried out on another. */
static void a_plan_stays_with_its_server(void **state)
{
	(void)state;
	struct term *term = open_leaking_alpha();
	/* tagged there, and planned */
	term_press(term, "g g g g g g g");
	assert_true(term_settle(term));
	term_press(term, "Home Space");
	assert_true(term_wait_text(term, "●"));
	term_press(term, "k");
	assert_true(term_wait_text(term, "End 2 leaked connections?"));
	/* no way leads from the plan to another server */
	term_press(term, "D");
	assert_true(term_settle(term));
	assert_true(term_shows(term, "End 2 leaked connections?"));
	assert_true(term_shows(term, "alpha: postgres @"));
	term_press(term, "Esc");
	assert_true(term_wait_gone(term, "End 2 leaked"));
	back_to_all(term);
	open_by_name(term, "beta");
	assert_true(term_wait_text(term, "✗ 2 leaked"));
	/* neither the plan nor the tag came along */
	assert_false(term_shows(term, "●"));
	assert_false(term_shows(term, "End 2 leaked"));
	term_press(term, "Enter");
	assert_true(term_settle(term));
	term_press(term, "Esc");
	assert_true(term_settle(term));
	assert_int_equal(leaks_left(server), 2);
	assert_int_equal(leaks_left(other), 2);
	if (!term_shows(term, "beta: postgres @")) {
		assert_true(term_wait_text(term, "2 servers"));
		term_press(term, "Esc");
		assert_true(term_wait_gone(term, "filter:"));
		open_by_name(term, "beta");
	}
	/* its own leaks are ended, and nobody else's */
	term_press(term, "k");
	assert_true(term_wait_text(term, "End 2 leaked connections?"));
	term_confirm(term);
	assert_true(term_wait_text(term, "done: 2 of 2"));
	assert_int_equal(leaks_left(other), 0);
	assert_int_equal(leaks_left(server), 2);
	/* the tag is still where it was made */
	term_press(term, "Esc");
	assert_true(term_wait_gone(term, "done:"));
	back_to_all(term);
	open_by_name(term, "alpha");
	assert_true(term_wait_text(term, "●"));
	set_quit(term);
}

/* An action that runs is not disturbed by looking at another server. */
static void an_action_keeps_its_server(void **state)
{
	(void)state;
	struct term *term = open_leaking_alpha();
	term_press(term, "k");
	assert_true(term_wait_text(term, "End 2 leaked connections?"));
	term_confirm(term);
	term_press(term, "Esc");
	back_to_all(term);
	open_by_name(term, "beta");
	live_wait_sessions(server, "application_name = 'forgetful'", 0, 10000);
	assert_int_equal(leaks_left(other), 2);
	set_quit(term);
}

/* The soft limit of a process's descriptors. */
static rlim_t descriptors_of(pid_t pid)
{
	struct rlimit limit;
	assert_int_equal(prlimit(pid, RLIMIT_NOFILE, NULL, &limit), 0);
	return limit.rlim_cur;
}

/* Looking opens connections only when a person asks; then there are descriptors enough. */
static void d_connects_to_the_others(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *config = two_servers();
	struct term *term = term_start(&(struct term_options){ .width = 100, .height = 30 },
		(const char *const[]){ "/bin/sh", "-c", "ulimit -S -n 256; exec \"$0\" \"$@\"",
			live_dbtop_path(), "-w", "-c", config, "alpha", NULL });
	assert_true(term_wait_text(term, "alpha: postgres @"));
	assert_true(term_wait_text(term, "live"));
	/* with one server Esc stays where it is */
	term_press(term, "Esc");
	assert_true(term_settle(term));
	assert_true(term_shows(term, "alpha: postgres @"));
	assert_int_equal(live_sessions(other, "application_name = 'dbtop'"), 0);
	assert_true(descriptors_of(term_pid(term)) > 256);
	term_press(term, "D");
	assert_true(term_wait_text(term, "2 servers"));
	assert_true(term_wait_text(term, "all well"));
	assert_int_equal(live_sessions(other, "application_name = 'dbtop'"), 1);
	assert_int_equal(live_sessions(server, "application_name = 'dbtop'"), 1);
	term_press(term, "Esc");
	assert_true(term_wait_text(term, "alpha: postgres @"));
	term_press(term, "D");
	assert_true(term_wait_text(term, "2 servers"));
	open_by_name(term, "beta");
	set_quit(term);
}

/* Neither is of one server: what is shown of the others would be old, and called live. */
/* Without a shorter interval for both, the leaks would be seen after ten minutes. */
static void pause_and_interval_are_those_of_all_servers(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *config = two_servers();
	struct term *term = term_start(&(struct term_options){ .width = 120, .height = 36 },
		(const char *const[]){ live_dbtop_path(), "-w", "-c", config, "-i", "600",
			"--transaction-limit", SET_LIMIT, "--all", NULL });
	assert_true(term_wait_text(term, "all well"));
	for (int i = 0; i < 7; i++)
		term_press(term, "-");
	assert_true(term_wait_text(term, "every 0.5s"));
	leak(server);
	leak(other);
	assert_true(term_wait_text(term, "2 with leaks"));
	open_by_name(term, "alpha");
	assert_true(term_wait_text(term, "live 0.5s"));
	term_press(term, "p");
	assert_true(term_wait_text(term, "paused"));
	back_to_all(term);
	assert_true(term_wait_text(term, "paused"));
	live_sql(other,
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
		" WHERE application_name = 'forgetful'");
	live_wait_sessions(other, "application_name = 'forgetful'", 0, 10000);
	assert_true(term_settle(term));
	assert_true(term_shows(term, "2 with leaks"));
	term_press(term, "p");
	assert_true(term_wait_gone(term, "paused"));
	assert_true(term_wait_text(term, "1 with leaks"));
	term_press(term, "+");
	assert_true(term_wait_text(term, "every 1.0s"));
	open_by_name(term, "beta");
	assert_true(term_wait_text(term, "live 1.0s"));
	set_quit(term);
}

/* Ctrl+C may be meant for an application that is watched, also while another screen is shown. */
static void ctrl_c_asks_on_the_server_that_watches(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *config = two_servers();
	leak(server);
	struct term *term = open_config(120, 36, config, "--all");
	assert_true(term_wait_text(term, "with leaks"));
	open_by_name(term, "alpha");
	assert_true(term_wait_text(term, "✗ 2 leaked"));
	assert_true(term_wait_gone(term, "looking for"));
	term_press(term, "Home w");
	assert_true(term_wait_text(term, "armed"));
	term_press(term, "Esc");
	back_to_all(term);
	term_press(term, "Ctrl-c");
	assert_true(term_wait_text(term, "Quit, and stop watching"));
	assert_true(term_shows(term, "alpha: postgres @"));
	term_press(term, "n");
	assert_true(term_wait_gone(term, "Quit, and stop watching"));
	set_quit(term);
}

static void the_mouse_selects_and_opens(void **state)
{
	(void)state;
	int x, y;
	CLEANUP(cleanup_free) char *config = two_servers();
	struct term *term = open_config(100, 30, config, "--all");
	assert_true(term_wait_text(term, "all well"));
	assert_true(term_find(term, "beta", &x, &y));
	term_click(term, x, y, 1);
	assert_true(term_settle(term));
	assert_true(term_shows(term, "2 servers"));
	term_click(term, x, y, 1);
	assert_true(term_wait_text(term, "beta: postgres @"));
	term_press(term, "Esc");
	assert_true(term_wait_text(term, "2 servers"));
	/* a column's title sorts by it, the other way round the second time */
	assert_true(term_find(term, "SERVER", &x, &y));
	term_click(term, x, y, 1);
	assert_true(term_wait_text(term, "SERVER↓"));
	term_click(term, x, y, 1);
	assert_true(term_wait_text(term, "SERVER↑"));
	wait_line(term, 3, "beta", "ok");
	wait_line(term, 4, "alpha", "ok");
	set_quit(term);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		LIVE_TEST(fifty_servers_are_seen_at_one_glance),
		LIVE_TEST(keys_that_end_something_need_a_server),
		LIVE_TEST(a_plan_stays_with_its_server),
		LIVE_TEST(an_action_keeps_its_server),
		LIVE_TEST(d_connects_to_the_others),
		LIVE_TEST(pause_and_interval_are_those_of_all_servers),
		LIVE_TEST(ctrl_c_asks_on_the_server_that_watches),
		LIVE_TEST(the_mouse_selects_and_opens),
	};
	static const char *const settings[] = { "max_connections=80", NULL };
	return LIVE_GROUP("screen-overview", tests, .settings = settings, .set_up = start_other,
		.take_down = stop_other);
}
