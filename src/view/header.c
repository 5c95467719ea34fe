/* The header's lines. Parts that do not fit are left out whole, the least important ones first. */
#include "view/header.h"

#include <stdio.h>

#include "base/duration.h"
#include "base/instant.h"
#include "model/assessment.h"
#include "model/findings.h"
#include "model/forecast.h"
#include "view/proxy_view.h"
#include "view/title.h"
#include "view/trouble.h"
#include "widgets/frame.h"
#include "widgets/gauge.h"
#include "widgets/grid.h"
#include "widgets/line.h"
#include "widgets/ui.h"

#define HISTORY_SPAN (300 * USEC_PER_SEC)
#define LABEL_WIDTH  8 /* " slots  " */
#define GAP          3
#define SMALL_GAUGE  24
#define WIDE         110 /* columns from which words are not left out */

/* Where hidden rows may be workers, which hold no slot, only the bounds are known. */
static const char *at_most(const struct slots *slots)
{
	return slots->used < 0 ? "≤ " : "";
}

static const char *at_least(const struct slots *slots)
{
	return slots->free < 0 ? "≥ " : "";
}

static void slots_text(const struct slots *slots, struct line *line)
{
	line_printf(
		line, STYLE_STRONG, "%s%d of %d", at_most(slots), slots->used_at_most, slots->max);
	line_add(line, STYLE_TEXT, " used");
	line_printf(line, slots->free_at_least > 0 ? STYLE_TEXT : STYLE_LEAKED, "   %s%d free",
		at_least(slots), slots->free_at_least);
	line_printf(line, STYLE_DIM, "   %d reserved", slots->reserved);
}

/* The server refused the connection because it is full; nothing else is known. */
static void draw_unknown_slots(const struct frame *frame, int y)
{
	static const char full[] = "FULL: no slot is left";
	struct grid *grid = frame->grid;
	int x = grid->width - (int)sizeof(full);
	if (frame->assessment->server.status != SERVER_FULL) {
		grid_put(grid, LABEL_WIDTH, y, grid->width - LABEL_WIDTH - 1, "not known yet",
			STYLE_DIM);
		return;
	}
	grid_put(grid, x, y, (int)sizeof(full) - 1, full, STYLE_LEAKED);
	grid_fill(
		grid, (struct rect){ LABEL_WIDTH, y, x - GAP - LABEL_WIDTH, 1 }, U'█', STYLE_USED);
}

static void draw_slots(const struct frame *frame, int y)
{
	struct grid *grid = frame->grid;
	const struct slots *slots = &frame->assessment->slots;
	struct line line;
	line_begin(&line);
	grid_put(grid, 1, y, LABEL_WIDTH, "slots", STYLE_DIM);
	if (slots->max < 0 || slots->used_at_most < 0) {
		draw_unknown_slots(frame, y);
		return;
	}
	slots_text(slots, &line);
	int width = line_width(grid, &line), x = grid->width - 1 - width;
	line_put(grid, x, y, width, &line);
	gauge_slots(grid, LABEL_WIDTH, y, x - GAP - LABEL_WIDTH, slots);
	if (frame->ui->before.statuses && frame->ui->before.used != slots->used_at_most)
		grid_overlay(grid, (struct rect){ x, y, width, 1 }, OVERLAY_CHANGED);
}

static void leaked_text(const struct assessment *assessment, struct line *line)
{
	int leaked = assessment->slots.by_status[STATUS_LEAKED];
	bool hides = findings_blindness(assessment, CERTAINTY_NONE) == BLIND_HIDDEN;
	if (leaked > 0)
		line_printf(line, STYLE_LEAKED, "✗ %d leaked", leaked);
	else if (leaked == 0 &&
		(hides || assessment->sources[SOURCE_PEERS].status == SOURCE_WAITING))
		line_add(line, STYLE_TEXT, "none seen leaked");
	else if (leaked == 0)
		line_add(line, STYLE_GOOD, "✓ none leaked");
}

/* The statuses beside LEAKED, in the order of the screen. A leaked session has that status alone,
 * so beside leaked ones these are the counts of the others. */
