/* A box over the table: a title, lines that scroll, a note and the keys of its screen. */
#ifndef WIDGETS_DIALOG_H
#define WIDGETS_DIALOG_H

#include "model/style.h"
#include "widgets/grid.h"

struct frame;

struct dialog {
	const char *title;
	enum style title_style;
	int width; /* the width that the lines need; they may get less */
	size_t n_lines;
	bool has_cursor;  /* one line is under the cursor, ui->cursor; else the lines scroll */
	const char *note; /* below the lines; NULL for none */
	bool note_asks;   /* it asks a question, or says why nothing was done */
	size_t count;     /* replaces # in the labels of its keys */
	const void *data; /* passed to draw_line */
	void (*draw_line)(const struct frame *frame, const struct dialog *dialog, size_t index,
		struct rect where);
};

/* The width that its lines will get. */
int dialog_width(const struct frame *frame, const struct dialog *dialog);

/* Draws it. On a screen that is too small for a frame it covers the whole screen. */
void dialog_draw(const struct frame *frame, const struct dialog *dialog);

#endif
