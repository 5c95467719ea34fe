/* Reports the first complete assessment of each server, as soon as it is there; --count and
 * --follow go on with the latest one at each interval. The sources are asked independently of that.
 */
#include "modes/report_mode.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "config/config.h"
#include "loop/handle.h"
#include "model/assessment.h"
#include "modes/app.h"
#include "modes/run.h"
#include "report/exit_status.h"
#include "report/snapshot.h"
#include "report/summary.h"
#include "report/summary_servers.h"

struct report {
	struct report_mode *mode;
	size_t server;
	uv_timer_t *pace;
	long printed;
	int status; /* of the last report */
};

struct report_mode {
	struct app *app;
	struct run *run;
	struct report *reports; /* one a server */
	size_t n_reports, n_done;
	bool printed; /* one report at least */
};

static int print(struct report_mode *mode, size_t server)
{
	const struct options *options = &mode->app->options;
	const struct assessment *assessment = run_assessment(mode->run, server);
	const struct summary_options summary = {
		.style = printer_style_for(stdout),
		.no_query_text = options->no_query_text,
		.command = mode->app->servers[server].command,
		.proxy_start = mode->app->proxy_start,
		.limits = app_findings_limits(mode->app),
	};
	const struct snapshot_options snapshot = { .no_query_text = options->no_query_text };
	if (mode->n_reports > 1 && options->mode == MODE_ONCE)
		summary_print_heading(assessment, &summary.style, mode->printed, stdout);
	mode->printed = true;
	return app_check_written(options->mode == MODE_JSON
			? snapshot_print(assessment, &snapshot, stdout)
			: summary_print(assessment, &summary, stdout));
}

static int get_status(const struct report_mode *mode)
{
	int status = mode->reports[0].status;
	for (size_t i = 1; i < mode->n_reports; i++)
		status = exit_status_join(status, mode->reports[i].status);
	return status;
}

/* The last line of --once. */
static int print_total(const struct report_mode *mode)
{
	const struct printer_style style = printer_style_for(stdout);
	struct arena *arena = arena_new();
	struct summary_result *results = arena_array(arena, mode->n_reports, sizeof(*results));
	for (size_t i = 0; i < mode->n_reports; i++)
		results[i] = (struct summary_result){
			assessment_server_name(run_assessment(mode->run, i), arena),
			mode->reports[i].status,
		};
	int r = app_check_written(summary_print_total(results, mode->n_reports, &style, stdout));
	arena_free(arena);
	return r;
}

static void finish(const struct report_mode *mode)
{
	int r = 0;
	if (mode->n_reports > 1 && mode->app->options.mode == MODE_ONCE)
		r = print_total(mode);
	run_finish(mode->run, r < 0 ? EXIT_UNKNOWN : get_status(mode));
}

static void on_pace(uv_timer_t *timer)
{
	struct report *report = timer->data;
	struct report_mode *mode = report->mode;
	const struct options *options = &mode->app->options;
	const struct findings_limits limits = app_findings_limits(mode->app);
	int r = print(mode, report->server);
	report->printed++;
	/* the reader has gone */
	if (r < 0) {
		run_finish(mode->run, EXIT_UNKNOWN);
		return;
	}
	report->status =
		exit_status_of_snapshot(run_assessment(mode->run, report->server), &limits);
	if (options->follow || report->printed < options->count)
		return;
	uv_timer_stop(timer);
	if (++mode->n_done == mode->n_reports)
		finish(mode);
}

static void on_begun(void *data, size_t server)
{
	struct report_mode *mode = data;
	struct report *report = &mode->reports[server];
	uint64_t ms = (uint64_t)(mode->app->config->interval / USEC_PER_MSEC);
	uv_timer_start(report->pace, on_pace, ms, ms);
	on_pace(report->pace);
}

/* Ctrl+C ends --count and --follow. */
static void on_received(void *data, int signal_number)
{
	const struct report_mode *mode = data;
	(void)signal_number;
	run_finish(mode->run, get_status(mode));
}

static void open_reports(struct report_mode *mode)
{
	mode->n_reports = run_n_servers(mode->run);
	mode->reports = mem_alloc(mode->n_reports * sizeof(*mode->reports));
	for (size_t i = 0; i < mode->n_reports; i++)
		mode->reports[i] = (struct report){
			.mode = mode,
			.server = i,
			.pace = handle_new_timer(&mode->app->loop, &mode->reports[i]),
			.status = EXIT_UNKNOWN,
		};
}

static void close_mode(void *data)
{
	struct report_mode *mode = data;
	for (size_t i = 0; i < mode->n_reports; i++)
		handle_close(mode->reports[i].pace);
	free(mode->reports);
}

int report_mode_run(struct app *app)
{
	struct report_mode mode = { .app = app };
	struct run_options options = {
		.target = app_target_options(app),
		.data = &mode,
		.is_enough = run_is_complete,
		.more_time = RUN_MORE_TIME,
		.begun = on_begun,
		.received = on_received,
	};
	options.target.refresh_until_complete = true;
	options.target.await_proxy = true;
	mode.run = run_open(app, &options);
	open_reports(&mode);
	return run_to_end(mode.run, close_mode);
}
