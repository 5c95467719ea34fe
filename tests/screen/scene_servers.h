/* Several servers, as the overview shows them. */
#ifndef SCREEN_SCENE_SERVERS_H
#define SCREEN_SCENE_SERVERS_H

#include <stddef.h>

#include "model/server_row.h"
#include "view/overview.h"

#define SCENE_SERVERS 9

struct scene_servers {
	struct assessment *assessments[SCENE_SERVERS];
	struct server_row rows[SCENE_SERVERS];
	struct overview overview;
};

/* Everything is released by scene_servers_free(), which takes a zeroed one, too. */
void scene_servers_make(struct scene_servers *servers);
void scene_servers_free(struct scene_servers *servers);

#endif