static const struct {
	enum status status;
	const char *word;
	enum style style;
	bool only_some; /* left out when it is zero */
} counts[] = {
	{ STATUS_IDLE_IN_TRANSACTION, "in transaction", STYLE_CAUTION, false },
	{ STATUS_ACTIVE, "active", STYLE_ACTIVE, false },
	{ STATUS_IDLE, "idle", STYLE_DIM, false },
	{ STATUS_UNKNOWN, "unknown", STYLE_DIM, true },
};

static uint32_t count_logins(const struct assessment *assessment)
{
	uint32_t count = 0;
	for (size_t i = 0; i < assessment->n_logins; i++)
		count += assessment->logins[i].count;
	return count;
}

/* "20 not logged in": sockets without a session, of which the server shows no row. */
static bool put_logins(const struct frame *frame, int *x, int y, int right)
{
	struct line line;
	uint32_t count = count_logins(frame->assessment);
	if (!count)
		return true;
	line_begin(&line);
	line_printf(&line, STYLE_CAUTION, "%s%u not logged in",
		frame->assessment->slots.logging_in < 0 ? "≥ " : "", count);
	return line_put_whole(frame->grid, x, y, right, GAP, &line);
}

/* "role app 18 of 20": the CONNECTION LIMIT that leaves less room than the server itself. */
static bool put_limit(const struct frame *frame, int *x, int y, int right)
{
	const struct slot_limit *limit = assessment_binding_limit(frame->assessment);
	struct line line;
	if (!limit || !limit->name)
		return true;
	enum style style = slot_limit_left(limit) ? STYLE_CAUTION : STYLE_LEAKED;
	line_begin(&line);
	line_printf(&line, style, "%s ", slot_limit_kind_name(limit->kind));
	line_add(&line, style, limit->name);
	line_printf(&line, style, " %s%d of %d", limit->used < 0 ? "≤ " : "", limit->used_at_most,
		limit->limit);
	return line_put_whole(frame->grid, x, y, right, GAP, &line);
}

/* In how many minutes all slots will be in use, or seconds if that is soon; "" if there is no such
 * trend. */
static const char *full_in(const struct frame *frame, char text[static 32])
{
	const struct slots *slots = &frame->assessment->slots;
	text[0] = '\0';
	if (!frame->history || slots->max < 0 || trouble_is_stale(frame->assessment))
		return text;
	int64_t left = forecast_full(frame->history, slots->max - slots->reserved, frame->now);
	if (left >= 2 * 60 * USEC_PER_SEC)
		snprintf(text, 32, "full in %d min", (int)(left / (60 * USEC_PER_SEC)));
	else if (left >= 0)
		snprintf(text, 32, "full in %d s", (int)(left / USEC_PER_SEC));
	return text;
}

static int draw_counts(const struct frame *frame, int x, int y, int right)
{
	struct grid *grid = frame->grid;
	const struct slots *slots = &frame->assessment->slots;
	struct line line;
	int start = x, leaked = slots->by_status[STATUS_LEAKED];
	if (leaked < 0)
		return x;
	line_begin(&line);
	leaked_text(frame->assessment, &line);
	line_put_whole(grid, &x, y, right, GAP, &line);
	if (frame->ui->before.statuses && frame->ui->before.leaked != leaked)
		grid_overlay(grid, (struct rect){ start, y, x - start - GAP, 1 }, OVERLAY_CHANGED);
	if (!put_logins(frame, &x, y, right) || !put_limit(frame, &x, y, right))
		return x;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		int count = slots->by_status[counts[i].status];
		if (!count && counts[i].only_some)
			continue;
		line_begin(&line);
		if (i == 0 && leaked > 0)
			line_add(&line, STYLE_DIM, "others: ");
		line_printf(&line, count ? counts[i].style : STYLE_DIM, "%d", count);
		line_printf(&line, STYLE_DIM, " %s", counts[i].word);
		if (!line_put_whole(grid, &x, y, right, GAP, &line))
			break;
	}
	return x;
}

