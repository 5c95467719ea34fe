/* Reports the first complete assessment; --count and --follow go on with the latest one at each
 * interval. The sources are asked independently of that. */
#include "modes/report_mode.h"

#include "base/instant.h"
#include "config/config.h"
#include "loop/handle.h"
#include "model/assessment.h"
#include "modes/app.h"
#include "modes/run.h"
#include "report/exit_status.h"
#include "report/snapshot.h"
#include "report/summary.h"

struct report_mode {
	struct app *app;
	struct run *run;
	uv_timer_t *pace;
	long printed;
	int status; /* of the last report */
};

static int print(const struct report_mode *mode, const struct assessment *assessment)
{
	const struct options *options = &mode->app->options;
	const struct summary_options summary = {
		.style = printer_style_for(stdout),
		.no_query_text = options->no_query_text,
		.command = mode->app->command,
		.proxy_start = mode->app->proxy_start,
		.limits = app_findings_limits(mode->app),
	};
	const struct snapshot_options snapshot = { .no_query_text = options->no_query_text };
	return app_check_written(options->mode == MODE_JSON
			? snapshot_print(assessment, &snapshot, stdout)
			: summary_print(assessment, &summary, stdout));
}

static void on_pace(uv_timer_t *timer)
{
	struct report_mode *mode = timer->data;
	const struct options *options = &mode->app->options;
	const struct assessment *assessment = target_assessment(run_target(mode->run));
	const struct findings_limits limits = app_findings_limits(mode->app);
	int r = print(mode, assessment);
	mode->status = r < 0 ? EXIT_UNKNOWN : exit_status_of_snapshot(assessment, &limits);
	mode->printed++;
	if (r < 0 || (!options->follow && mode->printed >= options->count))
		run_finish(mode->run, mode->status);
}

static void on_begun(void *data)
{
	struct report_mode *mode = data;
	uint64_t ms = (uint64_t)(mode->app->config->interval / USEC_PER_MSEC);
	uv_timer_start(mode->pace, on_pace, ms, ms);
	on_pace(mode->pace);
}

/* Ctrl+C ends --count and --follow. */
static void on_received(void *data, int signal_number)
{
	struct report_mode *mode = data;
	(void)signal_number;
	run_finish(mode->run, mode->status);
}

static void close_mode(void *data)
{
	struct report_mode *mode = data;
	handle_close(mode->pace);
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
	mode.pace = handle_new_timer(&app->loop, &mode);
	return run_to_end(mode.run, close_mode);
}
