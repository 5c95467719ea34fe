/* Judges again at each event of the watch, and draws only if something changed. */
#include "dashboard/watch_screen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "action/plan.h"
#include "analyze/shutdown.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/text.h"
#include "dashboard/commands.h"
#include "dashboard/dashboard.h"
#include "dashboard/screen.h"
#include "model/assessment.h"
#include "model/peers.h"
#include "model/shutdown.h"
#include "modes/app.h"
#include "modes/log.h"
#include "proc/procfs.h"
#include "target/target.h"
#include "view/watch_view.h"
#include "watch/watch.h"

#define TIMEOUT (10 * USEC_PER_SEC)
#define SETTLE  (5 * USEC_PER_SEC)

/* While the application ends, the elapsed time is redrawn at this interval. */
#define FRAME (100 * USEC_PER_MSEC)

struct watch_screen {
	struct dashboard *dashboard;
	struct watch *watch; /* NULL: none */
	int32_t pid;
	struct arena *arena; /* owns the verdict that is shown */
	struct shutdown_verdict verdict;
	struct ui_watch shown;
	char *name;
	int64_t drawn_at; /* monotonic */
};

struct watch_screen *watch_screen_new(struct dashboard *dashboard)
{
	struct watch_screen *screen = mem_alloc(sizeof(*screen));
	screen->dashboard = dashboard;
	return screen;
}

static void disarm(struct watch_screen *screen)
{
	screen->dashboard->ui.watch = NULL;
	watch_free(screen->watch);
	screen->watch = NULL;
	arena_free(screen->arena);
	screen->arena = NULL;
	free(screen->name);
	screen->name = NULL;
}

void watch_screen_free(struct watch_screen *screen)
{
	if (!screen)
		return;
	disarm(screen);
	free(screen);
}

static int count_left(const struct shutdown_record *record)
{
	int left = 0;
	for (size_t i = 0; i < record->n_connections; i++)
		left += record->connections[i].backend &&
			record->connections[i].link != LINK_POOLED &&
			!shutdown_connection_is_over(&record->connections[i]);
	return left;
}

static bool differs(const struct watch_screen *screen, const struct shutdown_verdict *verdict,
	const struct ui_watch *shown)
{
	return verdict->n_events != screen->verdict.n_events ||
		verdict->behaviour != screen->verdict.behaviour ||
		verdict->after != screen->verdict.after ||
		verdict->before != screen->verdict.before ||
		shown->connections != screen->shown.connections ||
		shown->complete != screen->shown.complete ||
		(shown->elapsed >= 0 && !shown->complete &&
			instant_monotonic() - screen->drawn_at >= FRAME);
}

static void show(struct watch_screen *screen)
{
	const struct shutdown_record *record = watch_record(screen->watch);
	static const struct shutdown_rules rules;
	struct arena *arena = arena_new();
	int64_t now = instant_monotonic();
	struct shutdown_verdict verdict = shutdown_judge(record, &rules, now, arena);
	const struct ui_watch shown = {
		.name = screen->name,
		.verdict = &screen->verdict,
		.connections = watch_count(screen->watch),
		.left = count_left(record),
		.complete = watch_is_complete(screen->watch),
		.elapsed =
			record->signalled_at == INSTANT_UNKNOWN ? -1 : now - record->signalled_at,
	};
	if (screen->arena && !differs(screen, &verdict, &shown)) {
		arena_free(arena);
		return;
	}
	arena_free(screen->arena);
	screen->arena = arena;
	screen->verdict = verdict;
	screen->shown = shown;
	screen->drawn_at = now;
	screen->dashboard->ui.watch = &screen->shown;
	screen->dashboard->dirty = true;
}

static void on_changed(void *data)
{
	show(data);
}

