/* P: the proxy's page, start and restart, with haproxy in front of a real server. */
#include "live_group.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "set.h"

static int port; /* the proxy's */
static char *config;

static struct term *open_dashboard(bool through, bool readonly)
{
	CLEANUP(cleanup_free) char *conninfo = NULL;
	assert_true(asprintf(&conninfo, "host=127.0.0.1 port=%d user=postgres dbname=postgres",
			    through ? port : private_server_port(server)) > 0);
	return term_start(&(struct term_options){ .width = 130, .height = 40 },
		(const char *const[]){ live_dbtop_path(), "-i", "0.2", "-c", config, conninfo,
			readonly ? "--readonly" : NULL, NULL });
}

/* The number behind a text on the screen. */
static pid_t number_behind(struct term *term, const char *text)
{
	int x, y;
	assert_true(term_find(term, text, &x, &y));
	CLEANUP(cleanup_free) char *line = term_line(term, y);
	return (pid_t)atoi(strstr(line, text) + strlen(text));
}

static bool is_reaped(void *data)
{
	return kill(*(const pid_t *)data, 0) != 0;
}

/* "s start " is the key; a server that is slow to answer brings up "s starts it". */
static void start_then_restart(void **state)
{
	(void)state;
	struct term *term = open_dashboard(false, false);
	assert_true(term_wait_text(term, "proxy ✗ absent"));
	term_press(term, "P");
	assert_true(term_wait_text(term, "nobody listens on port"));
	assert_true(term_wait_text(term, "s start "));
	assert_false(term_shows(term, "r restart"));
	term_press(term, "r");
	assert_true(term_wait_text(term, "it does not run; s starts it"));
	term_press(term, "s");
	assert_true(term_wait_text(term, "Start the proxy?"));
	assert_true(term_shows(term, "timeout 100 /usr/sbin/haproxy -db -f"));
	term_press(term, "Esc");
	assert_true(term_wait_gone(term, "Start the proxy?"));
	term_press(term, "s");
	assert_true(term_wait_text(term, "Start the proxy?"));
	term_confirm(term);
	assert_true(term_wait_text(term, "started: process"));
	term_press(term, "Esc");
	assert_true(term_wait_text(term, "serving: the server answers through it"));
	pid_t first = number_behind(term, "│ process        ");
	assert_true(first > 1);
	term_press(term, "s");
	assert_true(term_wait_text(term, "it runs already"));
	assert_true(term_wait_text(term, "r restart"));
	assert_false(term_shows(term, "s start "));

	term_press(term, "r");
	assert_true(term_wait_text(term, "Restart the proxy?"));
	assert_int_equal(number_behind(term, "│ stops          "), first);
	term_confirm(term);
	assert_true(term_wait_text(term, "started: process"));
	term_press(term, "Esc");
	assert_true(term_wait_gone(term, "started: process"));
	/* what was known of the old one stays until the next look */
	CLEANUP(cleanup_free) char *old = NULL;
	assert_true(asprintf(&old, "│ process        %d ", first) > 0);
	assert_true(term_wait_gone(term, old));
	assert_true(term_wait_text(term, "serving: the server answers through it"));
	pid_t second = number_behind(term, "│ process        ");
	assert_int_not_equal(second, first);
	/* it has ended, but its new parent may reap it later */
	assert_true(live_wait(is_reaped, &first, 10000));

	CLEANUP(cleanup_free) char *path = NULL;
	assert_true(asprintf(&path, "%s/.local/state/dbtop/actions.jsonl", term_home(term)) > 0);
	CLEANUP(cleanup_free) char *audit = live_read(path);
	assert_non_null(audit);
	assert_non_null(strstr(audit, "\"action\":\"proxy_start\""));
	assert_non_null(strstr(audit, "\"action\":\"proxy_restart\""));
	assert_non_null(strstr(audit, "\"result\":\"started\""));
	term_press(term, "Esc");
	assert_true(term_wait_text(term, "proxy ● serving"));
	term_end(term);
	/* what it started lives on without it */
	assert_int_equal(kill(second, 0), 0);
	kill(second, SIGKILL);
}

