#include "widgets/facts.h"

#include "base/arena.h"
#include "widgets/dialog.h"
#include "widgets/frame.h"
#include "widgets/grid.h"
#include "widgets/pairs.h"

#define WIDEST      108 /* longer lines are hard to read */
#define LABEL_WIDTH 15

struct facts {
	struct arena *arena;
	struct pair *items;
	size_t count, room;
	const char *section; /* not shown yet; NULL */
};

struct facts *facts_new(struct arena *arena)
{
	struct facts *facts = arena_alloc(arena, sizeof(*facts));
	facts->arena = arena;
	return facts;
}

static void append(struct facts *facts, struct pair fact)
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
		append(facts,
			(struct pair){ .label = facts->section, .label_style = STYLE_STRONG });
	facts->section = NULL;
	append(facts,
		(struct pair){
			.label = arena_strdup(facts->arena, label),
			.text = arena_strdup(facts->arena, value),
			.label_style = STYLE_DIM,
			.text_style = style,
		});
}

static void draw_line(
	const struct frame *frame, const struct dialog *dialog, size_t index, struct rect where)
{
	pairs_draw_line(frame->grid, dialog->data, index, where.x, where.y);
}

/* The width of the longest fact on one line. */
static int wanted_width(const struct grid *grid, const struct facts *facts)
{
	int widest = 0;
	for (size_t i = 0; i < facts->count && widest < WIDEST; i++) {
		if (!facts->items[i].text)
			continue;
		int label = *facts->items[i].label ? LABEL_WIDTH : 0;
		int width = label + grid_width(grid, facts->items[i].text);
		widest = width > widest ? width : widest;
	}
	return widest < WIDEST ? widest : WIDEST;
}

void facts_draw(const struct frame *frame, const struct facts *facts, struct dialog *dialog)
{
	struct arena *arena = arena_new();
	dialog->width = wanted_width(frame->grid, facts);
	struct pairs_column column = {
		.width = dialog_width(frame, dialog),
		.labels = LABEL_WIDTH,
	};
	pairs_wrap(&column, frame->grid, facts->items, facts->count, arena);
	dialog->n_lines = column.n_lines;
	dialog->data = &column;
	dialog->draw_line = draw_line;
	dialog_draw(frame, dialog);
	arena_free(arena);
}
