/* Columns go, or shorten, one after the other until the statement has room. */
#include "view/layout.h"

#include <string.h>

#include "model/assessment.h"
#include "view/rows.h"

struct need {
	int wide, narrow; /* 0: the column is left out */
	bool use_narrow;
};

/* What is given up, first to last, when QUERY would have fewer columns than `least`. */
static const struct {
	enum column_id id;
	bool narrow; /* shorten it, don't drop it */
	int least;
} sacrifices[] = {
	{ COLUMN_DATABASE, false, 44 },
	{ COLUMN_USER, false, 44 },
	{ COLUMN_CLIENT, false, 30 },
	{ COLUMN_APPLICATION, false, 24 },
	{ COLUMN_FOR, true, 20 },
	{ COLUMN_STATUS, true, 20 },
	{ COLUMN_PROCESS, true, 20 },
	{ COLUMN_QUERY, false, 10 },
	{ COLUMN_PROCESS, false, 0 },
};

static bool is_told_by_grouping(enum column_id id, enum grouping grouping)
{
	return (id == COLUMN_PROCESS && grouping == GROUPING_PROCESS) ||
		(id == COLUMN_APPLICATION && grouping == GROUPING_APPLICATION) ||
		(id == COLUMN_DATABASE && grouping == GROUPING_DATABASE);
}

static int larger(int a, int b)
{
	return a > b ? a : b;
}

static int measure_contents(
	const struct assessment *assessment, const struct rows *rows, enum column_id id)
{
	int width = 0;
	for (size_t i = 0; i < rows->n_members && width < column_get(id)->widest; i++)
		width = larger(width,
			column_measure(id, assessment,
				&assessment->connections[rows->members[i].connection], width));
	return width;
}

static struct need measure(const struct assessment *assessment, const struct rows *rows,
	enum column_id id, bool headings)
{
	const struct column *column = column_get(id);
	struct need need = { .wide = column->widest, .narrow = column->narrow };
	if (!column->narrow)
		need.wide = need.narrow = measure_contents(assessment, rows, id);
	if (headings) {
		need.wide = larger(need.wide, (int)strlen(column->title));
		need.narrow = larger(need.narrow, (int)strlen(column->title));
	}
	return need;
}

static int used_by(const struct need *need)
{
	int width = need->use_narrow ? need->narrow : need->wide;
	return width ? width + LAYOUT_GAP : 0;
}

/* What is left for QUERY; with its gap already taken by the column before it. */
static int left_over(const struct need needs[COLUMN_COUNT], int width)
{
	int left = width - LAYOUT_GUTTER - 1;
	for (size_t i = 0; i < COLUMN_QUERY; i++)
		left -= used_by(&needs[i]);
	return left;
}

static void sacrifice(struct need needs[COLUMN_COUNT], int width)
{
	for (size_t i = 0; i < sizeof(sacrifices) / sizeof(sacrifices[0]); i++) {
		if (left_over(needs, width) >= sacrifices[i].least)
			continue;
		struct need *need = &needs[sacrifices[i].id];
		if (sacrifices[i].narrow)
			need->use_narrow = true;
		else
			*need = (struct need){ 0 };
	}
}

struct layout layout_columns(const struct assessment *assessment, const struct rows *rows,
	enum grouping grouping, bool headings, int width)
{
	struct need needs[COLUMN_COUNT] = { 0 };
	struct layout layout = { 0 };
	for (size_t i = 0; i < COLUMN_QUERY; i++)
		if (!is_told_by_grouping((enum column_id)i, grouping))
			needs[i] = measure(assessment, rows, (enum column_id)i, headings);
	needs[COLUMN_QUERY] = (struct need){ .wide = 1 };
	sacrifice(needs, width);
	int x = LAYOUT_GUTTER;
	for (size_t i = 0; i < COLUMN_COUNT; i++) {
		if (!used_by(&needs[i]))
			continue;
		int columns = used_by(&needs[i]) - LAYOUT_GAP;
		layout.slots[layout.n_slots++] = (struct slot){
			.id = (enum column_id)i,
			.x = x,
			.width = columns,
			.narrow = needs[i].use_narrow,
		};
		layout.shown |= 1u << i;
		x += columns + LAYOUT_GAP;
	}
	/* the last one takes what is left over */
	struct slot *last = &layout.slots[layout.n_slots - 1];
	if (!column_get(last->id)->right)
		last->width = width - 1 - last->x;
	return layout;
}
