/* The table: its heading, groups and connections. */
#ifndef VIEW_TABLE_H
#define VIEW_TABLE_H

#include "view/layout.h"

struct frame;

/* The titles, the sorted one marked. */
void table_draw_heading(const struct frame *frame, const struct layout *layout, int y);

/* As many rows as there are lines, from the first one shown on; settles where that is. */
void table_draw_rows(const struct frame *frame, const struct layout *layout, int y, int lines);

#endif
