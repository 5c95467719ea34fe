/* Keys come from the app's table, signs from the one below. */
#include "view/help.h"

#include "model/rights.h"
#include "view/dialog.h"
#include "view/frame.h"
#include "view/line.h"

#define KEYS_WIDTH 18

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

static void draw_line(
	const struct frame *frame, const struct dialog *dialog, size_t index, struct rect where)
{
	const char *left, *right;
	enum style style = get_line(frame, dialog->data, index, &left, &right);
	if (!left)
		return;
	grid_put(frame->grid, where.x, where.y, KEYS_WIDTH - 1, left, style);
	grid_put(frame->grid, where.x + KEYS_WIDTH, where.y, where.width - KEYS_WIDTH, right,
		STYLE_TEXT);
}

static int longest(const struct frame *frame, const struct rights_lines *rights, size_t n_lines)
{
	int longest = 0;
	for (size_t i = 0; i < n_lines; i++) {
		const char *left, *right;
		(void)get_line(frame, rights, i, &left, &right);
		int width = right ? grid_width(frame->grid, right) : 0;
		longest = width > longest ? width : longest;
	}
	return longest;
}

void help_draw(const struct frame *frame)
{
	struct rights_lines rights;
	list_rights(frame->assessment, &rights);
	size_t n_lines = count_keys(frame->ui) + 1 + N_SIGNS;
	if (rights.count)
		n_lines += 1 + rights.count;
	struct dialog dialog = {
		.title = "Help",
		.title_style = STYLE_STRONG,
		.width = KEYS_WIDTH + longest(frame, &rights, n_lines),
		.n_lines = n_lines,
		.page = PAGE_HELP,
		.data = &rights,
		.draw_line = draw_line,
	};
	dialog_draw(frame, &dialog);
}