/* The widths that a sparkline may have; a shorter one is useless. */
#define LEAST_HISTORY 10
#define MOST_HISTORY  60

static void draw_sparkline(const struct frame *frame, enum gauge_what what, int x, int y, int width)
{
	gauge_history(frame->grid, (struct rect){ x, y, width, 1 }, frame->history, what,
		frame->assessment->slots.max, frame->now, HISTORY_SPAN);
}

/* "used ▂▃▅▆  leaked ▁▁▂▂  last 5 min"; with less room one graph in which leaks have a colour. Its
 * label is written from column `right` on, unless that shows the forecast. */
static void draw_history(const struct frame *frame, int x, int y, int right, bool labelled)
{
	static const char label[] = "  last 5 min", used[] = "used ", leaked[] = "  leaked ";
	const int labels = (int)(sizeof(used) + sizeof(leaked)) - 2;
	struct grid *grid = frame->grid;
	if (!labelled)
		right -= (int)sizeof(label) - 1;
	int width = right - x;
	if (!frame->history || frame->assessment->slots.max < 0 || width < LEAST_HISTORY)
		return;
	if (!labelled)
		grid_put(grid, right, y, grid->width - right, label, STYLE_DIM);
	int each = (width - labels) / 2;
	if (each < LEAST_HISTORY) {
		draw_sparkline(frame, GAUGE_BOTH, x, y, width);
		return;
	}
	each = each < MOST_HISTORY / 2 ? each : MOST_HISTORY / 2;
	draw_sparkline(frame, GAUGE_LEAKED, right - each, y, each);
	x = right - each - ((int)sizeof(leaked) - 1);
	grid_put(grid, x, y, right - x, leaked, STYLE_DIM);
	draw_sparkline(frame, GAUGE_USED, x - each, y, each);
	x -= each + (int)sizeof(used) - 1;
	grid_put(grid, x, y, (int)sizeof(used) - 1, used, STYLE_DIM);
}

/* "at this rate full in 12 min", at the right end: it is more important than counts and graphs.
 * Returns its first column, or the end of the line. */
static int draw_forecast(const struct frame *frame, int y)
{
	struct line line;
	char text[32];
	int right = frame->grid->width - 1;
	if (!*full_in(frame, text))
		return right;
	line_begin(&line);
	line_printf(&line, STYLE_CAUTION, "  %s%s", right < WIDE ? "" : "at this rate ", text);
	int width = line_width(frame->grid, &line);
	line_put(frame->grid, right - width, y, width, &line);
	return right - width;
}

void header_draw(const struct frame *frame, int y)
{
	title_draw(frame, y);
	draw_slots(frame, y + 1);
	int right = draw_forecast(frame, y + 2);
	bool labelled = right < frame->grid->width - 1;
	int x = draw_counts(frame, LABEL_WIDTH, y + 2, labelled ? right - GAP : right);
	draw_history(frame, x, y + 2, right, labelled);
}

/* The two numbers in several forms, longest first. */
struct form {
	const char *before, *after;
};

static const struct form used_forms[] = { { "", " used" }, { "", "" } };
static const struct form leaked_forms[] = { { "✗ ", " leaked" }, { "", " leaked" }, { "✗", "" },
	{ "", "" } };

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static void add_used(const struct frame *frame, const struct form *form, struct line *line)
{
	const struct slots *slots = &frame->assessment->slots;
	bool full = frame->assessment->server.status == SERVER_FULL;
	if (slots->used_at_most >= 0 && slots->max >= 0)
		line_printf(line, STYLE_STRONG, "%s%d/%d%s", at_most(slots), slots->used_at_most,
			slots->max, form->after);
	else
		line_add(line, full ? STYLE_LEAKED : STYLE_CAUTION,
			full ? "FULL" : server_status_name(frame->assessment->server.status));
}

static void add_leaked(const struct frame *frame, const struct form *form, struct line *line)
{
	int leaked = frame->assessment->slots.by_status[STATUS_LEAKED];
	if (leaked >= 0)
		line_printf(line, leaked ? STYLE_LEAKED : STYLE_GOOD, "%s%d%s",
			leaked ? form->before : "", leaked, form->after);
}

