/* Sections of keys from the app's table, then the signs, then the rights of our role. They are in
 * one column, or in two of about equal height if there is room. */
#include "view/help.h"

#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "model/advice.h"
#include "model/rights.h"
#include "widgets/dialog.h"
#include "widgets/frame.h"
#include "widgets/line.h"
#include "widgets/wrap.h"

#define STACKED     48 /* on a narrower box the words begin behind their key and continue below it */
#define INDENT      2
#define KEYS_GAP    3
#define HALVES_GAP  4
#define MARGIN      4 /* of the box and its frame, on each side */
#define ENTRIES_MAX 128

static const char *const headings[HELP_SECTIONS] = {
	[HELP_ACT] = "End connections",
	[HELP_LOOK] = "Look closer",
	[HELP_TABLE] = "The table",
	[HELP_REPLAY] = "The recording",
	[HELP_MOVE] = "Move",
	[HELP_SCREEN] = "The screen",
};

static const struct sign {
	const char *sign;
	enum style style;
	const char *meaning;
} signs[] = {
	{ "LEAKED", STYLE_LEAKED, "proven or declared: gone, held too long" },
	{ "LEAKED?", STYLE_LEAKED, "presumed: at rest for too long" },
	{ "in transaction", STYLE_CAUTION, "idle, with a transaction open" },
	{ "unknown", STYLE_DIM, "hidden from our role by the server" },
	{ "███", STYLE_USED, "slots in use" },
	{ "▓▓▓", STYLE_USED_LEAKED, "slots leaked" },
	{ "░░░", STYLE_FREE, "slots that are free" },
	{ "▒▒▒", STYLE_RESERVED, "slots reserved for superusers" },
	{ "●", STYLE_KEY, "tagged: what the next action is for" },
	{ "user:app !idle", STYLE_TEXT, "a filter: user has app, nothing idle" },
};

#define N_SIGNS (sizeof(signs) / sizeof(signs[0]))

/* A heading has no text on the right. */
struct entry {
	const char *left, *right;
	enum style style;
};

struct list {
	struct entry entries[ENTRIES_MAX];
	size_t count;
	struct rights rights; /* some entries point into it */
};

static void add(struct list *list, const char *left, enum style style, const char *right)
{
	if (list->count < ENTRIES_MAX)
		list->entries[list->count++] = (struct entry){ left, right, style };
}

/* Whether the key is one of the table's. The keys of other screens are shown there only. */
static bool is_listed(
	const struct ui_state *ui, const struct key_help *key, enum help_section section)
{
	return !key->view && key->what && key->section == section && ui_key_works(ui, key);
}

static void add_keys(struct list *list, const struct ui_state *ui, enum help_section section)
{
	bool headed = false;
	for (size_t i = 0; i < ui->n_keys; i++) {
		const struct key_help *key = &ui->keys[i];
		if (!is_listed(ui, key, section))
			continue;
		if (!headed)
			add(list, headings[section], STYLE_STRONG, NULL);
		headed = true;
		add(list, key->keys, STYLE_KEY, key->what);
	}
}

static void add_signs(struct list *list)
{
	add(list, "Signs", STYLE_STRONG, NULL);
	for (size_t i = 0; i < N_SIGNS; i++)
		add(list, signs[i].sign, signs[i].style, signs[i].meaning);
}

static void add_rights(struct list *list, const struct assessment *assessment)
{
	struct rights *rights = &list->rights;
	rights_get(assessment, rights);
	if (!rights->known)
		return;
	add(list, "This role", STYLE_STRONG, NULL);
	add(list, "sees", STYLE_DIM, rights->sees);
	if (rights->see_grant[0])
		add(list, "", STYLE_DIM, rights->see_grant);
	add(list, "ends", STYLE_DIM, rights->ends);
	if (rights->end_grant[0])
		add(list, "", STYLE_DIM, rights->end_grant);
}

static void add_advice(struct list *list, const struct assessment *assessment)
{
	struct advice advice[ADVICE_MAX];
	size_t count = advice_get(assessment, advice);
	if (count)
		add(list, "Settings that invite leaks", STYLE_STRONG, NULL);
	for (size_t i = 0; i < count; i++) {
		add(list, "", STYLE_DIM, advice[i].what);
		add(list, "", STYLE_DIM, advice[i].alter);
	}
}

/* One line on the screen: the first of an entry, or a continuation of its words. */
struct shown {
	const struct entry *entry; /* NULL: a blank line */
	const char *text;
	size_t length;
	int indent;
	bool first;
};

struct half {
	struct shown *lines;
	size_t count;
	int width, keys; /* the width, and how much of it is for the keys */
};

/* The width that is left for the words. */
static int indent_of(
	const struct grid *grid, const struct half *half, const struct entry *entry, bool first)
{
	/* A GRANT is not wrapped, so that it can be copied. */
	if (!*entry->left)
		return INDENT;
	if (half->width >= STACKED)
		return half->keys;
	return first ? grid_width(grid, entry->left) + INDENT : INDENT;
}

static void push(struct half *half, struct shown shown)
{
	if (half->lines)
		half->lines[half->count] = shown;
	half->count++;
}

static void wrap(struct half *half, const struct grid *grid, const struct entry *entry)
{
	const char *text = entry->right;
	size_t skip;
	for (bool first = true; *text; text += skip, first = false) {
		int indent = indent_of(grid, half, entry, first);
		int room = half->width > indent ? half->width - indent : 1;
		size_t length = wrap_line(grid, text, room, &skip);
		push(half, (struct shown){ entry, text, length, indent, first });
	}
}

