/* Bars made of block characters. */
#include "widgets/gauge.h"

#include <stdbool.h>

#include "model/assessment.h"
#include "model/history.h"
#include "widgets/grid.h"

#define CELLS_MAX 512

struct part {
	int slots;
	char32_t glyph;
	enum style style;
	int cells;
};

static struct part *largest_of(struct part *parts, size_t n_parts)
{
	struct part *largest = parts;
	for (size_t i = 1; i < n_parts; i++)
		if (parts[i].cells > largest->cells)
			largest = &parts[i];
	return largest;
}

/* Divides `width` in proportion to the parts. A part that is not zero gets at least one cell, taken
 * from the largest parts. */
static void divide(struct part *parts, size_t n_parts, int width, int total)
{
	int sum = 0, done = 0, cells = 0;
	for (size_t i = 0; i < n_parts; i++) {
		sum += parts[i].slots;
		int end = (int)(((int64_t)sum * width + total / 2) / total);
		parts[i].cells = end - done;
		done = end;
		if (parts[i].slots && !parts[i].cells)
			parts[i].cells = 1;
		cells += parts[i].cells;
	}
	for (; cells > width; cells--)
		largest_of(parts, n_parts)->cells--;
	largest_of(parts, n_parts)->cells += width - cells;
}

static int at_least_zero(int number)
{
	return number > 0 ? number : 0;
}

void gauge_slots(struct grid *grid, int x, int y, int width, const struct slots *slots)
{
	if (slots->max <= 0 || slots->used_at_most < 0 || width <= 0)
		return;
	int leaked = at_least_zero(slots->by_status[STATUS_LEAKED]);
	int free = at_least_zero(slots->free_at_least);
	struct part parts[] = {
		{ at_least_zero(slots->used_at_most - leaked), U'█', STYLE_USED, 0 },
		{ leaked, U'▓', STYLE_USED_LEAKED, 0 },
		{ free, U'░', STYLE_FREE, 0 },
		/* Reserved slots that are not in use. */
		{ at_least_zero(slots->max - slots->used_at_most - free), U'▒', STYLE_RESERVED, 0 },
	};
	const size_t n_parts = sizeof(parts) / sizeof(parts[0]);
	int total = 0;
	for (size_t i = 0; i < n_parts; i++)
		total += parts[i].slots;
	if (!total)
		return;
	divide(parts, n_parts, width, total);
	for (size_t i = 0; i < n_parts; i++) {
		grid_fill(grid, (struct rect){ x, y, parts[i].cells, 1 }, parts[i].glyph,
			parts[i].style);
		x += parts[i].cells;
	}
}

struct bucket {
	int used, leaked; /* −1: not known */
};

static int larger(int a, int b)
{
	return a > b ? a : b;
}

/* The largest sample of each bucket. A bucket without a sample repeats the one before it, up to the
 * newest sample. */
static void fill_buckets(struct bucket *buckets, int n_buckets, const struct history *history,
	int64_t now, int64_t span)
{
	int newest = -1;
	const struct history_sample *sample;
	for (int i = 0; i < n_buckets; i++)
		buckets[i] = (struct bucket){ -2, -2 };
	for (size_t i = 0; (sample = history_get(history, i)); i++) {
		int64_t age = now - sample->at;
		if (age >= span)
			break;
		int at = n_buckets - 1 - (int)((age > 0 ? age : 0) * n_buckets / span);
		buckets[at].used = larger(buckets[at].used, sample->used);
		buckets[at].leaked = larger(buckets[at].leaked, sample->leaked);
		newest = larger(newest, at);
	}
	for (int i = 1; i <= newest; i++)
		if (buckets[i].used == -2)
			buckets[i] = buckets[i - 1];
}

/* −1: nothing to draw. */
static int height_of(const struct bucket *bucket, enum gauge_what what)
{
	if (what == GAUGE_LEAKED)
		return bucket->leaked > 0 ? bucket->leaked : -1;
	return bucket->used;
}

static enum style style_of(const struct bucket *bucket, enum gauge_what what)
{
	bool leaked = what == GAUGE_LEAKED || (what == GAUGE_BOTH && bucket->leaked > 0);
	return leaked ? STYLE_USED_LEAKED : STYLE_USED;
}

void gauge_history(struct grid *grid, struct rect where, const struct history *history,
	enum gauge_what what, int max, int64_t now, int64_t span)
{
	static const char32_t bars[] = U"▁▂▃▄▅▆▇█";
	struct bucket buckets[CELLS_MAX];
	if (where.width <= 0 || max <= 0)
		return;
	int width = where.width < CELLS_MAX ? where.width : CELLS_MAX;
	fill_buckets(buckets, width, history, now, span);
	for (int i = 0; i < width; i++) {
		int height = height_of(&buckets[i], what);
		if (height < 0)
			continue;
		int level = (int)(((int64_t)height * 8 + max - 1) / max);
		level = level < 1 ? 1 : level > 8 ? 8 : level;
		grid_char(grid, where.x + i, where.y, bars[level - 1], style_of(&buckets[i], what));
	}
}
