/* The commands that act. An action is planned from what the screen shows, confirmed on the plan's
 * screen, checked by the guard, and then given to the runner. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "action/audit.h"
#include "action/clear_plan.h"
#include "action/lock_impact.h"
#include "action/plan.h"
#include "action/runner.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "config/config.h"
#include "dashboard/commands.h"
#include "dashboard/dashboard.h"
#include "dashboard/emergency_screen.h"
#include "model/assessment.h"
#include "model/findings.h"
#include "modes/app.h"
#include "session/session.h"
#include "target/target.h"
#include "view/emergency_view.h"
#include "view/plan.h"

const char *command_refusal(const struct dashboard *dashboard)
{
	if (dashboard->player)
		return "a recording shows the past: no action is possible";
	if (dashboard->app->config->readonly)
		return runner_refusal(-EPERM);
	if (runner_busy(dashboard->runner) || emergency_screen_busy(dashboard->emergency))
		return runner_refusal(-EBUSY);
	return NULL;
}

/* The same for an action on sessions. */
static const char *refusal(const struct dashboard *dashboard)
{
	const char *why = command_refusal(dashboard);
	bool pooled = !why && session_is_pooled(target_session(dashboard->target));
	return pooled ? POOLER_REASON : why;
}

bool command_is_free_to_act(struct dashboard *dashboard)
{
	const char *why = refusal(dashboard);
	if (why)
		ui_notice(&dashboard->ui, STYLE_CAUTION, why);
	return !why;
}

bool command_would_act(const struct dashboard *dashboard, struct action *plan)
{
	bool would = plan->n_steps && !refusal(dashboard);
	action_free(plan);
	return would;
}

static struct plan_session *chosen_sessions(const struct dashboard *dashboard, size_t *ret_count);

/* Whether what a chosen session does is hidden from our role. */
static bool is_chosen_hidden(const struct dashboard *dashboard)
{
	const struct assessment *assessment = target_assessment(dashboard->target);
	size_t count;
	bool hidden = false;
	CLEANUP(cleanup_free) struct plan_session *sessions = chosen_sessions(dashboard, &count);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < assessment->n_connections; k++)
			hidden |= assessment->connections[k].backend->kind == BACKEND_HIDDEN &&
				assessment->connections[k].backend->pid == sessions[i].pid;
	return hidden;
}

/* "Nothing" is reported only of what could be seen: for the chosen sessions their rows, for leaks
 * all sessions. */
static void report_nothing(struct dashboard *dashboard, enum action_kind kind, const char *nothing)
{
	const struct assessment *assessment = target_assessment(dashboard->target);
	enum certainty least = dashboard->app->options.least;
	char text[FINDINGS_TEXT_MAX];
	bool is_known = true;
	if (kind == ACTION_KILL_LEAKED)
		is_known = findings_blindness(assessment, least) == BLIND_NOT;
	else if (kind == ACTION_TERMINATE || kind == ACTION_CANCEL)
		is_known = !findings_has_no_rows(assessment) &&
			(kind == ACTION_TERMINATE || !is_chosen_hidden(dashboard));
	findings_describe_blindness(assessment, least, text);
	CLEANUP(cleanup_free) char *notice = mem_printf("cannot tell: %s", text);
	ui_notice(
		&dashboard->ui, is_known ? STYLE_GOOD : STYLE_CAUTION, is_known ? nothing : notice);
}

void command_open_plan(struct dashboard *dashboard, struct action *plan, const char *otherwise)
{
	lock_impact_forget(dashboard->lock_impact);
	action_free(dashboard->plan);
	dashboard->plan = NULL;
	dashboard->limit_confirmed = false;
	if (plan->n_steps == 0) {
		enum action_kind kind = plan->kind;
		action_free(plan);
		report_nothing(dashboard, kind, otherwise);
		return;
	}
	dashboard->plan = plan;
	/* If the query for lock impact cannot be sent, the plan is shown without it. */
	if (plan->steps[0].kind == STEP_SESSION)
		(void)!lock_impact_ask(dashboard->lock_impact, plan);
	dashboard->ui.cursor = 0;
	ui_notice(&dashboard->ui, STYLE_TEXT, NULL);
	ui_push(&dashboard->ui, &plan_view);
}

