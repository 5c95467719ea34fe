/* Breaks facts into lines for the available width. */
#include "widgets/facts.h"

#include <stdbool.h>

#include "base/arena.h"
#include "widgets/dialog.h"
#include "widgets/frame.h"
#include "widgets/line.h"
#include "widgets/wrap.h"

#define WIDEST      108 /* longer lines are hard to read */
#define LABEL_WIDTH 15
#define STACKED     48 /* on a narrower dialog values are below their labels */
#define INDENT      2

struct fact {
	const char *label, *value; /* value NULL: a section's title */
	enum style style;
};

struct facts {
	struct arena *arena;
	struct fact *items;
	size_t count, room;
	const char *section; /* not shown yet; NULL */
};

struct facts *facts_new(struct arena *arena)
{
	struct facts *facts = arena_alloc(arena, sizeof(*facts));
	facts->arena = arena;
	return facts;
}

static void append(struct facts *facts, struct fact fact)
{
	facts->items = arena_grow(
		facts->arena, facts->items, facts->count, &facts->room, sizeof(*facts->items));
	facts->items[facts->count++] = fact;
}

void facts_section(struct facts *facts, const char *title)
{
	facts->section = arena_strdup(facts->arena, title);
}

void facts_add(struct facts *facts, enum style style, const char *label, const char *value)
{
	if (!value || !*value)
		return;
	if (facts->section)
		append(facts, (struct fact){ facts->section, NULL, STYLE_HEADING });
	facts->section = NULL;
	append(facts,
		(struct fact){ arena_strdup(facts->arena, label), arena_strdup(facts->arena, value),
			style });
}

/* One line on the screen, with a part of a fact's value. */
struct shown {
	const struct fact *fact; /* NULL: a blank line */
	const char *text;
	size_t length;
	int indent;
	bool first;
};

struct sheet {
	struct shown *lines;
	size_t n_lines;
};

/* The columns left of a fact's value: on its first line, and on the following lines. */
static int indent_of(const struct grid *grid, const struct fact *fact, int width, bool first)
{
	if (!*fact->label)
		return 0;
	if (width >= STACKED)
		return LABEL_WIDTH;
	return first ? grid_width(grid, fact->label) + INDENT : INDENT;
}

/* Writes the fact's lines to `lines`, unless that is NULL. Returns how many there are. */
static size_t wrap_fact(
	const struct grid *grid, const struct fact *fact, int width, struct shown *lines)
{
	size_t count = 0, skip;
	const char *text = fact->value;
	do {
		int indent = indent_of(grid, fact, width, count == 0);
		int room = width - indent > 1 ? width - indent : 1;
		size_t length = wrap_line(grid, text, room, &skip);
		if (lines)
			lines[count] = (struct shown){ fact, text, length, indent, count == 0 };
		text += skip;
		count++;
	} while (*text);
	return count;
}

static size_t wrap_all(
	const struct grid *grid, const struct facts *facts, int width, struct shown *lines)
{
	size_t count = 0;
	for (size_t i = 0; i < facts->count; i++) {
		const struct fact *fact = &facts->items[i];
		struct shown *at = lines ? lines + count : NULL;
		if (fact->value) {
			count += wrap_fact(grid, fact, width, at);
			continue;
		}
		bool blank = i > 0;
		if (at && blank)
			*at++ = (struct shown){ 0 };
		if (at)
			*at = (struct shown){ .fact = fact };
		count += 1 + (size_t)blank;
	}
	return count;
}

static void draw_line(
	const struct frame *frame, const struct dialog *dialog, size_t index, struct rect where)
{
	const struct sheet *sheet = dialog->data;
	const struct shown *shown = &sheet->lines[index];
	struct line line;
	if (!shown->fact)
		return;
	if (!shown->fact->value) {
		grid_put(frame->grid, where.x, where.y, where.width, shown->fact->label,
			STYLE_STRONG);
		return;
	}
	if (shown->first)
		grid_put(frame->grid, where.x, where.y, where.width, shown->fact->label, STYLE_DIM);
	line_begin(&line);
	line_add_bytes(&line, shown->fact->style, shown->text, shown->length);
	line_put(frame->grid, where.x + shown->indent, where.y, where.width - shown->indent, &line);
}

/* The width of the longest fact on one line. */
static int wanted_width(const struct grid *grid, const struct facts *facts)
{
	int widest = 0;
	for (size_t i = 0; i < facts->count && widest < WIDEST; i++) {
		if (!facts->items[i].value)
			continue;
		int label = *facts->items[i].label ? LABEL_WIDTH : 0;
		int width = label + grid_width(grid, facts->items[i].value);
		widest = width > widest ? width : widest;
	}
	return widest < WIDEST ? widest : WIDEST;
}

void facts_draw(const struct frame *frame, const struct facts *facts, struct dialog *dialog)
{
	struct arena *arena = arena_new();
	dialog->width = wanted_width(frame->grid, facts);
	int width = dialog_width(frame, dialog);
	struct sheet sheet = { .n_lines = wrap_all(frame->grid, facts, width, NULL) };
	sheet.lines = arena_array(arena, sheet.n_lines, sizeof(*sheet.lines));
	wrap_all(frame->grid, facts, width, sheet.lines);
	dialog->n_lines = sheet.n_lines;
	dialog->data = &sheet;
	dialog->draw_line = draw_line;
	dialog_draw(frame, dialog);
	arena_free(arena);
}
