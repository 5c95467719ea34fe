/* Both screens are a list of lines, built anew for each frame. view/plan.c does not draw them: its
 * rows are steps in columns, while these lists mix phases, processes, sessions and what is left, in
 * sections. */
#include "view/emergency_view.h"

#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/plural.h"
#include "model/emergency.h"
#include "model/findings.h"
#include "view/emergency_rows.h"
#include "widgets/dialog.h"
#include "widgets/frame.h"
#include "widgets/line.h"
#include "widgets/wrap.h"

#define LINES_MAX 512 /* more are not shown */
#define NARROW    36  /* columns */
#define WIDE      110

enum kind {
	LINE_BLANK,
	LINE_PROMPT,
	LINE_HEADING,
	LINE_PHASE,
	LINE_PROCESS,
	LINE_SESSION,
	LINE_HOST,
	LINE_LEFT,
	LINE_VERDICT,
};

struct entry {
	enum kind kind;
	size_t index;                     /* of a phase, a row of `left`; or the text's length */
	const char *text;                 /* LINE_HEADING, LINE_VERDICT, LINE_HOST: a part of it */
	const struct action_step *step;   /* LINE_PROCESS, LINE_SESSION */
	const struct findings_host *host; /* LINE_HOST */
};

struct sheet {
	const struct frame *frame;
	const struct emergency *emergency;
	struct entry entries[LINES_MAX];
	size_t count;
	char ticked[EMERGENCY_TICKED_MAX], blind[FINDINGS_TEXT_MAX + 32], left[40];
};

static void add(struct sheet *sheet, struct entry entry)
{
	if (sheet->count < LINES_MAX)
		sheet->entries[sheet->count++] = entry;
}

static int most_width(const struct frame *frame)
{
	const struct dialog widest = { .title = "", .width = frame->grid->width };
	return dialog_width(frame, &widest);
}

/* As many lines as the text needs. */
static void add_lines(struct sheet *sheet, struct entry entry, int indent)
{
	int width = most_width(sheet->frame) - indent;
	for (size_t skip; *entry.text; entry.text += skip) {
		entry.index = wrap_line(sheet->frame->grid, entry.text, width, &skip);
		add(sheet, entry);
	}
}

static void add_text(struct sheet *sheet, enum kind kind, const char *text)
{
	add_lines(sheet, (struct entry){ .kind = kind, .text = text }, 0);
}

static void add_heading(struct sheet *sheet, const char *text)
{
	if (sheet->count)
		add(sheet, (struct entry){ .kind = LINE_BLANK });
	add_text(sheet, LINE_HEADING, text);
}

static bool is_stopped(enum skip_reason skip)
{
	return skip == SKIP_NONE;
}

static bool is_left_alone(enum skip_reason skip)
{
	return !emergency_rows_can_be_ticked(skip);
}

static bool is_skipped(enum skip_reason skip)
{
	return !is_stopped(skip);
}

/* Adds the processes that `wanted` says, below the heading; none: no heading either. */
static void add_processes(
	struct sheet *sheet, bool (*wanted)(enum skip_reason skip), const char *heading)
{
	const struct action *action = &sheet->emergency->action;
	for (size_t i = 0; i < action->n_steps; i++) {
		if (!wanted(action->steps[i].process.skip))
			continue;
		if (heading)
			add_heading(sheet, heading);
		heading = NULL;
		add(sheet, (struct entry){ .kind = LINE_PROCESS, .step = &action->steps[i] });
	}
}

static void add_session(void *data, const struct action_step *step)
{
	add(data, (struct entry){ .kind = LINE_SESSION, .step = step });
}

