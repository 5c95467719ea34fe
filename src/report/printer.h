/* Lines of text for people: cells, cuts and padding by columns, in UTF-8 or in plain ASCII. */
#ifndef REPORT_PRINTER_H
#define REPORT_PRINTER_H

#include <stdbool.h>
#include <stdio.h>

/* Where a note under a row begins: behind its pid. */
#define PRINTER_NOTE_COLUMN 11

struct printer_style {
	bool utf8; /* false: everything beyond ASCII becomes '?' */
	int width; /* columns that a line should fit into, where it can */
};

struct printer {
	FILE *file;
	struct printer_style style;
	int column;
};

/* By the locale, and by the terminal's size; 80 columns for files and pipes. */
struct printer_style printer_style_for(FILE *file);

/* Clean text (base/text); line breaks and tabs become a space. NULL prints nothing. */
void printer_text(struct printer *printer, const char *text);
void printer_format(struct printer *printer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* In at most `width` columns: cut with an ellipsis. */
void printer_cut(struct printer *printer, const char *text, int width);

/* In exactly `width` columns: cut with an ellipsis, or padded to the right. */
void printer_cell(struct printer *printer, const char *text, int width);

/* Cut so that it ends with the line. */
void printer_rest(struct printer *printer, const char *text);

/* Blanks up to the column; none when it is passed. */
void printer_move(struct printer *printer, int column);

void printer_end_line(struct printer *printer);

/* A line under the row above it, nothing without a note. */
void printer_note(struct printer *printer, const char *label, const char *note);

/* After an end of line. 0, or a negative errno when the stream failed. */
int printer_flush(struct printer *printer) __attribute__((warn_unused_result));

#endif
