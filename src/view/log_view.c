/* Each line begins with its time. The day is added where it changes. */
#include "view/log_view.h"

#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/instant.h"
#include "widgets/dialog.h"
#include "widgets/frame.h"
#include "widgets/line.h"

#define WIDEST 132

void log_view_open(struct log_view *view, struct ui_state *ui, const char *title, const char *empty)
{
	struct arena *arena = view->arena ? view->arena : arena_new();
	arena_reset(arena);
	*view = (struct log_view){
		.arena = arena,
		.title = arena_strdup(arena, title),
		.empty = arena_strdup(arena, empty),
	};
	ui->log = view;
	if (!ui_is_open(ui, &log_view))
		ui_push(ui, &log_view);
}

void log_view_deinit(struct log_view *view)
{
	arena_free(view->arena);
	*view = (struct log_view){ 0 };
}

void log_view_add(struct log_view *view, int64_t at, enum style style, const char *text)
{
	view->lines = arena_grow(
		view->arena, view->lines, view->count, &view->room, sizeof(*view->lines));
	view->lines[view->count++] = (struct log_line){
		.at = at,
		.style = style,
		.text = arena_strdup(view->arena, text),
	};
}

/* "Jan 31 12:03:44" if the day differs from the previous line's, else "12:03:44". */
static void add_time(struct line *line, int64_t at, int64_t now)
{
	char text[INSTANT_TEXT_MAX];
	time_t then = (time_t)(at / USEC_PER_SEC), today = (time_t)(now / USEC_PER_SEC);
	struct tm a, b;
	if (localtime_r(&then, &a) && localtime_r(&today, &b) &&
		(a.tm_yday != b.tm_yday || a.tm_year != b.tm_year) &&
		strftime(text, sizeof(text), "%b %d ", &a))
		line_add(line, STYLE_DIM, text);
	line_add(line, STYLE_DIM, instant_clock(at, text));
	line_add(line, STYLE_DIM, "  ");
}

static void draw_line(
	const struct frame *frame, const struct dialog *dialog, size_t index, struct rect where)
{
	const struct log_view *view = dialog->data;
	struct line line;
	line_begin(&line);
	if (index < view->count) {
		add_time(&line, view->lines[index].at, frame->now);
		line_add_folded(&line, view->lines[index].style, view->lines[index].text);
	} else {
		line_add(&line, STYLE_DIM, view->empty);
	}
	line_put(frame->grid, where.x, where.y, where.width, &line);
}

static void draw(const struct frame *frame)
{
	const struct log_view *view = frame->ui->log;
	if (!view)
		return;
	struct dialog dialog = {
		.title = view->title ? view->title : "",
		.title_style = STYLE_STRONG,
		.width = WIDEST,
		.n_lines = view->count ? view->count : 1,
		.data = view,
		.draw_line = draw_line,
	};
	dialog_draw(frame, &dialog);
}

const struct view log_view = { .draw = draw };
