/* After the filter was closed, n and N search for the text of the last one. */
#include "widgets/search.h"

#include <stdio.h>

#include "model/assessment.h"
#include "widgets/ui.h"

static const struct filter *wanted(const struct ui_state *ui)
{
	return ui->filter.n_terms ? &ui->filter : &ui->search;
}

const struct filter *search_marked(const struct ui_state *ui)
{
	if (ui->filter.n_terms)
		return &ui->filter;
	return ui->searching ? &ui->search : NULL;
}

static bool matches(
	const struct ui_state *ui, const struct assessment *assessment, const struct row *row)
{
	if (row->member == ROW_HEADER)
		return false;
	uint32_t index = ui->rows.members[row->member].connection;
	/* the rows are those of the last frame */
	return index < assessment->n_connections &&
		filter_matches(wanted(ui), assessment, &assessment->connections[index]);
}

void search_go(struct ui_state *ui, const struct assessment *assessment, int direction)
{
	size_t count = ui->rows.n_rows;
	char text[FILTER_TEXT_MAX + 64];
	ui_notice(ui, STYLE_TEXT, NULL);
	if (!wanted(ui)->n_terms) {
		ui_notice(ui, STYLE_DIM, "nothing to look for: type / and a text first");
		return;
	}
	ui->searching = true;
	for (size_t step = 1; step <= count; step++) {
		size_t row = direction > 0 ? (ui->row + step) % count
					   : (ui->row + count - step % count) % count;
		if (!matches(ui, assessment, &ui->rows.rows[row]))
			continue;
		ui_select(ui, row);
		return;
	}
	snprintf(text, sizeof(text), "not found: %s", wanted(ui)->text);
	ui_notice(ui, STYLE_CAUTION, text);
}

void search_toggle_follow(struct ui_state *ui)
{
	char text[64];
	if (ui->following) {
		ui->following = false;
		ui_notice(ui, STYLE_DIM, "not followed any more");
		return;
	}
	if (ui->selected.kind != IDENTITY_CONNECTION) {
		ui_notice(ui, STYLE_DIM, "F follows a connection: move to one first");
		return;
	}
	ui->following = true;
	snprintf(text, sizeof(text), "following backend %d until it ends",
		(int)(int32_t)ui->selected.a);
	ui_notice(ui, STYLE_TEXT, text);
}

void search_check_followed(struct ui_state *ui, const struct assessment *assessment)
{
	char text[96];
	if (!ui->following || !assessment->activity)
		return;
	for (size_t i = 0; i < assessment->n_connections; i++)
		if (identity_equal(identity_of(assessment->connections[i].backend), ui->selected))
			return;
	ui->following = false;
	snprintf(text, sizeof(text), "backend %d, which was followed, has ended",
		(int)(int32_t)ui->selected.a);
	ui_notice(ui, STYLE_CAUTION, text);
}