void header_draw_line(const struct frame *frame, int y)
{
	struct grid *grid = frame->grid;
	struct line line;
	char age[DURATION_TEXT_MAX], full[32];
	line_begin(&line);
	add_used(frame, &used_forms[0], &line);
	if (frame->assessment->slots.used_at_most >= 0)
		line_add(&line, STYLE_DIM, " · ");
	add_leaked(frame, &leaked_forms[1], &line);
	if (frame->ui->paused)
		line_add(&line, STYLE_CAUTION, " · paused");
	else if (trouble_is_stale(frame->assessment))
		line_printf(&line, STYLE_CAUTION, " · %s old",
			duration_format(trouble_age(frame->assessment, frame->now), age));
	if (frame->assessment->server.pooler)
		line_add(&line, STYLE_CAUTION, " · through a pooler");
	if (proxy_view_is_bad(frame->assessment)) {
		line_add(&line, STYLE_DIM, " · ");
		proxy_view_item(frame->assessment, &line);
	}
	int x = 1;
	/* Of several servers it is the first question which one this is. */
	if (frame->ui->several && frame->assessment->server.name)
		x += grid_put(grid, x, y, grid->width / 3, frame->assessment->server.name,
			     STYLE_TITLE) +
			1;
	x += line_put(grid, x, y, grid->width - 1 - x, &line) + 2;
	line_begin(&line);
	line_add(&line, STYLE_CAUTION, full_in(frame, full));
	if (*full)
		(void)line_put_whole(grid, &x, y, grid->width - 1, GAP, &line);
	int width = grid->width - 1 - x;
	if (width > SMALL_GAUGE) {
		x += width - SMALL_GAUGE;
		width = SMALL_GAUGE;
	}
	if (width >= SMALL_GAUGE / 3)
		gauge_slots(grid, x, y, width, &frame->assessment->slots);
}

static bool put_if_fits(struct grid *grid, int y, const struct line *line)
{
	if (line_width(grid, line) > grid->width)
		return false;
	line_put(grid, 0, y, grid->width, line);
	return true;
}

/* In a single line the number of leaked connections is left out last. */
static void draw_in_one_line(const struct frame *frame)
{
	static const struct {
		int used, leaked; /* indices of forms; −1: left out */
		const char *between;
	} both[] = { { 0, 1, " · " }, { 1, 1, " · " }, { 1, 2, " " }, { -1, 2, "" },
		{ -1, 3, "" } };
	struct line line;
	for (size_t i = 0; i < LENGTH(both); i++) {
		line_begin(&line);
		if (both[i].used >= 0)
			add_used(frame, &used_forms[both[i].used], &line);
		if (frame->assessment->slots.used_at_most >= 0)
			line_add(&line, STYLE_DIM, both[i].between);
		add_leaked(frame, &leaked_forms[both[i].leaked], &line);
		if (line.length && put_if_fits(frame->grid, 0, &line))
			return;
	}
	grid_char(frame->grid, 0, 0, U'…', STYLE_LEAKED);
}

void header_draw_numbers(const struct frame *frame)
{
	struct line line;
	if (frame->grid->height < 2) {
		draw_in_one_line(frame);
		return;
	}
	bool done = false;
	for (size_t i = 0; i < LENGTH(used_forms) && !done; i++) {
		line_begin(&line);
		add_used(frame, &used_forms[i], &line);
		done = put_if_fits(frame->grid, 0, &line);
	}
	if (!done)
		grid_char(frame->grid, 0, 0, U'…', STYLE_STRONG);
	done = false;
	for (size_t i = 0; i < LENGTH(leaked_forms) && !done; i++) {
		line_begin(&line);
		add_leaked(frame, &leaked_forms[i], &line);
		done = put_if_fits(frame->grid, 1, &line);
	}
	if (!done)
		grid_char(frame->grid, 0, 1, U'…', STYLE_LEAKED);
}
