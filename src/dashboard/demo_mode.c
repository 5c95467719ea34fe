/* Starts the server, runs the dashboard on it, and ends the server last. */
#include "dashboard/demo_mode.h"

#include <stdio.h>
#include <unistd.h>

#include "base/instant.h"
#include "config/config.h"
#include "dashboard/run.h"
#include "demo/demo.h"
#include "modes/app.h"
#include "modes/connect.h"

/* The demo's limits: its leaks are shown within seconds. */
#define LIMIT    (2 * USEC_PER_SEC)
#define INTERVAL (USEC_PER_SEC / 2)

int demo_mode_run(struct app *app)
{
	char error[PRIVATE_SERVER_ERROR_MAX];
	struct demo *demo;
	if (!isatty(STDOUT_FILENO)) {
		fputs("dbtop: --demo opens the dashboard, which needs a terminal\n", stderr);
		return EXIT_USAGE;
	}
	if (!app->options.interval)
		app->config->interval = INTERVAL;
	if (!app->options.idle_limit)
		app->rules.idle = LIMIT;
	if (!app->options.transaction_limit)
		app->rules.transaction = LIMIT;
	fputs("dbtop: starting a private PostgreSQL and an application that leaks …\n", stderr);
	int r = demo_start(&demo, error);
	if (r < 0) {
		fprintf(stderr, "dbtop: --demo: %s\n", error);
		return EXIT_UNKNOWN;
	}
	if (!app->options.pages)
		app->config->pages = demo_pages(demo);
	r = connect_conninfo(demo_conninfo(demo), &app->servers[0].params);
	int status = r < 0 ? EXIT_UNKNOWN : dashboard_run(app);
	demo_stop(demo);
	return status;
}
