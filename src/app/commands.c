/* The commands behind the keys. An action is planned from what the screen shows, asked about on a
 * page of its own, checked by the guard, and only then handed to the executor. */
#include "app/commands.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "action/execute.h"
#include "action/losses.h"
#include "action/plan.h"
#include "app/app.h"
#include "app/clearing_page.h"
#include "app/clipboard.h"
#include "app/dashboard.h"
#include "app/emergency_page.h"
#include "app/player.h"
#include "app/proxy_page.h"
#include "app/themes.h"
#include "app/watch_page.h"
#include "base/cleanup.h"
#include "base/duration.h"
#include "base/instant.h"
#include "base/mem.h"
#include "config/config.h"
#include "model/assessment.h"
#include "view/locks.h"
#include "view/search.h"

static const int64_t intervals[] = { 100000, 200000, 500000, 1000000, 2000000, 5000000, 10000000,
	30000000, 60000000 };
#define USEC_PER_MIN (60 * USEC_PER_SEC)
#define INTERVALS    (sizeof(intervals) / sizeof(intervals[0]))

void command_up(struct dashboard *dashboard)
{
	ui_move(&dashboard->ui, -1);
}

void command_down(struct dashboard *dashboard)
{
	ui_move(&dashboard->ui, 1);
}

void command_page_up(struct dashboard *dashboard)
{
	ui_page(&dashboard->ui, -1);
}

void command_page_down(struct dashboard *dashboard)
{
	ui_page(&dashboard->ui, 1);
}

void command_home(struct dashboard *dashboard)
{
	ui_home(&dashboard->ui);
}

void command_end(struct dashboard *dashboard)
{
	ui_end(&dashboard->ui);
}

void command_tag(struct dashboard *dashboard)
{
	ui_toggle_tag(&dashboard->ui);
}

void command_untag(struct dashboard *dashboard)
{
	ui_untag_all(&dashboard->ui);
}

void command_pan_right(struct dashboard *dashboard)
{
	ui_pan(&dashboard->ui, 1);
}

void command_pan_left(struct dashboard *dashboard)
{
	ui_pan(&dashboard->ui, -1);
}

/* Without groups the arrows have only one meaning left. */
void command_fold(struct dashboard *dashboard)
{
	if (dashboard->ui.grouping == GROUPING_FLAT)
		ui_pan(&dashboard->ui, -1);
	else
		ui_set_folded(&dashboard->ui, true);
}

void command_unfold(struct dashboard *dashboard)
{
	if (dashboard->ui.grouping == GROUPING_FLAT)
		ui_pan(&dashboard->ui, 1);
	else
		ui_set_folded(&dashboard->ui, false);
}

void command_find_next(struct dashboard *dashboard)
{
	search_go(&dashboard->ui, target_assessment(dashboard->target), 1);
}

void command_find_previous(struct dashboard *dashboard)
{
	search_go(&dashboard->ui, target_assessment(dashboard->target), -1);
}

void command_follow(struct dashboard *dashboard)
{
	search_toggle_follow(&dashboard->ui);
}

/* The connection under the cursor alone, whatever is tagged; NULL on a group. */
static const struct connection *current(const struct dashboard *dashboard)
{
	const struct assessment *assessment = target_assessment(dashboard->target);
	const struct rows *rows = &dashboard->ui.rows;
	if (dashboard->ui.row >= rows->n_rows)
		return NULL;
	uint32_t member = rows->rows[dashboard->ui.row].member;
	if (member == ROW_HEADER)
		return NULL;
	/* the rows are those of the last frame, which this assessment was drawn in */
	uint32_t index = rows->members[member].connection;
	return index < assessment->n_connections ? &assessment->connections[index] : NULL;
}

void command_enter(struct dashboard *dashboard)
{
	const struct connection *connection = current(dashboard);
	if (!connection) {
		ui_toggle_fold(&dashboard->ui);
		return;
	}
	details_open(&dashboard->ui, connection);
}

void command_proxy(struct dashboard *dashboard)
{
	ui_push(&dashboard->ui, PAGE_PROXY);
}

void command_proxy_start(struct dashboard *dashboard)
{
	if (dashboard->proxy)
		proxy_page_plan(dashboard->proxy, LAUNCH_START);
}

