/* Plays a recording: shows its snapshots one after the other, as they came, or as told. */
#ifndef DASHBOARD_PLAYER_H
#define DASHBOARD_PLAYER_H

#include <stdint.h>

struct dashboard;
struct player;
struct recording;

/* Plays on the dashboard's target, which is not started. Takes over the recording. Never NULL. */
struct player *player_new(struct dashboard *dashboard, struct recording *recording);
/* NULL is allowed. */
void player_free(struct player *player);

/* Shows the first snapshot, and plays. */
void player_start(struct player *player);

/* Plays, or stops at what is shown; at the end it begins again. */
void player_toggle(struct player *player);

/* So many snapshots on, or back; stops there. */
void player_step(struct player *player, long snapshots);

/* So many µs on, or back, by the recording's clock; goes on playing if it did. */
void player_seek(struct player *player, int64_t usec);

/* Faster (1) or slower (−1). */
void player_change_speed(struct player *player, int by);

#endif