static void format_prompt(const struct sheet *sheet, struct line *line)
{
	const struct ui_state *ui = sheet->frame->ui;
	/* On a narrow screen the prompt is short, so that the typed word is visible. */
	bool is_narrow = sheet->frame->grid->width < NARROW;
	line_printf(line, STYLE_STRONG,
		is_narrow ? "type %s: " : "type %s, then Enter: ", ui->word_wanted);
	line_add(line, STYLE_KEY, ui->word);
	line_add(line, STYLE_KEY, ui->ascii ? "_" : "▏");
}

static bool is_past(const struct emergency *emergency, enum emergency_phase phase)
{
	return emergency->phase > phase;
}

static bool has_ended(const struct action_step *step)
{
	return step->result == RESULT_TERMINATED || step->result == RESULT_GONE;
}

static void count_session(void *data, const struct action_step *step)
{
	size_t *counts = data;
	counts[0]++;
	counts[1] += has_ended(step);
}

static void format_stopping(const struct emergency *emergency, struct line *line)
{
	char grace[DURATION_TEXT_MAX];
	size_t ended = 0;
	for (size_t i = 0; i < emergency->action.n_steps; i++)
		ended += has_ended(&emergency->action.steps[i]);
	line_printf(line, STYLE_DIM, "%zu of %zu ended", ended,
		action_count_selected(&emergency->action));
	if (is_past(emergency, EMERGENCY_STOPPING))
		return;
	if (emergency->action.stop_way == STOP_BY_KILL)
		line_add_next(line, STYLE_DIM, "SIGKILL at once");
	else
		line_printf(line, STYLE_DIM, " · SIGTERM, SIGKILL after %s",
			duration_format(emergency->action.grace, grace));
}

static void format_ending(const struct emergency *emergency, struct line *line)
{
	size_t counts[2] = { 0 };
	emergency_each_session(emergency, count_session, counts);
	if (counts[0])
		line_printf(line, STYLE_DIM, "%zu of %zu ended", counts[1], counts[0]);
	else if (emergency->phase == EMERGENCY_DONE)
		line_add(line, STYLE_DIM, "all closed by themselves");
}

static enum style verdict_style(const struct emergency *emergency)
{
	return emergency->counted < 0 ? STYLE_CAUTION
		: emergency->counted  ? STYLE_LEAKED
				      : STYLE_GOOD;
}

static void format_counting(const struct emergency *emergency, struct line *line)
{
	if (emergency->phase != EMERGENCY_DONE)
		return;
	if (emergency->counted < 0)
		line_add(line, verdict_style(emergency), "not known");
	else
		line_printf(line, verdict_style(emergency), "%d left", emergency->counted);
}

static void format_freeing(const struct emergency *emergency, struct line *line)
{
	if (emergency->phase == EMERGENCY_FREEING)
		line_add(line, STYLE_DIM, "one process after the other, until dbtop can connect");
}

static const struct phase {
	const char *words;
	enum emergency_phase phase;
	void (*format)(const struct emergency *emergency, struct line *line);
} phases[] = {
	{ "free a slot", EMERGENCY_FREEING, format_freeing },
	{ "stop the processes", EMERGENCY_STOPPING, format_stopping },
	{ "end their sessions", EMERGENCY_ENDING, format_ending },
	{ "count what is left", EMERGENCY_COUNTING, format_counting },
};
#define PHASES (sizeof(phases) / sizeof(phases[0]))

static void format_phase(const struct sheet *sheet, size_t index, struct line *line)
{
	const struct emergency *emergency = sheet->emergency;
	const struct phase *row = &phases[index];
	bool past = is_past(emergency, row->phase), now = emergency->phase == row->phase;
	line_add(line, past ? STYLE_GOOD : STYLE_STRONG, past ? "✓ " : now ? "▸ " : "  ");
	line_printf(line, past || now ? STYLE_TEXT : STYLE_DIM, "%zu. %-20s ",
		emergency->connected ? index : index + 1, row->words);
	row->format(emergency, line);
}

