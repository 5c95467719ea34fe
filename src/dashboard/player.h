/* Plays a recording: shows its snapshots one after the other, at their recorded times or on
 * command. */
#ifndef DASHBOARD_PLAYER_H
#define DASHBOARD_PLAYER_H

#include <stdint.h>

struct dashboard;
struct player;
struct recording;

/* Plays on the dashboard's target, which is not started. Takes ownership of the recording. Never
 * returns NULL. */
struct player *player_new(struct dashboard *dashboard, struct recording *recording);
/* NULL is allowed. */
void player_free(struct player *player);

/* Shows the first snapshot, and begins to play. */
void player_start(struct player *player);

/* Starts or stops playing; at the end it begins again. */
void player_toggle(struct player *player);

/* Moves that many snapshots forwards, or backwards if negative, and stops. */
void player_step(struct player *player, long snapshots);

/* Moves that many µs on the recording's clock; continues to play if it was playing. */
void player_seek(struct player *player, int64_t usec);

/* Plays faster (1) or slower (−1). */
void player_change_speed(struct player *player, int by);

#endif
