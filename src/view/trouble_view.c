/* A summary, the server's error, and what to do next; the error is left out where there
 * is no room. */
#include "view/trouble_view.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "model/assessment.h"
#include "model/proxy.h"
#include "view/trouble.h"
#include "widgets/frame.h"
#include "widgets/grid.h"
#include "widgets/line.h"
#include "widgets/ui.h"
#include "widgets/wrap.h"

static bool get(const struct frame *frame, struct trouble *ret_trouble)
{
	if (!trouble_get(frame->assessment, frame->now, ret_trouble))
		return false;
	const struct proxy *proxy = frame->assessment->proxy;
	const char *start = frame->ui->proxy_start;
	if (start && proxy && proxy->status == PROXY_ABSENT) {
		snprintf(ret_trouble->start, sizeof(ret_trouble->start),
			"the proxy does not run; P, then s starts it: %s", start);
		ret_trouble->hint = ret_trouble->start;
	}
	if (frame->ui->password_wanted)
		ret_trouble->hint = "W asks for the password again";
	return true;
}

int trouble_view_draw(const struct frame *frame, int x, int y, int lines)
{
	struct trouble trouble;
	struct grid *grid = frame->grid;
	int width = grid->width - x - 1, start = y;
	if (lines < 1 || !get(frame, &trouble))
		return 0;
	struct line line;
	line_begin(&line);
	line_add(&line, STYLE_CAUTION, trouble.summary);
	if (*trouble.retry)
		line_add_next(&line, STYLE_DIM, trouble.retry);
	line_put(grid, x, y++, width, &line);
	if (trouble.error && lines > 2)
		grid_put(grid, x, y++, width, trouble.error, STYLE_DIM);
	if (trouble.hint && lines > 1) {
		line_begin(&line);
		line_add(&line, STYLE_KEY, "→ ");
		line_add(&line, STYLE_TEXT, trouble.hint);
		line_put(grid, x, y++, width, &line);
	}
	return y - start;
}

/* Draws a text over as many lines as it needs, with `first` before it. If `draws` is false it only
 * counts the lines. */
static int put(const struct frame *frame, struct rect where, const char *first, const char *text,
	enum style style, bool draws)
{
	struct grid *grid = frame->grid;
	int indent = grid_width(grid, first), width = where.width - indent, lines = 0;
	size_t skip;
	for (; width > 0 && *text; text += skip, lines++) {
		size_t length = wrap_line(grid, text, width, &skip);
		struct line line;
		line_begin(&line);
		line_add_bytes(&line, style, text, length);
		if (!draws)
			continue;
		if (!lines)
			grid_put(grid, where.x, where.y, indent, first, STYLE_KEY);
		line_put(grid, where.x + indent, where.y + lines, width, &line);
	}
	return lines;
}

static const struct paragraph {
	const char *first;
	enum style style;
	int rank; /* the highest ones are left out first */
} paragraphs[] = {
	{ "", STYLE_CAUTION, 0 },
	{ "", STYLE_DIM, 3 },
	{ "→ ", STYLE_TEXT, 1 },
	{ "", STYLE_DIM, 2 },
};
#define PARAGRAPHS (sizeof(paragraphs) / sizeof(paragraphs[0]))

static int put_all(const struct frame *frame, struct rect where, const char *const *texts,
	int most_rank, bool draws)
{
	int lines = 0;
	for (size_t i = 0; i < PARAGRAPHS; i++) {
		const struct paragraph *paragraph = &paragraphs[i];
		if (!texts[i] || paragraph->rank > most_rank)
			continue;
		int more = put(frame, where, paragraph->first, texts[i], paragraph->style, draws);
		where.y += more;
		lines += more;
	}
	return lines;
}

int trouble_view_draw_page(const struct frame *frame, int x, int y, int lines)
{
	struct trouble trouble;
	struct rect where = { x, y, frame->grid->width - x - 1, 1 };
	if (lines < 1 || !get(frame, &trouble))
		return 0;
	const char *const texts[PARAGRAPHS] = { trouble.summary, trouble.error, trouble.hint,
		trouble.retry };
	int most_rank = PARAGRAPHS - 1;
	while (most_rank && put_all(frame, where, texts, most_rank, false) > lines)
		most_rank--;
	return put_all(frame, where, texts, most_rank, true);
}
