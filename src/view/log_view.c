/* Each line begins with its time. The day is added where it changes. */
#include "view/log_view.h"

#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/instant.h"
#include "widgets/dialog.h"
#include "widgets/frame.h"
#include "widgets/line.h"
#include "widgets/wrap.h"

#define WIDEST 132
#define INDENT 2 /* of the lines that a text continues on */

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

/* A copy on one line: blanks that follow each other become one. */
static const char *fold(struct arena *arena, const char *text)
{
	char *copy = arena_strdup(arena, text), *end = copy;
	for (const char *at = text; *at; at++) {
		bool is_blank = strchr(" \t\n", *at);
		if (!is_blank || (end > copy && end[-1] != ' '))
			*end++ = is_blank ? ' ' : *at;
	}
	*end = '\0';
	return copy;
}

void log_view_add(struct log_view *view, int64_t at, enum style style, const char *text)
{
	view->lines = arena_grow(
		view->arena, view->lines, view->count, &view->room, sizeof(*view->lines));
	view->lines[view->count++] = (struct log_line){
		.at = at,
		.style = style,
		.text = fold(view->arena, text),
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

/* A part of a line of the log, as one line of the screen has room for. */
struct piece {
	const struct log_line *line; /* NULL: the list is empty */
	const char *text;
	size_t length;
};

struct sheet {
	struct piece *pieces;
	size_t count, room;
};

/* Breaks a text behind its time; its following lines are indented. */
static void add_pieces(struct sheet *sheet, const struct frame *frame, struct arena *arena,
	const struct log_line *line, int width)
{
	struct line time;
	line_begin(&time);
	if (line)
		add_time(&time, line->at, frame->now);
	const char *text = line ? line->text : frame->ui->log->empty;
	int indent = line_width(frame->grid, &time);
	for (size_t skip, length; *text; text += skip, indent = INDENT) {
		length = wrap_line(frame->grid, text, width - indent, &skip);
		sheet->pieces = arena_grow(
			arena, sheet->pieces, sheet->count, &sheet->room, sizeof(*sheet->pieces));
		sheet->pieces[sheet->count++] = (struct piece){ line, text, length };
	}
}

static void draw_line(
	const struct frame *frame, const struct dialog *dialog, size_t index, struct rect where)
{
	const struct piece *piece = &((const struct sheet *)dialog->data)->pieces[index];
	bool is_first = !piece->line || piece->text == piece->line->text;
	struct line line;
	line_begin(&line);
	if (piece->line && is_first)
		add_time(&line, piece->line->at, frame->now);
	else if (piece->line)
		line_add_bytes(&line, STYLE_TEXT, "  ", INDENT);
	line_add_bytes(
		&line, piece->line ? piece->line->style : STYLE_DIM, piece->text, piece->length);
	line_put(frame->grid, where.x, where.y, where.width, &line);
}

static void draw(const struct frame *frame)
{
	const struct log_view *view = frame->ui->log;
	if (!view)
		return;
	struct arena *arena = arena_new();
	struct sheet sheet = { 0 };
	struct dialog dialog = {
		.title = view->title ? view->title : "",
		.title_style = STYLE_STRONG,
		.width = WIDEST,
		.data = &sheet,
		.draw_line = draw_line,
	};
	int width = dialog_width(frame, &dialog);
	for (size_t i = 0; i < view->count; i++)
		add_pieces(&sheet, frame, arena, &view->lines[i], width);
	if (!view->count)
		add_pieces(&sheet, frame, arena, NULL, width);
	dialog.n_lines = sheet.count;
	dialog_draw(frame, &dialog);
	arena_free(arena);
}

const struct view log_view = { .draw = draw };
