/* The difference between two grids, as ncurses' cells. */
#include "tui/draw.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tui/internal.h"

static cchar_t to_curses(const struct paint *paint, const struct cell *cell)
{
	wchar_t text[2 + GRID_MARKS] = { (wchar_t)cell->c };
	for (int i = 0; i < GRID_MARKS; i++)
		text[1 + i] = (wchar_t)cell->marks[i];
	const uint32_t attributes = paint->looks[cell->style][cell->overlay].attributes;
	const short pair = paint->looks[cell->style][cell->overlay].pair;
	cchar_t result;
	if (setcchar(&result, text, attributes, pair, NULL) == ERR)
		setcchar(&result, L"?", attributes, pair, NULL);
	return result;
}

/* Cells from `from` up to `to`; right halves belong to the cell before them. */
static void write_run(struct tui *tui, const struct cell *cells, int y, int from, int to)
{
	int count = 0;
	for (int x = from; x < to; x++)
		if (cells[x].width)
			tui->run[count++] = to_curses(&tui->paint, &cells[x]);
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
		/* a wide character is written whole */
		while (from > 0 && !new[from].width)
			from--;
		while (x < width && !new[x].width)
			x++;
		write_run(tui, new, y, from, x);
	}
}

/* The frame is what the terminal shows from now on. */
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
		erase();
		clearok(curscr, TRUE);
	}
	for (int y = 0; y < grid->height; y++)
		write_line(tui, grid, y);
	wnoutrefresh(stdscr);
	doupdate();
	remember(tui, grid);
	tui->spoilt = false;
}
