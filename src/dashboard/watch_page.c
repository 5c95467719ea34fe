/* Judges again at each event of the watch, and draws only if something changed. */
#include "dashboard/watch_page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "action/plan.h"
#include "analyze/shutdown.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/text.h"
#include "dashboard/dashboard.h"
#include "model/assessment.h"
#include "model/peers.h"
#include "model/shutdown.h"
#include "modes/app.h"
#include "modes/log.h"
#include "proc/procfs.h"
#include "target/target.h"
#include "watch/watch.h"

#define TIMEOUT (10 * USEC_PER_SEC)
#define SETTLE  (5 * USEC_PER_SEC)

/* While the application ends, the elapsed time is redrawn at this interval. */
#define FRAME (100 * USEC_PER_MSEC)

struct watch_page {
	struct dashboard *dashboard;
	struct watch *watch; /* NULL: none */
	int32_t pid;
	struct arena *arena; /* owns the verdict that is shown */
	struct shutdown_verdict verdict;
	struct ui_watch shown;
	char *name;
	int64_t drawn_at; /* monotonic */
};

struct watch_page *watch_page_new(struct dashboard *dashboard)
{
	struct watch_page *page = mem_alloc(sizeof(*page));
	page->dashboard = dashboard;
	return page;
}

static void disarm(struct watch_page *page)
{
	page->dashboard->ui.watch = NULL;
	watch_free(page->watch);
	page->watch = NULL;
	arena_free(page->arena);
	page->arena = NULL;
	free(page->name);
	page->name = NULL;
}

void watch_page_free(struct watch_page *page)
{
	if (!page)
		return;
	disarm(page);
	free(page);
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

static bool differs(const struct watch_page *page, const struct shutdown_verdict *verdict,
	const struct ui_watch *shown)
{
	return verdict->n_moments != page->verdict.n_moments ||
		verdict->behaviour != page->verdict.behaviour ||
		verdict->after != page->verdict.after || verdict->before != page->verdict.before ||
		shown->connections != page->shown.connections ||
		shown->settled != page->shown.settled ||
		(shown->elapsed >= 0 && !shown->settled &&
			instant_monotonic() - page->drawn_at >= FRAME);
}

static void show(struct watch_page *page)
{
	const struct shutdown_record *record = watch_record(page->watch);
	struct arena *arena = arena_new();
	int64_t now = instant_monotonic();
	struct shutdown_verdict verdict = shutdown_judge(record, false, now, arena);
	const struct ui_watch shown = {
		.name = page->name,
		.verdict = &page->verdict,
		.connections = watch_count(page->watch),
		.left = count_left(record),
		.settled = watch_is_settled(page->watch),
		.elapsed =
			record->signalled_at == INSTANT_UNKNOWN ? -1 : now - record->signalled_at,
	};
	if (page->arena && !differs(page, &verdict, &shown)) {
		arena_free(arena);
		return;
	}
	arena_free(page->arena);
	page->arena = arena;
	page->verdict = verdict;
	page->shown = shown;
	page->drawn_at = now;
	page->dashboard->ui.watch = &page->shown;
	page->dashboard->dirty = true;
}

static void on_changed(void *data)
{
	show(data);
}

static void on_settled(void *data)
{
	struct watch_page *page = data;
	show(page);
	log_write(page->dashboard->app->log, "watch: %s: %s: %s", page->name,
		page->verdict.behaviour == BEHAVIOUR_NONE ? "no verdict"
			: page->verdict.pass              ? "pass"
							  : "fail",
		page->verdict.sentence);
	target_refresh(page->dashboard->target);
}

/* The name that a scan found; NULL. */
static const char *known_name(const struct watch_page *page, int32_t pid, uint64_t start_ticks)
{
	const struct assessment *assessment = target_assessment(page->dashboard->target);
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
	const struct watch_page *page, int32_t pid, char **ret_name, uint64_t *ret_start_ticks)
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
	const char *name = known_name(page, pid, stat.start_ticks);
	if (!name)
		name = text_clean(arena, stat.comm, strlen(stat.comm), TEXT_LINE);
	*ret_name = mem_printf("%s %d", name, pid);
	*ret_start_ticks = stat.start_ticks;
	arena_free(arena);
	return 0;
}

int watch_page_arm(struct watch_page *page, int32_t pid)
{
	struct dashboard *dashboard = page->dashboard;
	uint64_t start_ticks = 0;
	char *name = NULL;
	int r = describe(page, pid, &name, &start_ticks);
	if (r < 0)
		return r;
	disarm(page);
	const struct watch_options options = {
		.pid = pid,
		.start_ticks = start_ticks,
		.timeout = TIMEOUT,
		.settle = SETTLE,
		.data = page,
		.changed = on_changed,
		.settled = on_settled,
	};
	page->name = name;
	page->pid = pid;
	page->watch = watch_new(&dashboard->app->loop, dashboard->target, &options);
	watch_page_assessed(page);
	show(page);
	if (!ui_has_page(&dashboard->ui, PAGE_WATCH))
		ui_push(&dashboard->ui, PAGE_WATCH);
	return 0;
}

int32_t watch_page_pid(const struct watch_page *page)
{
	return page && page->watch ? page->pid : 0;
}

bool watch_page_is_busy(const struct watch_page *page)
{
	return page && page->watch && !watch_is_settled(page->watch);
}

void watch_page_assessed(struct watch_page *page)
{
	if (page && page->watch)
		watch_assessed(page->watch);
}

struct plan_session *watch_page_left(const struct watch_page *page, size_t *ret_count)
{
	const struct shutdown_record *record = page->watch ? watch_record(page->watch) : NULL;
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
