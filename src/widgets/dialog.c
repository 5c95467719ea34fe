/* The box, its frame and its scrolling; each screen draws its own contents. */
#include "widgets/dialog.h"

#include <stdio.h>
#include <string.h>

#include "widgets/frame.h"
#include "widgets/keybar.h"
#include "widgets/line.h"
#include "widgets/settle.h"
#include "widgets/wrap.h"

#define FRAME        2 /* columns on each side: the line and a blank */
#define NOTE_GAP     3
#define FRAMED_WIDE  28
#define FRAMED_TALL  7
#define LEAST_FOOTER 2  /* a blank line and the keys */
#define MOST_NOTE    3  /* lines */
#define LEAST_BESIDE 12 /* fewer columns beside the box are unreadable and left blank */

struct box {
	struct rect inside;
	bool framed;
	int note; /* its lines above the keys; 0: there is none, or it is beside them */
	int footer;
};

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

static int larger(int a, int b)
{
	return a > b ? a : b;
}

/* Whether the note and the keys need a line each. */
static bool needs_split(const struct frame *frame, const struct dialog *dialog, int width)
{
	if (!dialog->note)
		return false;
	int note = grid_width(frame->grid, dialog->note);
	int keys = keybar_width(frame, dialog->count);
	return keys && note + NOTE_GAP + keys > width;
}

static int count_note(const struct frame *frame, const char *note, int width)
{
	int lines = 0;
	for (size_t skip; *note && lines < MOST_NOTE; note += skip, lines++)
		(void)wrap_line(frame->grid, note, width, &skip);
	return lines;
}

static struct box place(const struct frame *frame, const struct dialog *dialog)
{
	const struct grid *grid = frame->grid;
	struct box box = { .framed = grid->width >= FRAMED_WIDE && grid->height >= FRAMED_TALL };
	if (!box.framed) {
		box.footer = grid->height > 3 ? 1 : 0;
		box.inside = (struct rect){ 0, 0, grid->width, grid->height };
		return box;
	}
	int keys = keybar_width(frame, dialog->count);
	int title = grid_width(grid, dialog->title) + 2;
	int wanted = larger(larger(dialog->width, keys), title);
	if (dialog->note_asks)
		wanted = larger(wanted, grid_width(grid, dialog->note));
	int width = smaller(wanted, grid->width - 2 * FRAME - 2);
	if (needs_split(frame, dialog, width) && grid->height > 12)
		box.note = count_note(frame, dialog->note, width);
	box.footer = LEAST_FOOTER + box.note;
	int lines = grid->height - 2 - box.footer;
	if (dialog->n_lines < (size_t)lines)
		lines = (int)dialog->n_lines;
	int height = larger(lines, 1) + box.footer;
	/* A longer note makes the box grow downwards: the cursor's line stays where it is. */
	int y = (grid->height - height + larger(box.note - 1, 0)) / 2;
	y = smaller(y, grid->height - 1 - height);
	/* The box does not cover the header if there is room below it. */
	int below_header = HEADER_LINES + 2;
	if (y < below_header && below_header + height < grid->height - 1)
		y = below_header;
	box.inside = (struct rect){ (grid->width - width) / 2, y, width, height };
	return box;
}

int dialog_width(const struct frame *frame, const struct dialog *dialog)
{
	return place(frame, dialog).inside.width;
}

static struct rect around(struct rect inside)
{
	return (struct rect){ inside.x - FRAME, inside.y - 1, inside.width + 2 * FRAME,
		inside.height + 2 };
}

static bool is_word(const struct grid *grid, int x, int y)
{
	const struct cell *cell = grid_cell(grid, x, y);
	if (!cell || cell->c == ' ')
		return false;
	/* Lines and gauges continue behind the box. */
	if (grid->ascii)
		return !strchr("-=#|+", (int)cell->c);
	return cell->c < 0x2500 || cell->c > 0x259f;
}

/* Blanks a word that the box would cut, from column x on in the direction of `step`. */
static void clear_word(struct grid *grid, int x, int y, int step)
{
	if (!is_word(grid, x - step, y))
		return;
	for (; is_word(grid, x, y); x += step)
		grid_char(grid, x, y, ' ', STYLE_TEXT);
}

static void clear_cut_words(struct grid *grid, int left, int right, int top, int bottom)
{
	for (int y = top; y <= bottom; y++) {
		clear_word(grid, left - 1, y, -1);
		clear_word(grid, right + 1, y, 1);
	}
}

static void draw_frame(struct grid *grid, struct rect inside)
{
	int left = inside.x - FRAME, right = inside.x + inside.width + FRAME - 1;
	int top = inside.y - 1, bottom = inside.y + inside.height;
	if (left < LEAST_BESIDE)
		grid_fill(grid, (struct rect){ 0, top, grid->width, bottom - top + 1 }, ' ',
			STYLE_TEXT);
	clear_cut_words(grid, left, right, top, bottom);
	grid_fill(grid, around(inside), ' ', STYLE_DIALOG);
	grid_fill(grid, (struct rect){ left, top, right - left + 1, 1 }, U'─', STYLE_DIALOG_FRAME);
	grid_fill(
		grid, (struct rect){ left, bottom, right - left + 1, 1 }, U'─', STYLE_DIALOG_FRAME);
	grid_fill(grid, (struct rect){ left, top, 1, bottom - top + 1 }, U'│', STYLE_DIALOG_FRAME);
	grid_fill(grid, (struct rect){ right, top, 1, bottom - top + 1 }, U'│', STYLE_DIALOG_FRAME);
	grid_char(grid, left, top, U'┌', STYLE_DIALOG_FRAME);
	grid_char(grid, right, top, U'┐', STYLE_DIALOG_FRAME);
	grid_char(grid, left, bottom, U'└', STYLE_DIALOG_FRAME);
	grid_char(grid, right, bottom, U'┘', STYLE_DIALOG_FRAME);
}

