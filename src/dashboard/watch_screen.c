/* Judges again at each event of the watch, and draws only if something changed. */
#include "dashboard/watch_screen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "action/plan.h"
#include "analyze/shutdown.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/text.h"
#include "dashboard/commands.h"
#include "dashboard/dashboard.h"
#include "dashboard/display.h"
#include "dashboard/screen.h"
#include "model/assessment.h"
#include "model/findings.h"
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

/* A process that is watched, and what was found out about it so far. */
struct watched_process {
	struct watch_screen *screen;
	struct watch *watch;
	int32_t pid;
	struct arena *arena; /* owns the verdict that is shown */
	struct shutdown_verdict verdict;
	struct ui_watch shown;
	char *name;
	int64_t drawn_at; /* monotonic */
};

struct watch_screen {
	struct dashboard *dashboard;
	struct watched_process *current; /* NULL: none */
	struct watched_process *last;    /* the last one before it that has a verdict; NULL */
	bool shows_last;
};

struct watch_screen *watch_screen_new(struct dashboard *dashboard)
{
	struct watch_screen *screen = mem_alloc(sizeof(*screen));
	screen->dashboard = dashboard;
	return screen;
}

static void forget(struct watched_process *watched)
{
	if (!watched)
		return;
	watch_free(watched->watch);
	arena_free(watched->arena);
	free(watched->name);
	free(watched);
}

/* The one that the screen shows; NULL: none. */
static struct watched_process *visible(const struct watch_screen *screen)
{
	return screen->shows_last ? screen->last : screen->current;
}

static void show_visible(struct watch_screen *screen)
{
	const struct watched_process *watched = visible(screen);
	screen->dashboard->ui.watch = watched ? &watched->shown : NULL;
	screen->dashboard->dirty = true;
}

/* A verdict stays reachable when another process is watched. */
static void disarm(struct watch_screen *screen)
{
	struct watched_process *ended = screen->current;
	screen->dashboard->ui.watch = NULL;
	screen->shows_last = false;
	screen->current = NULL;
	if (!ended || !watch_is_complete(ended->watch)) {
		forget(ended);
		return;
	}
	forget(screen->last);
	screen->last = ended;
}

