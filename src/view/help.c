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
#include "widgets/grid.h"
#include "widgets/pairs.h"

#define HALF_LEAST  48 /* on a narrower screen there is one column */
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

static const struct sign overview_signs[] = {
	{ "!", STYLE_LEAKED, "no answer, full, or few slots are free" },
	{ "✗", STYLE_LEAKED, "connections are leaked" },
	{ "•", STYLE_CAUTION, "sessions wait, or a long transaction" },
	{ "███", STYLE_USED, "slots in use" },
	{ "▓▓▓", STYLE_USED_LEAKED, "slots leaked" },
	{ "░░░", STYLE_FREE, "slots that are free" },
	{ "▒▒▒", STYLE_RESERVED, "slots reserved for superusers" },
	{ "IN TX", STYLE_HEADING, "age of the oldest transaction" },
	{ "WAIT", STYLE_HEADING, "sessions that wait for a lock" },
	{ "DATA", STYLE_HEADING, "how old the numbers are" },
};

#define N_OVERVIEW_SIGNS (sizeof(overview_signs) / sizeof(overview_signs[0]))

struct list {
	struct pair entries[ENTRIES_MAX];
	size_t count;
	struct rights rights; /* some entries point into it */
};

static void add(struct list *list, const char *left, enum style style, const char *right)
{
	if (list->count < ENTRIES_MAX)
		list->entries[list->count++] = (struct pair){ left, right, style, STYLE_TEXT };
}

/* Whether the key works on the table, or on the screen that covers it. The keys of dialogs are
 * shown there only. */
static bool is_listed(
	const struct ui_state *ui, const struct key_help *key, enum help_section section)
{
	const struct view *base = ui_base(ui);
	bool is_here = key->view == base || (base && key->everywhere);
	return is_here && key->what && key->section == section && ui_key_works(ui, key);
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

static void add_signs(struct list *list, const struct ui_state *ui)
{
	bool is_table = !ui_base(ui);
	const struct sign *from = is_table ? signs : overview_signs;
	size_t count = is_table ? N_SIGNS : N_OVERVIEW_SIGNS;
	add(list, "Signs", STYLE_STRONG, NULL);
	for (size_t i = 0; i < count; i++)
		add(list, from[i].sign, from[i].style, from[i].meaning);
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

/* A column as wide as its longest words. */
static struct pairs_column measure(
	const struct grid *grid, const struct pair *entries, size_t count)
{
	int keys = 0, words = 0;
	for (size_t i = 0; i < count; i++) {
		if (!entries[i].text)
			continue;
		int left = grid_width(grid, entries[i].label) + KEYS_GAP;
		int right = grid_width(grid, entries[i].text);
		keys = left > keys ? left : keys;
		words = right > words ? right : words;
	}
	/* A GRANT is not wrapped at the keys' width, so that it can be copied. */
	return (struct pairs_column){
		.width = keys + words,
		.labels = keys,
		.unlabelled = INDENT,
	};
}

struct sheet {
	struct pairs_column halves[2];
	size_t n_halves;
};

static size_t taller(const struct sheet *sheet)
{
	size_t right = sheet->n_halves > 1 ? sheet->halves[1].n_lines : 0;
	return sheet->halves[0].n_lines > right ? sheet->halves[0].n_lines : right;
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
	struct pairs_column *halves = sheet->halves;
	if (width_of(sheet) <= room)
		return;
	struct pairs_column *wider = &halves[halves[1].width > halves[0].width];
	struct pairs_column *other = &halves[wider == &halves[0]];
	if (other->width > least)
		other->width = least;
	wider->width = room - HALVES_GAP - other->width;
}

/* Breaks the entries into lines: those before `at` in the left half. Without an arena the lines are
 * only counted. */
static void lay(struct sheet *sheet, const struct grid *grid, const struct list *list, size_t at,
	struct arena *arena)
{
	pairs_wrap(&sheet->halves[0], grid, list->entries, at, arena);
	pairs_wrap(&sheet->halves[1], grid, list->entries + at, list->count - at, arena);
}

/* Puts the entries before a heading into the left half. If those are all entries, there is one
 * half. */
static struct sheet split(const struct grid *grid, const struct list *list, size_t at)
{
	struct sheet sheet = { .n_halves = at < list->count ? 2 : 1 };
	sheet.halves[0] = measure(grid, list->entries, at);
	sheet.halves[1] = measure(grid, list->entries + at, list->count - at);
	if (sheet.n_halves > 1)
		squeeze(&sheet, grid->width - 2 * MARGIN);
	lay(&sheet, grid, list, at, NULL);
	return sheet;
}

/* Finds the heading at which the second half begins: the one that makes the shortest page that
 * fits. */
static size_t best_split(const struct grid *grid, const struct list *list)
{
	size_t best = list->count, least = SIZE_MAX;
	if (grid->width - 2 * MARGIN < 2 * HALF_LEAST + HALVES_GAP)
		return best;
	for (size_t i = 1; i < list->count; i++) {
		if (list->entries[i].text)
			continue;
		struct sheet sheet = split(grid, list, i);
		if (taller(&sheet) < least) {
			least = taller(&sheet);
			best = i;
		}
	}
	return best;
}

static void draw_line(
	const struct frame *frame, const struct dialog *dialog, size_t index, struct rect where)
{
	const struct sheet *sheet = dialog->data;
	pairs_draw_line(frame->grid, &sheet->halves[0], index, where.x, where.y);
	if (sheet->n_halves > 1)
		pairs_draw_line(frame->grid, &sheet->halves[1], index,
			where.x + sheet->halves[0].width + HALVES_GAP, where.y);
}

static void draw(const struct frame *frame)
{
	struct arena *arena = arena_new();
	struct list list = { .count = 0 };
	for (size_t i = 0; i < HELP_SECTIONS; i++)
		add_keys(&list, frame->ui, (enum help_section)i);
	add_signs(&list, frame->ui);
	if (frame->assessment) {
		add_rights(&list, frame->assessment);
		add_advice(&list, frame->assessment);
	}
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
	lay(&sheet, frame->grid, &list, at, arena);
	dialog.n_lines = taller(&sheet);
	dialog_draw(frame, &dialog);
	arena_free(arena);
}

const struct view help_view = { .draw = draw };
