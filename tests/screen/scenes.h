/* Scenes: every page as it would be on a sample, the same each time. What pictures are made of, and
 * what is looked at in every theme at every size. */
#ifndef SCREEN_SCENES_H
#define SCREEN_SCENES_H

#include <stddef.h>

#include "model/history.h"
#include "model/shutdown.h"
#include "scene_servers.h"
#include "view/details.h"
#include "view/log_view.h"
#include "widgets/ui.h"

struct action;
struct arena;
struct assessment;
struct emergency;
struct grid;
struct scenery;

struct scene {
	const char *name;
	int sample;                                 /* enum sample_kind */
	void (*set)(struct assessment *assessment); /* what the sample does not have; NULL */
	void (*show)(struct scenery *scenery);      /* opens the page, after a first frame; NULL */
};

/* What the scenes have in common. */
struct scenery {
	struct arena *arena; /* of what the scene adds */
	struct assessment *assessment;
	struct history history;
	struct ui_state ui;
	struct details details;
	struct log_view log;
	struct action *plan;
	struct emergency *emergency;
	struct shutdown_record record;
	struct shutdown_verdict verdict;
	struct ui_watch watch;
	struct scene_servers servers;
};

/* NULL when there is none. */
const struct scene *scene_find(const char *name);
/* The index-th; NULL behind the last. */
const struct scene *scene_at(size_t index);

/* Everything but the page itself. */
void scenery_init(struct scenery *scenery, const struct scene *scene);
/* Draws a frame as the dashboard does. */
void scenery_draw(struct scenery *scenery, int width, int height, struct grid *grid);
void scenery_deinit(struct scenery *scenery);

#endif
