/* The operations of the table and of the screens over it. */
#include "widgets/ui.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/mem.h"
#include "base/text.h"
#include "model/action.h"
#include "model/assessment.h"

void ui_init(struct ui_state *ui, const struct key_help *keys, size_t n_keys)
{
	*ui = (struct ui_state){
		.keys = keys,
		.n_keys = n_keys,
		.interval = 1000000,
		.sort = COLUMN_STATUS,
		.shown.columns = (1u << COLUMN_COUNT) - 1,
	};
}

void ui_deinit(struct ui_state *ui)
{
	rows_deinit(&ui->rows);
	identity_set_deinit(&ui->folded);
	identity_set_deinit(&ui->tagged);
	arena_free(ui->last.arena);
	arena_free(ui->before.arena);
	free(ui->notice);
	*ui = (struct ui_state){ 0 };
}

static size_t moved(size_t at, long by, size_t count)
{
	size_t last = count ? count - 1 : 0;
	if (at > last)
		at = last;
	if (by < 0)
		return (size_t)-by < at ? at - (size_t)-by : 0;
	return (size_t)by < last - at ? at + (size_t)by : last;
}

void ui_select(struct ui_state *ui, size_t row)
{
	ui->row_chosen = true;
	ui->row = moved(row, 0, ui->rows.n_rows);
	ui->selected = rows_identity(&ui->rows, ui->row);
}

/* How many lines of the dialog it has no room for. */
static size_t lines_beyond(const struct ui_shown *shown)
{
	return shown->dialog_lines > shown->dialog_rows ? shown->dialog_lines - shown->dialog_rows
							: 0;
}

void ui_note_shown(struct ui_state *ui, const struct ui_shown *shown)
{
	ui->shown = *shown;
	ui->cursor = moved(ui->cursor, 0, shown->dialog_lines);
	ui->scroll = moved(ui->scroll, 0, lines_beyond(shown) + 1);
	if (ui->pan > shown->most_pan)
		ui->pan = shown->most_pan;
}

static void move_in_page(struct ui_state *ui, long by)
{
	if (ui->shown.dialog_has_cursor) {
		ui->cursor = moved(ui->cursor, by, ui->shown.dialog_lines);
		return;
	}
	ui->scroll = moved(ui->scroll, by, lines_beyond(&ui->shown) + 1);
}

static void move_in_table(struct ui_state *ui, long rows)
{
	ui->following = false;
	ui_select(ui, moved(ui->row, rows, ui->rows.n_rows));
}

void ui_move(struct ui_state *ui, long rows)
{
	ui_notice(ui, STYLE_TEXT, NULL);
	if (ui->depth)
		move_in_page(ui, rows);
	else
		move_in_table(ui, rows);
}

void ui_page(struct ui_state *ui, int pages)
{
	size_t page = ui->depth ? ui->shown.dialog_rows : ui->shown.page_rows;
	/* Scrolls by one line less than a page, to make it easy to follow. */
	ui_move(ui, pages * (page > 1 ? (long)page - 1 : 1));
}

void ui_home(struct ui_state *ui)
{
	ui_move(ui, -LONG_MAX);
}

void ui_end(struct ui_state *ui)
{
	ui_move(ui, LONG_MAX);
}

static const struct group *current_group(const struct ui_state *ui)
{
	if (ui->row >= ui->rows.n_rows)
		return NULL;
	const struct group *group = &ui->rows.groups[ui->rows.rows[ui->row].group];
	return group->kind == GROUP_FLAT ? NULL : group;
}

void ui_set_folded(struct ui_state *ui, bool folded)
{
	const struct group *group = current_group(ui);
	if (!group)
		return;
	identity_set_put(&ui->folded, group->identity, folded);
	if (folded)
		ui_select(ui, rows_find(&ui->rows, group->identity));
}

void ui_toggle_fold(struct ui_state *ui)
{
	const struct group *group = current_group(ui);
	if (group)
		ui_set_folded(ui, !identity_set_has(&ui->folded, group->identity));
}