static void on_complete(void *data)
{
	struct watch_screen *screen = data;
	show(screen);
	log_write(screen->dashboard->app->log, "watch: %s: %s: %s", screen->name,
		screen->verdict.behaviour == BEHAVIOUR_NONE ? "no verdict"
			: screen->verdict.pass              ? "pass"
							    : "fail",
		screen->verdict.sentence);
	target_refresh(screen->dashboard->target);
}

/* The name that a scan found; NULL. */
static const char *known_name(const struct watch_screen *screen, int32_t pid, uint64_t start_ticks)
{
	const struct assessment *assessment = target_assessment(screen->dashboard->target);
	for (size_t i = 0; assessment && i < assessment->n_processes; i++) {
		const struct process *process = &assessment->processes[i].process;
		if (process->pid == pid && process->start_ticks == start_ticks)
			return process->name;
	}
	return NULL;
}

/* "python3 4312", and which process it is. The command line is not read: that may block forever,
 * and this is the loop's thread. */
static int describe(
	const struct watch_screen *screen, int32_t pid, char **ret_name, uint64_t *ret_start_ticks)
{
	struct procfs *procfs = procfs_new("/proc");
	struct procfs_stat stat;
	int r = procfs_stat(procfs, pid, &stat);
	procfs_free(procfs);
	if (r == 0 && procfs_has_ended(&stat))
		r = -ESRCH;
	if (r < 0)
		return r;
	struct arena *arena = arena_new();
	const char *name = known_name(screen, pid, stat.start_ticks);
	if (!name)
		name = text_clean(arena, stat.comm, strlen(stat.comm), TEXT_LINE);
	*ret_name = mem_printf("%s %d", name, pid);
	*ret_start_ticks = stat.start_ticks;
	arena_free(arena);
	return 0;
}

int watch_screen_arm(struct watch_screen *screen, int32_t pid)
{
	struct dashboard *dashboard = screen->dashboard;
	uint64_t start_ticks = 0;
	char *name = NULL;
	int r = describe(screen, pid, &name, &start_ticks);
	if (r < 0)
		return r;
	disarm(screen);
	const struct watch_options options = {
		.pid = pid,
		.start_ticks = start_ticks,
		.timeout = TIMEOUT,
		.settle = SETTLE,
		.data = screen,
		.changed = on_changed,
		.complete = on_complete,
	};
	screen->name = name;
	screen->pid = pid;
	screen->watch = watch_new(&dashboard->app->loop, dashboard->target, &options);
	watch_assessed(screen->watch);
	show(screen);
	if (!ui_is_open(&dashboard->ui, &watch_view))
		ui_push(&dashboard->ui, &watch_view);
	return 0;
}

int32_t watch_screen_pid(const struct watch_screen *screen)
{
	return screen && screen->watch ? screen->pid : 0;
}

bool watch_screen_is_busy(const struct watch_screen *screen)
{
	return screen && screen->watch && !watch_is_complete(screen->watch);
}

static struct plan_session *sessions_left(const struct watch_screen *screen, size_t *ret_count)
{
	const struct shutdown_record *record = screen->watch ? watch_record(screen->watch) : NULL;
	size_t room = record ? record->n_connections : 0;
	struct plan_session *sessions = mem_resize(NULL, room + 1, sizeof(*sessions));
	*ret_count = 0;
	for (size_t i = 0; i < room; i++) {
		const struct shutdown_connection *connection = &record->connections[i];
		if (connection->backend && connection->link != LINK_POOLED &&
			!connection->presumed && !shutdown_connection_is_over(connection))
			sessions[(*ret_count)++] = (struct plan_session){ connection->backend,
				connection->backend_start };
	}
	return sessions;
}

static struct action *plan_left(const struct dashboard *dashboard)
{
	size_t count;
	CLEANUP(cleanup_free)
	struct plan_session *sessions = sessions_left(dashboard->watch, &count);
	return plan_selected(
		target_assessment(dashboard->target), ACTION_TERMINATE, sessions, count);
}