static void add_verdict(struct sheet *sheet)
{
	const struct emergency *emergency = sheet->emergency;
	int counted = emergency->counted;
	const char *text = counted == 0 ? "no connection left"
		: emergency->cannot     ? emergency->cannot
					: "what is left is not known";
	if (counted > 0) {
		snprintf(sheet->left, sizeof(sheet->left), "%d connection%s left", counted,
			plural_s(counted));
		text = sheet->left;
	}
	add_text(sheet, LINE_VERDICT, text);
}

static void format(const struct sheet *sheet, const struct entry *entry, struct line *line)
{
	const struct emergency *emergency = sheet->emergency;
	switch (entry->kind) {
	case LINE_BLANK: break;
	case LINE_PROMPT: format_prompt(sheet, line); break;
	case LINE_HEADING: line_add_bytes(line, STYLE_HEADING, entry->text, entry->index); break;
	case LINE_PHASE: format_phase(sheet, entry->index, line); break;
	case LINE_PROCESS:
		emergency_rows_format_process(
			emergency, entry->step, sheet->frame->grid->width < WIDE, line);
		break;
	case LINE_SESSION: emergency_rows_format_session(emergency, entry->step, line); break;
	case LINE_HOST:
		emergency_rows_format_host(entry->host, entry->text, entry->index, line);
		break;
	case LINE_LEFT: emergency_rows_format_left(&emergency->left[entry->index], line); break;
	case LINE_VERDICT:
		line_add_bytes(line, verdict_style(emergency), entry->text, entry->index);
		break;
	}
}

/* A command is shown whole: it is to be typed. Its sessions are a line of their own if they do not
 * fit beside its end. */
static void add_host(struct sheet *sheet, const struct findings_host *host)
{
	struct entry entry = { .kind = LINE_HOST, .text = host->command, .host = host };
	struct line line;
	add_lines(sheet, entry, EMERGENCY_HOST_INDENT);
	line_begin(&line);
	format(sheet, &sheet->entries[sheet->count - 1], &line);
	entry.text = "";
	if (line_width(sheet->frame->grid, &line) > most_width(sheet->frame))
		add(sheet, entry);
}

static void draw_line(
	const struct frame *frame, const struct dialog *dialog, size_t index, struct rect where)
{
	const struct sheet *sheet = dialog->data;
	struct line line;
	line_begin(&line);
	format(sheet, &sheet->entries[index], &line);
	line_keep_parts(frame->grid, &line, where.width);
	line_put(frame->grid, where.x, where.y, where.width, &line);
}

static const char *note_of(const struct sheet *sheet, bool planned)
{
	const struct emergency *emergency = sheet->emergency;
	if (sheet->frame->ui->notice || !planned || !emergency ||
		!(action_count_selected(&emergency->action) +
			action_count_selected(emergency->gone)))
		return sheet->frame->ui->notice;
	return "also lost: " ACTION_LOSES_UNKNOWN;
}

static void draw(struct sheet *sheet, const char *title, bool planned)
{
	const struct frame *frame = sheet->frame;
	struct line line;
	int width = 0;
	for (size_t i = 0; i < sheet->count; i++) {
		line_begin(&line);
		format(sheet, &sheet->entries[i], &line);
		int needed = line_width(frame->grid, &line);
		width = needed > width ? needed : width;
	}
	struct dialog dialog = {
		.title = title,
		.title_style = STYLE_STRONG,
		.width = width,
		.n_lines = sheet->count,
		.has_cursor = planned,
		.note = note_of(sheet, planned),
		.note_asks = frame->ui->notice != NULL && planned,
		.count = sheet->emergency ? action_count_selected(&sheet->emergency->action) : 0,
		.data = sheet,
		.draw_line = draw_line,
	};
	dialog_draw(frame, &dialog);
}

static void plan_title(const struct emergency *emergency, char *text, size_t size)
{
	size_t n = action_count_selected(&emergency->action);
	size_t connections = emergency_count_connections(emergency);
	if (n)
		snprintf(text, size, "Emergency: stop %zu process%s with %zu connection%s?", n,
			plural_es(n), connections, plural_s(connections));
	else
		snprintf(text, size, "Emergency");
}