/* Writes the lines, or only counts them if `lines` is NULL. */
static void lay(struct half *half, const struct grid *grid, const struct entry *from, size_t count)
{
	half->count = 0;
	for (size_t i = 0; i < count; i++) {
		if (from[i].right) {
			wrap(half, grid, &from[i]);
			continue;
		}
		if (i > 0)
			push(half, (struct shown){ 0 });
		push(half, (struct shown){ .entry = &from[i], .first = true });
	}
}

/* The width of its longest words. */
static void measure(
	struct half *half, const struct grid *grid, const struct entry *from, size_t count)
{
	int words = 0;
	half->keys = 0;
	for (size_t i = 0; i < count; i++) {
		if (!from[i].right)
			continue;
		int left = grid_width(grid, from[i].left) + KEYS_GAP;
		int right = grid_width(grid, from[i].right);
		half->keys = left > half->keys ? left : half->keys;
		words = right > words ? right : words;
	}
	half->width = half->keys + words;
}

struct sheet {
	struct half halves[2];
	size_t n_halves;
};

static size_t taller(const struct sheet *sheet)
{
	size_t right = sheet->n_halves > 1 ? sheet->halves[1].count : 0;
	return sheet->halves[0].count > right ? sheet->halves[0].count : right;
}

static int width_of(const struct sheet *sheet)
{
	int right = sheet->n_halves > 1 ? HALVES_GAP + sheet->halves[1].width : 0;
	return sheet->halves[0].width + right;
}

/* If both halves do not fit, the wider one gets narrower. */
static void squeeze(struct sheet *sheet, int room)
{
	int least = (room - HALVES_GAP) / 2;
	struct half *halves = sheet->halves;
	if (width_of(sheet) <= room)
		return;
	struct half *wider = &halves[halves[1].width > halves[0].width];
	struct half *other = &halves[wider == &halves[0]];
	if (other->width > least)
		other->width = least;
	wider->width = room - HALVES_GAP - other->width;
}

/* Puts the entries before a heading into the left half. If those are all entries, there is one
 * half. */
static struct sheet split(const struct grid *grid, const struct list *list, size_t at)
{
	struct sheet sheet = { .n_halves = at < list->count ? 2 : 1 };
	const struct entry *entries = list->entries;
	measure(&sheet.halves[0], grid, entries, at);
	measure(&sheet.halves[1], grid, entries + at, list->count - at);
	if (sheet.n_halves > 1)
		squeeze(&sheet, grid->width - 2 * MARGIN);
	lay(&sheet.halves[0], grid, entries, at);
	lay(&sheet.halves[1], grid, entries + at, list->count - at);
	return sheet;
}

/* Finds the heading at which the second half begins: the one that makes the shortest page that
 * fits. */
static size_t best_split(const struct grid *grid, const struct list *list)
{
	size_t best = list->count, least = SIZE_MAX;
	if (grid->width - 2 * MARGIN < 2 * STACKED + HALVES_GAP)
		return best;
	for (size_t i = 1; i < list->count; i++) {
		if (list->entries[i].right)
			continue;
		struct sheet sheet = split(grid, list, i);
		if (taller(&sheet) < least) {
			least = taller(&sheet);
			best = i;
		}
	}
	return best;
}

static void draw_shown(
	const struct frame *frame, const struct half *half, size_t index, int x, int y)
{
	if (index >= half->count || !half->lines[index].entry)
		return;
	const struct shown *shown = &half->lines[index];
	struct line line;
	if (shown->first)
		grid_put(frame->grid, x, y, half->width, shown->entry->left, shown->entry->style);
	if (!shown->text)
		return;
	line_begin(&line);
	line_add_bytes(&line, STYLE_TEXT, shown->text, shown->length);
	line_put(frame->grid, x + shown->indent, y, half->width - shown->indent, &line);
}

static void draw_line(
	const struct frame *frame, const struct dialog *dialog, size_t index, struct rect where)
{
	const struct sheet *sheet = dialog->data;
	draw_shown(frame, &sheet->halves[0], index, where.x, where.y);
	if (sheet->n_halves > 1)
		draw_shown(frame, &sheet->halves[1], index,
			where.x + sheet->halves[0].width + HALVES_GAP, where.y);
}

static void fill(struct sheet *sheet, struct arena *arena, const struct grid *grid,
	const struct list *list, size_t at)
{
	const struct entry *from = list->entries;
	size_t count = at;
	for (size_t i = 0; i < sheet->n_halves; i++) {
		struct half *half = &sheet->halves[i];
		lay(half, grid, from, count);
		half->lines = arena_array(arena, half->count, sizeof(*half->lines));
		lay(half, grid, from, count);
		from += count;
		count = list->count - at;
	}
}

static void draw(const struct frame *frame)
{
	struct arena *arena = arena_new();
	struct list list = { .count = 0 };
	for (size_t i = 0; i < HELP_SECTIONS; i++)
		add_keys(&list, frame->ui, (enum help_section)i);
	add_signs(&list);
	add_rights(&list, frame->assessment);
	add_advice(&list, frame->assessment);
	size_t at = best_split(frame->grid, &list);
	struct sheet sheet = split(frame->grid, &list, at);
	struct dialog dialog = {
		.title = "Help",
		.title_style = STYLE_STRONG,
		.width = width_of(&sheet),
		.n_lines = taller(&sheet),
		.data = &sheet,
		.draw_line = draw_line,
	};
	/* A single column takes all the width that is available. */
	if (sheet.n_halves == 1)
		sheet.halves[0].width = dialog_width(frame, &dialog);
	fill(&sheet, arena, frame->grid, &list, at);
	dialog.n_lines = taller(&sheet);
	dialog_draw(frame, &dialog);
	arena_free(arena);
}

const struct view help_view = { .draw = draw };
