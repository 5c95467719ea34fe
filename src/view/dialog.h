/* A box over the table: a title, lines that scroll, a note and the keys of its page. */
#ifndef VIEW_DIALOG_H
#define VIEW_DIALOG_H

#include "view/grid.h"
#include "view/ui.h"

struct frame;

struct dialog {
	const char *title;
	enum style title_style;
	int width; /* columns the lines would like; they get what there is */
	size_t n_lines;
	bool has_cursor;  /* one line is under the cursor, ui->cursor; else they scroll */
	const char *note; /* below the lines; NULL for none */
	bool note_asks;   /* it is a question, or says why nothing was done */
	enum page page;   /* whose keys are shown */
	size_t count;     /* # in their labels */
	const void *data; /* for draw_line */
	void (*draw_line)(const struct frame *frame, const struct dialog *dialog, size_t index,
		struct rect where);
};

/* The columns its lines will get. */
int dialog_width(const struct frame *frame, const struct dialog *dialog);

/* On a screen that is too small for a frame it takes all of it. */
void dialog_draw(const struct frame *frame, const struct dialog *dialog);

#endif
