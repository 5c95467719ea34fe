/* A list of three parts: the verdict, the facts so far, and the timeline with its graph. */
#include "view/watch_view.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/duration.h"
#include "base/instant.h"
#include "base/plural.h"
#include "model/shutdown.h"
#include "widgets/dialog.h"
#include "widgets/facts.h"
#include "widgets/frame.h"
#include "widgets/line.h"
#include "widgets/wrap.h"

#define LINES_MAX  256 /* if there are more, the last ones are shown */
#define TIME_WIDTH 10
#define WIDEST     100
#define GRAPH_FROM 64 /* on narrower screens there is no graph */
#define BAR_MOST   20 /* columns of the longest bar */

enum kind {
	LINE_BLANK,
	LINE_SENTENCE,
	LINE_EVENT,
	LINE_NOW,
};

struct entry {
	enum kind kind;
	const char *text; /* LINE_SENTENCE: not terminated */
	size_t length;    /* the length of the text */
	const struct shutdown_event *event;
};

struct sheet {
	const struct ui_watch *watch;
	struct entry entries[LINES_MAX];
	size_t count;
	int most; /* the number of connections for the longest bar */
};

static void add(struct sheet *sheet, struct entry entry)
{
	if (sheet->count < LINES_MAX)
		sheet->entries[sheet->count++] = entry;
}

static enum style verdict_style(const struct shutdown_verdict *verdict)
{
	if (verdict->behaviour == BEHAVIOUR_NONE)
		return STYLE_CAUTION;
	return verdict->pass ? STYLE_GOOD : STYLE_LEAKED;
}

static const char *verdict_word(const struct shutdown_verdict *verdict)
{
	if (verdict->behaviour == BEHAVIOUR_NONE)
		return "";
	return verdict->pass ? "PASS" : "FAIL";
}

/* The sentence is wrapped over as many lines as it needs. */
static void add_sentence(const struct frame *frame, struct sheet *sheet, int width)
{
	const char *text = sheet->watch->verdict->sentence;
	size_t skip;
	for (; *text; text += skip) {
		size_t length = wrap_line(frame->grid, text, width, &skip);
		add(sheet, (struct entry){ LINE_SENTENCE, text, length, NULL });
	}
}

static void add_events(struct sheet *sheet)
{
	const struct shutdown_verdict *verdict = sheet->watch->verdict;
	size_t first = 0, room = LINES_MAX - sheet->count - 2;
	if (verdict->n_events > room)
		first = verdict->n_events - room;
	for (size_t i = first; i < verdict->n_events; i++) {
		const struct shutdown_event *event = &verdict->timeline[i];
		if (event->connections > sheet->most)
			sheet->most = event->connections;
		add(sheet, (struct entry){ .kind = LINE_EVENT, .event = event });
	}
}

static struct sheet make_sheet(const struct frame *frame, int width)
{
	struct sheet sheet = { .watch = frame->ui->watch };
	/* The result word is in front of the first line of the sentence. */
	const char *word = verdict_word(sheet.watch->verdict);
	add_sentence(frame, &sheet, width - (*word ? 6 : 0));
	if (sheet.watch->verdict->n_events)
		add(&sheet, (struct entry){ .kind = LINE_BLANK });
	add_events(&sheet);
	if (!sheet.watch->complete && sheet.watch->elapsed >= 0)
		add(&sheet, (struct entry){ .kind = LINE_NOW });
	return sheet;
}

static void format_time(struct line *line, int64_t usec)
{
	char text[48], duration[DURATION_TEXT_MAX];
	if (usec < 10 * USEC_PER_SEC)
		snprintf(text, sizeof(text), "%lld ms", (long long)(usec / USEC_PER_MSEC));
	else
		snprintf(text, sizeof(text), "%s", duration_format(usec, duration));
	line_printf(line, STYLE_DIM, "%*s  ", TIME_WIDTH - 2, text);
}

static enum style event_style(enum shutdown_event_kind event)
{
	switch (event) {
	case EVENT_SIGNAL:
	case EVENT_PHASE: return STYLE_STRONG;
	case EVENT_OPENED:
	case EVENT_TIMEOUT: return STYLE_CAUTION;
	case EVENT_ROLLED_BACK: return STYLE_LEAKED;
	case EVENT_SERVER_CLEAN: return STYLE_GOOD;
	default: return STYLE_TEXT;
	}
}

/* The number of connections left and its bar: "3 ███". Time runs downwards, one line for each
 * event. */
static void draw_bar(
	const struct frame *frame, const struct sheet *sheet, int count, struct rect where)
{
	char number[16];
	int longest = sheet->most < BAR_MOST ? sheet->most : BAR_MOST;
	int cells = sheet->most > BAR_MOST ? count * BAR_MOST / sheet->most : count;
	int digits = snprintf(number, sizeof(number), "%d", sheet->most);
	int x = where.x + where.width - longest - digits - 1;
	if (count > 0 && cells == 0)
		cells = 1;
	snprintf(number, sizeof(number), "%d", count);
	grid_put_right(frame->grid, x, where.y, digits, number, STYLE_DIM);
	grid_fill(
		frame->grid, (struct rect){ x + digits + 1, where.y, cells, 1 }, U'█', STYLE_USED);
}

