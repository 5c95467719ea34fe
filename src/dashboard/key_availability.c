/* One row for each need; its function checks the same condition as the key's command. */
#include "dashboard/key_availability.h"

#include "dashboard/commands.h"
#include "dashboard/dashboard.h"
#include "dashboard/watch_screen.h"
#include "model/shutdown.h"
#include "target/target.h"
#include "view/locks.h"

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

static bool has_session(const struct dashboard *dashboard)
{
	return locks_at(target_assessment(dashboard->target), dashboard->ui.cursor) != NULL;
}

static const struct {
	enum screen screen;
	enum key_need need;
	bool (*is_met)(const struct dashboard *dashboard);
} needs[] = {
	{ SCREEN_DETAILS, NEED_SESSION, command_would_terminate },
	{ SCREEN_DETAILS, NEED_STATEMENT, command_would_cancel },
	{ SCREEN_LOCKS, NEED_LINE, has_session },
	{ SCREEN_WATCH, NEED_LEFT, command_would_kill_left },
	{ SCREEN_WATCH, NEED_PROCESS, is_watched_alive },
	{ SCREEN_PLAN, NEED_TICKS, command_would_tick },
	{ SCREEN_PROXY, NEED_START, command_would_start },
	{ SCREEN_PROXY, NEED_RESTART, command_would_restart },
};

unsigned int key_availability(const struct dashboard *dashboard)
{
	unsigned int met = 0;
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
		if (ui_current_screen(&dashboard->ui) == needs[i].screen &&
			needs[i].is_met(dashboard))
			met |= 1u << needs[i].need;
	return met;
}