void command_kill_leaked(struct dashboard *dashboard)
{
	if (command_is_free_to_act(dashboard))
		command_open_plan(dashboard,
			plan_kill_leaked(target_assessment(dashboard->target),
				dashboard->app->options.least),
			"no connection is leaked");
}

/* The session of the details screen; else the tagged ones or the one under the cursor. The caller
 * frees them. */
static struct plan_session *chosen_sessions(const struct dashboard *dashboard, size_t *ret_count)
{
	const struct ui_state *ui = &dashboard->ui;
	const struct assessment *assessment = target_assessment(dashboard->target);
	if (ui_top(ui) == &details_view) {
		struct plan_session *session = mem_alloc(sizeof(*session));
		*session = (struct plan_session){ dashboard->details.pid,
			(int64_t)dashboard->details.subject.b };
		*ret_count = 1;
		return session;
	}
	CLEANUP(cleanup_free)
	uint32_t *chosen = mem_resize(NULL, assessment->n_connections, sizeof(*chosen));
	size_t count = ui_chosen(ui, assessment, chosen);
	struct plan_session *sessions = mem_resize(NULL, count, sizeof(*sessions));
	for (size_t i = 0; i < count; i++) {
		const struct backend *backend = assessment->connections[chosen[i]].backend;
		sessions[i] = (struct plan_session){ backend->pid, backend->start };
	}
	*ret_count = count;
	return sessions;
}

static struct action *plan_chosen(const struct dashboard *dashboard, enum action_kind kind)
{
	size_t count;
	CLEANUP(cleanup_free) struct plan_session *sessions = chosen_sessions(dashboard, &count);
	return plan_selected(target_assessment(dashboard->target), kind, sessions, count);
}

/* Whether every tagged session has ended. */
static bool tagged_have_ended(const struct dashboard *dashboard)
{
	const struct ui_state *ui = &dashboard->ui;
	size_t count;
	if (!ui->tagged.count || ui_top(ui) == &details_view)
		return false;
	free(chosen_sessions(dashboard, &count));
	return count == 0;
}

static void plan_for_chosen(
	struct dashboard *dashboard, enum action_kind kind, const char *otherwise)
{
	if (!command_is_free_to_act(dashboard))
		return;
	if (tagged_have_ended(dashboard)) {
		ui_untag_all(&dashboard->ui);
		ui_notice(&dashboard->ui, STYLE_CAUTION,
			"the tagged sessions have ended; none is tagged now");
		return;
	}
	size_t count;
	free(chosen_sessions(dashboard, &count));
	command_open_plan(dashboard, plan_chosen(dashboard, kind),
		count ? otherwise : "no connection is selected");
}

bool command_would_terminate(const struct dashboard *dashboard)
{
	return command_would_act(dashboard, plan_chosen(dashboard, ACTION_TERMINATE));
}

bool command_would_cancel(const struct dashboard *dashboard)
{
	return command_would_act(dashboard, plan_chosen(dashboard, ACTION_CANCEL));
}

void command_terminate(struct dashboard *dashboard)
{
	plan_for_chosen(dashboard, ACTION_TERMINATE,
		"nothing here can be ended: it is dbtop's own, the system's, or hidden");
}

void command_cancel(struct dashboard *dashboard)
{
	plan_for_chosen(dashboard, ACTION_CANCEL, "no statement runs here");
}

/* An answer to the guard was for the old choice, so it is asked again. */
static void choose_anew(struct dashboard *dashboard)
{
	dashboard->limit_confirmed = false;
	ui_notice(&dashboard->ui, STYLE_TEXT, NULL);
}

bool command_would_tick(const struct dashboard *dashboard)
{
	return dashboard->plan && dashboard->plan->kind != ACTION_PROXY_START &&
		dashboard->plan->kind != ACTION_PROXY_RESTART;
}

