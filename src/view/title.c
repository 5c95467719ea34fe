/* Parts that do not fit are left out whole, the least important ones first. */
#include "view/title.h"

#include <stdio.h>

#include "base/duration.h"
#include "base/instant.h"
#include "model/assessment.h"
#include "view/proxy_view.h"
#include "view/trouble.h"
#include "widgets/frame.h"
#include "widgets/grid.h"
#include "widgets/line.h"
#include "widgets/ui.h"

#define GAP 3

/* "▶ 2× 17/3600": the screen shows a recording. */
static void add_replay(const struct ui_replay *replay, struct line *line)
{
	if (replay->playing)
		line_printf(line, STYLE_CAUTION, "▶ replay %s", replay->speed);
	else
		line_add(line, STYLE_CAUTION, "▮▮ replay");
	line_printf(line, STYLE_DIM, "  %zu/%zu", replay->at + 1, replay->count);
}

/* How fresh the assessment is: a word, then its age or the interval. */
static void add_freshness(const struct frame *frame, struct line *line)
{
	const struct assessment *assessment = frame->assessment;
	char text[DURATION_TEXT_MAX];
	int64_t age = trouble_age(assessment, frame->now);
	if (frame->ui->replay.count) {
		add_replay(&frame->ui->replay, line);
		return;
	}
	if (frame->ui->paused) {
		line_add(line, STYLE_CAUTION, "paused");
		if (assessment->activity)
			line_printf(line, STYLE_CAUTION, " %s", duration_format(age, text));
	} else if (trouble_is_stale(assessment)) {
		bool lost = assessment->server.status != SERVER_OK &&
			assessment->server.status != SERVER_STALE;
		line_add(line, STYLE_CAUTION, lost ? "reconnecting" : "waiting");
	} else if (!assessment->activity) {
		line_add(line, STYLE_CAUTION, server_status_words(assessment->server.status));
	} else {
		line_add(line, STYLE_GOOD, "live");
		line_printf(line, STYLE_DIM, " %s", duration_format(frame->ui->interval, text));
	}
}

/* Returns its first column. */
static int draw_title_right(const struct frame *frame, int y)
{
	int right = frame->grid->width - 1;
	struct line line;
	char text[INSTANT_TEXT_MAX];
	line_begin(&line);
	if (frame->ui->readonly && !frame->ui->replay.count)
		line_add(&line, STYLE_DIM, "read-only  ");
	add_freshness(frame, &line);
	line_printf(&line, STYLE_DIM, "  %s", instant_clock(frame->now, text));
	int width = line_width(frame->grid, &line);
	if (width > right / 2)
		return right;
	line_put(frame->grid, right - width, y, width, &line);
	return right - width;
}

/* Returns the column after them. */
static int draw_server_facts(
	struct grid *grid, int x, int y, int right, const struct assessment *assessment)
{
	const struct server_facts *facts =
		assessment->activity ? &assessment->activity->server : NULL;
	struct line line;
	char text[DURATION_TEXT_MAX];
	line_begin(&line);
	if (facts && facts->version >= 100000)
		line_printf(&line, STYLE_DIM, "PostgreSQL %d.%d", facts->version / 10000,
			facts->version % 10000);
	if (line.length && !line_put_whole(grid, &x, y, right, GAP, &line))
		return x;
	line_begin(&line);
	if (facts && facts->started_at != INSTANT_UNKNOWN)
		line_printf(&line, STYLE_DIM, "up %s",
			duration_format(
				instant_elapsed(facts->started_at, assessment->server_now), text));
	if (line.length && !line_put_whole(grid, &x, y, right, GAP, &line))
		return x;
	line_begin(&line);
	if (assessment->server.latency >= 0)
		line_printf(&line, STYLE_DIM, "%.1f ms", (double)assessment->server.latency / 1000);
	if (line.length)
		line_put_whole(grid, &x, y, right, GAP, &line);
	return x;
}

static void title_text(const struct server_state *server, char *text, size_t size)
{
	const char *database = server->database ? server->database : "";
	const char *name = server->name ? server->name : "", *colon = server->name ? ": " : "";
	if (server->host)
		snprintf(text, size, "%s%s%s @ %s:%d", name, colon, database, server->host,
			server->port);
	else
		snprintf(text, size, "%s%s%s", name, colon, *database ? database : "dbtop");
}

/* Enough columns of the title to tell servers apart. */
#define LEAST_TITLE 12

/* The warning that a pooler is in between. It is shown beside the title even when other parts are
 * left out: it limits what dbtop sees and may do. Empty when connected to the server itself. */
static void pooler_item(const struct frame *frame, int room, struct line *line)
{
	static const char *const forms[] = { POOLER_REASON, "through a pooler", "pooler" };
	line_begin(line);
	for (size_t i = 0; frame->assessment->server.pooler && i < 3; i++) {
		line_begin(line);
		line_add(line, STYLE_CAUTION, forms[i]);
		if (line_width(frame->grid, line) <= room)
			return;
	}
}

void title_draw(const struct frame *frame, int y)
{
	struct grid *grid = frame->grid;
	char title[512];
	int right = draw_title_right(frame, y);
	title_text(&frame->assessment->server, title, sizeof(title));
	struct line proxy, pooler;
	pooler_item(frame, right - 1 - LEAST_TITLE - 2 * GAP, &pooler);
	int pooler_width = pooler.length ? line_width(grid, &pooler) + GAP : 0;
	line_begin(&proxy);
	proxy_view_item(frame->assessment, &proxy);
	/* The proxy's state is more important than the server's uptime. A bad state is also more
	 * important than the end of a long title. */
	int width = proxy.length ? line_width(grid, &proxy) + GAP : 0;
	int kept = proxy_view_is_bad(frame->assessment) ? width : 0;
	int x = 1 + GAP +
		grid_put(grid, 1, y, right - 1 - GAP - kept - pooler_width, title, STYLE_TITLE);
	if (pooler.length)
		line_put_whole(grid, &x, y, right - GAP, GAP, &pooler);
	x = draw_server_facts(grid, x, y, right - GAP - width, frame->assessment);
	if (proxy.length)
		line_put_whole(grid, &x, y, right - GAP, GAP, &proxy);
}
