/* One timer for each snapshot: it waits as long as the interval in the recording. */
#include "dashboard/player.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "base/instant.h"
#include "base/mem.h"
#include "dashboard/dashboard.h"
#include "loop/handle.h"
#include "model/history.h"
#include "modes/app.h"
#include "report/recording.h"

/* Limits of the wait: a gap in the recording is shortened, and a terminal cannot show more frames
 * per second. */
#define LONGEST_WAIT  (5 * USEC_PER_SEC)
#define SHORTEST_WAIT (25 * USEC_PER_MSEC)

static const struct {
	int64_t times, of; /* the speed as a fraction */
	const char *name;
} speeds[] = { { 1, 8, "1/8×" }, { 1, 4, "1/4×" }, { 1, 2, "1/2×" }, { 1, 1, "1×" }, { 2, 1, "2×" },
	{ 4, 1, "4×" }, { 8, 1, "8×" }, { 16, 1, "16×" }, { 60, 1, "60×" } };
#define SPEEDS       (sizeof(speeds) / sizeof(speeds[0]))
#define NORMAL_SPEED 3

struct player {
	struct dashboard *dashboard;
	struct recording *recording;
	uv_timer_t *timer;
	size_t at, speed;
	bool playing;
};

static size_t last(const struct player *player)
{
	return recording_count(player->recording) - 1;
}

static void publish(struct player *player)
{
	player->dashboard->ui.replay = (struct ui_replay){
		.count = recording_count(player->recording),
		.at = player->at,
		.speed = speeds[player->speed].name,
		.playing = player->playing,
	};
	player->dashboard->dirty = true;
}

static void on_timer(uv_timer_t *timer);

/* Starts the timer for the next snapshot; at the last one playing stops. */
static void wait_for_next(struct player *player)
{
	uv_timer_stop(player->timer);
	if (player->playing && player->at == last(player))
		player->playing = false;
	publish(player);
	if (!player->playing)
		return;
	int64_t wait = instant_elapsed(recording_at(player->recording, player->at),
		recording_at(player->recording, player->at + 1));
	wait = wait < 0 || wait > LONGEST_WAIT ? LONGEST_WAIT : wait;
	wait = wait * speeds[player->speed].of / speeds[player->speed].times;
	if (wait < SHORTEST_WAIT)
		wait = SHORTEST_WAIT;
	uv_timer_start(player->timer, on_timer, (uint64_t)(wait / USEC_PER_MSEC), 0);
}

/* Shows a snapshot. A line that cannot be read is skipped in the direction of the step, and a
 * notice names it. Returns whether there was a snapshot to show. */
static bool show(struct player *player, size_t at, int direction)
{
	char error[RECORDING_ERROR_MAX];
	for (;; at += (size_t)direction) {
		struct assessment *assessment;
		if (recording_read(player->recording, at, &assessment, error) == 0) {
			struct history history;
			recording_history(player->recording, at, &history);
			player->at = at;
			target_show(player->dashboard->target, assessment, &history);
			return true;
		}
		ui_notice(&player->dashboard->ui, STYLE_CAUTION, error);
		if (at == (direction > 0 ? last(player) : 0))
			return false;
	}
}

static void on_timer(uv_timer_t *timer)
{
	struct player *player = timer->data;
	if (!show(player, player->at + 1, 1))
		player->playing = false;
	wait_for_next(player);
}

struct player *player_new(struct dashboard *dashboard, struct recording *recording)
{
	struct player *player = mem_alloc(sizeof(*player));
	player->dashboard = dashboard;
	player->recording = recording;
	player->speed = NORMAL_SPEED;
	player->timer = handle_new_timer(&dashboard->app->loop, player);
	return player;
}

void player_free(struct player *player)
{
	if (!player)
		return;
	handle_close(player->timer);
	recording_free(player->recording);
	free(player);
}

void player_start(struct player *player)
{
	player->playing = true;
	(void)show(player, 0, 1);
	wait_for_next(player);
}

void player_toggle(struct player *player)
{
	bool from_the_end = !player->playing && player->at == last(player);
	player->playing = !player->playing;
	if (from_the_end)
		(void)show(player, 0, 1);
	wait_for_next(player);
}

void player_step(struct player *player, long snapshots)
{
	size_t at = player->at, steps = (size_t)labs(snapshots);
	if (snapshots < 0)
		at = steps > at ? 0 : at - steps;
	else
		at = steps > last(player) - at ? last(player) : at + steps;
	player->playing = false;
	if (at != player->at)
		(void)show(player, at, snapshots < 0 ? -1 : 1);
	wait_for_next(player);
}

void player_seek(struct player *player, int64_t usec)
{
	int64_t from = recording_at(player->recording, player->at), to;
	if (from == INSTANT_UNKNOWN)
		from = recording_at(player->recording, 0);
	if (from == INSTANT_UNKNOWN)
		return;
	if (__builtin_add_overflow(from, usec, &to))
		to = usec < 0 ? INT64_MIN + 1 : INT64_MAX;
	(void)show(player, recording_find(player->recording, to), usec < 0 ? -1 : 1);
	wait_for_next(player);
}

void player_change_speed(struct player *player, int by)
{
	if (by > 0 && player->speed + 1 < SPEEDS)
		player->speed++;
	else if (by < 0 && player->speed > 0)
		player->speed--;
	wait_for_next(player);
}