void command_proxy_restart(struct dashboard *dashboard)
{
	if (dashboard->proxy)
		proxy_page_plan(dashboard->proxy, LAUNCH_RESTART);
}

void command_launch(struct dashboard *dashboard)
{
	proxy_page_confirm(dashboard->proxy);
}

void command_locks(struct dashboard *dashboard)
{
	if (dashboard->player) {
		ui_notice(&dashboard->ui, STYLE_CAUTION, "a recording holds no locks");
		return;
	}
	ui_push(&dashboard->ui, PAGE_LOCKS);
}

void command_lock_details(struct dashboard *dashboard)
{
	const struct connection *connection =
		locks_at(target_assessment(dashboard->target), dashboard->ui.cursor);
	if (connection)
		details_open(&dashboard->ui, connection);
}

void command_filter(struct dashboard *dashboard)
{
	ui_filter_begin(&dashboard->ui);
}

void command_sort(struct dashboard *dashboard)
{
	ui_next_sort(&dashboard->ui);
}

void command_reverse(struct dashboard *dashboard)
{
	ui_toggle_reverse(&dashboard->ui);
}

void command_group(struct dashboard *dashboard)
{
	ui_next_grouping(&dashboard->ui);
}

void command_pause(struct dashboard *dashboard)
{
	if (dashboard->player) {
		player_toggle(dashboard->player);
		return;
	}
	ui_toggle_pause(&dashboard->ui);
	target_pause(dashboard->target, dashboard->ui.paused);
}

static void set_interval(struct dashboard *dashboard, int64_t interval)
{
	char text[64], length[DURATION_TEXT_MAX];
	dashboard->ui.interval = interval;
	target_set_interval(dashboard->target, interval);
	snprintf(text, sizeof(text), "every %s", duration_format(interval, length));
	ui_notice(&dashboard->ui, STYLE_DIM, text);
}

void command_slower(struct dashboard *dashboard)
{
	if (dashboard->player) {
		player_change_speed(dashboard->player, 1);
		return;
	}
	for (size_t i = 0; i < INTERVALS; i++) {
		if (intervals[i] > dashboard->ui.interval) {
			set_interval(dashboard, intervals[i]);
			return;
		}
	}
}

void command_faster(struct dashboard *dashboard)
{
	if (dashboard->player) {
		player_change_speed(dashboard->player, -1);
		return;
	}
	for (size_t i = INTERVALS; i-- > 0;) {
		if (intervals[i] < dashboard->ui.interval) {
			set_interval(dashboard, intervals[i]);
			return;
		}
	}
}

void command_step_on(struct dashboard *dashboard)
{
	player_step(dashboard->player, 1);
}

void command_step_back(struct dashboard *dashboard)
{
	player_step(dashboard->player, -1);
}

void command_seek_on(struct dashboard *dashboard)
{
	player_seek(dashboard->player, USEC_PER_MIN);
}

void command_seek_back(struct dashboard *dashboard)
{
	player_seek(dashboard->player, -USEC_PER_MIN);
}

void command_to_start(struct dashboard *dashboard)
{
	player_step(dashboard->player, -LONG_MAX);
}

void command_to_end(struct dashboard *dashboard)
{
	player_step(dashboard->player, LONG_MAX);
}

void command_copy(struct dashboard *dashboard)
{
	const struct connection *connection = current(dashboard);
	if (!connection || !connection->backend->query) {
		ui_notice(&dashboard->ui, STYLE_CAUTION, "no statement here to copy");
		return;
	}
	clipboard_copy(connection->backend->query);
	ui_notice(&dashboard->ui, STYLE_GOOD, "copied, if the terminal allows it (OSC 52)");
}

void command_theme(struct dashboard *dashboard)
{
	themes_next(dashboard);
}

void command_help(struct dashboard *dashboard)
{
	if (ui_current_page(&dashboard->ui) != PAGE_HELP)
		ui_push(&dashboard->ui, PAGE_HELP);
}

