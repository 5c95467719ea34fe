/* Several servers in the modes without a screen: two that answer, one that is full, a port where
 * nobody listens, and one that neither accepts nor refuses. What is wrong with one costs the others
 * nothing. */
#include "live_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "black_hole.h"
#include "scraper.h"

#define WAIT_MS 60000

#define OTHERS "application_name <> 'dbtop'"

static struct private_server *second;
static struct black_hole *hole;
static char *config;             /* of all five: hung, dead, full, shop, web */
static const char *shop, *app;   /* conninfos of the group's server */
static char *web, *web_app;      /* of the second one */
static struct live_program *two; /* fill the second server for role late */

/* --- what was said --- */

static size_t count_text(const char *text, const char *part)
{
	size_t count = 0;
	for (const char *at = text; (at = strstr(at, part)); at++)
		count++;
	return count;
}

static void assert_has(const struct live_run *run, const char *part)
{
	if (!strstr(run->out, part))
		fail_msg("no \"%s\" in status %d: %s%s", part, run->status, run->out, run->err);
}

static void assert_status(const struct live_run *run, int status)
{
	if (run->status != status)
		fail_msg("status %d: %s%s", run->status, run->out, run->err);
}

/* The lines of JSON whose member has this text; the caller frees the array. */
static json_t *lines_of(const char *text, const char *member, const char *value)
{
	json_t *found = json_array();
	for (const char *line = text; *line && strchr(line, '\n'); line = strchr(line, '\n') + 1) {
		json_t *object = json_loadb(line, strcspn(line, "\n"), 0, NULL);
		assert_non_null(object);
		const char *is = live_text(object, member);
		if (is && strcmp(is, value) == 0)
			json_array_append(found, object);
		json_decref(object);
	}
	return found;
}

static size_t count_lines(const char *text, const char *member, const char *value)
{
	json_t *lines = lines_of(text, member, value);
	size_t count = json_array_size(lines);
	json_decref(lines);
	return count;
}

/* --- leaks --- */

static void wait_for_end(const struct private_server *of, int pid)
{
	CLEANUP(cleanup_free) char *where = mem_printf("pid = %d", pid);
	live_wait_sessions(of, where, 0, WAIT_MS);
}

/* A dbtop's session that the server has not ended yet would be a leak to the next dbtop. */
static void wait_for_dbtops(void)
{
	live_wait_dbtops_gone(server);
	live_wait_dbtops_gone(second);
}

/* --- reports --- */

static void once_reports_each_and_sums_up(void **state)
{
	(void)state;
	static const char *const names[] = { "hung", "dead", "full", "shop", "web" };
	struct live_run run = live_dbtop("--once", "-c", config, "--all", NULL);
	assert_status(&run, 3);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		CLEANUP(cleanup_free) char *heading = mem_printf("== %s ==\n", names[i]);
		assert_has(&run, heading);
	}
	assert_has(&run, "\n5 servers: 3 cannot tell: hung, dead, full; 2 clean\n");
	live_run_clear(&run);
	int pid = live_client_killed(web_app);
	wait_for_dbtops();
	run = live_dbtop("--once", "-c", config, "web", "dead", "shop", NULL);
	assert_status(&run, 1);
	assert_has(&run, "\n3 servers: 1 with findings: web; 1 cannot tell: dead; 1 clean\n");
	/* the hint is about that server */
	assert_has(&run, " web --kill-leaked --dry-run\n");
	live_run_clear(&run);
	CLEANUP(cleanup_free) char *end = mem_printf("SELECT pg_terminate_backend(%d)", pid);
	live_sql(second, end);
	wait_for_end(second, pid);
	wait_for_dbtops();
	run = live_dbtop("--once", "-c", config, "web", "shop", NULL);
	assert_status(&run, 0);
	live_run_clear(&run);
}

/* Each line of the log about this server says something else than its line before: others answer
 * in between. */
static void assert_logged_once(const char *path, const char *name)
{
	char line[1024], before[1024] = "";
	size_t count = 0;
	CLEANUP(cleanup_file) FILE *file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		const char *text = strstr(line, name);
		if (!text)
			continue;
		assert_string_not_equal(text, before);
		snprintf(before, sizeof(before), "%s", text);
		count++;
	}
	assert_true(count > 0);
}