void command_tick(struct dashboard *dashboard)
{
	if (!command_would_tick(dashboard))
		return;
	choose_anew(dashboard);
	ui_toggle_target(&dashboard->ui, dashboard->plan);
}

void command_tick_all(struct dashboard *dashboard)
{
	if (!command_would_tick(dashboard))
		return;
	choose_anew(dashboard);
	ui_toggle_targets(dashboard->plan);
}

bool command_would_tick_proven(const struct dashboard *dashboard)
{
	return dashboard->plan && dashboard->plan->kind == ACTION_KILL_LEAKED;
}

/* What was unticked stays so. */
void command_tick_proven(struct dashboard *dashboard)
{
	if (!command_would_tick_proven(dashboard))
		return;
	choose_anew(dashboard);
	for (size_t i = 0; i < dashboard->plan->n_steps; i++)
		dashboard->plan->steps[i].selected &=
			dashboard->plan->steps[i].session.certainty == CERTAINTY_PROVEN;
}

/* Shows the guard's answer; a second Enter is needed if it asks. */
static bool is_allowed(struct dashboard *dashboard)
{
	bool sessions = dashboard->plan->steps[0].kind == STEP_SESSION;
	const struct guard_limits limits = {
		.readonly = dashboard->app->config->readonly,
		.pooler = sessions && session_is_pooled(target_session(dashboard->target)),
		.per_minute = dashboard->app->config->kill_limit,
	};
	struct guard_answer answer =
		guard_check(dashboard->plan, &limits, &dashboard->ended, instant_monotonic());
	if (answer.verdict == GUARD_ALLOW ||
		(answer.verdict == GUARD_CONFIRM && dashboard->limit_confirmed))
		return true;
	dashboard->limit_confirmed = answer.verdict == GUARD_CONFIRM;
	ui_ask_anew(&dashboard->ui);
	CLEANUP(cleanup_free)
	char *asks = mem_printf(
		"%s%s", answer.why, dashboard->limit_confirmed ? ": Enter again ends them" : "");
	ui_notice(&dashboard->ui, STYLE_CAUTION, asks);
	return false;
}

void command_confirm(struct dashboard *dashboard)
{
	struct action *plan = dashboard->plan;
	if (!is_allowed(dashboard))
		return;
	int r = runner_begin(dashboard->runner, plan);
	if (r == -EIO) {
		plan->unaudited = true;
		dashboard_ask_unaudited(dashboard);
		return;
	}
	if (r < 0) {
		ui_notice(&dashboard->ui, STYLE_CAUTION, runner_refusal(r));
		return;
	}
	if (plan->kind == ACTION_KILL_LEAKED || plan->kind == ACTION_TERMINATE)
		guard_note(&dashboard->ended, action_count_selected(plan), instant_monotonic());
	ui_pop(&dashboard->ui);
	ui_push(&dashboard->ui, &results_view);
}

/* If an emergency is running, its screen opens again. */
void command_emergency(struct dashboard *dashboard)
{
	if (emergency_screen_busy(dashboard->emergency))
		ui_push(&dashboard->ui, &emergency_run_view);
	else if (command_is_free_to_act(dashboard))
		emergency_screen_open(dashboard->emergency);
}

static const char *why_nothing_to_clear(const struct assessment *assessment)
{
	size_t spent;
	char text[POOL_FOLDED_MAX];
	pool_folded(assessment->pools, assessment->n_pools, &spent, text);
	return spent ? "the pages of dead processes are another user's, or not of --app"
		     : "no dead process here has left a page that can be removed";
}

void command_clear_pages(struct dashboard *dashboard)
{
	const struct assessment *assessment = target_assessment(dashboard->target);
	const char *why = command_refusal(dashboard);
	if (why)
		ui_notice(&dashboard->ui, STYLE_CAUTION, why);
	else
		command_open_plan(dashboard,
			clear_plan(assessment, &dashboard->app->rules, geteuid()),
			why_nothing_to_clear(assessment));
}
