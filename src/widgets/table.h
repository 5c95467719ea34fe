/* The table: its heading, groups and connections. */
#ifndef WIDGETS_TABLE_H
#define WIDGETS_TABLE_H

#include "widgets/layout.h"

struct frame;

/* Draws the titles, with an arrow at the sort column. */
void table_draw_heading(const struct frame *frame, const struct layout *layout, int y);

/* Draws as many rows as there are lines, from the first shown row on, which it determines. */
void table_draw_rows(const struct frame *frame, const struct layout *layout, int y, int lines);

#endif
