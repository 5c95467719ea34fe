/* The plan's dialogs: one row for each step, in columns as wide as their contents. */
#include "view/plan.h"

#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/instant.h"
#include "model/action.h"
#include "model/peers.h"
#include "view/proxy_plan_view.h"
#include "widgets/dialog.h"
#include "widgets/frame.h"
#include "widgets/line.h"
#include "widgets/process_title.h"

#define GAP 2

/* A column of the dialog: how it formats a target. */
struct field {
	bool right;
	int most;      /* 0: takes the remaining width */
	int least;     /* it is cut to this before others are left out; 0: never cut */
	int sacrifice; /* 1 is left out first; 0 stays */
	void (*format)(
		const struct frame *frame, const struct action_step *step, struct line *line);
};

static void format_tick(
	const struct frame *frame, const struct action_step *step, struct line *line)
{
	(void)frame;
	line_add(line, step->selected ? STYLE_STRONG : STYLE_DIM, step->selected ? "[x]" : "[ ]");
}

/* Unticked targets are dimmed. */
static enum style style_of(const struct action_step *step, enum style style)
{
	return step->selected ? style : STYLE_DIM;
}

static void format_pid(const struct frame *frame, const struct action_step *step, struct line *line)
{
	(void)frame;
	line_printf(line, style_of(step, STYLE_TEXT), "%d", step->pid);
}

static void format_process(
	const struct frame *frame, const struct action_step *step, struct line *line)
{
	(void)frame;
	const struct process process = { .command = step->session.process };
	if (step->session.process)
		process_title_add(&process, style_of(step, STYLE_TEXT), line);
	if (step->session.process && step->session.process_pid)
		line_printf(line, STYLE_DIM, " %d", step->session.process_pid);
}

static void format_application(
	const struct frame *frame, const struct action_step *step, struct line *line)
{
	(void)frame;
	const char *name = step->session.application_name;
	line_add(line, style_of(step, STYLE_TEXT), name ? name : "");
}

static void format_age(const struct frame *frame, const struct action_step *step, struct line *line)
{
	(void)frame;
	char text[DURATION_TEXT_MAX];
	line_add(line, style_of(step, STYLE_TEXT), duration_format(step->session.age, text));
}

static void format_certainty(
	const struct frame *frame, const struct action_step *step, struct line *line)
{
	(void)frame;
	const char *name = certainty_name(step->session.certainty);
	bool proven = step->session.certainty == CERTAINTY_PROVEN;
	line_add(line, style_of(step, proven ? STYLE_LEAKED : STYLE_CAUTION), name ? name : "");
}

static void format_reason(
	const struct frame *frame, const struct action_step *step, struct line *line)
{
	(void)frame;
	const char *phrase = reason_phrase(step->session.reason);
	if (!phrase)
		phrase = step->session.state_text ? step->session.state_text : "";
	line_add(line, style_of(step, STYLE_TEXT), phrase);
}

static void format_loses(
	const struct frame *frame, const struct action_step *step, struct line *line)
{
	(void)frame;
	if (!step->session.loses)
		return;
	line_add(line, STYLE_DIM, "loses: ");
	line_add(line, style_of(step, STYLE_CAUTION), step->session.loses);
}

static void format_query(
	const struct frame *frame, const struct action_step *step, struct line *line)
{
	(void)frame;
	if (step->session.query)
		line_add_folded(line, STYLE_DIM, step->session.query);
}

static void format_sign(
	const struct frame *frame, const struct action_step *step, struct line *line)
{
	(void)frame;
	enum action_result result = step->selected ? step->result : RESULT_PENDING;
	line_add(line, action_result_style(result), action_result_sign(result));
}

static void format_result(
	const struct frame *frame, const struct action_step *step, struct line *line)
{
	(void)frame;
	if (!step->selected)
		line_add(line, STYLE_DIM, "left alone");
	else
		line_add(line, action_result_style(step->result),
			action_result_phrase(step->kind, step->result));
}

static void format_detail(
	const struct frame *frame, const struct action_step *step, struct line *line)
{
	(void)frame;
	line_add(line, STYLE_TEXT, step->detail ? step->detail : "");
}

static void format_page(
	const struct frame *frame, const struct action_step *step, struct line *line)
{
	(void)frame;
	line_printf(line, style_of(step, STYLE_TEXT), "%.40s %d",
		step->page.name ? step->page.name : "unnamed", step->pid);
}

static void format_page_process(
	const struct frame *frame, const struct action_step *step, struct line *line)
{
	(void)frame;
	const struct process process = { .command = step->page.process };
	if (step->page.process)
		process_title_add(&process, style_of(step, STYLE_TEXT), line);
}

static void format_dead_since(
	const struct frame *frame, const struct action_step *step, struct line *line)
{
	char age[DURATION_TEXT_MAX];
	line_printf(line, style_of(step, STYLE_TEXT), "found dead %s ago",
		duration_format(instant_elapsed(step->page.dead_since, frame->now), age));
}

static void format_path(
	const struct frame *frame, const struct action_step *step, struct line *line)
{
	(void)frame;
	line_add(line, STYLE_DIM, step->page.path);
}

