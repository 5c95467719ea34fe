/* dbtop --metrics: both formats of a real server and real pools, hostile scrapers, and a real
 * Prometheus that fires alerts of three servers and resolves them. */
#include "live_group.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/mem.h"
#include "scraper.h"

#define WAIT_MS 60000

/* What Prometheus sends. */
#define OPEN                                                                                       \
	"Accept: application/openmetrics-text;version=1.0.0;q=0.5,"                                \
	"application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,"         \
	"*/*;q=0.2\r\n"

static const char *super, *app; /* conninfos */

/* --- a scraper --- */

static char *scrape(int port, const char *headers)
{
	char *answer = scraper_ask(port, "GET", "/metrics", headers);
	if (strncmp(answer, "HTTP/1.1 200", 12) != 0)
		fail_msg("not 200: %.200s", answer);
	return answer;
}

/* The value of a sample, by its name and labels; −1 if it is not there. */
static double value_of(const char *text, const char *series)
{
	CLEANUP(cleanup_free) char *line = mem_printf("\n%s ", series);
	const char *at = strstr(text, line);
	return at ? strtod(at + strlen(line), NULL) : -1;
}

/* Scrapes until the series has that value. */
static void wait_value(int port, const char *series, double value)
{
	double seen = -1;
	for (int tries = 0; tries < WAIT_MS / 50; tries++) {
		CLEANUP(cleanup_free) char *text = scrape(port, "");
		seen = value_of(text, series);
		if (seen == value)
			return;
		usleep(50000);
	}
	fail_msg("%s is %f instead of %f", series, seen, value);
}

#define METRICS(...)                                                                               \
	live_dbtop_start(NULL, "--metrics", "0", "-i", "0.2", "-c", config, __VA_ARGS__, NULL)

static const char *config; /* the server is called shop */

static void finish(struct live_program *dbtop)
{
	live_signal(dbtop, SIGTERM);
	int status = live_finish(dbtop, WAIT_MS);
	if (status != 0)
		fail_msg("status %d: %s", status, live_err(dbtop));
}

/* --- what is served --- */

static void both_formats_of_a_server(void **state)
{
	(void)state;
	struct live_program *dbtop = METRICS("--min-free", "4", "shop");
	int port = scraper_port(dbtop);
	wait_value(port, "dbtop_up{server=\"shop\"}", 1);
	live_client(app, "idle", "3", NULL);
	wait_value(port, "dbtop_connections{server=\"shop\",status=\"idle\"}", 3);
	CLEANUP(cleanup_free) char *text = scrape(port, "");
	CLEANUP(cleanup_free) char *open = scrape(port, OPEN);
	assert_non_null(strstr(text, "Content-Type: text/plain; version=0.0.4"));
	assert_non_null(strstr(open, "Content-Type: application/openmetrics-text; version=1.0.0"));
	assert_string_equal(open + strlen(open) - strlen("\n# EOF\n"), "\n# EOF\n");
	assert_true(value_of(text, "dbtop_slots{server=\"shop\",kind=\"max\"}") == 25);
	assert_true(value_of(open, "dbtop_slots_wanted_free{server=\"shop\"}") == 4);
	scraper_check(text);
	finish(dbtop);
}

#define POOL(name, more) "dbtop_pool_" name "{server=\"shop\",pool=\"twin\"" more "}"

/* Two processes with pools of one name, one of which ends: one series, and no counter falls. */
static void an_ended_process_stays_in_the_sums(void **state)
{
	(void)state;
	CLEANUP(cleanup_free) char *pages = mem_printf("%s/pages", live_folder());
	assert_int_equal(mkdir(pages, 0700), 0);
	struct live_program *twins[2];
	for (int i = 0; i < 2; i++) {
		const char *const argv[] = { PAGED_CLIENT_PATH, app, pages, "twin", "work", NULL };
		twins[i] = live_start(&(struct live_program_options){ .argv = argv });
		live_wait_out(twins[i], "ready", WAIT_MS);
	}
	struct live_program *dbtop = METRICS("--pages", pages, "shop");
	int port = scraper_port(dbtop);
	wait_value(port, POOL("connections_max", ""), 6);
	CLEANUP(cleanup_free) char *before = scrape(port, "");
	double counted = value_of(before, POOL("wait_seconds_count", ""));
	assert_true(counted > 0);
	scraper_check(before);
	live_free(twins[0]);
	wait_value(port, POOL("connections_max", ""), 3);
	CLEANUP(cleanup_free) char *after = scrape(port, "");
	assert_true(value_of(after, POOL("wait_seconds_count", "")) >= counted);
	CLEANUP(cleanup_free) char *open = scrape(port, OPEN);
	assert_true(value_of(open, POOL("wait_seconds_bucket", ",le=\"+Inf\"")) >= counted);
	assert_true(value_of(open, POOL("wait_seconds_sum", "")) >= 0);
	finish(dbtop);
}