static void json_is_a_line_for_each(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *log = live_file(live_folder(), "log", "");
	struct live_run run = live_dbtop(
		"--json", "--count", "2", "-i", "0.1", "--log", log, "-c", config, "--all", NULL);
	assert_status(&run, 3);
	assert_logged_once(log, " shop: ");
	assert_logged_once(log, " web: ");
	static const struct {
		const char *name, *status;
	} servers[] = { { "hung", NULL }, { "dead", "refused" }, { "full", "full" },
		{ "shop", "ok" }, { "web", "ok" } };
	for (size_t i = 0; i < sizeof(servers) / sizeof(servers[0]); i++) {
		json_t *lines = lines_of(run.out, "server.name", servers[i].name), *line;
		size_t k;
		assert_int_equal(json_array_size(lines), 2);
		json_array_foreach(lines, k, line) if (servers[i].status)
			assert_string_equal(live_text(line, "server.status"), servers[i].status);
		json_decref(lines);
	}
	live_run_clear(&run);
	wait_for_dbtops();
	/* servers that the configuration does not name have no name */
	run = live_dbtop("--json", shop, web, NULL);
	assert_status(&run, 0);
	assert_int_equal(count_text(run.out, "\"name\":null"), 2);
	assert_int_equal(count_text(run.out, "\n"), 2);
	live_run_clear(&run);
}

#define MANY 10

/* The soft limit of descriptors is meant for programs with few files; it holds for none of ours. */
static void many_servers_fit_into_a_small_limit(void **state)
{
	(void)state;
	const char *argv[MANY + 8] = { "sh", "-c", "ulimit -S -n 64; exec \"$0\" \"$@\"",
		live_dbtop_path(), "--json" };
	for (size_t i = 0; i < MANY; i++)
		argv[5 + i] = i % 2 ? shop : web;
	const struct live_program_options options = { .argv = argv };
	struct live_run run = live_run(&options, WAIT_MS);
	assert_status(&run, 0);
	assert_int_equal(count_lines(run.out, "server.status", "ok"), MANY);
	live_run_clear(&run);
}

struct awaited {
	struct live_program *program;
	const char *name;
	size_t count;
};

static bool has_lines(void *data)
{
	const struct awaited *awaited = data;
	assert_true(live_running(awaited->program));
	return count_lines(live_out(awaited->program), "server.name", awaited->name) >=
		awaited->count;
}

/* The one that hangs may take much longer than the others need for many lines. */
static void nobody_waits_for_the_one_that_hangs(void **state)
{
	(void)state;
	CLEANUP(cleanup_free)
	char *slow =
		mem_printf("host=127.0.0.1 port=%d connect_timeout=600", black_hole_port(hole));
	struct live_program *dbtop = live_dbtop_start(NULL, "--json", "--follow", "-i", "0.1", "-c",
		config, slow, "dead", "shop", "web", NULL);
	struct awaited awaited[] = { { dbtop, "dead", 3 }, { dbtop, "shop", 3 },
		{ dbtop, "web", 3 } };
	for (size_t i = 0; i < sizeof(awaited) / sizeof(awaited[0]); i++)
		assert_true(live_wait(has_lines, &awaited[i], WAIT_MS));
	/* a line of the one that hangs begins with what nobody else has */
	const char *out = live_out(dbtop), *first = strstr(out, "\"name\":null");
	assert_true(!first || first > strstr(out, "\"name\":\"web\""));
	live_signal(dbtop, SIGTERM);
	assert_int_equal(live_finish(dbtop, WAIT_MS), 3);
	/* --once reports them as they answer, too */
	dbtop = live_dbtop_start(NULL, "--once", "-c", config, slow, "web", NULL);
	live_wait_out(dbtop, "\n", WAIT_MS);
	assert_int_equal(strncmp(live_out(dbtop), "== web ==\n", 10), 0);
}

/* --- ending --- */

static void kill_leaked_ends_those_of_each(void **state)
{
	(void)state;
	int here = live_client_killed(app), there = live_client_killed(web_app);
	struct live_run run =
		live_dbtop("--kill-leaked", "--dry-run", "-c", config, "shop", "dead", "web", NULL);
	assert_status(&run, 1);
	assert_has(&run, "== shop ==\n");
	assert_has(&run, "== web ==\n");
	assert_non_null(strstr(run.err, "dbtop: dead: cannot tell: "));
	live_run_clear(&run);
	wait_for_dbtops();
	run = live_dbtop("--kill-leaked", "--yes", "--json", "-c", config, "--all", NULL);
	/* nothing survived where it could act, and three servers cannot tell */
	assert_status(&run, 3);
	wait_for_end(server, here);
	wait_for_end(second, there);
	const struct {
		const char *name;
		int pid;
	} ended[] = { { "shop", here }, { "web", there } };
	for (size_t i = 0; i < 2; i++) {
		json_t *lines = lines_of(run.out, "server.name", ended[i].name);
		assert_int_equal(json_array_size(lines), 1);
		json_t *step =
			live_find_number(json_array_get(lines, 0), "targets", "pid", ended[i].pid);
		assert_non_null(step);
		assert_string_equal(live_text(step, "result"), "terminated");
		json_decref(lines);
	}
	assert_int_equal(count_lines(run.out, "server.name", "dead"), 1);
	live_run_clear(&run);
}