/* The members of the row under the cursor: one connection, or those of a group. */
static const struct member *current_members(const struct ui_state *ui, size_t *ret_count)
{
	*ret_count = 0;
	if (ui->row >= ui->rows.n_rows)
		return NULL;
	const struct row *row = &ui->rows.rows[ui->row];
	if (row->member != ROW_HEADER) {
		*ret_count = 1;
		return &ui->rows.members[row->member];
	}
	*ret_count = ui->rows.groups[row->group].count;
	return ui->rows.members + ui->rows.groups[row->group].first;
}

void ui_toggle_tag(struct ui_state *ui)
{
	size_t count;
	const struct member *members = current_members(ui, &count);
	bool tag = false;
	for (size_t i = 0; i < count; i++)
		tag = tag || !identity_set_has(&ui->tagged, members[i].identity);
	for (size_t i = 0; i < count; i++)
		identity_set_put(&ui->tagged, members[i].identity, tag);
	ui_move(ui, 1);
}

void ui_untag_all(struct ui_state *ui)
{
	identity_set_clear(&ui->tagged);
}

bool ui_is_tagged(const struct ui_state *ui, const struct backend *backend)
{
	return ui->tagged.count && identity_set_has(&ui->tagged, identity_of(backend));
}

static bool is_current(const struct member *members, size_t count, struct identity identity)
{
	for (size_t i = 0; i < count; i++)
		if (identity_equal(members[i].identity, identity))
			return true;
	return false;
}

size_t ui_chosen(
	const struct ui_state *ui, const struct assessment *assessment, uint32_t *ret_connections)
{
	size_t count, chosen = 0, tagged = 0;
	const struct member *members = current_members(ui, &count);
	for (uint32_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		if (connection->in_scope && ui_is_tagged(ui, connection->backend))
			ret_connections[tagged++] = i;
	}
	/* If all tagged sessions ended, the key must not act on the row under the cursor. */
	if (ui->tagged.count)
		return tagged;
	for (uint32_t i = 0; i < assessment->n_connections; i++)
		if (is_current(members, count, identity_of(assessment->connections[i].backend)))
			ret_connections[chosen++] = i;
	return chosen;
}

void ui_sort_by(struct ui_state *ui, enum column_id column)
{
	ui->reverse = ui->sort == column && !ui->reverse;
	ui->sort = column;
}

void ui_set_columns(struct ui_state *ui, const char *const *names, size_t count)
{
	ui->n_columns = 0;
	for (size_t i = 0; i < count && ui->n_columns < COLUMN_COUNT; i++) {
		enum column_id id = column_find(names[i], strlen(names[i]));
		if (id != COLUMN_NONE)
			ui->columns[ui->n_columns++] = id;
	}
}

void ui_pan(struct ui_state *ui, int by)
{
	if (by > 0 && ui->pan < ui->shown.most_pan)
		ui->pan++;
	else if (by < 0 && ui->pan > 0)
		ui->pan--;
}

void ui_next_sort(struct ui_state *ui)
{
	unsigned int next = ui->sort;
	do
		next = (next + 1) % COLUMN_COUNT;
	while (!(ui->shown.columns & 1u << next) && next != ui->sort);
	ui->sort = (enum column_id)next;
	ui->reverse = false;
}

void ui_toggle_reverse(struct ui_state *ui)
{
	ui->reverse = !ui->reverse;
}

void ui_next_grouping(struct ui_state *ui)
{
	ui->grouping = (ui->grouping + 1) % GROUPING_COUNT;
}

void ui_filter_begin(struct ui_state *ui)
{
	ui->filter_editing = true;
}

void ui_filter_type(struct ui_state *ui, char32_t c)
{
	char text[FILTER_TEXT_MAX + 4];
	size_t length = strlen(ui->filter.text);
	memcpy(text, ui->filter.text, length);
	length += text_encode(c, text + length);
	text[length] = '\0';
	if (length < FILTER_TEXT_MAX)
		filter_set(&ui->filter, text);
}

static void keep_typed(struct ui_state *ui, size_t length)
{
	char text[FILTER_TEXT_MAX];
	memcpy(text, ui->filter.text, length);
	text[length] = '\0';
	filter_set(&ui->filter, text);
}

void ui_filter_erase(struct ui_state *ui)
{
	size_t length = strlen(ui->filter.text);
	while (length && ((unsigned char)ui->filter.text[--length] & 0xc0) == 0x80)
		;
	keep_typed(ui, length);
}

