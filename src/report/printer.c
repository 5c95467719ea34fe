/* Prints text by columns. */
#include "report/printer.h"

#include <langinfo.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/text.h"
#include "report/stream.h"

#define DEFAULT_WIDTH 80

struct printer_style printer_style_for(FILE *file)
{
	struct winsize size;
	struct printer_style style = {
		.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
		.width = DEFAULT_WIDTH,
	};
	int fd = fileno(file);
	if (isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		style.width = size.ws_col;
	return style;
}

/* The replacement of a character, and its columns. */
static char32_t shown(const struct printer *printer, char32_t c, int *ret_width)
{
	if (c == '\n' || c == '\t')
		c = ' ';
	if (c > '~' && !printer->style.utf8)
		c = '?';
	*ret_width = text_char_width(c);
	return c;
}

static void put(struct printer *printer, char32_t c, int width)
{
	char bytes[4];
	fwrite(bytes, 1, text_encode(c, bytes), printer->file);
	printer->column += width;
}

static int columns_of(const struct printer *printer, const char *text)
{
	int columns = 0, width;
	for (char32_t c; (c = text_next(&text)); columns += width)
		shown(printer, c, &width);
	return columns;
}

void printer_text(struct printer *printer, const char *text)
{
	int width;
	for (char32_t c; text && (c = text_next(&text));) {
		c = shown(printer, c, &width);
		put(printer, c, width);
	}
}

void printer_format(struct printer *printer, const char *format, ...)
{
	char text[256];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	printer_text(printer, text);
}

void printer_cut(struct printer *printer, const char *text, int width)
{
	if (columns_of(printer, text) <= width) {
		printer_text(printer, text);
		return;
	}
	const char *ellipsis = printer->style.utf8 ? "…" : "...";
	int room = width - columns_of(printer, ellipsis), columns;
	for (char32_t c; room >= 0 && (c = text_next(&text));) {
		c = shown(printer, c, &columns);
		if ((room -= columns) >= 0)
			put(printer, c, columns);
	}
	printer_text(printer, ellipsis);
}

void printer_cell(struct printer *printer, const char *text, int width)
{
	int end = printer->column + width;
	if (text)
		printer_cut(printer, text, width);
	printer_move(printer, end);
}

void printer_rest(struct printer *printer, const char *text)
{
	int room = printer->style.width - printer->column;
	if (text && room >= 4)
		printer_cut(printer, text, room);
}

void printer_move(struct printer *printer, int column)
{
	while (printer->column < column)
		put(printer, ' ', 1);
}

void printer_end_line(struct printer *printer)
{
	putc('\n', printer->file);
	printer->column = 0;
}

void printer_note(struct printer *printer, const char *label, const char *note)
{
	if (!note)
		return;
	printer_move(printer, PRINTER_NOTE_COLUMN);
	printer_text(printer, label);
	printer_text(printer, note);
	printer_end_line(printer);
}

int printer_flush(struct printer *printer)
{
	return stream_flush(printer->file);
}
