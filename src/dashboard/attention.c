/* Sets the window's title, and rings the bell when more connections are leaked than before. */
#include "dashboard/attention.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/plural.h"
#include "config/config.h"
#include "dashboard/dashboard.h"
#include "dashboard/display.h"
#include "model/assessment.h"
#include "model/findings.h"
#include "model/server_row.h"
#include "modes/app.h"
#include "target/target.h"
#include "tui/tui.h"

struct attention {
	char title[ATTENTION_TITLE_MAX];
	bool retitles, rings; /* done with the next frame */
};

struct attention *attention_new(void)
{
	return mem_alloc(sizeof(struct attention));
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

void attention_overview_title(
	const struct overview *overview, char title[static ATTENTION_TITLE_MAX])
{
	size_t count = 0;
	char text[ATTENTION_TITLE_MAX];
	for (size_t i = 0; i < overview->n_rows; i++)
		count += server_row_needs_person(&overview->rows[i]);
	snprintf(text, sizeof(text), "dbtop %zu of %zu server%s need%s a person", count,
		overview->n_rows, plural_s((int64_t)overview->n_rows), count == 1 ? "s" : "");
	(void)add(title, 0, text);
}

void attention_update(struct display *display)
{
	const struct dashboard *dashboard = display->shown;
	struct attention *attention = display->attention;
	char title[ATTENTION_TITLE_MAX];
	if (!display->tui)
		return;
	if (dashboard->target)
		attention_title(target_assessment(dashboard->target), title);
	else
		attention_overview_title(&display->overview, title);
	if (strcmp(title, attention->title) != 0) {
		memcpy(attention->title, title, sizeof(title));
		attention->retitles = true;
	}
}

void attention_note_leaked(struct display *display, int before, int now)
{
	if (display->tui && display->app->config->bell && before >= 0 && now > before)
		display->attention->rings = true;
}

void attention_show(struct display *display)
{
	struct attention *attention = display->attention;
	if (attention->retitles)
		tui_set_title(display->tui, attention->title);
	if (attention->rings)
		tui_ring(display->tui);
	attention->retitles = attention->rings = false;
}
