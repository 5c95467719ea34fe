/* Breaks text at blanks. */
#include "view/message.h"

#include <string.h>

#include "base/text.h"
#include "view/dialog.h"
#include "view/frame.h"
#include "view/line.h"

#define WIDEST 76

size_t message_wrap(const struct grid *grid, const char *text, int width, size_t *ret_skip)
{
	const char *at = text, *blank = NULL;
	int columns = 0;
	while (*at && *at != '\n') {
		const char *next = at;
		char character[5] = { 0 };
		text_encode(text_next(&next), character);
		columns += grid_width(grid, character);
		if (*at == ' ')
			blank = at;
		if (columns > width && at > text) {
			const char *end = blank && blank > text ? blank : at;
			*ret_skip = (size_t)(end - text) + (end == blank);
			return (size_t)(end - text);
		}
		at = next;
	}
	*ret_skip = (size_t)(at - text) + (*at == '\n');
	return (size_t)(at - text);
}

struct wrapped {
	const char *text;
	int width;
};

static size_t count_lines(const struct grid *grid, const char *text, int width)
{
	size_t lines = 0, skip;
	for (; *text; text += skip, lines++)
		(void)message_wrap(grid, text, width, &skip);
	return lines;
}

static void draw_line(
	const struct frame *frame, const struct dialog *dialog, size_t index, struct rect where)
{
	const struct wrapped *wrapped = dialog->data;
	const char *text = wrapped->text;
	struct line line;
	size_t skip;
	size_t length = message_wrap(frame->grid, text, wrapped->width, &skip);
	for (; index; index--) {
		text += skip;
		length = message_wrap(frame->grid, text, wrapped->width, &skip);
	}
	line_begin(&line);
	line_add_bytes(&line, STYLE_TEXT, text, length);
	line_put(frame->grid, where.x, where.y, where.width, &line);
}

void message_draw_text(const struct frame *frame, struct dialog *dialog, const char *text)
{
	struct wrapped wrapped = { text, dialog_width(frame, dialog) };
	dialog->data = &wrapped;
	dialog->draw_line = draw_line;
	dialog->n_lines = count_lines(frame->grid, text, wrapped.width);
	dialog_draw(frame, dialog);
}

void message_draw(const struct frame *frame)
{
	const struct ui_state *ui = frame->ui;
	struct dialog dialog = {
		.title = ui->message_title ? ui->message_title : "",
		.title_style = ui->message_style,
		.width = WIDEST,
		.screen = SCREEN_MESSAGE,
	};
	message_draw_text(frame, &dialog, ui->message ? ui->message : "");
}
