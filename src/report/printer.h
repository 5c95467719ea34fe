/* Lines of text for people: cells, cuts and padding by columns, in UTF-8 or in ASCII. */
#ifndef REPORT_PRINTER_H
#define REPORT_PRINTER_H

#include <stdbool.h>
#include <stdio.h>

/* The column where a note below a row begins: after the row's pid. */
#define PRINTER_NOTE_COLUMN 11

struct printer_style {
	bool utf8; /* false: characters beyond ASCII become '?' */
	int width; /* columns into which a line should fit if possible */
};

struct printer {
	FILE *file;
	struct printer_style style;
	int column;
};

/* Takes the locale and the terminal's width; 80 columns for files and pipes. */
struct printer_style printer_style_for(FILE *file);

/* Prints clean text (base/text); line breaks and tabs become a blank. NULL prints nothing. */
void printer_text(struct printer *printer, const char *text);
void printer_format(struct printer *printer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Prints at most `width` columns; longer text is cut with an ellipsis. */
void printer_cut(struct printer *printer, const char *text, int width);

/* Prints exactly `width` columns: text is cut with an ellipsis, or padded on the right. */
void printer_cell(struct printer *printer, const char *text, int width);

/* Cuts the text at the end of the line. */
void printer_rest(struct printer *printer, const char *text);

/* Prints blanks up to the column; none if it is passed already. */
void printer_move(struct printer *printer, int column);

void printer_end_line(struct printer *printer);

/* Prints a note under the row above it; nothing if the note is empty. */
void printer_note(struct printer *printer, const char *label, const char *note);

/* Flushes; call it at the end of a line. Returns 0, or a negative errno if the stream failed. */
int printer_flush(struct printer *printer) __attribute__((warn_unused_result));

#endif