#define FIELDS_MAX 9

/* The columns for one kind of step, before and after the action; a column without a format ends
 * them. */
static const struct field session_fields[][FIELDS_MAX + 1] = {
	{
		{ .most = 3, .format = format_tick },
		{ .right = true, .most = 10, .format = format_pid },
		{ .most = 28, .least = 15, .sacrifice = 5, .format = format_process },
		{ .most = 20, .sacrifice = 2, .format = format_application },
		{ .right = true, .most = 7, .sacrifice = 3, .format = format_age },
		{ .most = 8, .sacrifice = 6, .format = format_certainty },
		{ .most = 28, .format = format_reason },
		{ .most = 70, .sacrifice = 4, .format = format_loses },
		{ .most = 60, .sacrifice = 1, .format = format_query },
	},
	{
		{ .most = 1, .format = format_sign },
		{ .right = true, .most = 10, .format = format_pid },
		{ .most = 28, .sacrifice = 1, .format = format_process },
		{ .most = 20, .sacrifice = 2, .format = format_application },
		{ .most = 30, .format = format_result },
		{ .most = 60, .format = format_detail },
	},
};

static const struct field page_fields[][FIELDS_MAX + 1] = {
	{
		{ .most = 3, .format = format_tick },
		{ .most = 50, .least = 12, .format = format_page },
		{ .most = 28, .sacrifice = 2, .format = format_page_process },
		{ .most = 24, .format = format_dead_since },
		{ .most = 80, .sacrifice = 1, .format = format_path },
	},
	{
		{ .most = 1, .format = format_sign },
		{ .most = 50, .least = 12, .format = format_page },
		{ .most = 40, .format = format_result },
		{ .most = 60, .format = format_detail },
		{ .most = 80, .sacrifice = 1, .format = format_path },
	},
};

/* The columns of one dialog and their widths; 0: left out. */
struct sheet {
	const struct field *fields;
	size_t n_fields;
	int widths[FIELDS_MAX];
};

static void measure(const struct frame *frame, struct sheet *sheet)
{
	struct line line;
	for (size_t i = 0; i < frame->plan->n_steps; i++) {
		for (size_t c = 0; c < sheet->n_fields; c++) {
			line_begin(&line);
			sheet->fields[c].format(frame, &frame->plan->steps[i], &line);
			int width = line_width(frame->grid, &line);
			if (width > sheet->fields[c].most)
				width = sheet->fields[c].most;
			if (width > sheet->widths[c])
				sheet->widths[c] = width;
		}
	}
}

static int width_of(const struct sheet *sheet)
{
	int width = 0;
	for (size_t c = 0; c < sheet->n_fields; c++)
		if (sheet->widths[c])
			width += sheet->widths[c] + GAP;
	return width ? width - GAP : 0;
}

static void shrink(struct sheet *sheet, int width)
{
	for (size_t c = 0; c < sheet->n_fields; c++) {
		int over = width_of(sheet) - width;
		int spare = sheet->fields[c].least ? sheet->widths[c] - sheet->fields[c].least : 0;
		if (over > 0 && spare > 0)
			sheet->widths[c] -= over < spare ? over : spare;
	}
}

/* Leaves out columns until the rest fits. The one that would be left out first is cut instead if at
 * least half of it is visible. At last the rightmost one is cut. */
static void fit(struct sheet *sheet, int width)
{
	shrink(sheet, width);
	for (int turn = 1; turn <= FIELDS_MAX && width_of(sheet) > width; turn++) {
		for (size_t c = 0; c < sheet->n_fields; c++) {
			if (sheet->fields[c].sacrifice != turn)
				continue;
			int over = width_of(sheet) - width;
			if (over <= sheet->widths[c] / 2)
				sheet->widths[c] -= over;
			else
				sheet->widths[c] = 0;
		}
	}
	int *last = &sheet->widths[sheet->n_fields - 1];
	int over = width_of(sheet) - width;
	if (over > 0)
		*last = over < *last ? *last - over : 0;
}

static void draw_step(
	const struct frame *frame, const struct dialog *dialog, size_t index, struct rect where)
{
	const struct sheet *sheet = dialog->data;
	struct line line;
	int x = where.x, end = where.x + where.width;
	for (size_t c = 0; c < sheet->n_fields && x < end; c++) {
		int width = sheet->widths[c];
		if (!width)
			continue;
		if (width > end - x)
			width = end - x;
		line_begin(&line);
		sheet->fields[c].format(frame, &frame->plan->steps[index], &line);
		if (sheet->fields[c].right)
			line_put_right(frame->grid, x, where.y, width, &line);
		else
			line_put(frame->grid, x, where.y, width, &line);
		x += width + GAP;
	}
	grid_add_hit(frame->grid, where, HIT_TARGET, (uint32_t)index);
}