static int graph_width(const struct sheet *sheet, int width)
{
	char number[16];
	if (width < GRAPH_FROM || sheet->most < 1)
		return 0;
	int longest = sheet->most < BAR_MOST ? sheet->most : BAR_MOST;
	return longest + snprintf(number, sizeof(number), "%d", sheet->most) + 3;
}

static void draw_event(const struct frame *frame, const struct sheet *sheet,
	const struct shutdown_event *event, struct rect where)
{
	struct line line;
	int graph = graph_width(sheet, where.width);
	line_begin(&line);
	format_time(&line, event->at);
	line_add(&line, event_style(event->kind), event->text);
	line_put(frame->grid, where.x, where.y, where.width - graph, &line);
	if (graph)
		draw_bar(frame, sheet, event->connections, where);
}

static void draw_now(const struct frame *frame, const struct sheet *sheet, struct rect where)
{
	struct line line;
	line_begin(&line);
	format_time(&line, sheet->watch->elapsed);
	line_add(&line, STYLE_DIM, frame->ui->ascii ? "..." : "…");
	line_put(frame->grid, where.x, where.y, where.width, &line);
}

static void draw_sentence(const struct frame *frame, const struct sheet *sheet,
	const struct entry *entry, struct rect where)
{
	const struct shutdown_verdict *verdict = sheet->watch->verdict;
	const char *word = verdict_word(verdict);
	struct line line;
	line_begin(&line);
	if (*word)
		line_printf(&line, verdict_style(verdict), "%-4s  ",
			entry == &sheet->entries[0] ? word : "");
	line_add_bytes(&line, STYLE_TEXT, entry->text, entry->length);
	line_put(frame->grid, where.x, where.y, where.width, &line);
}

static void draw_line(
	const struct frame *frame, const struct dialog *dialog, size_t index, struct rect where)
{
	const struct sheet *sheet = dialog->data;
	const struct entry *entry = &sheet->entries[index];
	switch (entry->kind) {
	case LINE_BLANK: break;
	case LINE_SENTENCE: draw_sentence(frame, sheet, entry, where); break;
	case LINE_EVENT: draw_event(frame, sheet, entry->event, where); break;
	case LINE_NOW: draw_now(frame, sheet, where); break;
	}
}

static void format_title(const struct ui_watch *watch, char *title, size_t size)
{
	const char *what = watch->complete ? "watched" : "watching";
	if (watch->connections < 0)
		snprintf(title, size, "%s %s · connections not known", what, watch->name);
	else
		snprintf(title, size, "%s %s · %d connection%s", what, watch->name,
			watch->connections, plural_s(watch->connections));
}

static void draw(const struct frame *frame)
{
	char title[256];
	if (!frame->ui->watch)
		return;
	format_title(frame->ui->watch, title, sizeof(title));
	struct dialog dialog = {
		.title = title,
		.title_style = verdict_style(frame->ui->watch->verdict),
		.width = WIDEST,
		.n_lines = 1,
		.note = frame->ui->notice,
		.note_asks = frame->ui->notice != NULL,
		.count = (size_t)frame->ui->watch->left,
		.draw_line = draw_line,
	};
	struct sheet sheet = make_sheet(frame, dialog_width(frame, &dialog));
	dialog.data = &sheet;
	dialog.n_lines = sheet.count;
	dialog_draw(frame, &dialog);
}

const struct view watch_view = { .draw = draw };

static void draw_quit(const struct frame *frame)
{
	char title[256];
	if (!frame->ui->watch)
		return;
	snprintf(title, sizeof(title), "watching %s", frame->ui->watch->name);
	struct arena *arena = arena_new();
	struct facts *facts = facts_new(arena);
	facts_add(facts, STYLE_TEXT, "", "Ctrl-C here is for dbtop, not for the application.");
	facts_add(facts, STYLE_TEXT, "", "Quit, and stop watching how it ends?");
	struct dialog dialog = {
		.title = title,
		.title_style = STYLE_CAUTION,
	};
	facts_draw(frame, facts, &dialog);
	arena_free(arena);
}

const struct view quit_view = { .draw = draw_quit };

void watch_view_draw_state(const struct frame *frame, int y)
{
	const struct ui_watch *watch = frame->ui->watch;
	struct line line;
	if (!watch || ui_is_open(frame->ui, &watch_view))
		return;
	line_begin(&line);
	line_printf(&line, STYLE_DIM, " %s %s: ", watch->complete ? "watched" : "watching",
		watch->name);
	if (watch->verdict->behaviour != BEHAVIOUR_NONE)
		line_add(&line, verdict_style(watch->verdict), verdict_word(watch->verdict));
	else
		line_add(&line, STYLE_CAUTION, watch->elapsed < 0 ? "armed" : "it ends");
	line_add(&line, STYLE_DIM, " ");
	int width = line_width(frame->grid, &line);
	if (width < frame->grid->width - 4)
		line_put(frame->grid, frame->grid->width - width - 2, y, width, &line);
}
