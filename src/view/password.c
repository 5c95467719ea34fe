/* At most three lines: the server's error for the last password, whose password it is, and the
 * dots. */
#include "view/password.h"

#include <stdio.h>

#include "model/assessment.h"
#include "widgets/dialog.h"
#include "widgets/frame.h"
#include "widgets/line.h"

#define WIDTH 56

enum { REFUSAL, QUESTION, DOTS };

struct form {
	int lines[3];
	size_t n_lines;
};

static void draw_dots(const struct frame *frame, struct rect where)
{
	size_t room = where.width > 1 ? (size_t)where.width - 1 : 0;
	size_t count = frame->ui->password_length < room ? frame->ui->password_length : room;
	for (size_t i = 0; i < count; i++)
		grid_char(frame->grid, where.x + (int)i, where.y, U'•', STYLE_STRONG);
	grid_char(frame->grid, where.x + (int)count, where.y, U'▏', STYLE_KEY);
}

static void draw_question(const struct frame *frame, struct rect where)
{
	const struct server_state *server = &frame->assessment->server;
	struct line line;
	line_begin(&line);
	line_add(&line, STYLE_DIM, "for user ");
	line_add(&line, STYLE_TEXT, server->user ? server->user : "?");
	if (server->host) {
		line_add(&line, STYLE_DIM, " at ");
		line_printf(&line, STYLE_TEXT, "%s:%d", server->host, server->port);
	}
	line_put(frame->grid, where.x, where.y, where.width, &line);
}

static void draw_line(
	const struct frame *frame, const struct dialog *dialog, size_t index, struct rect where)
{
	const struct form *form = dialog->data;
	const char *error = frame->assessment->server.error;
	switch (form->lines[index]) {
	case REFUSAL:
		grid_put(frame->grid, where.x, where.y, where.width, error ? error : "",
			STYLE_CAUTION);
		break;
	case QUESTION: draw_question(frame, where); break;
	default: draw_dots(frame, where); break;
	}
}

static void draw(const struct frame *frame)
{
	struct form form = { 0 };
	/* Without an SQLSTATE, libpq only reported that a password is needed. */
	if (frame->assessment->server.sqlstate[0])
		form.lines[form.n_lines++] = REFUSAL;
	form.lines[form.n_lines++] = QUESTION;
	form.lines[form.n_lines++] = DOTS;
	struct dialog dialog = {
		.title = "Password",
		.title_style = STYLE_STRONG,
		.width = WIDTH,
		.n_lines = form.n_lines,
		.data = &form,
		.draw_line = draw_line,
	};
	dialog_draw(frame, &dialog);
}

const struct view password_view = { .draw = draw };
