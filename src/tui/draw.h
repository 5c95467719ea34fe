/* The difference between what the terminal shows and what it should. */
#ifndef TUI_DRAW_H
#define TUI_DRAW_H

struct grid;
struct tui;

/* Writes what differs; keeps a copy of the grid to compare the next one with. */
void draw_grid(struct tui *tui, const struct grid *grid);

#endif
