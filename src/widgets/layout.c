/* Leaves out or shortens columns one after the other until the statement has room. */
#include "widgets/layout.h"

#include <string.h>

#include "model/assessment.h"
#include "widgets/rows.h"

#define LEAST_ROOM      4  /* fewer columns of a text are useless */
#define LEAST_QUERY     10 /* the same for the statement */
#define LONGEST_REASON  28 /* "idle in transaction too long" */
#define TEXT_STEP       20 /* columns by which the statement's text is moved */
#define MOST_TEXT_STEPS 50 /* how often it can be moved */

struct need {
	int wide, narrow; /* 0: the column is left out */
	bool use_narrow;
};

/* What is left out or shortened, in this order, while QUERY has fewer columns than `least`. */
static const struct {
	enum column_id id;
	bool narrow; /* true: shortened; false: left out */
	int least;
} sacrifices[] = {
	{ COLUMN_DATABASE, false, 44 },
	{ COLUMN_USER, false, 44 },
	{ COLUMN_CLIENT, false, 30 },
	{ COLUMN_APPLICATION, false, LONGEST_REASON },
	{ COLUMN_FOR, true, 20 },
	{ COLUMN_STATUS, true, 20 },
	{ COLUMN_PROCESS, true, 20 },
	{ COLUMN_QUERY, false, LEAST_QUERY },
	{ COLUMN_PROCESS, false, 0 },
};

static bool is_grouped_by(enum column_id id, enum grouping grouping)
{
	return (id == COLUMN_PROCESS && grouping == GROUPING_PROCESS) ||
		(id == COLUMN_APPLICATION && grouping == GROUPING_APPLICATION) ||
		(id == COLUMN_USER && grouping == GROUPING_USER) ||
		(id == COLUMN_CONTAINER && grouping == GROUPING_CONTAINER) ||
		(id == COLUMN_DATABASE && grouping == GROUPING_DATABASE);
}

static bool may_group_show(enum column_id id, enum grouping grouping)
{
	return id == COLUMN_APPLICATION && grouping == GROUPING_PROCESS;
}

bool layout_group_shows(const struct assessment *assessment, const struct connection *connection,
	enum column_id id, enum grouping grouping)
{
	return may_group_show(id, grouping) && column_get(id)->is_redundant(assessment, connection);
}

static int larger(int a, int b)
{
	return a > b ? a : b;
}

static int widest_content(
	const struct assessment *assessment, const struct rows *rows, enum column_id id)
{
	int width = 0;
	for (size_t i = 0; i < rows->n_members && width < column_get(id)->widest; i++)
		width = larger(width,
			column_measure(id, assessment,
				&assessment->connections[rows->members[i].connection], width));
	return width;
}

/* The width of the contents. 0 if the title or the group shows all values already. */
static int measure_contents(const struct assessment *assessment, const struct rows *rows,
	enum column_id id, enum grouping grouping)
{
	const struct column *column = column_get(id);
	bool blank = id != COLUMN_APPLICATION || grouping == GROUPING_PROCESS;
	bool news = !column->is_redundant || !blank, may_show = may_group_show(id, grouping);
	int width = 0;
	for (size_t i = 0; i < rows->n_members && (width < column->widest || !news); i++) {
		const struct connection *connection =
			&assessment->connections[rows->members[i].connection];
		if (!news)
			news = !column->is_redundant(assessment, connection);
		if (may_show && column->is_redundant(assessment, connection))
			continue;
		width = larger(width, column_measure(id, assessment, connection, width));
	}
	return news ? width : 0;
}

