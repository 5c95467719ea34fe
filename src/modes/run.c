/* Connect → password → wait for the first answer → the mode → exit status. */
#include "modes/run.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "action/audit.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "loop/handle.h"
#include "loop/signal_watch.h"
#include "model/assessment.h"
#include "modes/app.h"
#include "modes/connect.h"
#include "modes/prompt.h"
#include "session/session.h"

/* If the server has not answered within this time, the mode begins with what is known. */
#define TIMEOUT (15 * USEC_PER_SEC)

struct run {
	struct app *app;
	struct run_options options;
	struct target *target;
	struct audit *audit;
	uv_timer_t *timeout;
	struct signal_watch *signals;
	bool has_begun, has_asked_password;
	bool question_interrupted; /* the signal is in the loop, and ends the run */
	int status;
};

void run_finish(struct run *run, int status)
{
	run->status = status;
	uv_stop(&run->app->loop);
}

void run_finish_by_signal(struct run *run, int signal_number)
{
	run_finish(run, 128 + signal_number);
}

struct target *run_target(const struct run *run)
{
	return run->target;
}

struct audit *run_audit(const struct run *run)
{
	return run->audit;
}

/* Connected, but the statement failed: the role may not read the view, for instance. */
static bool has_failed(const struct assessment *assessment)
{
	return assessment->server.status == SERVER_OK && !assessment->activity &&
		assessment->sources[SOURCE_ACTIVITY].status == SOURCE_FAILED;
}

/* True if no complete assessment can be expected, because there is no connection or no answer. */
static bool is_hopeless(const struct run *run, const struct assessment *assessment)
{
	struct peers_target where;
	switch (assessment->server.status) {
	case SERVER_OK:
		if (!has_failed(assessment))
			return false;
		break;
	case SERVER_CONNECTING:
	case SERVER_STALE: return false;
	default: break;
	}
	if (target_awaits_proxy(run->target))
		return false;
	session_locate(target_session(run->target), &where);
	return assessment->peers || where.server.family == 0;
}

bool run_is_complete(const struct run *run, const struct assessment *assessment)
{
	return assessment->complete || is_hopeless(run, assessment);
}

static void begin(struct run *run)
{
	uv_timer_stop(run->timeout);
	run->has_begun = true;
	run->options.begun(run->options.data);
}

/* True if there is something to wait for: the server's answer to the password, or the signal that
 * interrupted the question. */
static bool ask_password(struct run *run)
{
	struct session *session = target_session(run->target);
	if (run->question_interrupted)
		return true;
	if (!session_needs_password(session) || run->has_asked_password ||
		run->app->options.never_password)
		return false;
	run->has_asked_password = true;
	char *password = NULL;
	enum prompt_outcome outcome = prompt_password(session_state(session)->user, &password);
	if (outcome != PROMPT_ANSWERED)
		return run->question_interrupted = outcome == PROMPT_INTERRUPTED;
	session_set_password(session, password);
	explicit_bzero(password, strlen(password));
	free(password);
	return true;
}

static void on_assessed(void *data)
{
	struct run *run = data;
	const struct assessment *assessment = target_assessment(run->target);
	app_log_state(run->app, assessment);
	if (run->has_begun) {
		if (run->options.assessed)
			run->options.assessed(run->options.data);
	} else if (!ask_password(run) && run->options.is_enough(run, assessment)) {
		begin(run);
	}
}

static void on_timeout(uv_timer_t *timer);

static void set_timeout(struct run *run, int64_t usec)
{
	uv_timer_start(run->timeout, on_timeout, (uint64_t)(usec / USEC_PER_MSEC), 0);
}

static void on_timeout(uv_timer_t *timer)
{
	struct run *run = timer->data;
	/* the loop runs timers before signals */
	if (run->question_interrupted)
		return;
	if (run->options.more_time && connect_is_under_way(target_session(run->target)))
		set_timeout(run, run->options.more_time);
	else
		begin(run);
}

static void on_signal(void *data, int signal_number)
{
	struct run *run = data;
	if (run->has_begun)
		run->options.received(run->options.data, signal_number);
	else
		run_finish_by_signal(run, signal_number);
}

struct run *run_open(struct app *app, const struct run_options *options)
{
	static const int usual[] = { SIGINT, SIGTERM, SIGHUP };
	struct run *run = mem_alloc(sizeof(*run));
	struct target_options target = options->target;
	target.data = run;
	target.assessed = on_assessed;
	run->app = app;
	run->options = *options;
	run->has_begun = !options->is_enough;
	run->status = EXIT_UNKNOWN;
	run->target = target_new(&app->loop, &target);
	if (options->unattended)
		session_never_ask(target_session(run->target));
	CLEANUP(cleanup_free) char *path = audit_default_path();
	run->audit = audit_new(path);
	run->timeout = handle_new_timer(&app->loop, run);
	run->signals = signal_watch_new(&app->loop, options->signals ? options->signals : usual,
		options->signals ? options->n_signals : sizeof(usual) / sizeof(usual[0]),
		&(struct signal_watch_callbacks){ run, on_signal });
	return run;
}

void run_start(struct run *run)
{
	if (!run->has_begun)
		set_timeout(run, TIMEOUT);
	target_start(run->target);
}

void run_loop(struct run *run)
{
	uv_run(&run->app->loop, UV_RUN_DEFAULT);
}

int run_close(struct run *run)
{
	int status = run->status;
	handle_close(run->timeout);
	signal_watch_free(run->signals);
	target_free(run->target);
	app_report_unwritten("audit log", audit_free(run->audit));
	free(run);
	return status;
}

int run_to_end(struct run *run, void (*free_mode)(void *data))
{
	run_start(run);
	run_loop(run);
	free_mode(run->options.data);
	return run_close(run);
}