/* Esc: the page on top, then the filter, then the tags. */
void command_back(struct dashboard *dashboard)
{
	/* what the guard asked on the plan's page is answered */
	if (ui_current_page(&dashboard->ui) == PAGE_PLAN)
		ui_notice(&dashboard->ui, STYLE_TEXT, NULL);
	if (ui_current_page(&dashboard->ui) != PAGE_MAIN)
		ui_pop(&dashboard->ui);
	else
		ui_filter_clear(&dashboard->ui);
}

void command_quit(struct dashboard *dashboard)
{
	dashboard_leave(dashboard, 0);
}

void command_suspend(struct dashboard *dashboard)
{
	dashboard_suspend(dashboard);
}

void command_redraw(struct dashboard *dashboard)
{
	dashboard_redraw(dashboard);
}

static bool is_free_to_act(struct dashboard *dashboard)
{
	if (dashboard->player)
		ui_notice(&dashboard->ui, STYLE_CAUTION,
			"a recording: what it shows is over, and nothing can be ended");
	else if (dashboard->app->config->readonly)
		ui_notice(&dashboard->ui, STYLE_CAUTION, "read-only: nothing can be ended");
	else if (execute_busy(dashboard->executor) || emergency_page_busy(dashboard->emergency))
		ui_notice(&dashboard->ui, STYLE_CAUTION, "still at work on the last plan");
	else
		return true;
	return false;
}

static void open_plan(struct dashboard *dashboard, struct action_plan *plan, const char *otherwise)
{
	losses_forget(dashboard->losses);
	action_plan_free(dashboard->plan);
	dashboard->plan = NULL;
	dashboard->limit_confirmed = false;
	if (plan->n_targets == 0) {
		action_plan_free(plan);
		ui_notice(&dashboard->ui, STYLE_GOOD, otherwise);
		return;
	}
	dashboard->plan = plan;
	/* without an answer the plan stands as it is */
	(void)!losses_ask(dashboard->losses, plan);
	dashboard->ui.cursor = 0;
	ui_notice(&dashboard->ui, STYLE_TEXT, NULL);
	ui_push(&dashboard->ui, PAGE_PLAN);
}

void command_kill_leaked(struct dashboard *dashboard)
{
	if (is_free_to_act(dashboard))
		open_plan(dashboard, plan_kill_leaked(target_assessment(dashboard->target), false),
			"no connection is leaked");
}

