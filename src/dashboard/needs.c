/* One row for each need; its function checks the same condition as the key's command. */
#include "dashboard/needs.h"

#include "dashboard/commands.h"
#include "dashboard/dashboard.h"
#include "dashboard/proxy_page.h"
#include "dashboard/watch_page.h"
#include "model/shutdown.h"

static bool can_start(const struct dashboard *dashboard)
{
	return proxy_page_can(dashboard->proxy, LAUNCH_START);
}

static bool can_restart(const struct dashboard *dashboard)
{
	return proxy_page_can(dashboard->proxy, LAUNCH_RESTART);
}

/* Whether the watched process runs. If it ended, its children may still run. */
static bool is_watched_alive(const struct dashboard *dashboard)
{
	int32_t pid = watch_page_pid(dashboard->watch);
	if (!pid || !dashboard->ui.watch)
		return false;
	const struct shutdown_verdict *verdict = dashboard->ui.watch->verdict;
	for (size_t i = 0; i < verdict->n_moments; i++)
		if (verdict->timeline[i].event == EVENT_PROCESS_ENDED &&
			verdict->timeline[i].pid == pid)
			return false;
	return true;
}

static const struct {
	enum page page;
	enum key_need need;
	bool (*is_met)(const struct dashboard *dashboard);
} needs[] = {
	{ PAGE_DETAILS, NEED_SESSION, command_would_terminate },
	{ PAGE_DETAILS, NEED_STATEMENT, command_would_cancel },
	{ PAGE_WATCH, NEED_LEFT, command_would_kill_left },
	{ PAGE_WATCH, NEED_PROCESS, is_watched_alive },
	{ PAGE_PROXY, NEED_START, can_start },
	{ PAGE_PROXY, NEED_RESTART, can_restart },
};

unsigned int needs_met(const struct dashboard *dashboard)
{
	unsigned int met = 0;
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
		if (ui_current_page(&dashboard->ui) == needs[i].page && needs[i].is_met(dashboard))
			met |= 1u << needs[i].need;
	return met;
}