void ui_filter_erase_word(struct ui_state *ui)
{
	size_t length = strlen(ui->filter.text);
	while (length && ui->filter.text[length - 1] == ' ')
		length--;
	while (length && ui->filter.text[length - 1] != ' ')
		length--;
	keep_typed(ui, length);
}

static void remember_filter(struct ui_state *ui)
{
	if (ui->filter.n_terms)
		ui->search = ui->filter;
}

void ui_filter_keep(struct ui_state *ui)
{
	remember_filter(ui);
	ui->filter_editing = false;
}

void ui_filter_clear(struct ui_state *ui)
{
	/* The first call clears the filter, the second one the marks of its matches. */
	if (!ui->filter.n_terms)
		ui->searching = false;
	remember_filter(ui);
	ui->filter_editing = false;
	filter_set(&ui->filter, "");
}

bool ui_key_works(const struct ui_state *ui, const struct key_help *key)
{
	bool is_met = !key->need || (ui->met & 1u << key->need);
	if (key->when == KEY_SEVERAL)
		return is_met && ui->several;
	return is_met && key->when != (ui->replay.count ? KEY_LIVE : KEY_REPLAY);
}

void ui_word_begin(struct ui_state *ui, const char *wanted)
{
	ui->word_wanted = wanted;
	ui->word[0] = '\0';
}

void ui_word_type(struct ui_state *ui, char32_t c)
{
	size_t length = strlen(ui->word);
	if (c >= 'A' && c <= 'Z')
		c += 'a' - 'A';
	if (c < 'a' || c > 'z' || length + 1 >= sizeof(ui->word))
		return;
	ui->word[length] = (char)c;
	ui->word[length + 1] = '\0';
}

void ui_word_erase(struct ui_state *ui)
{
	size_t length = strlen(ui->word);
	if (length)
		ui->word[length - 1] = '\0';
}

bool ui_word_is_right(const struct ui_state *ui)
{
	return ui->word_wanted && strcmp(ui->word, ui->word_wanted) == 0;
}

const struct view *ui_top(const struct ui_state *ui)
{
	return ui->depth ? ui->views[ui->depth - 1] : NULL;
}

const struct view *ui_base(const struct ui_state *ui)
{
	for (size_t i = ui->depth; i-- > 0;)
		if (ui->views[i]->is_whole)
			return ui->views[i];
	return NULL;
}

bool ui_is_open(const struct ui_state *ui, const struct view *view)
{
	for (size_t i = 0; i < ui->depth; i++)
		if (ui->views[i] == view)
			return true;
	return false;
}

static void begin_dialog(struct ui_state *ui)
{
	ui->scroll = ui->cursor = ui->shown.dialog_top = 0;
	ui_ask_anew(ui);
}

void ui_push(struct ui_state *ui, const struct view *view)
{
	ui->row_chosen = true;
	if (ui->depth < UI_VIEWS_MAX)
		ui->depth++;
	ui->views[ui->depth - 1] = view;
	begin_dialog(ui);
}

void ui_pop(struct ui_state *ui)
{
	if (ui->depth)
		ui->depth--;
	begin_dialog(ui);
}

void ui_ask_anew(struct ui_state *ui)
{
	ui->questions++;
}

void ui_pop_all(struct ui_state *ui)
{
	while (ui->depth)
		ui_pop(ui);
}

static void replace(char **string, const char *with)
{
	free(*string);
	*string = mem_strdup(with);
}

void ui_notice(struct ui_state *ui, enum style style, const char *text)
{
	replace(&ui->notice, text);
	ui->notice_style = style;
}

void ui_toggle_target(struct ui_state *ui, struct action *plan)
{
	if (ui->cursor >= plan->n_steps)
		return;
	plan->steps[ui->cursor].selected = !plan->steps[ui->cursor].selected;
	ui->cursor = moved(ui->cursor, 1, plan->n_steps);
}

void ui_toggle_targets(struct action *plan)
{
	bool all = true;
	for (size_t i = 0; i < plan->n_steps; i++)
		all = all && plan->steps[i].selected;
	for (size_t i = 0; i < plan->n_steps; i++)
		plan->steps[i].selected = !all;
}
