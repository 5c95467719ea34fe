/* Keys come from the app's table, signs from the one below. */
#include "view/help.h"

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

static void draw_line(
	const struct frame *frame, const struct dialog *dialog, size_t index, struct rect where)
{
	(void)dialog;
	size_t n_keys = count_keys(frame->ui);
	const char *left, *right;
	enum style style = STYLE_KEY;
	if (index == n_keys)
		return;
	if (index < n_keys) {
		left = find_key(frame->ui, index)->keys;
		right = find_key(frame->ui, index)->what;
	} else {
		left = signs[index - n_keys - 1].sign;
		right = signs[index - n_keys - 1].meaning;
		style = signs[index - n_keys - 1].style;
	}
	grid_put(frame->grid, where.x, where.y, KEYS_WIDTH - 1, left, style);
	grid_put(frame->grid, where.x + KEYS_WIDTH, where.y, where.width - KEYS_WIDTH, right,
		STYLE_TEXT);
}

static int longest(const struct frame *frame)
{
	int longest = 0;
	size_t n_keys = count_keys(frame->ui);
	for (size_t i = 0; i < n_keys; i++) {
		int width = grid_width(frame->grid, find_key(frame->ui, i)->what);
		longest = width > longest ? width : longest;
	}
	for (size_t i = 0; i < N_SIGNS; i++) {
		int width = grid_width(frame->grid, signs[i].meaning);
		longest = width > longest ? width : longest;
	}
	return longest;
}

void help_draw(const struct frame *frame)
{
	struct dialog dialog = {
		.title = "Help",
		.title_style = STYLE_STRONG,
		.width = KEYS_WIDTH + longest(frame),
		.n_lines = count_keys(frame->ui) + 1 + N_SIGNS,
		.page = PAGE_HELP,
		.draw_line = draw_line,
	};
	dialog_draw(frame, &dialog);
}