static void readonly_and_foreign(void **state)
{
	(void)state;
	struct term *term = open_dashboard(false, true);
	assert_true(term_wait_text(term, "proxy ✗ absent"));
	term_press(term, "P s");
	assert_true(term_wait_text(term, "read-only: no action is possible"));
	assert_false(term_shows(term, "s start "));
	term_end(term);

	CLEANUP(cleanup_free) char *listen = NULL;
	assert_true(asprintf(&listen, "TCP-LISTEN:%d,bind=127.0.0.1,fork", port) > 0);
	struct live_program *other = live_start(&(struct live_program_options){
		.argv = (const char *const[]){ "socat", listen, "EXEC:cat", NULL },
	});
	term = open_dashboard(false, false);
	assert_true(term_wait_text(term, "proxy ✗ foreign"));
	term_press(term, "P");
	assert_true(term_wait_text(term, "another program listens on its port"));
	term_press(term, "r");
	assert_true(term_wait_text(term, "another program has its port, and is left alone"));
	assert_false(term_shows(term, "s start ") || term_shows(term, "r restart"));
	term_press(term, "s");
	assert_true(term_wait_text(term, "another program has its port"));
	assert_true(live_running(other));
	live_free(other);
	assert_true(term_wait_text(term, "absent: nobody listens on its port"));
	term_end(term);
}

/* As the configuration is before anybody wrote one. */
static void without_a_command_none_is_offered(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *yaml = NULL, *conninfo = NULL;
	assert_true(
		asprintf(&yaml, "proxy: {process: haproxy, port: %d, health: \"\"}\n", port) > 0);
	assert_true(asprintf(&conninfo, "host=127.0.0.1 port=%d user=postgres dbname=postgres",
			    private_server_port(server)) > 0);
	CLEANUP(cleanup_free)
	char *path = live_file(live_folder(), "without-command.yaml", yaml);
	struct term *term = term_start(&(struct term_options){ .width = 130, .height = 40 },
		(const char *const[]){
			live_dbtop_path(), "-i", "0.2", "-c", path, conninfo, NULL });
	assert_true(term_wait_text(term, "proxy ✗ absent"));
	term_press(term, "P");
	assert_true(term_wait_text(term, "nobody listens on port"));
	assert_true(term_wait_text(term, "Esc close"));
	assert_false(term_shows(term, "s start ") || term_shows(term, "r restart"));
	term_press(term, "s");
	assert_true(term_wait_text(term, "there is no command for it: proxy.start"));
	term_end(term);
}

/* Through the proxy: it falls, it is started again from here, and dbtop comes back by itself. */
static void fallen_and_back(void **state)
{
	(void)state;
	struct term *term = open_dashboard(true, false);
	assert_true(term_wait_text(term, "proxy ✗ absent"));
	term_press(term, "P s");
	assert_true(term_wait_text(term, "Start the proxy?"));
	term_confirm(term);
	assert_true(term_wait_text(term, "started: process"));
	term_press(term, "Esc");
	assert_true(term_wait_text(term, "of dbtop's own connection, which goes through it"));
	pid_t proxy = number_behind(term, "│ process        ");
	term_press(term, "Esc");
	assert_true(term_wait_text(term, "proxy ● serving"));
	kill(proxy, SIGKILL);
	assert_true(term_wait_text(term, "proxy ✗ absent"));
	term_end(term);
}

static void every_size_shows_it(void **state)
{
	static const int sizes[][2] = { { 80, 24 }, { 120, 36 }, { 200, 50 }, { 40, 12 },
		{ 30, 8 } };
	(void)state;
	struct term *term = open_dashboard(false, false);
	assert_true(term_wait_text(term, "proxy ✗ absent"));
	term_press(term, "P");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		term_resize(term, sizes[i][0], sizes[i][1]);
		assert_true(term_settle(term));
		assert_true(term_wait_text(term, "absent"));
	}
	term_end(term);
}

/* What dbtop starts outlives it: `timeout` ends it soon after the tests. */
static void write_config(void)
{
	CLEANUP(cleanup_free) char *haproxy = NULL, *yaml = NULL;
	port = live_free_port();
	assert_true(asprintf(&haproxy,
			    "defaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n"
			    " timeout server 1h\nlisten proxy\n bind 127.0.0.1:%d\n"
			    " server only 127.0.0.1:%d\n",
			    port, private_server_port(server)) > 0);
	CLEANUP(cleanup_free) char *path = live_file(live_folder(), "haproxy.cfg", haproxy);
	assert_true(asprintf(&yaml,
			    "proxy:\n  process: haproxy\n  port: %d\n  health: \"\"\n"
			    "  start: [timeout, \"100\", /usr/sbin/haproxy, -db, -f, %s]\n",
			    port, path) > 0);
	config = live_file(live_folder(), "config.yaml", yaml);
}

static void free_config(void)
{
	free(config);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		LIVE_TEST(start_then_restart),
		LIVE_TEST(readonly_and_foreign),
		LIVE_TEST(without_a_command_none_is_offered),
		LIVE_TEST(fallen_and_back),
		LIVE_TEST(every_size_shows_it),
	};
	return LIVE_GROUP("proxy", tests, .set_up = write_config, .take_down = free_config);
}
