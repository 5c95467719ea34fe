/* Writes the difference between two grids as ncurses' cells. */
#include "tui/draw.h"

#include <stdlib.h>
#include <string.h>
#include <term.h>

#include "base/mem.h"
#include "tui/internal.h"

static const struct look *look_of(const struct paint *paint, const struct cell *cell)
{
	return &paint->looks[cell->style][cell->overlay];
}

static cchar_t to_curses(const struct cell *cell, const struct look *look)
{
	wchar_t text[2 + GRID_MARKS] = { (wchar_t)cell->c };
	for (int i = 0; i < GRID_MARKS; i++)
		text[1 + i] = (wchar_t)cell->marks[i];
	cchar_t result;
	if (setcchar(&result, text, look->attributes, look->pair, NULL) == ERR)
		setcchar(&result, L"?", look->attributes, look->pair, NULL);
	return result;
}

/* The column where the trailing blanks begin. */
static int end_of_text(const struct cell *cells, int from, int to)
{
	while (to > from && cells[to - 1].c == ' ')
		to--;
	return to;
}

/* Converts cells from `from` up to `to`; a right half belongs to the cell before it. A blank
 * between words takes the style of the cell before it if that looks the same: each change of colour
 * costs ten bytes. Trailing blanks keep their style, so that ncurses can clear the rest of the
 * line. */
static void write_run(struct tui *tui, const struct cell *cells, int y, int from, int to)
{
	int count = 0, end = end_of_text(cells, from, to);
	const struct look *look = look_of(&tui->paint, &cells[from]);
	for (int x = from; x < to; x++) {
		const struct look *own = look_of(&tui->paint, &cells[x]);
		bool same = cells[x].c == ' ' && own->ground == look->ground && look->ground >= 0;
		if (!same || x >= end)
			look = own;
		if (cells[x].width)
			tui->run[count++] = to_curses(&cells[x], look);
	}
	mvadd_wchnstr(y, from, tui->run, count);
}

static bool differ(const struct cell *a, const struct cell *b)
{
	return memcmp(a, b, sizeof(*a)) != 0;
}

static void write_line(struct tui *tui, const struct grid *grid, int y)
{
	const struct cell *new = grid_cell(grid, 0, y), *old = grid_cell(&tui->shown, 0, y);
	int width = grid->width;
	for (int x = 0; x < width;) {
		if (!tui->spoilt && !differ(&new[x], &old[x])) {
			x++;
			continue;
		}
		int from = x;
		while (x < width && (tui->spoilt || differ(&new[x], &old[x])))
			x++;
		/* A wide character is written as a whole. */
		while (from > 0 && !new[from].width)
			from--;
		while (x < width && !new[x].width)
			x++;
		write_run(tui, new, y, from, x);
	}
}

/* Stores the frame that the terminal now shows. */
static void remember(struct tui *tui, const struct grid *grid)
{
	grid_reset(&tui->shown, grid->width, grid->height);
	memcpy(tui->shown.cells, grid->cells,
		(size_t)grid->width * (size_t)grid->height * sizeof(*grid->cells));
}

static bool is_shown(const struct tui *tui, const struct grid *grid)
{
	return !tui->spoilt && tui->shown.width == grid->width &&
		tui->shown.height == grid->height &&
		memcmp(tui->shown.cells, grid->cells,
			(size_t)grid->width * (size_t)grid->height * sizeof(*grid->cells)) == 0;
}

/* A frame for the old size that the terminal shows after it grew ends with a scrolling region of
 * the old size, and ncurses does not set it again. Some terminals delete no characters outside of
 * it. */
static void reset_scrolling_region(struct output *output)
{
	const char *capability = tigetstr("csr");
	if (!capability || capability == (const char *)-1)
		return;
	const char *sequence = tparm(capability, 0, LINES - 1);
	output_write(output, sequence, strlen(sequence));
}

void draw_grid(struct tui *tui, const struct grid *grid)
{
	if (!grid->width || !grid->height || is_shown(tui, grid))
		return;
	if (grid->width > tui->run_size) {
		tui->run = mem_resize(tui->run, (size_t)grid->width, sizeof(*tui->run));
		tui->run_size = grid->width;
	}
	if (tui->shown.width != grid->width || tui->shown.height != grid->height)
		tui->spoilt = true;
	if (tui->spoilt) {
		reset_scrolling_region(&tui->output);
		erase();
		clearok(curscr, TRUE);
	}
	for (int y = 0; y < grid->height; y++)
		write_line(tui, grid, y);
	wnoutrefresh(stdscr);
	doupdate();
	output_frame(&tui->output);
	remember(tui, grid);
	tui->spoilt = false;
}