static struct live_program *ask(void)
{
	const struct live_program_options terminal = { .terminal = true };
	struct live_program *dbtop =
		live_dbtop_start(&terminal, "--kill-leaked", "-c", config, "shop", "web", NULL);
	live_wait_err(dbtop, "End 2 connections on 2 servers? [y/N] ", WAIT_MS);
	return dbtop;
}

static void one_answer_is_for_all_plans(void **state)
{
	(void)state;
	int here = live_client_killed(app), there = live_client_killed(web_app);
	struct live_program *dbtop = ask();
	live_type(dbtop, "n\n");
	assert_int_equal(live_finish(dbtop, WAIT_MS), 1);
	live_free(dbtop);
	assert_int_equal(live_sessions(server, OTHERS), 1);
	wait_for_dbtops();
	dbtop = ask();
	live_type(dbtop, "y\n");
	assert_int_equal(live_finish(dbtop, WAIT_MS), 0);
	wait_for_end(server, here);
	wait_for_end(second, there);
}

/* Each server has its own times and its own log lines. */
static void the_guard_watches_each(void **state)
{
	(void)state;
	struct live_program *guard = live_dbtop_start(NULL, "--guard", "--yes", "--json", "-i",
		"0.2", "--for", "0.5", "-c", config, "--all", NULL);
	live_wait_err(guard, "shop: connected to ", WAIT_MS);
	live_wait_err(guard, "web: connected to ", WAIT_MS);
	live_wait_err(guard, "full: not connected", WAIT_MS);
	int here = live_client_killed(app);
	wait_for_end(server, here);
	int there = live_client_killed(web_app);
	wait_for_end(second, there);
	CLEANUP(cleanup_free) char *of_shop = mem_printf("shop: session %d (", here);
	CLEANUP(cleanup_free) char *of_web = mem_printf("web: session %d (", there);
	live_wait_err(guard, of_shop, WAIT_MS);
	live_wait_err(guard, of_web, WAIT_MS);
	live_wait_out(guard, "\"name\":\"shop\"", WAIT_MS);
	live_wait_out(guard, "\"name\":\"web\"", WAIT_MS);
	live_signal(guard, SIGTERM);
	assert_int_equal(live_finish(guard, WAIT_MS), 0);
}

/* --- metrics --- */

static bool has_samples(void *data)
{
	static const char *const samples[] = { "dbtop_up{server=\"hung\"} 0\n",
		"dbtop_up{server=\"dead\"} 0\n", "dbtop_up{server=\"full\"} 0\n",
		"dbtop_up{server=\"shop\"} 1\n", "dbtop_up{server=\"web\"} 1\n" };
	CLEANUP(cleanup_free) char *text = scraper_ask(*(const int *)data, "GET", "/metrics", "");
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		if (!strstr(text, samples[i]))
			return false;
	return true;
}

static bool is_fresh(void *data)
{
	CLEANUP(cleanup_free) char *text = scraper_ask(*(const int *)data, "GET", "/healthz", "");
	return strstr(text, " 200 ") && strstr(text, "ok: 2 of 2 servers");
}

/* A poll that is late makes a server stale until the next one. */
static bool is_fresh_of_two(void *data)
{
	CLEANUP(cleanup_free) char *text = scraper_ask(*(const int *)data, "GET", "/healthz", "");
	return strstr(text, " 503 ") && strstr(text, "not fresh: 2 of 5 servers are\n");
}

static void metrics_have_a_label_for_each(void **state)
{
	(void)state;
	struct live_program *dbtop =
		live_dbtop_start(NULL, "--metrics", "0", "-i", "0.2", "-c", config, "--all", NULL);
	int port = scraper_port(dbtop);
	assert_true(live_wait(has_samples, &port, WAIT_MS));
	CLEANUP(cleanup_free) char *text = scraper_ask(port, "GET", "/metrics", "");
	scraper_check(text);
	assert_int_equal(count_text(text, "# TYPE dbtop_up gauge\n"), 1);
	assert_non_null(strstr(text, "\ndbtop_slots{server=\"web\",kind=\"max\"} "));
	assert_null(strstr(text, "\ndbtop_slots{server=\"dead\""));
	assert_true(live_wait(is_fresh_of_two, &port, WAIT_MS));
	live_signal(dbtop, SIGTERM);
	assert_int_equal(live_finish(dbtop, WAIT_MS), 0);
	/* one database as two roles: no series is there twice */
	dbtop = live_dbtop_start(NULL, "--metrics", "0", "-i", "0.2", shop, app, NULL);
	port = scraper_port(dbtop);
	assert_true(live_wait(is_fresh, &port, WAIT_MS));
	CLEANUP(cleanup_free) char *twice = scraper_ask(port, "GET", "/metrics", "");
	scraper_check(twice);
	assert_int_equal(count_text(twice, "\ndbtop_up{"), 2);
	assert_int_equal(count_text(twice, "#2\"} 1\n"), 1);
	live_signal(dbtop, SIGTERM);
	assert_int_equal(live_finish(dbtop, WAIT_MS), 0);
}