void watch_screen_free(struct watch_screen *screen)
{
	if (!screen)
		return;
	forget(screen->current);
	forget(screen->last);
	screen->dashboard->ui.watch = NULL;
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

/* −1: the server does not say, and no socket was found either. */
static int count_connections(const struct watched_process *watched)
{
	int count = watch_count(watched->watch);
	bool is_blind = findings_has_no_rows(target_assessment(watched->screen->dashboard->target));
	return count == 0 && is_blind ? -1 : count;
}

static bool differs(const struct watched_process *watched, const struct shutdown_verdict *verdict,
	const struct ui_watch *shown)
{
	return verdict->n_events != watched->verdict.n_events ||
		verdict->behaviour != watched->verdict.behaviour ||
		verdict->after != watched->verdict.after ||
		verdict->before != watched->verdict.before ||
		shown->connections != watched->shown.connections ||
		shown->complete != watched->shown.complete ||
		(shown->elapsed >= 0 && !shown->complete &&
			instant_monotonic() - watched->drawn_at >= FRAME);
}

static void show(struct watched_process *watched)
{
	const struct shutdown_record *record = watch_record(watched->watch);
	static const struct shutdown_rules rules;
	struct arena *arena = arena_new();
	int64_t now = instant_monotonic();
	struct shutdown_verdict verdict = shutdown_judge(record, &rules, now, arena);
	const struct ui_watch shown = {
		.name = watched->name,
		.verdict = &watched->verdict,
		.connections = count_connections(watched),
		.left = count_left(record),
		.complete = watch_is_complete(watched->watch),
		.elapsed =
			record->signalled_at == INSTANT_UNKNOWN ? -1 : now - record->signalled_at,
	};
	if (watched->arena && !differs(watched, &verdict, &shown)) {
		arena_free(arena);
		return;
	}
	arena_free(watched->arena);
	watched->arena = arena;
	watched->verdict = verdict;
	watched->shown = shown;
	watched->drawn_at = now;
	show_visible(watched->screen);
}

static void on_changed(void *data)
{
	show(data);
}

static void on_complete(void *data)
{
	struct watched_process *watched = data;
	const struct dashboard *dashboard = watched->screen->dashboard;
	show(watched);
	log_write(dashboard->app->log, "watch: %s: %s: %s", watched->name,
		watched->verdict.behaviour == BEHAVIOUR_NONE ? "no verdict"
			: watched->verdict.pass              ? "pass"
							     : "fail",
		watched->verdict.sentence);
	target_refresh(dashboard->target);
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
	struct watched_process *watched = mem_alloc(sizeof(*watched));
	const struct watch_options options = {
		.pid = pid,
		.start_ticks = start_ticks,
		.timeout = TIMEOUT,
		.settle = SETTLE,
		.data = watched,
		.changed = on_changed,
		.complete = on_complete,
	};
	watched->screen = screen;
	watched->name = name;
	watched->pid = pid;
	watched->watch = watch_new(&dashboard->app->loop, dashboard->target, &options);
	screen->current = watched;
	watch_assessed(watched->watch);
	show(watched);
	if (!ui_is_open(&dashboard->ui, &watch_view))
		ui_push(&dashboard->ui, &watch_view);
	return 0;
}

/* Whether the watch is armed or follows a shutdown. */
static bool is_busy(const struct watch_screen *screen)
{
	return screen && screen->current && !watch_is_complete(screen->current->watch);
}

static struct plan_session *sessions_left(const struct watch_screen *screen, size_t *ret_count)
{
	const struct watched_process *watched = visible(screen);
	const struct shutdown_record *record = watched ? watch_record(watched->watch) : NULL;
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
static bool has_verdict(const struct watch_screen *screen)
{
	const struct watched_process *watched = visible(screen);
	return watched && watch_is_complete(watched->watch);
}

static void kill_left(struct dashboard *dashboard)
{
	if (!has_verdict(dashboard->watch))
		ui_notice(&dashboard->ui, STYLE_CAUTION, "there is no verdict yet on what is left");
	else if (command_is_free_to_act(dashboard))
		command_open_plan(
			dashboard, plan_left(dashboard), "nothing of it is left on the server");
}

static bool would_kill_left(const struct dashboard *dashboard)
{
	return has_verdict(dashboard->watch) && command_would_act(dashboard, plan_left(dashboard));
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
	return process < assessment->n_processes && assessment->processes[process].alive &&
			!assessment->processes[process].process.host
		? assessment->processes[process].process.pid
		: 0;
}

static void open_screen(struct dashboard *dashboard, bool shows_last)
{
	dashboard->watch->shows_last = shows_last;
	show_visible(dashboard->watch);
	ui_push(&dashboard->ui, &watch_view);
}

/* For a process that is, or was, watched, it opens the screen again. */
void command_watch(struct dashboard *dashboard)
{
	struct watch_screen *screen = dashboard->watch;
	int32_t pid = current_process(dashboard);
	if (dashboard->player)
		ui_notice(&dashboard->ui, STYLE_CAUTION,
			"a recording shows the past: nothing can be watched");
	else if (pid == getpid())
		ui_notice(&dashboard->ui, STYLE_CAUTION, "that is dbtop itself");
	else if (screen->current && (!pid || pid == screen->current->pid))
		open_screen(dashboard, false);
	else if (screen->last && pid == screen->last->pid)
		open_screen(dashboard, true);
	else if (!pid || watch_screen_arm(screen, pid) < 0)
		ui_notice(&dashboard->ui, STYLE_CAUTION,
			"there is no process of this machine here to watch");
}

static void watch_again(struct dashboard *dashboard)
{
	const struct watched_process *watched = visible(dashboard->watch);
	if (!watched || watch_screen_arm(dashboard->watch, watched->pid) < 0)
		ui_notice(&dashboard->ui, STYLE_CAUTION, "it has ended");
}

/* From the watch to the last verdict, and back. */
static void switch_verdict(struct dashboard *dashboard)
{
	struct watch_screen *screen = dashboard->watch;
	if (!screen->last) {
		ui_notice(&dashboard->ui, STYLE_CAUTION, "there is no earlier verdict");
		return;
	}
	screen->shows_last = !screen->shows_last;
	show_visible(screen);
}

static bool has_last(const struct dashboard *dashboard)
{
	return dashboard->watch && dashboard->watch->last;
}

static bool asks_to_leave(struct dashboard *dashboard)
{
	if (!is_busy(dashboard->watch) || ui_top(&dashboard->ui) == &quit_view)
		return false;
	ui_push(&dashboard->ui, &quit_view);
	dashboard->dirty = true;
	return true;
}

bool watch_screen_asks_to_leave(struct dashboard *dashboard)
{
	struct display *display = dashboard->display;
	if (asks_to_leave(dashboard))
		return true;
	for (size_t i = 0; i < display->n_servers; i++) {
		struct dashboard *other = display->servers[i];
		if (other && other != dashboard && asks_to_leave(other)) {
			display->wanted = i;
			return true;
		}
	}
	return false;
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
	const struct watched_process *watched = dashboard->watch ? visible(dashboard->watch) : NULL;
	if (!watched || !dashboard->ui.watch)
		return false;
	int32_t pid = watched->pid;
	const struct shutdown_verdict *verdict = dashboard->ui.watch->verdict;
	for (size_t i = 0; i < verdict->n_events; i++)
		if (verdict->timeline[i].kind == EVENT_PROCESS_ENDED &&
			verdict->timeline[i].pid == pid)
			return false;
	return true;
}

/* Whether the verdict that is shown is the last word on it. */
static bool is_complete(const struct dashboard *dashboard)
{
	return dashboard->ui.watch && dashboard->ui.watch->complete;
}

static bool is_watching(const struct dashboard *dashboard)
{
	return !is_complete(dashboard);
}

static void assessed(struct dashboard *dashboard)
{
	if (dashboard->watch && dashboard->watch->current)
		watch_assessed(dashboard->watch->current->watch);
}

static const struct binding watch_keys[] = {
	{ kill_left, { CHAR('k') }, "k", "end #", NULL, true, .works = would_kill_left },
	{ watch_again, { CHAR('w') }, "w", "arm again", NULL, false, .works = is_watched_alive },
	{ switch_verdict, { CHAR('v') }, "v", "other verdict", NULL, false, .works = has_last },
	{ command_back, { KEY(ESCAPE), CHAR('q'), KEY(ENTER) }, "Esc", "close, watch on", NULL,
		true, .works = is_watching },
	{ command_back, { KEY(ESCAPE), CHAR('q'), KEY(ENTER) }, "Esc", "close", NULL, true,
		.works = is_complete },
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
