/* Sets the window's title, and rings the bell when more connections are leaked than before. */
#include "dashboard/attention.h"

#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "dashboard/dashboard.h"
#include "model/assessment.h"
#include "modes/app.h"
#include "tui/tui.h"

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
		snprintf(part, sizeof(part), leaked ? " %d leaked," : " none leaked,", leaked);
		length = add(title, length, part);
	}
	if (slots->used >= 0 && slots->max >= 0)
		snprintf(part, sizeof(part), " %d/%d", slots->used, slots->max);
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
	int before = dashboard->leaked_before;
	dashboard->leaked_before = leaked;
	if (dashboard->app->config->bell && before >= 0 && leaked > before)
		dashboard->rings = true;
}

void attention_update(struct dashboard *dashboard)
{
	const struct assessment *assessment = target_assessment(dashboard->target);
	char title[ATTENTION_TITLE_MAX];
	if (!dashboard->tui)
		return;
	attention_title(assessment, title);
	if (strcmp(title, dashboard->title) != 0) {
		memcpy(dashboard->title, title, sizeof(title));
		dashboard->retitles = true;
	}
	ring_if_more(dashboard, assessment->slots.by_status[STATUS_LEAKED]);
}

void attention_show(struct dashboard *dashboard)
{
	if (dashboard->retitles)
		tui_set_title(dashboard->tui, dashboard->title);
	if (dashboard->rings)
		tui_ring(dashboard->tui);
	dashboard->retitles = dashboard->rings = false;
}
