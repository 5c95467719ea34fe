/* The proxy on the screen: its item in the header, its screen, and the applications behind a
 * connection. */
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/instant.h"
#include "model/assessment.h"
#include "model/proxy.h"
#include "sample.h"
#include "screen_text.h"
#include "view/details.h"
#include "view/proxy_view.h"
#include "widgets/grid.h"
#include "widgets/ui.h"

static struct assessment *assessment;
static struct proxy *proxy;

static int set_up(void **state)
{
	(void)state;
	assessment = sample_assessment(SAMPLE_SCREEN);
	proxy = proxy_new();
	proxy->wanted = "cloud-sql-proxy";
	proxy->port = 5432;
	proxy->status = PROXY_SERVING;
	proxy->latency = 2100;
	proxy->proven_at = SAMPLE_NOW - 3 * USEC_PER_SEC;
	proxy->process = (struct process){ .pid = 812,
		.name = "cloud-sql-proxy",
		.command = "cloud-sql-proxy --health-check p:r:i",
		.started_at = INSTANT_UNKNOWN };
	assessment->proxy = proxy;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assessment_free(assessment);
	return 0;
}

static unsigned int met; /* 1 << key_help.need */

static char *draw(int width, int height, int32_t details, const struct view *view)
{
	struct ui_state ui;
	struct details opened = { 0 };
	struct grid grid;
	ui_init(&ui, screen_keys, n_screen_keys);
	ui.met = met;
	grid_init(&grid);
	if (details) {
		details_open(&opened, &ui, sample_find(assessment, details));
		details_settle(&opened, &ui, assessment);
	} else if (view) {
		ui_push(&ui, view);
	}
	screen_show(assessment, NULL, &ui, NULL, width, height, &grid);
	char *text = screen_text(&grid);
	details_deinit(&opened);
	ui_deinit(&ui);
	grid_deinit(&grid);
	return text;
}

static void check(int32_t details, const struct view *view, const char *wanted, bool there)
{
	char *text = draw(130, 60, details, view);
	if (!strstr(text, wanted) == there)
		fail_msg("\"%s\" is%s in\n%s", wanted, there ? " not" : "", text);
	free(text);
}

static void test_header(void **state)
{
	(void)state;
	check(0, NULL, "proxy ● serving 2.1 ms", true);
	proxy->probes[2] = (struct proxy_probe){ PROXY_HEALTH_FULL, "max connections", 20, 20 };
	check(0, NULL, "proxy ● serving 2.1 ms full 20/20", true);
	proxy->status = PROXY_LISTENING;
	check(0, NULL, "proxy ○ listening", true);
	/* No proxy is configured, so an empty port is not shown. */
	proxy->status = PROXY_ABSENT;
	check(0, NULL, "proxy", false);
	proxy->expected = true;
	check(0, NULL, "proxy ✗ absent", true);
	proxy->status = PROXY_FOREIGN;
	check(0, NULL, "proxy ✗ foreign", true);
	proxy->status = PROXY_UNKNOWN;
	check(0, NULL, "proxy ? unknown", true);
}

static void check_size(int width, int height, const char *wanted, bool there)
{
	char *text = draw(width, height, 0, NULL);
	if (!strstr(text, wanted) == there)
		fail_msg("\"%s\" is%s in\n%s", wanted, there ? " not" : "", text);
	free(text);
}

/* Where there is little room, a proxy that serves is left out first; one that does not is kept. */
static void test_small_header(void **state)
{
	(void)state;
	check_size(56, 12, "proxy", false);
	proxy->probes[2] = (struct proxy_probe){ PROXY_HEALTH_FULL, "max connections", 20, 20 };
	check_size(56, 12, "4 leaked · proxy ● serving 2.1 ms full", true);
	proxy->status = PROXY_ABSENT;
	check_size(56, 12, "proxy", false);
	proxy->expected = true;
	check_size(44, 12, "4 leaked · proxy ✗ absent", true);
	assessment->server.host = "a-long-name.of-a-server.somewhere.example.com";
	check_size(70, 24, "proxy ✗ absent", true);
	proxy->status = PROXY_SERVING;
	proxy->probes[2].health = PROXY_HEALTH_OK;
	check_size(70, 24, "proxy", false);
}

static void test_page(void **state)
{
	(void)state;
	proxy->health_url = "http://localhost:9090";
	proxy->health_at = SAMPLE_NOW - USEC_PER_SEC;
	proxy->probes[0].health = PROXY_HEALTH_OK;
	proxy->probes[1].health = PROXY_HEALTH_OFF;
	proxy->probes[2] =
		(struct proxy_probe){ PROXY_HEALTH_STOPPED, "proxy has stopped", -1, -1 };
	check(0, &proxy_view, "serving: the server answers through it", true);
	check(0, &proxy_view, "2.1 ms, 3.0s ago, of a connection attempt", true);
	check(0, &proxy_view, "startup        ok", true);
	check(0, &proxy_view, "liveness       health endpoint off", true);
	check(0, &proxy_view, "readiness      stopped: proxy has stopped", true);
	/* PostgreSQL's own port, where no setting expects a proxy */
	proxy->status = PROXY_FOREIGN;
	check(0, &proxy_view, "no proxy: none is where dbtop connects", true);
	check(0, &proxy_view, "another program", false);
	check(0, &proxy_view, "listens on", false);
	check(0, &proxy_view, "looked for", true);
	proxy->expected = true;
	check(0, &proxy_view, "listens on", true);
	proxy->status = PROXY_ABSENT;
	check(0, &proxy_view, "next           start it; with its command in the configuration",
		true);
	proxy->status = PROXY_FOREIGN;
	check(0, &proxy_view, "foreign: another program listens on its port", true);
	assessment->proxy = NULL;
	check(0, &proxy_view, "No proxy is watched", true);
	assessment->proxy = proxy;
}

static void test_only_what_can_be_done_is_offered(void **state)
{
	(void)state;
	check(0, &proxy_view, "Esc close", true);
	check(0, &proxy_view, "s start", false);
	check(0, &proxy_view, "r restart", false);
	met = 1u << 1;
	check(0, &proxy_view, "s start", true);
	check(0, &proxy_view, "r restart", false);
	met = 1u << 2;
	check(0, &proxy_view, "s start", false);
	check(0, &proxy_view, "r restart", true);
	met = 0;
}

static void test_one_of_these(void **state)
{
	struct proxy_client clients[] = { { 0, 2, 2 }, { 4, 3, 1 } };
	(void)state;
	assessment->proxy_clients = clients;
	assessment->n_proxy_clients = 2;
	struct connection *connection = sample_find(assessment, 9972);
	check(9972, NULL, "one of these", false);
	connection->proxied = true;
	check(9972, NULL, "one of these", true);
	check(9972, NULL, "node server.js: 3 sockets, 1 connection known", true);
	/* All connections of the first process are known: it is not a candidate. */
	check(9972, NULL, "python3 main.py: 2 sockets", false);
	connection->process = 4;
	connection->matched_by = MATCHED_PROXY;
	check(9972, NULL, "one of these", false);
	check(9972, NULL, "proxy: named by application_name", true);
}

int main(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_header, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_small_header, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_page, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_only_what_can_be_done_is_offered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_one_of_these, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
