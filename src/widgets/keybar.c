/* Draws as many keys and labels as fit. */
#include "widgets/keybar.h"

#include <string.h>

#include "model/action.h"
#include "widgets/frame.h"
#include "widgets/grid.h"
#include "widgets/line.h"

#define KEYS_MAX   32
#define WIDE_GAP   3
#define NARROW_GAP 2
#define KEYS_ALONE 60 /* narrower than this, keys have no labels */

struct item {
	size_t key; /* index into ui->keys */
	bool shown;
};

struct bar {
	struct item items[KEYS_MAX];
	size_t n_items;
	bool labels;
	int gap;
};

/* "kill # leaked" becomes "kill 4 leaked". A count of zero is left out, and the label
 * is not red. */
static void add_label(struct line *line, const char *label, size_t count)
{
	const char *mark = strchr(label, '#');
	/* A label with a count ends sessions that the screen shows in red. */
	enum style style = mark && count ? STYLE_LEAKED : STYLE_KEY_LABEL;
	if (!mark) {
		line_add(line, style, label);
		return;
	}
	line_add_bytes(line, style, label, (size_t)(mark - label));
	if (count)
		line_printf(line, style, "%zu", count);
	/* "kill leaked": without the count one of the two blanks is left out. */
	line_add(line, style, !count && mark[1] == ' ' ? mark + 2 : mark + 1);
}

/* What Enter does, by the plan's kind. */
static const char *const confirm_labels[] = {
	[ACTION_KILL_LEAKED] = "end #",
	[ACTION_TERMINATE] = "end #",
	[ACTION_CANCEL] = "cancel #",
	[ACTION_EMERGENCY] = "stop #",
	[ACTION_PROXY_START] = "start it",
	[ACTION_PROXY_RESTART] = "restart it",
	[ACTION_CLEAR_PAGES] = "remove #",
};

/* NULL: the key is not in the bar. */
static const char *label_of(const struct frame *frame, const struct key_help *key)
{
	if (!key->bar || strcmp(key->bar, UI_CONFIRM) != 0)
		return key->bar;
	return frame->plan ? confirm_labels[frame->plan->kind] : NULL;
}

static void make_item(const struct frame *frame, const struct key_help *key, bool label,
	size_t count, struct line *line)
{
	const char *text = label_of(frame, key);
	line_begin(line);
	line_add(line, STYLE_KEY, key->keys);
	if (label && *text) {
		line_add(line, STYLE_KEY_LABEL, " ");
		add_label(line, text, count);
	}
}

static int width_of(const struct frame *frame, const struct bar *bar, size_t count)
{
	struct line line;
	int width = 0;
	for (size_t i = 0; i < bar->n_items; i++) {
		if (!bar->items[i].shown)
			continue;
		make_item(frame, &frame->ui->keys[bar->items[i].key], bar->labels, count, &line);
		width += line_width(frame->grid, &line) + bar->gap;
	}
	return width ? width - bar->gap : 0;
}

/* Hides the last key that may be hidden; false if there is none. */
static bool hide_one(const struct frame *frame, struct bar *bar)
{
	for (size_t i = bar->n_items; i-- > 0;) {
		if (bar->items[i].shown && !frame->ui->keys[bar->items[i].key].always) {
			bar->items[i].shown = false;
			return true;
		}
	}
	return false;
}

/* A key whose count is zero is not shown, except on the table. */
static bool is_offered(const struct frame *frame, const struct key_help *key, size_t count)
{
	const char *label = label_of(frame, key);
	if (!label || !ui_key_works(frame->ui, key))
		return false;
	return count || !key->view || !strchr(label, '#');
}

/* The keys of every screen are in the bars of those that cover the terminal. */
static bool is_in_bar(const struct ui_state *ui, const struct key_help *key)
{
	const struct view *top = ui_top(ui);
	return key->view == top || (key->everywhere && top->is_whole);
}

static struct bar collect(const struct frame *frame, size_t count)
{
	struct bar bar = { .labels = true, .gap = WIDE_GAP };
	const struct ui_state *ui = frame->ui;
	for (size_t i = 0; i < ui->n_keys && bar.n_items < KEYS_MAX; i++)
		if (is_in_bar(ui, &ui->keys[i]) && is_offered(frame, &ui->keys[i], count))
			bar.items[bar.n_items++] = (struct item){ i, true };
	return bar;
}

int keybar_width(const struct frame *frame, size_t count)
{
	struct bar bar = collect(frame, count);
	return width_of(frame, &bar, count);
}

static void fit(const struct frame *frame, struct bar *bar, size_t count, int width)
{
	if (width_of(frame, bar, count) > width)
		bar->gap = NARROW_GAP;
	if (ui_top(frame->ui) == ui_base(frame->ui) && width < KEYS_ALONE)
		bar->labels = false;
	while (width_of(frame, bar, count) > width && hide_one(frame, bar))
		;
	if (width_of(frame, bar, count) > width)
		bar->labels = false;
}

int keybar_draw(const struct frame *frame, int x, int y, int width, size_t count)
{
	struct bar bar = collect(frame, count);
	fit(frame, &bar, count, width);
	int at = x;
	for (size_t i = 0; i < bar.n_items; i++) {
		struct line line;
		if (!bar.items[i].shown)
			continue;
		make_item(frame, &frame->ui->keys[bar.items[i].key], bar.labels, count, &line);
		int columns = line_width(frame->grid, &line);
		if (at + columns > x + width)
			break;
		line_put(frame->grid, at, y, columns, &line);
		grid_add_hit(frame->grid, (struct rect){ at, y, columns, 1 }, HIT_KEY,
			(uint32_t)bar.items[i].key);
		at += columns + bar.gap;
	}
	return at > x ? at - x - bar.gap : 0;
}

static void draw_filter(const struct frame *frame, int y)
{
	static const char hint[] = "Enter keeps it   Esc shows all";
	struct grid *grid = frame->grid;
	int right = grid->width - 1;
	int room = (int)sizeof(hint) - 1;
	if (grid->width >= 2 * room) {
		right -= room;
		grid_put(grid, right, y, room, hint, STYLE_DIM);
		right -= NARROW_GAP;
	}
	grid_put(grid, 1, y, 2, "/", STYLE_KEY);
	/* Cuts at the left: the cursor is at the end. */
	int x = 3 + grid_put_tail(grid, 3, y, right - 4, frame->ui->filter.text, STYLE_STRONG);
	grid_char(grid, x, y, U'▏', STYLE_KEY);
}

void keybar_draw_line(const struct frame *frame, const struct view *view, int y, size_t count)
{
	const struct ui_state *ui = frame->ui;
	int width = frame->grid->width - 2;
	if (ui_top(ui) != view)
		return;
	if (ui->filter_editing)
		draw_filter(frame, y);
	else if (ui->notice)
		grid_put(frame->grid, 1, y, width, ui->notice, ui->notice_style);
	else
		keybar_draw(frame, 1, y, width, count);
}
