/* Samples under names of a configuration; the quiet ones differ in how full they are. */
#include "scene_servers.h"

#include "base/instant.h"
#include "model/assessment.h"
#include "sample.h"

static const struct {
	const char *name;
	enum sample_kind sample;
	int max, used; /* of SAMPLE_EMPTY */
	int waiting;   /* sessions that wait for a lock */
} servers[SCENE_SERVERS] = {
	{ "billing", SAMPLE_EMPTY, 100, 61, 0 },
	{ "catalogue", SAMPLE_EMPTY, 50, 12, 0 },
	{ "jobs", SAMPLE_EMPTY, 100, 33, 1 },
	{ "mail", SAMPLE_STALE, 0, 0, 0 },
	{ "reports", SAMPLE_EMPTY, 25, 21, 0 },
	{ "search", SAMPLE_REFUSED, 0, 0, 0 },
	{ "sessions", SAMPLE_EMPTY, 200, 48, 0 },
	{ "shop", SAMPLE_FULL, 0, 0, 0 },
	{ "voices", SAMPLE_SCREEN, 0, 0, 0 },
};

static void set_slots(struct assessment *assessment, int max, int used)
{
	struct slots *slots = &assessment->slots;
	slots->max = max;
	slots->reserved = 3;
	slots->used = slots->used_at_most = used;
	slots->free = slots->free_at_least = max - slots->reserved - used;
}

void scene_servers_make(struct scene_servers *made)
{
	for (size_t i = 0; i < SCENE_SERVERS; i++) {
		struct assessment *assessment = sample_assessment(servers[i].sample);
		made->assessments[i] = assessment;
		assessment->server.name = servers[i].name;
		if (servers[i].max)
			set_slots(assessment, servers[i].max, servers[i].used);
		if (servers[i].waiting)
			((struct backend *)assessment->activity->backends)[0].wait_event_type =
				"Lock";
		server_row_update(&made->rows[i], assessment, 0);
	}
	overview_init(&made->overview, made->rows, SCENE_SERVERS);
}

void scene_servers_free(struct scene_servers *made)
{
	for (size_t i = 0; i < SCENE_SERVERS; i++) {
		server_row_deinit(&made->rows[i]);
		assessment_free(made->assessments[i]);
	}
	overview_deinit(&made->overview);
}