#define ENDED(how)                                                                                 \
	"dbtop_sessions_ended_total{server=\"shop\",database=\"postgres\",how=\"" how "\"}"

/* The server writes its counts a moment after the session has ended. */
static void how_sessions_ended_is_counted_by_the_server(void **state)
{
	(void)state;
	PGconn *conn = live_connect(super);
	live_exec(conn, "SELECT pg_stat_reset()");
	struct live_program *client = live_client(app, "idle", "2", NULL);
	live_exec(conn,
		"SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
		" WHERE usename = 'app'");
	for (int tries = 0; tries < WAIT_MS / 50; tries++) {
		if (live_number(conn,
			    "SELECT sessions_killed FROM pg_stat_database"
			    " WHERE datname = current_database()") == 2)
			break;
		usleep(50000);
	}
	struct live_program *dbtop = METRICS("shop");
	int port = scraper_port(dbtop);
	wait_value(port, ENDED("killed"), 2);
	CLEANUP(cleanup_free) char *text = scrape(port, "");
	assert_true(value_of(text, ENDED("abandoned")) == 0);
	scraper_check(text);
	finish(dbtop);
	live_disconnect(conn);
	live_free(client);
}

static void assert_starts(char *answer, const char *start)
{
	if (strncmp(answer, start, strlen(start)) != 0)
		fail_msg("not %s: %.200s", start, answer);
	free(answer);
}

static void health_and_other_paths(void **state)
{
	(void)state;
	struct live_program *dbtop = METRICS("shop");
	int port = scraper_port(dbtop);
	wait_value(port, "dbtop_up{server=\"shop\"}", 1);
	assert_starts(scraper_ask(port, "GET", "/healthz", ""), "HTTP/1.1 200");
	assert_starts(scraper_ask(port, "HEAD", "/metrics", ""), "HTTP/1.1 200");
	assert_starts(scraper_ask(port, "GET", "/", ""), "HTTP/1.1 404");
	assert_starts(
		scraper_ask(port, "POST", "/metrics", "Content-Length: 0\r\n"), "HTTP/1.1 405");
	finish(dbtop);
	CLEANUP(cleanup_free)
	char *nowhere = mem_printf("host=127.0.0.1 port=%d", live_free_port());
	dbtop = METRICS(nowhere);
	port = scraper_port(dbtop);
	live_wait_err(dbtop, "not connected", WAIT_MS);
	assert_starts(scraper_ask(port, "GET", "/healthz", ""), "HTTP/1.1 503");
	CLEANUP(cleanup_free) char *text = scrape(port, "");
	assert_non_null(strstr(text, "\ndbtop_up{"));
	assert_null(strstr(text, "\ndbtop_slots{"));
	finish(dbtop);
}

static void wrong_usage_is_refused(void **state)
{
	(void)state;
	static const char *const places[] = { "x", "70000", "host:1", "[::1:1", "1.2.3.4:", ":" };
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct live_run run = live_dbtop("--metrics", places[i], super, NULL);
		assert_int_equal(run.status, 2);
		assert_non_null(strstr(run.err, "--metrics"));
		live_run_clear(&run);
	}
	struct live_program *dbtop = METRICS("shop");
	CLEANUP(cleanup_free) char *taken = mem_printf("%d", scraper_port(dbtop));
	struct live_run run = live_dbtop("--metrics", taken, super, NULL);
	assert_int_equal(run.status, 2);
	live_run_clear(&run);
	finish(dbtop);
}

/* --- hostile scrapers --- */

#define CROWD 300

