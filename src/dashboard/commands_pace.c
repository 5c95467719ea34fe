/* The commands that change when the screen is refreshed: interval, pause, and the clock of a
 * recording. */
#include <limits.h>
#include <stdio.h>

#include "base/duration.h"
#include "base/instant.h"
#include "dashboard/commands.h"
#include "dashboard/dashboard.h"
#include "dashboard/display.h"
#include "dashboard/player.h"

/* The longer steps in a recording. */
#define SEEK (60 * USEC_PER_SEC)

/* The intervals of a live dashboard, in µs. */
static const int64_t intervals[] = { 100000, 200000, 500000, 1000000, 2000000, 5000000, 10000000,
	30000000, 60000000 };
#define INTERVALS (sizeof(intervals) / sizeof(intervals[0]))

void command_pause(struct dashboard *dashboard)
{
	dashboard_pause(dashboard, !dashboard->display->paused);
}

static void set_interval(struct dashboard *dashboard, int64_t interval)
{
	char text[64], length[DURATION_TEXT_MAX];
	dashboard_set_interval(dashboard, interval);
	snprintf(text, sizeof(text), "every %s", duration_format(interval, length));
	ui_notice(&dashboard->ui, STYLE_DIM, text);
}

void command_refresh_less(struct dashboard *dashboard)
{
	for (size_t i = 0; i < INTERVALS; i++) {
		if (intervals[i] > dashboard->display->interval) {
			set_interval(dashboard, intervals[i]);
			return;
		}
	}
}

void command_refresh_more(struct dashboard *dashboard)
{
	for (size_t i = INTERVALS; i-- > 0;) {
		if (intervals[i] < dashboard->display->interval) {
			set_interval(dashboard, intervals[i]);
			return;
		}
	}
}

void command_play(struct dashboard *dashboard)
{
	player_toggle(dashboard->player);
}

void command_play_faster(struct dashboard *dashboard)
{
	player_change_speed(dashboard->player, 1);
}

void command_play_slower(struct dashboard *dashboard)
{
	player_change_speed(dashboard->player, -1);
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
	player_seek(dashboard->player, SEEK);
}

void command_seek_back(struct dashboard *dashboard)
{
	player_seek(dashboard->player, -SEEK);
}

void command_to_start(struct dashboard *dashboard)
{
	player_step(dashboard->player, -LONG_MAX);
}

void command_to_end(struct dashboard *dashboard)
{
	player_step(dashboard->player, LONG_MAX);
}