static struct need measure(const struct assessment *assessment, const struct rows *rows,
	enum column_id id, const struct layout_options *options)
{
	const struct column *column = column_get(id);
	struct need need = { .wide = column->widest, .narrow = column->narrow };
	if (!column->widest)
		return (struct need){ .wide = 1, .narrow = 1 };
	if (!column->narrow && options->n_columns)
		need.wide = need.narrow = widest_content(assessment, rows, id);
	else if (!column->narrow)
		need.wide = need.narrow = measure_contents(assessment, rows, id, options->grouping);
	if (options->headings && (need.wide || options->n_columns)) {
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

/* The width left for QUERY. Its gap belongs to the column before it. */
static int left_over(const struct need needs[COLUMN_COUNT], int width)
{
	int left = width - LAYOUT_GUTTER - 1;
	for (size_t i = 0; i < COLUMN_QUERY; i++)
		left -= used_by(&needs[i]);
	return left;
}

/* Returns whether anything was left out. */
static bool sacrifice(struct need needs[COLUMN_COUNT], int width)
{
	bool left_out = false;
	const struct need query = needs[COLUMN_QUERY];
	for (size_t i = 0; i < sizeof(sacrifices) / sizeof(sacrifices[0]); i++) {
		if (left_over(needs, width) >= sacrifices[i].least)
			continue;
		struct need *need = &needs[sacrifices[i].id];
		if (sacrifices[i].narrow) {
			need->use_narrow = true;
		} else {
			left_out |= used_by(need) > 0;
			*need = (struct need){ 0 };
		}
	}
	/* QUERY was left out for a column that was then left out as well. */
	if (!used_by(&needs[COLUMN_QUERY]) && left_over(needs, width) >= LEAST_QUERY)
		needs[COLUMN_QUERY] = query;
	return left_out;
}

/* The columns that may be shown, in their order. */
static size_t list(const struct layout_options *options, enum column_id ids[COLUMN_COUNT])
{
	size_t count = 0;
	for (size_t i = 0; i < options->n_columns; i++)
		ids[count++] = options->columns[i];
	for (size_t i = 0; !options->n_columns && i < COLUMN_COUNT; i++)
		if (!column_get((enum column_id)i)->optional &&
			!is_grouped_by((enum column_id)i, options->grouping))
			ids[count++] = (enum column_id)i;
	return count;
}

/* Puts the columns side by side until the table is full. The last one takes the rest
 * of the width. */
static void place(struct layout *layout, const enum column_id *ids, size_t count,
	const struct need needs[COLUMN_COUNT], int width)
{
	int x = LAYOUT_GUTTER;
	for (size_t i = 0; i < count; i++) {
		const struct need *need = &needs[ids[i]];
		int columns = used_by(need) - LAYOUT_GAP, room = width - 1 - x;
		if (columns <= 0)
			continue;
		if (room < columns)
			layout->right = true;
		if (room < columns && room < LEAST_ROOM)
			break;
		layout->slots[layout->n_slots++] = (struct slot){
			.id = ids[i],
			.x = x,
			.width = columns < room ? columns : room,
			.narrow = need->use_narrow,
		};
		layout->shown |= 1u << ids[i];
		x += columns + LAYOUT_GAP;
	}
	struct slot *last = layout->n_slots ? &layout->slots[layout->n_slots - 1] : NULL;
	if (last && !column_get(last->id)->right)
		last->width = width - 1 - last->x;
}

/* Moves columns out to the left: all except the first and the last, then the text of
 * the last one. */
static size_t pan(struct layout *layout, enum column_id *ids, size_t count,
	const struct need needs[COLUMN_COUNT], size_t steps)
{
	size_t kept = 0, movable = 0;
	for (size_t i = 0; i < count; i++)
		if (used_by(&needs[ids[i]]))
			ids[kept++] = ids[i];
	if (kept < 2)
		return kept;
	movable = kept - 2;
	bool has_text = ids[kept - 1] == COLUMN_QUERY;
	layout->most_pan = movable + (has_text ? MOST_TEXT_STEPS : 0);
	if (steps > layout->most_pan)
		steps = layout->most_pan;
	size_t skip = steps < movable ? steps : movable;
	memmove(ids + 1, ids + 1 + skip, (kept - 1 - skip) * sizeof(*ids));
	layout->left = steps > 0;
	layout->skipped = (int)(steps - skip) * TEXT_STEP;
	return kept - skip;
}

struct layout layout_columns(const struct assessment *assessment, const struct rows *rows,
	const struct layout_options *options)
{
	struct need needs[COLUMN_COUNT] = { 0 };
	struct layout layout = { 0 };
	enum column_id ids[COLUMN_COUNT];
	size_t count = list(options, ids);
	for (size_t i = 0; i < count; i++)
		needs[ids[i]] = measure(assessment, rows, ids[i], options);
	layout.blanks = !options->n_columns;
	if (!options->n_columns && !options->pan)
		layout.right = sacrifice(needs, options->width);
	count = pan(&layout, ids, count, needs, options->pan);
	place(&layout, ids, count, needs, options->width);
	return layout;
}
