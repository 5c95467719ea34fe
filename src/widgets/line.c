/* Styled text: one buffer, and the byte at which each style begins. */
#include "widgets/line.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "widgets/grid.h"

void line_begin(struct line *line)
{
	line->length = 0;
	line->n_spans = 0;
	line->text[0] = '\0';
}

static void begin_span(struct line *line, enum style style)
{
	if (line->n_spans && line->spans[line->n_spans - 1].style == style)
		return;
	if (line->n_spans == LINE_SPANS)
		return;
	line->spans[line->n_spans++] = (struct span){ line->length, style };
}

/* Makes room for that many bytes of text; the text is cut between characters. */
static size_t fitting(const struct line *line, const char *text, size_t length)
{
	size_t room = LINE_BYTES - 1 - line->length;
	if (length <= room)
		return length;
	while (room && ((unsigned char)text[room] & 0xc0) == 0x80)
		room--;
	return room;
}

void line_add_bytes(struct line *line, enum style style, const char *text, size_t length)
{
	begin_span(line, style);
	length = fitting(line, text, length);
	memcpy(line->text + line->length, text, length);
	line->length += length;
	line->text[line->length] = '\0';
}

void line_add(struct line *line, enum style style, const char *text)
{
	line_add_bytes(line, style, text, strlen(text));
}

void line_printf(struct line *line, enum style style, const char *format, ...)
{
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	line_add(line, style, text);
}

void line_add_folded(struct line *line, enum style style, const char *text)
{
	begin_span(line, style);
	bool blank = true; /* Leading blanks are left out, too. */
	for (; *text; text++) {
		bool is_blank = *text == ' ' || *text == '\n' || *text == '\t';
		bool is_start = ((unsigned char)*text & 0xc0) != 0x80;
		/* A character needs room for up to four bytes. */
		if (line->length + (is_start ? 4 : 1) > LINE_BYTES - 1)
			break;
		if (!is_blank || !blank)
			line->text[line->length++] = is_blank ? ' ' : *text;
		blank = is_blank;
	}
	line->text[line->length] = '\0';
}

static const char separator[] = " · ";

void line_add_next(struct line *line, enum style style, const char *text)
{
	if (line->length)
		line_add(line, STYLE_DIM, separator);
	line_add(line, style, text);
}

void line_keep_parts(const struct grid *grid, struct line *line, int width)
{
	const size_t size = sizeof(separator) - 1;
	while (line_width(grid, line) > width) {
		size_t at = line->length < size ? 0 : line->length - size;
		while (at && memcmp(line->text + at, separator, size) != 0)
			at--;
		if (!at)
			return;
		line->length = at;
		line->text[at] = '\0';
	}
}

void line_skip(const struct grid *grid, struct line *line, int columns)
{
	static const char mark[] = "…";
	const size_t size = sizeof(mark) - 1;
	const char *at = line->text, *cut = line->text;
	/* The … takes one column, so one more is removed. */
	for (int width = 0; *at && width <= columns; cut = at) {
		char bytes[5] = { 0 };
		text_encode(text_next(&at), bytes);
		width += grid_width(grid, bytes);
	}
	size_t gone = (size_t)(cut - line->text), rest = line->length - gone;
	if (!rest || gone < size) {
		line_begin(line);
		return;
	}
	memmove(line->text + size, cut, rest + 1);
	memcpy(line->text, mark, size);
	line->length = rest + size;
	for (size_t i = 0; i < line->n_spans; i++) {
		struct span *span = &line->spans[i];
		span->from = span->from > gone ? span->from - gone + size : 0;
	}
}

int line_width(const struct grid *grid, const struct line *line)
{
	return grid_width(grid, line->text);
}

int line_put(struct grid *grid, int x, int y, int width, const struct line *line)
{
	return grid_put_spans(grid, x, y, width, line->text, line->spans, line->n_spans);
}

void line_put_right(struct grid *grid, int x, int y, int width, const struct line *line)
{
	int columns = line_width(grid, line);
	if (columns < width) {
		x += width - columns;
		width = columns;
	}
	line_put(grid, x, y, width, line);
}

bool line_put_whole(struct grid *grid, int *x, int y, int right, int gap, const struct line *line)
{
	int width = line_width(grid, line);
	if (*x + width > right)
		return false;
	line_put(grid, *x, y, width, line);
	*x += width + gap;
	return true;
}