static void draw_title(const struct frame *frame, const struct dialog *dialog, struct rect inside)
{
	char text[256];
	snprintf(text, sizeof(text), " %s ", dialog->title);
	grid_put(frame->grid, inside.x - 1, inside.y - 1, inside.width + 2, text,
		dialog->title_style);
}

/* The last line takes the rest, and is cut. */
static void draw_note(
	const struct frame *frame, const char *note, struct rect where, enum style style)
{
	struct line line;
	size_t skip;
	for (int i = 0; i < where.height; i++, note += skip) {
		size_t length = wrap_line(frame->grid, note, where.width, &skip);
		line_begin(&line);
		line_add_bytes(&line, style, note, i + 1 < where.height ? length : strlen(note));
		line_put(frame->grid, where.x, where.y + i, where.width, &line);
	}
}

static void draw_footer(
	const struct frame *frame, const struct dialog *dialog, const struct box *box)
{
	struct rect inside = box->inside;
	int y = inside.y + inside.height - 1;
	bool split = needs_split(frame, dialog, inside.width);
	/* If only one of them has room, a question is more important than the keys. */
	if (dialog->note_asks && (!box->framed || (split && !box->note))) {
		grid_put(frame->grid, inside.x, y, inside.width, dialog->note, STYLE_CAUTION);
		return;
	}
	int keys = smaller(keybar_width(frame, dialog->count), inside.width);
	int x = box->framed ? inside.x + inside.width - keys : inside.x;
	keybar_draw(frame, x, y, inside.x + inside.width - x, dialog->count);
	enum style style = dialog->note_asks ? STYLE_CAUTION : STYLE_DIM;
	if (!dialog->note || !box->framed)
		return;
	if (box->note)
		draw_note(frame, dialog->note,
			(struct rect){ inside.x, y - box->note, inside.width, box->note }, style);
	else if (!split)
		grid_put(frame->grid, inside.x, y, inside.width, dialog->note, style);
}

/* Draws "3–12 of 40" in the lower frame if not all lines are shown. */
static void draw_position(const struct frame *frame, struct rect inside)
{
	const struct ui_shown *shown = frame->shown;
	if (shown->dialog_lines <= shown->dialog_rows)
		return;
	char text[64];
	snprintf(text, sizeof(text), " %zu–%zu of %zu ", shown->dialog_top + 1,
		shown->dialog_top + shown->dialog_rows, shown->dialog_lines);
	grid_put_right(
		frame->grid, inside.x, inside.y + inside.height, inside.width + 1, text, STYLE_DIM);
}

/* The first line that is shown. */
static size_t first_line(
	const struct ui_state *ui, const struct dialog *dialog, size_t cursor, size_t rows)
{
	if (dialog->has_cursor)
		return settle_first(ui->shown.dialog_top, cursor, rows, dialog->n_lines);
	size_t beyond = dialog->n_lines > rows ? dialog->n_lines - rows : 0;
	return ui->scroll < beyond ? ui->scroll : beyond;
}

void dialog_draw(const struct frame *frame, const struct dialog *dialog)
{
	struct grid *grid = frame->grid;
	struct box box = place(frame, dialog);
	struct rect inside = box.inside;
	if (box.framed) {
		draw_frame(grid, inside);
		draw_title(frame, dialog, inside);
	} else {
		grid_fill(grid, inside, ' ', STYLE_DIALOG);
	}
	int rows = larger(inside.height - box.footer, 0);
	size_t last = dialog->n_lines ? dialog->n_lines - 1 : 0;
	size_t cursor = frame->ui->cursor < last ? frame->ui->cursor : last;
	size_t first = first_line(frame->ui, dialog, cursor, (size_t)rows);
	frame->shown->dialog_top = first;
	frame->shown->dialog_rows = (size_t)rows;
	frame->shown->dialog_lines = dialog->n_lines;
	frame->shown->dialog_has_cursor = dialog->has_cursor;
	for (int i = 0; i < rows && first + (size_t)i < dialog->n_lines; i++) {
		size_t index = first + (size_t)i;
		struct rect where = { inside.x, inside.y + i, inside.width, 1 };
		if (dialog->has_cursor)
			grid_add_hit(grid, where, HIT_LINE, (uint32_t)index);
		dialog->draw_line(frame, dialog, index, where);
		if (dialog->has_cursor && index == cursor)
			grid_overlay(grid, where, OVERLAY_SELECTED);
	}
	if (box.footer)
		draw_footer(frame, dialog, &box);
	grid_overlay(grid, box.framed ? around(inside) : inside, OVERLAY_DIALOG);
	if (box.framed)
		draw_position(frame, inside);
}