static bool is_up(void *data)
{
	CLEANUP(cleanup_free) char *text = scraper_ask(*(const int *)data, "GET", "/metrics", "");
	return strstr(text, "dbtop_up{server=\"shop\"} 1\n") &&
		strstr(text, "dbtop_up{server=\"web\"} 1\n");
}

/* Those that stay keep what they have counted. */
static void sighup_takes_another_server(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *one = mem_printf("databases:\n  shop: %s\n", shop);
	CLEANUP(cleanup_free) char *both = mem_printf("%s  web: %s\n", one, web);
	CLEANUP(cleanup_free) char *path = live_file(live_folder(), "growing.yaml", one);
	struct live_program *dbtop = live_dbtop_start(NULL, "--guard", "--yes", "--for", "0.1",
		"--metrics", "0", "-i", "0.2", "-c", path, "--all", NULL);
	int port = scraper_port(dbtop);
	live_wait_err(dbtop, "connected to ", WAIT_MS);
	wait_for_end(server, live_client_killed(app));
	live_wait_err(dbtop, ": terminated", WAIT_MS);
	free(live_file(live_folder(), "growing.yaml", both));
	live_signal(dbtop, SIGHUP);
	assert_true(live_wait(is_up, &port, WAIT_MS));
	CLEANUP(cleanup_free) char *text = scraper_ask(port, "GET", "/metrics", "");
	assert_non_null(strstr(
		text, "\ndbtop_terminated_total{server=\"shop\",result=\"terminated\"} 1\n"));
	assert_non_null(
		strstr(text, "\ndbtop_terminated_total{server=\"web\",result=\"terminated\"} 0\n"));
	live_signal(dbtop, SIGTERM);
	assert_int_equal(live_finish(dbtop, WAIT_MS), 0);
}

/* --- the servers --- */

static void set_up(void)
{
	static const char *const settings[] = { "max_connections=30",
		"superuser_reserved_connections=28", NULL };
	second = live_server_start(settings);
	hole = black_hole_open("127.0.0.1", 0);
	live_sql(second, "CREATE ROLE app SUPERUSER LOGIN; CREATE ROLE late LOGIN");
	shop = live_group_conninfo(LIVE_TCP4, NULL);
	app = live_group_conninfo(LIVE_TCP4, "user=app");
	web = live_conninfo(second, LIVE_TCP4, NULL);
	web_app = live_conninfo(second, LIVE_TCP4, "user=app");
	CLEANUP(cleanup_free) char *late = live_conninfo(second, LIVE_TCP4, "user=late");
	two = live_client(late, "idle", "2", NULL);
	CLEANUP(cleanup_free)
	char *text = mem_printf("databases:\n"
				"  hung: host=127.0.0.1 port=%d connect_timeout=2\n"
				"  dead: host=127.0.0.1 port=%d\n"
				"  full: %s\n"
				"  shop: %s\n"
				"  web: %s\n",
		black_hole_port(hole), live_free_port(), late, shop, web);
	config = live_file(live_folder(), "fleet.yaml", text);
}

static void take_down(void)
{
	live_free(two);
	private_server_stop(second);
	black_hole_close(hole);
	free(config);
	free(web);
	free(web_app);
}

static void clean_up(void)
{
	CLEANUP(cleanup_free) char *path = live_audit_path();
	unlink(path);
	wait_for_dbtops();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(once_reports_each_and_sums_up),
		LIVE_TEST(json_is_a_line_for_each),
		LIVE_TEST(many_servers_fit_into_a_small_limit),
		LIVE_TEST(nobody_waits_for_the_one_that_hangs),
		LIVE_TEST(kill_leaked_ends_those_of_each),
		LIVE_TEST(one_answer_is_for_all_plans),
		LIVE_TEST(the_guard_watches_each),
		LIVE_TEST(metrics_have_a_label_for_each),
		LIVE_TEST(sighup_takes_another_server),
	};
	return LIVE_GROUP("fleet", tests, .sql = "CREATE ROLE app LOGIN", .set_up = set_up,
		.take_down = take_down, .clean_up = clean_up);
}
