/* The overview of servers: one row each, what needs a person first. Its list is brought up to date
 * before each frame, and keeps the cursor on the same server. */
#ifndef VIEW_OVERVIEW_H
#define VIEW_OVERVIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "view/overview_cells.h"
#include "widgets/ui.h"

struct server_row;

struct overview {
	struct server_row *rows; /* the app's: one for each server */
	size_t n_rows;
	enum overview_column sort;
	bool reverse;

	/* updated before each frame */
	size_t *list; /* the rows that match the filter, in their order on the screen */
	size_t n_list;
	size_t cursor;      /* into the list; while a dialog is open, ui->cursor is the dialog's */
	size_t selected;    /* the row under the cursor */
	bool chosen;        /* the user moved the cursor; else it stays on the first row */
	uint64_t questions; /* ui->questions then */
};

/* rows belongs to the app, and must outlive the overview. */
void overview_init(struct overview *overview, struct server_row *rows, size_t n_rows);
/* There are more rows now; those before keep their places. */
void overview_set_rows(struct overview *overview, struct server_row *rows, size_t n_rows);
void overview_deinit(struct overview *overview);

/* Filters and sorts the rows, and keeps the cursor on the same server: the one that the last frame
 * showed under it. Call it before each frame. */
void overview_settle(struct overview *overview, struct ui_state *ui);

/* The row under the cursor, as the last frame showed it; SIZE_MAX: none. */
size_t overview_current(const struct overview *overview, const struct ui_state *ui);

/* Puts the cursor on a row. */
void overview_select(struct overview *overview, struct ui_state *ui, size_t row);

/* The next column that the last frame showed. */
void overview_next_sort(struct overview *overview, const struct ui_state *ui);
void overview_toggle_reverse(struct overview *overview);
void overview_sort_by(struct overview *overview, enum overview_column column);

#endif
