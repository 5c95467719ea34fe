/* Keys come from the app's table, signs from the one below. */
#include "view/help.h"

#include "model/rights.h"
#include "view/dialog.h"
#include "view/frame.h"
#include "view/line.h"

#define KEYS_WIDTH  18
#define COLUMNS_GAP 4
#define MARGIN      4 /* of the box and its frame, on each side */

static const struct {
	const char *sign;
	enum style style;
	const char *meaning;
} signs[] = {
	{ "LEAKED", STYLE_LEAKED, "proven: the client is gone, or it was held too long" },
	{ "LEAKED?", STYLE_LEAKED, "presumed: idle, or idle in transaction, for too long" },
	{ "in transaction", STYLE_CAUTION, "idle, with a transaction open" },
	{ "unknown", STYLE_DIM, "the server hides this session from our role" },
	{ "███", STYLE_USED, "slots in use" },
	{ "▓▓▓", STYLE_USED_LEAKED, "slots leaked" },
	{ "░░░", STYLE_FREE, "slots that are free" },
	{ "▒▒▒", STYLE_RESERVED, "slots reserved for superusers" },
	{ "●", STYLE_KEY, "tagged: what the next action is for" },
	{ "user:app !idle", STYLE_TEXT,
		"in a filter: a field that holds app, and no idle anywhere" },
};

#define N_SIGNS (sizeof(signs) / sizeof(signs[0]))

/* What our role may do, below keys and signs. */
#define RIGHTS_LINES 4

struct rights_lines {
	size_t count; /* 0 when nothing is known */
	const char *left[RIGHTS_LINES], *right[RIGHTS_LINES];
	struct rights rights;
};

static void add_right(struct rights_lines *lines, const char *left, const char *right)
{
	lines->left[lines->count] = left;
	lines->right[lines->count++] = right;
}

static void list_rights(const struct assessment *assessment, struct rights_lines *lines)
{
	struct rights *rights = &lines->rights;
	lines->count = 0;
	rights_get(assessment, rights);
	if (!rights->known)
		return;
	add_right(lines, "this role sees", rights->sees);
	if (rights->see_grant[0])
		add_right(lines, "", rights->see_grant);
	add_right(lines, "… and ends", rights->ends);
	if (rights->end_grant[0])
		add_right(lines, "", rights->end_grant);
}

/* The main page's keys; the others are told where they work. */
static bool is_listed(const struct ui_state *ui, const struct key_help *key)
{
	return key->page == PAGE_MAIN && key->what && ui_key_works(ui, key);
}

static size_t count_keys(const struct ui_state *ui)
{
	size_t count = 0;
	for (size_t i = 0; i < ui->n_keys; i++)
		count += is_listed(ui, &ui->keys[i]);
	return count;
}

static const struct key_help *find_key(const struct ui_state *ui, size_t index)
{
	const struct key_help *key = ui->keys;
	while (!is_listed(ui, key) || index--)
		key++;
	return key;
}

/* The index-th line's halves; both NULL for a blank one. */
static enum style get_line(const struct frame *frame, const struct rights_lines *rights,
	size_t index, const char **ret_left, const char **ret_right)
{
	size_t n_keys = count_keys(frame->ui);
	*ret_left = *ret_right = NULL;
	if (index < n_keys) {
		*ret_left = find_key(frame->ui, index)->keys;
		*ret_right = find_key(frame->ui, index)->what;
		return STYLE_KEY;
	}
	index -= n_keys;
	if (index == 0 || index == N_SIGNS + 1)
		return STYLE_TEXT;
	if (index <= N_SIGNS) {
		*ret_left = signs[index - 1].sign;
		*ret_right = signs[index - 1].meaning;
		return signs[index - 1].style;
	}
	*ret_left = rights->left[index - N_SIGNS - 2];
	*ret_right = rights->right[index - N_SIGNS - 2];
	return STYLE_STRONG;
}

/* With room, the signs stand beside the keys instead of below them. */
struct sheet {
	struct rights_lines rights;
	size_t n_lines;  /* of both kinds */
	size_t n_left;   /* in the left column: all of them when it is the only one */
	int left, right; /* the columns' widths; right 0: there is none */
};

static void draw_half(
	const struct frame *frame, const struct sheet *sheet, size_t index, struct rect where)
{
	const char *left, *right;
	enum style style = get_line(frame, &sheet->rights, index, &left, &right);
	if (!left)
		return;
	grid_put(frame->grid, where.x, where.y, KEYS_WIDTH - 1, left, style);
	grid_put(frame->grid, where.x + KEYS_WIDTH, where.y, where.width - KEYS_WIDTH, right,
		STYLE_TEXT);
}

static void draw_line(
	const struct frame *frame, const struct dialog *dialog, size_t index, struct rect where)
{
	const struct sheet *sheet = dialog->data;
	struct rect left = where, right = where;
	if (sheet->right) {
		left.width = sheet->left;
		right.x += sheet->left + COLUMNS_GAP;
		right.width = sheet->right;
		/* behind the keys comes a blank line, which the signs need not */
		if (sheet->n_left + 1 + index < sheet->n_lines)
			draw_half(frame, sheet, sheet->n_left + 1 + index, right);
	}
	if (index < sheet->n_left)
		draw_half(frame, sheet, index, left);
}

static int longest(
	const struct frame *frame, const struct rights_lines *rights, size_t from, size_t to)
{
	int longest = 0;
	for (size_t i = from; i < to; i++) {
		const char *left, *right;
		(void)get_line(frame, rights, i, &left, &right);
		int width = right ? grid_width(frame->grid, right) : 0;
		longest = width > longest ? width : longest;
	}
	return KEYS_WIDTH + longest;
}

static void arrange(const struct frame *frame, struct sheet *sheet)
{
	size_t n_keys = count_keys(frame->ui);
	list_rights(frame->assessment, &sheet->rights);
	sheet->n_lines = n_keys + 1 + N_SIGNS;
	if (sheet->rights.count)
		sheet->n_lines += 1 + sheet->rights.count;
	sheet->n_left = n_keys;
	sheet->left = longest(frame, &sheet->rights, 0, n_keys);
	sheet->right = longest(frame, &sheet->rights, n_keys, sheet->n_lines);
	if (sheet->left + COLUMNS_GAP + sheet->right <= frame->grid->width - 2 * MARGIN)
		return;
	sheet->n_left = sheet->n_lines;
	sheet->left = longest(frame, &sheet->rights, 0, sheet->n_lines);
	sheet->right = 0;
}

void help_draw(const struct frame *frame)
{
	struct sheet sheet;
	arrange(frame, &sheet);
	size_t beside = sheet.right ? sheet.n_lines - sheet.n_left - 1 : 0;
	struct dialog dialog = {
		.title = "Help",
		.title_style = STYLE_STRONG,
		.width = sheet.left + (sheet.right ? COLUMNS_GAP + sheet.right : 0),
		.n_lines = beside > sheet.n_left ? beside : sheet.n_left,
		.page = PAGE_HELP,
		.data = &sheet,
		.draw_line = draw_line,
	};
	dialog_draw(frame, &dialog);
}