static void fill_plan(struct sheet *sheet)
{
	const struct emergency *emergency = sheet->emergency;
	bool choice = emergency->gone->n_steps > 0;
	for (size_t i = 0; i < emergency->action.n_steps; i++)
		choice = choice ||
			emergency_rows_can_be_ticked(emergency->action.steps[i].process.skip);
	if (emergency->has_room)
		add_heading(sheet, EMERGENCY_HAS_ROOM);
	if (choice)
		add(sheet, (struct entry){ .kind = LINE_PROMPT });
	else if (!emergency->action.blind)
		add_heading(sheet,
			"no process here belongs to the application: there is nothing to stop");
	if (emergency->action.blind) {
		snprintf(sheet->blind, sizeof(sheet->blind), "%s: %s",
			choice ? "perhaps more" : "cannot tell", emergency->action.blind);
		add_heading(sheet, sheet->blind);
	}
	const char *heading = emergency_ticked(emergency, sheet->ticked);
	if (!*heading)
		heading = emergency->connected
			? "stopped, and their sessions ended"
			: "stopped, one by one until dbtop can connect (found by their sockets)";
	add_processes(sheet, emergency_rows_can_be_ticked, heading);
	if (emergency->gone->n_steps)
		add_heading(sheet, "ended: sessions whose client is gone");
	for (size_t i = 0; i < emergency->gone->n_steps; i++)
		add_session(sheet, &emergency->gone->steps[i]);
	if (emergency->n_hosts)
		add_heading(sheet, "on other machines, to be run there");
	for (size_t i = 0; i < emergency->n_hosts; i++)
		add_host(sheet, &emergency->hosts[i]);
	add_processes(sheet, is_left_alone, "left alone");
}

const struct action_step *emergency_view_step(const struct frame *frame, size_t line)
{
	struct sheet sheet = { .frame = frame, .emergency = frame->ui->emergency };
	fill_plan(&sheet);
	return line < sheet.count ? sheet.entries[line].step : NULL;
}

static void draw_plan(const struct frame *frame)
{
	const struct emergency *emergency = frame->ui->emergency;
	struct sheet sheet = { .frame = frame, .emergency = emergency };
	char title[128] = "Emergency";
	if (emergency) {
		plan_title(emergency, title, sizeof(title));
		fill_plan(&sheet);
	} else {
		add_heading(&sheet, "finding out who holds the connections …");
	}
	draw(&sheet, title, true);
}

const struct view emergency_view = { .draw = draw_plan };

static void draw_run(const struct frame *frame)
{
	const struct emergency *emergency = frame->ui->emergency;
	struct sheet sheet = { .frame = frame, .emergency = emergency };
	char title[128];
	if (!emergency)
		return;
	if (emergency->phase == EMERGENCY_DONE)
		add_verdict(&sheet);
	for (size_t i = 0; i < emergency->n_left; i++)
		add(&sheet, (struct entry){ .kind = LINE_LEFT, .index = i });
	if (sheet.count)
		add(&sheet, (struct entry){ .kind = LINE_BLANK });
	for (size_t i = emergency->connected; i < PHASES; i++)
		add(&sheet, (struct entry){ .kind = LINE_PHASE, .index = i });
	add(&sheet, (struct entry){ .kind = LINE_BLANK });
	add_processes(&sheet, is_stopped, NULL);
	emergency_each_session(emergency, add_session, &sheet);
	add_processes(&sheet, is_skipped, "left alone");
	snprintf(title, sizeof(title), "Emergency: %s%s", emergency_phase_name(emergency->phase),
		emergency->phase == EMERGENCY_DONE ? "" : " …");
	draw(&sheet, title, false);
}

const struct view emergency_run_view = { .draw = draw_run };
