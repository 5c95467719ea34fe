/* Sets the window's title, and rings the bell when more connections are leaked than before. */
#include "dashboard/attention.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "config/config.h"
#include "dashboard/dashboard.h"
#include "model/assessment.h"
#include "model/findings.h"
#include "modes/app.h"
#include "tui/tui.h"

struct attention {
	char title[ATTENTION_TITLE_MAX];
	bool retitles, rings; /* done with the next frame */
	int leaked_before;    /* leaked connections in the last refresh; −1: not known */
};

struct attention *attention_new(void)
{
	struct attention *attention = mem_alloc(sizeof(*attention));
	attention->leaked_before = -1;
	return attention;
}

static int add(char *title, int length, const char *text)
{
	/* Names are clean, but a window manager may support fewer characters than a terminal. */
	for (; *text && length < ATTENTION_TITLE_MAX - 1; text++)
		title[length++] = *text >= ' ' && *text < 0x7f ? *text : '?';
	title[length] = '\0';
	return length;
}

void attention_title(const struct assessment *assessment, char title[static ATTENTION_TITLE_MAX])
{
	const struct server_state *server = &assessment->server;
	const struct slots *slots = &assessment->slots;
	char part[64];
	int leaked = slots->by_status[STATUS_LEAKED];
	int length = add(title, 0, "dbtop");
	if (leaked >= 0) {
		bool hides = findings_blindness(assessment, CERTAINTY_NONE) == BLIND_HIDDEN;
		snprintf(part, sizeof(part),
			leaked          ? " %d leaked,"
				: hides ? " none seen leaked,"
					: " none leaked,",
			leaked);
		length = add(title, length, part);
	}
	if (slots->used_at_most >= 0 && slots->max >= 0)
		snprintf(part, sizeof(part), " %s%d/%d", slots->used < 0 ? "≤" : "",
			slots->used_at_most, slots->max);
	else
		snprintf(part, sizeof(part), " %s", server_status_name(server->status));
	length = add(title, length, part);
	length = add(title, length, server->host ? ", " : "");
	length = add(title, length, server->host && server->database ? server->database : "");
	length = add(title, length, server->host && server->database ? "@" : "");
	(void)add(title, length, server->host ? server->host : "");
}

static void ring_if_more(struct dashboard *dashboard, int leaked)
{
	struct attention *attention = dashboard->attention;
	int before = attention->leaked_before;
	attention->leaked_before = leaked;
	if (dashboard->app->config->bell && before >= 0 && leaked > before)
		attention->rings = true;
}

void attention_update(struct dashboard *dashboard)
{
	const struct assessment *assessment = target_assessment(dashboard->target);
	struct attention *attention = dashboard->attention;
	char title[ATTENTION_TITLE_MAX];
	if (!dashboard->tui)
		return;
	attention_title(assessment, title);
	if (strcmp(title, attention->title) != 0) {
		memcpy(attention->title, title, sizeof(title));
		attention->retitles = true;
	}
	ring_if_more(dashboard, assessment->slots.by_status[STATUS_LEAKED]);
}

void attention_show(struct dashboard *dashboard)
{
	struct attention *attention = dashboard->attention;
	if (attention->retitles)
		tui_set_title(dashboard->tui, attention->title);
	if (attention->rings)
		tui_ring(dashboard->tui);
	attention->retitles = attention->rings = false;
}
