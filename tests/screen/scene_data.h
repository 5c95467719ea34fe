/* What the samples do not tell of: locks, a proxy, more pools, an emergency, a watched shutdown. */
#ifndef SCREEN_SCENE_DATA_H
#define SCREEN_SCENE_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/style.h"

struct assessment;
struct emergency;
struct scenery;

/* What an assessment has besides. */
void scene_set_pools(struct assessment *assessment);
void scene_set_locks(struct assessment *assessment);
void scene_set_proxy(struct assessment *assessment);
void scene_set_denied(struct assessment *assessment);

/* The plan of an emergency, … */
struct emergency *scene_emergency(void);
/* Other machines have sessions, too. */
void scene_emergency_elsewhere(struct emergency *emergency);
/* … in the middle of it, and when all is done: one session is left. */
void scene_emergency_stopping(struct emergency *emergency);
void scene_emergency_done(struct emergency *emergency);

/* Two pages of dead processes; removed, or still to be. */
struct action *scene_clearing(bool done);

enum scene_watch {
	WATCH_ARMED,
	WATCH_CLOSED,
	WATCH_LEFT,
};

/* A watch and its verdict, as the judge gives it. */
void scene_watch(struct scenery *scenery, enum scene_watch what);

struct scene_action {
	int64_t ago; /* µs */
	enum style style;
	const char *text;
};

extern const struct scene_action scene_actions[];
extern const size_t n_scene_actions;

#endif