/* Before the verdict no session counts as left: it may be in use, or about to be closed. */
static void kill_left(struct dashboard *dashboard)
{
	if (watch_screen_is_busy(dashboard->watch))
		ui_notice(&dashboard->ui, STYLE_CAUTION, "there is no verdict yet on what is left");
	else if (command_is_free_to_act(dashboard))
		command_open_plan(
			dashboard, plan_left(dashboard), "nothing of it is left on the server");
}

static bool would_kill_left(const struct dashboard *dashboard)
{
	return !watch_screen_is_busy(dashboard->watch) &&
		command_would_act(dashboard, plan_left(dashboard));
}

/* The pid of the process under the cursor: of a connection, or of a group; 0 if there is none. */
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

/* For the process that is watched already, it opens the screen again. */
void command_watch(struct dashboard *dashboard)
{
	int32_t pid = current_process(dashboard);
	bool busy = watch_screen_is_busy(dashboard->watch);
	if (dashboard->player)
		ui_notice(&dashboard->ui, STYLE_CAUTION, "a recording: what it shows is over");
	else if (watch_screen_pid(dashboard->watch) &&
		(!pid || (busy && pid == watch_screen_pid(dashboard->watch))))
		ui_push(&dashboard->ui, &watch_view);
	else if (!pid || watch_screen_arm(dashboard->watch, pid) < 0)
		ui_notice(&dashboard->ui, STYLE_CAUTION,
			"there is no process of this machine here to watch");
}

static void watch_again(struct dashboard *dashboard)
{
	if (watch_screen_arm(dashboard->watch, watch_screen_pid(dashboard->watch)) < 0)
		ui_notice(&dashboard->ui, STYLE_CAUTION, "it has ended");
}

bool watch_screen_asks_to_leave(struct dashboard *dashboard)
{
	if (!watch_screen_is_busy(dashboard->watch) || ui_top(&dashboard->ui) == &quit_view)
		return false;
	ui_push(&dashboard->ui, &quit_view);
	dashboard->dirty = true;
	return true;
}

void command_interrupt(struct dashboard *dashboard)
{
	if (!watch_screen_asks_to_leave(dashboard))
		command_quit(dashboard);
}

/* Answers the question whether to quit with yes. */
static void leave(struct dashboard *dashboard)
{
	dashboard_leave(dashboard, 0);
}

/* Whether the watched process runs. If it ended, its children may still run. */
static bool is_watched_alive(const struct dashboard *dashboard)
{
	int32_t pid = watch_screen_pid(dashboard->watch);
	if (!pid || !dashboard->ui.watch)
		return false;
	const struct shutdown_verdict *verdict = dashboard->ui.watch->verdict;
	for (size_t i = 0; i < verdict->n_events; i++)
		if (verdict->timeline[i].kind == EVENT_PROCESS_ENDED &&
			verdict->timeline[i].pid == pid)
			return false;
	return true;
}

static void assessed(struct dashboard *dashboard)
{
	if (dashboard->watch && dashboard->watch->watch)
		watch_assessed(dashboard->watch->watch);
}

static const struct binding watch_keys[] = {
	{ kill_left, { CHAR('k') }, "k", "end #", NULL, true, .works = would_kill_left },
	{ watch_again, { CHAR('w') }, "w", "arm again", NULL, false, .works = is_watched_alive },
	{ command_back, { KEY(ESCAPE), CHAR('q'), KEY(ENTER) }, "Esc", "close, watch on", NULL,
		true },
	{ 0 },
};

static const struct binding quit_keys[] = {
	{ leave, { KEY(ENTER), CONTROL('c'), CHAR('y') }, "Enter", "quit", NULL, true },
	{ command_back, { KEY(ESCAPE), CHAR('n'), CHAR('q') }, "Esc", "stay", NULL, true },
	{ 0 },
};

const struct screen watch_screen = {
	.view = &watch_view, .keys = watch_keys, .assessed = assessed
};
const struct screen quit_screen = { .view = &quit_view, .keys = quit_keys };
