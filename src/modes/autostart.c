#include "modes/autostart.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "action/audit.h"
#include "action/proxy_plan.h"
#include "action/runner.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "config/config.h"
#include "model/action.h"
#include "model/assessment.h"
#include "model/proxy.h"
#include "modes/app.h"
#include "session/session.h"

#define FIRST_PAUSE (10 * USEC_PER_SEC)
#define LAST_PAUSE  (600 * USEC_PER_SEC)

/* A proxy that served for so long is well: the pauses begin anew. */
#define SERVED (60 * USEC_PER_SEC)

struct autostart {
	const struct app *app;
	struct session *session;
	struct audit *audit;
	struct autostart_callbacks callbacks;
	struct runner *runner;
	struct action *plan;                  /* NULL at rest */
	int64_t pause, not_before, absent_at; /* monotonic: when nobody listened last */
};

char *autostart_output_path(void)
{
	CLEANUP(cleanup_free) char *audit = audit_default_path();
	char *slash = audit ? strrchr(audit, '/') : NULL;
	return slash ? mem_printf("%.*s/proxy.log", (int)(slash - audit), audit) : NULL;
}

static void report(const struct autostart *autostart, const char *result, const char *detail)
{
	char text[512];
	snprintf(text, sizeof(text), "the proxy does not run: %s%s%s", result, detail ? ": " : "",
		detail ? detail : "");
	autostart->callbacks.tried(autostart->callbacks.data, text);
}

static void on_done(void *data)
{
	struct autostart *autostart = data;
	struct action *plan = autostart->plan;
	const struct action_step *step = &plan->steps[0];
	autostart->plan = NULL;
	report(autostart, action_result_phrase(step->kind, step->result),
		step->detail ? step->detail : step->command.text);
	action_free(plan);
	session_retry(autostart->session);
}

struct autostart *autostart_new(const struct app *app, uv_loop_t *loop, struct session *session,
	struct audit *audit, const struct autostart_callbacks *callbacks)
{
	const struct config *config = app->config;
	if (!config->proxy.autostart || !config->proxy.start.count || config->readonly)
		return NULL;
	struct autostart *autostart = mem_alloc(sizeof(*autostart));
	*autostart = (struct autostart){
		.app = app,
		.session = session,
		.audit = audit,
		.callbacks = *callbacks,
		.pause = FIRST_PAUSE,
		.absent_at = INSTANT_UNKNOWN,
	};
	const struct runner_options options = { .deadline = RUNNER_DEADLINE_DEFAULT,
		.audit = audit };
	const struct runner_callbacks done = { .data = autostart, .done = on_done };
	autostart->runner = runner_new(loop, session, &options, &done);
	return autostart;
}

void autostart_free(struct autostart *autostart)
{
	if (!autostart)
		return;
	runner_free(autostart->runner);
	action_free(autostart->plan);
	free(autostart);
}

static void start(struct autostart *autostart, const struct proxy *proxy, int64_t now)
{
	const struct config_list *argv = &autostart->app->config->proxy.start;
	CLEANUP(cleanup_free) char *output = autostart_output_path();
	autostart->not_before = now + autostart->pause;
	autostart->pause *= 2;
	if (autostart->pause > LAST_PAUSE)
		autostart->pause = LAST_PAUSE;
	autostart->plan = proxy_plan(ACTION_PROXY_START, proxy, argv->items, argv->count, output);
	int r = runner_begin(autostart->runner, autostart->plan);
	if (r == 0)
		return;
	report(autostart, "it is not started",
		r == -EIO ? audit_refusal(autostart->audit) : runner_refusal(r));
	action_free(autostart->plan);
	autostart->plan = NULL;
}

void autostart_update(struct autostart *autostart, const struct assessment *assessment)
{
	const struct proxy *proxy = assessment->proxy;
	int64_t now = assessment->monotonic;
	if (!autostart || autostart->plan || !proxy)
		return;
	if (proxy->status != PROXY_ABSENT) {
		if (autostart->absent_at != INSTANT_UNKNOWN && now - autostart->absent_at > SERVED)
			autostart->pause = FIRST_PAUSE;
		return;
	}
	autostart->absent_at = now;
	if (now >= autostart->not_before)
		start(autostart, proxy, now);
}