static void plan_title(const struct action *plan, char *text, size_t size)
{
	static const struct {
		const char *before, *one, *many;
	} titles[] = {
		[ACTION_KILL_LEAKED] = { "End", "leaked connection?", "leaked connections?" },
		[ACTION_TERMINATE] = { "End", "connection?", "connections?" },
		[ACTION_CANCEL] = { "Cancel the query of", "connection?", "connections?" },
		[ACTION_EMERGENCY] = { "End", "remaining session?", "remaining sessions?" },
		[ACTION_CLEAR_PAGES] = { "Remove", "stats page of a dead process?",
			"stats pages of dead processes?" },
	};
	snprintf(text, size, "%s %zu %s", titles[plan->kind].before, plan->n_steps,
		plan->n_steps == 1 ? titles[plan->kind].one : titles[plan->kind].many);
}

static const struct action_step *current_step(const struct frame *frame)
{
	size_t cursor = frame->ui->cursor;
	return cursor < frame->plan->n_steps ? &frame->plan->steps[cursor] : NULL;
}

/* What does not fit beside the session under the cursor: what is lost with it, and its statement;
 * or the detail of its result. */
static bool describe_rest(const struct frame *frame, const struct sheet *sheet, struct line *rest)
{
	const struct action_step *step = current_step(frame);
	struct line cell;
	line_begin(rest);
	for (size_t c = 0; step && c < sheet->n_fields; c++) {
		const struct field *field = &sheet->fields[c];
		bool is_short = field->format == format_loses || field->format == format_detail;
		if (!is_short && field->format != format_query)
			continue;
		line_begin(&cell);
		field->format(frame, step, &cell);
		bool is_cut = is_short && line_width(frame->grid, &cell) > sheet->widths[c];
		if (cell.length && (is_cut || !sheet->widths[c]))
			line_add_next(rest, STYLE_TEXT, cell.text);
	}
	return rest->length;
}

static void draw(const struct frame *frame, bool planned, struct dialog *dialog)
{
	const struct action *plan = frame->plan;
	bool pages = plan->n_steps && plan->steps[0].kind == STEP_PAGE;
	struct sheet sheet = { .fields = (pages ? page_fields : session_fields)[!planned] };
	while (sheet.fields[sheet.n_fields].format)
		sheet.n_fields++;
	measure(frame, &sheet);
	dialog->width = width_of(&sheet);
	dialog->n_lines = plan->n_steps;
	dialog->data = &sheet;
	dialog->draw_line = draw_step;
	fit(&sheet, dialog_width(frame, dialog));
	struct line rest;
	if (!frame->ui->notice && describe_rest(frame, &sheet, &rest))
		dialog->note = rest.text;
	dialog_draw(frame, dialog);
}

static bool is_about_proxy(const struct action *plan)
{
	return plan->kind == ACTION_PROXY_START || plan->kind == ACTION_PROXY_RESTART;
}

static const char *const notes[] = {
	[ACTION_KILL_LEAKED] = "each is checked again as it is ended; " ACTION_LOSES_UNKNOWN,
	[ACTION_TERMINATE] = "each is checked again as it is ended; " ACTION_LOSES_UNKNOWN,
	[ACTION_CANCEL] = "each is checked again just before it is cancelled",
	[ACTION_EMERGENCY] = NULL,
	[ACTION_CLEAR_PAGES] = "nothing of them is left on this server",
};

static void draw_plan(const struct frame *frame)
{
	char title[128];
	if (!frame->plan)
		return;
	if (is_about_proxy(frame->plan)) {
		proxy_plan_view_draw(frame, true);
		return;
	}
	/* The answer to the last Enter. */
	const char *asked = frame->ui->notice;
	plan_title(frame->plan, title, sizeof(title));
	struct dialog dialog = {
		.title = title,
		.title_style = STYLE_STRONG,
		.has_cursor = true,
		.note = asked ? asked : notes[frame->plan->kind],
		.note_asks = asked != NULL,
		.count = action_count_selected(frame->plan),
	};
	draw(frame, true, &dialog);
}

const struct view plan_view = { .draw = draw_plan };

static const char *done_word(enum action_kind kind)
{
	switch (kind) {
	case ACTION_CANCEL: return "cancelled";
	case ACTION_CLEAR_PAGES: return "removed";
	default: return "ended";
	}
}

static void result_title(const struct action *plan, char *text, size_t size)
{
	size_t all = action_count_selected(plan), pending = action_count(plan, RESULT_PENDING);
	size_t survived = action_count_survivors(plan);
	if (pending)
		snprintf(text, size, "%zu of %zu done …", all - pending, all);
	else if (survived)
		snprintf(text, size, "%zu of %zu still there", survived, all);
	else
		snprintf(text, size, "done: %zu of %zu %s", action_count_done(plan), all,
			done_word(plan->kind));
}

static void draw_results(const struct frame *frame)
{
	char title[128];
	if (!frame->plan)
		return;
	if (is_about_proxy(frame->plan)) {
		proxy_plan_view_draw(frame, false);
		return;
	}
	result_title(frame->plan, title, sizeof(title));
	struct dialog dialog = {
		.title = title,
		.title_style = STYLE_STRONG,
		.has_cursor = true,
		.note = frame->ui->notice,
	};
	draw(frame, false, &dialog);
}

const struct view results_view = { .draw = draw_results };