/* The details page's subject; else what is tagged or under the cursor. The caller frees them. */
static struct plan_session *chosen_sessions(const struct dashboard *dashboard, size_t *ret_count)
{
	const struct ui_state *ui = &dashboard->ui;
	const struct assessment *assessment = target_assessment(dashboard->target);
	if (ui_current_page(ui) == PAGE_DETAILS) {
		struct plan_session *session = mem_alloc(sizeof(*session));
		*session = (struct plan_session){ ui->details.pid, (int64_t)ui->details.subject.b };
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

static void plan_for_chosen(
	struct dashboard *dashboard, enum action_kind kind, const char *otherwise)
{
	const struct assessment *assessment = target_assessment(dashboard->target);
	if (!is_free_to_act(dashboard))
		return;
	size_t count;
	CLEANUP(cleanup_free) struct plan_session *sessions = chosen_sessions(dashboard, &count);
	open_plan(dashboard, plan_selected(assessment, kind, sessions, count), otherwise);
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

/* What was asked about the last choice has to be asked about this one. */
static void choose_anew(struct dashboard *dashboard)
{
	dashboard->limit_confirmed = false;
	ui_notice(&dashboard->ui, STYLE_TEXT, NULL);
}

void command_tick(struct dashboard *dashboard)
{
	choose_anew(dashboard);
	ui_toggle_target(&dashboard->ui, dashboard->plan);
}

void command_tick_all(struct dashboard *dashboard)
{
	choose_anew(dashboard);
	ui_toggle_targets(dashboard->plan);
}

/* The guard's word, and a second Enter where it asks for one. */
static bool is_allowed(struct dashboard *dashboard)
{
	const struct guard_limits limits = {
		.readonly = dashboard->app->config->readonly,
		.per_minute = dashboard->app->config->kill_limit,
	};
	struct guard_answer answer =
		guard_check(dashboard->plan, &limits, &dashboard->ended, instant_monotonic());
	if (answer.verdict == GUARD_ALLOW ||
		(answer.verdict == GUARD_CONFIRM && dashboard->limit_confirmed))
		return true;
	dashboard->limit_confirmed = answer.verdict == GUARD_CONFIRM;
	CLEANUP(cleanup_free)
	char *asks = mem_printf(
		"%s%s", answer.why, dashboard->limit_confirmed ? ": Enter again ends them" : "");
	ui_notice(&dashboard->ui, STYLE_CAUTION, asks);
	return false;
}

void command_confirm(struct dashboard *dashboard)
{
	struct action_plan *plan = dashboard->plan;
	if (!is_allowed(dashboard))
		return;
	int r = execute_run(dashboard->executor, plan);
	if (r < 0) {
		ui_notice(&dashboard->ui, STYLE_CAUTION,
			r == -EPERM ? "read-only: nothing can be ended" : "nothing is ticked");
		return;
	}
	guard_note(&dashboard->ended, plan_count_selected(plan), instant_monotonic());
	ui_pop(&dashboard->ui);
	ui_push(&dashboard->ui, PAGE_RESULTS);
}

/* While one is carried out its page opens again. */
void command_emergency(struct dashboard *dashboard)
{
	if (emergency_page_busy(dashboard->emergency))
		ui_push(&dashboard->ui, PAGE_EMERGENCY_RUN);
	else if (is_free_to_act(dashboard))
		emergency_page_open(dashboard->emergency);
}

void command_clear_pages(struct dashboard *dashboard)
{
	clearing_page_plan(dashboard->clearing);
}

void command_clear_confirm(struct dashboard *dashboard)
{
	clearing_page_confirm(dashboard->clearing);
}

/* The process under the cursor: a connection's, or a group's; 0 for none. */
static int32_t current_process(const struct dashboard *dashboard)
{
	const struct assessment *assessment = target_assessment(dashboard->target);
	const struct rows *rows = &dashboard->ui.rows;
	if (dashboard->ui.row >= rows->n_rows)
		return 0;
	const struct row *row = &rows->rows[dashboard->ui.row];
	const struct group *group = &rows->groups[row->group];
	uint32_t process = group->kind == GROUP_PROCESS ? group->process : NO_PROCESS;
	if (row->member != ROW_HEADER) {
		uint32_t index = rows->members[row->member].connection;
		if (index < assessment->n_connections)
			process = assessment->connections[index].process;
	}
	return process < assessment->n_processes && assessment->processes[process].alive
		? assessment->processes[process].process.pid
		: 0;
}

/* The one that is watched already shows its page again. */
void command_watch(struct dashboard *dashboard)
{
	int32_t pid = current_process(dashboard);
	bool busy = watch_page_is_busy(dashboard->watch);
	if (dashboard->player)
		ui_notice(&dashboard->ui, STYLE_CAUTION, "a recording: what it shows is over");
	else if (watch_page_pid(dashboard->watch) &&
		(!pid || (busy && pid == watch_page_pid(dashboard->watch))))
		ui_push(&dashboard->ui, PAGE_WATCH);
	else if (!pid || watch_page_arm(dashboard->watch, pid) < 0)
		ui_notice(&dashboard->ui, STYLE_CAUTION,
			"no process of this machine is here to be watched");
}

void command_watch_again(struct dashboard *dashboard)
{
	if (watch_page_arm(dashboard->watch, watch_page_pid(dashboard->watch)) < 0)
		ui_notice(&dashboard->ui, STYLE_CAUTION, "it has ended");
}

void command_watch_kill(struct dashboard *dashboard)
{
	size_t count;
	CLEANUP(cleanup_free)
	struct plan_session *sessions = watch_page_left(dashboard->watch, &count);
	if (is_free_to_act(dashboard))
		open_plan(dashboard,
			plan_selected(target_assessment(dashboard->target), ACTION_TERMINATE,
				sessions, count),
			"nothing of it is left on the server");
}

void command_interrupt(struct dashboard *dashboard)
{
	if (!dashboard_asks_to_leave(dashboard))
		command_quit(dashboard);
}

/* The answer to the question: yes. */
void command_leave(struct dashboard *dashboard)
{
	dashboard_leave(dashboard, 0);
}

void command_emergency_confirm(struct dashboard *dashboard)
{
	emergency_page_confirm(dashboard->emergency);
}
