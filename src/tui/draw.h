/* Updates the terminal to a new grid. */
#ifndef TUI_DRAW_H
#define TUI_DRAW_H

struct grid;
struct tui;

/* Writes the cells that differ, and keeps a copy of the grid for the next comparison. */
void draw_grid(struct tui *tui, const struct grid *grid);

#endif