/* Each holds a connection and says a byte now and then; the newest gets in all the same. */
static void a_crowd_that_dribbles_harms_nobody(void **state)
{
	(void)state;
	struct live_program *dbtop = METRICS("shop");
	int port = scraper_port(dbtop), crowd[CROWD];
	wait_value(port, "dbtop_up{server=\"shop\"}", 1);
	for (int i = 0; i < CROWD; i++)
		crowd[i] = scraper_dial(port);
	for (int round = 0; round < 20; round++) {
		const char *request = "GET /metrics HTTP/1.1\r\n";
		for (int i = 0; i < CROWD; i++)
			(void)!send(crowd[i], request + round, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		free(scrape(port, ""));
	}
	/* dbtop goes on with its work */
	live_client(app, "idle", "2", NULL);
	wait_value(port, "dbtop_connections{server=\"shop\",status=\"idle\"}", 2);
	/* … and closes them all */
	for (int i = 0; i < CROWD; i++)
		free(scraper_read(crowd[i]));
	finish(dbtop);
}

static void huge_requests_are_refused(void **state)
{
	(void)state;
	struct live_program *dbtop = METRICS("shop");
	int port = scraper_port(dbtop);
	CLEANUP(cleanup_free) char *huge = mem_alloc(1 << 20);
	memset(huge, 'x', (1 << 20) - 1);
	int fd = scraper_dial(port);
	const char *start = "GET /metrics HTTP/1.1\r\nX-Huge: ";
	(void)!send(fd, start, strlen(start), MSG_NOSIGNAL);
	(void)!send(fd, huge, 1 << 20, MSG_NOSIGNAL);
	CLEANUP(cleanup_free) char *answer = scraper_read(fd);
	assert_null(strstr(answer, "200 OK"));
	fd = scraper_dial(port);
	(void)!send(fd, huge, 1 << 20, MSG_NOSIGNAL);
	free(scraper_read(fd));
	free(scrape(port, ""));
	finish(dbtop);
}

/* --- Prometheus --- */

static char *write_prometheus(const char *folder, int port)
{
	CLEANUP(cleanup_free) char *rules = live_read("docs/prometheus/alerts.yaml");
	assert_non_null(rules);
	/* the shipped alerts, but at once */
	for (char *at = rules; (at = strstr(at, "  for: ")); at++) {
		char *digit = at + strlen("  for: ");
		while (*digit >= '0' && *digit <= '9')
			*digit++ = '0';
		*digit = 's';
	}
	free(live_file(folder, "alerts.yaml", rules));
	CLEANUP(cleanup_free)
	char *text = mem_printf("global: {scrape_interval: 500ms, scrape_timeout: 500ms, "
				"evaluation_interval: 500ms}\n"
				"rule_files: [alerts.yaml]\n"
				"scrape_configs:\n"
				"  - job_name: dbtop\n"
				"    static_configs: [{targets: ['127.0.0.1:%d']}]\n",
		port);
	return live_file(folder, "prometheus.yaml", text);
}

/* How many alerts of that name fire, as Prometheus says; −1 if there is one of another server. */
static int count_firing(int port, const char *wanted, const char *of)
{
	CLEANUP(cleanup_free)
	char *answer = scraper_ask(port, "GET", "/api/v1/alerts", "Connection: close\r\n");
	const char *body = strstr(answer, "\r\n\r\n");
	json_t *root = body ? json_loads(body + 4, 0, NULL) : NULL;
	json_t *alerts = root ? live_member(root, "data.alerts") : NULL, *alert;
	size_t i;
	int count = 0;
	json_array_foreach(alerts, i, alert)
	{
		const char *name = live_text(alert, "labels.alertname");
		const char *at = live_text(alert, "state");
		const char *where = live_text(alert, "labels.server");
		if (!name || !at || !where || strcmp(name, wanted) != 0 ||
			strcmp(at, "firing") != 0)
			continue;
		count = strcmp(where, of) == 0 && count >= 0 ? count + 1 : -1;
	}
	json_decref(root);
	return count;
}

static void wait_alert(int port, const char *name, const char *of, int count)
{
	for (int tries = 0; tries < 2 * WAIT_MS / 100; tries++) {
		if (count_firing(port, name, of) == count)
			return;
		usleep(100000);
	}
	fail_msg("%s of %s: %d, not %d", name, of, count_firing(port, name, of), count);
}

static struct live_program *start_prometheus(const char *file, int port)
{
	CLEANUP(cleanup_free) char *data = mem_printf("%s/prometheus", live_folder());
	CLEANUP(cleanup_free) char *config_option = mem_printf("--config.file=%s", file);
	CLEANUP(cleanup_free) char *data_option = mem_printf("--storage.tsdb.path=%s", data);
	CLEANUP(cleanup_free)
	char *listen_option = mem_printf("--web.listen-address=127.0.0.1:%d", port);
	const char *const argv[] = { "prometheus", config_option, data_option, listen_option,
		NULL };
	struct live_program *prometheus =
		live_start(&(struct live_program_options){ .argv = argv });
	live_wait_err(prometheus, "Server is ready to receive web requests", 2 * WAIT_MS);
	return prometheus;
}

/* A leak that the guard does not end yet fires the shipped alert of its server alone, and its end
 * resolves it; so does the end of a server. */
static void a_real_prometheus_watches_three_servers(void **state)
{
	(void)state;
	struct private_server *second = live_server_start(NULL), *third = live_server_start(NULL);
	live_sql(second, "CREATE ROLE app LOGIN");
	CLEANUP(cleanup_free) char *web = live_conninfo(second, LIVE_TCP4, NULL);
	CLEANUP(cleanup_free) char *web_app = live_conninfo(second, LIVE_TCP4, "user=app");
	CLEANUP(cleanup_free) char *blog = live_conninfo(third, LIVE_TCP4, NULL);
	CLEANUP(cleanup_free)
	char *names = mem_printf(
		"databases: {shop: \"%s\", web: \"%s\", blog: \"%s\"}\n", super, web, blog);
	CLEANUP(cleanup_free) char *three = live_file(live_folder(), "three.yaml", names);
	struct live_program *dbtop = live_dbtop_start(NULL, "--guard", "--yes", "--for", "1h",
		"--metrics", "0", "-i", "0.2", "-c", three, "--all", NULL);
	int port = scraper_port(dbtop), browser = live_free_port();
	wait_value(port, "dbtop_up{server=\"shop\"}", 1);
	wait_value(port, "dbtop_up{server=\"web\"}", 1);
	wait_value(port, "dbtop_up{server=\"blog\"}", 1);
	CLEANUP(cleanup_free) char *file = write_prometheus(live_folder(), port);
	struct live_program *prometheus = start_prometheus(file, browser);
	wait_alert(browser, "DbtopLeakedConnections", "web", 0);
	int pid = live_client_killed(web_app);
	wait_alert(browser, "DbtopLeakedConnections", "web", 1);
	CLEANUP(cleanup_free)
	char *end = mem_printf("SELECT pg_terminate_backend(%d)", pid);
	live_sql(second, end);
	wait_alert(browser, "DbtopLeakedConnections", "web", 0);
	private_server_stop(third);
	wait_alert(browser, "DbtopStale", "blog", 1);
	finish(dbtop);
	live_signal(prometheus, SIGTERM);
	assert_int_equal(live_finish(prometheus, WAIT_MS), 0);
	private_server_stop(second);
}

/* What the guard ended is counted. */
static void the_guards_results_are_counted(void **state)
{
	(void)state;
	struct live_program *dbtop = live_dbtop_start(NULL, "--guard", "--yes", "--for", "0",
		"--metrics", "0", "-i", "0.2", "-c", config, "shop", NULL);
	int port = scraper_port(dbtop);
	live_free(live_client(app, "active", NULL));
	wait_value(port, "dbtop_terminated_total{server=\"shop\",result=\"terminated\"}", 1);
	finish(dbtop);
}

static char *config_path;

static void set_up(void)
{
	super = live_group_conninfo(LIVE_TCP4, NULL);
	app = live_group_conninfo(LIVE_TCP4, "user=app");
	CLEANUP(cleanup_free) char *text = mem_printf("databases: {shop: \"%s\"}\n", super);
	config = config_path = live_file(live_folder(), "shop.yaml", text);
}

static void take_down(void)
{
	free(config_path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LIVE_TEST(both_formats_of_a_server),
		LIVE_TEST(an_ended_process_stays_in_the_sums),
		LIVE_TEST(how_sessions_ended_is_counted_by_the_server),
		LIVE_TEST(health_and_other_paths),
		LIVE_TEST(wrong_usage_is_refused),
		LIVE_TEST(a_crowd_that_dribbles_harms_nobody),
		LIVE_TEST(huge_requests_are_refused),
		LIVE_TEST(the_guards_results_are_counted),
		LIVE_TEST(a_real_prometheus_watches_three_servers),
	};
	return LIVE_GROUP("metrics", tests, .sql = "CREATE ROLE app LOGIN", .set_up = set_up,
		.take_down = take_down);
}
