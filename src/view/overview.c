/* The list of the overview: which servers it shows, in which order. */
#include "view/overview.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/assessment.h"
#include "model/server_row.h"
#include "view/overview_cells.h"

void overview_init(struct overview *overview, struct server_row *rows, size_t n_rows)
{
	*overview = (struct overview){ .sort = OVERVIEW_STATUS };
	overview_set_rows(overview, rows, n_rows);
}

void overview_set_rows(struct overview *overview, struct server_row *rows, size_t n_rows)
{
	overview->rows = rows;
	overview->n_rows = n_rows;
	overview->list = mem_resize(overview->list, n_rows, sizeof(*overview->list));
}

void overview_deinit(struct overview *overview)
{
	free(overview->list);
	*overview = (struct overview){ 0 };
}

/* A server's share of slots in use, in thousandths; −1: not known. */
static int64_t share_used(const struct server_row *row)
{
	const struct slots *slots = row->assessment ? &row->assessment->slots : NULL;
	if (!slots || slots->max <= 0 || slots->used_at_most < 0)
		return -1;
	return (int64_t)slots->used_at_most * 1000 / slots->max;
}

/* The greatest number comes first; what is not known is −1. */
static int64_t rank(const struct server_row *row, enum overview_column column)
{
	switch (column) {
	case OVERVIEW_GAUGE:
	case OVERVIEW_USED: return share_used(row);
	case OVERVIEW_FREE: return row->room < 0 ? INT64_MIN : -row->room;
	case OVERVIEW_LEAKED: return row->leaked;
	case OVERVIEW_TRANSACTION: return row->transaction;
	case OVERVIEW_WAITING: return row->waiting;
	case OVERVIEW_AGE:
		/* All are compared at one moment, so the oldest rows have the least instant. */
		return row->assessment ? -row->assessment->sources[SOURCE_ACTIVITY].taken_at
				       : INT64_MIN;
	default: return 0;
	}
}

static int compare(const void *a, const void *b, void *data)
{
	const struct overview *overview = data;
	size_t i = *(const size_t *)a, k = *(const size_t *)b;
	const struct server_row *left = &overview->rows[i], *right = &overview->rows[k];
	int64_t more = rank(left, overview->sort), less = rank(right, overview->sort);
	int order = more > less ? -1 : more < less;
	if (overview->sort == OVERVIEW_NAME)
		order = server_row_compare_names(left, right);
	if (order == 0)
		order = server_row_compare(left, right);
	if (order == 0)
		order = (i > k) - (i < k);
	return overview->reverse ? -order : order;
}

static size_t find(const struct overview *overview, size_t row)
{
	size_t at = 0;
	while (at < overview->n_list && overview->list[at] != row)
		at++;
	return at;
}

size_t overview_current(const struct overview *overview, const struct ui_state *ui)
{
	/* After a dialog was closed, and before the next frame, ui->cursor says nothing. */
	size_t at = ui->questions == overview->questions ? ui->cursor : overview->cursor;
	return at < overview->n_list ? overview->list[at] : SIZE_MAX;
}

void overview_settle(struct overview *overview, struct ui_state *ui)
{
	bool on_top = ui_top(ui) == ui_base(ui);
	size_t current = on_top ? overview_current(overview, ui) : SIZE_MAX;
	if (current != SIZE_MAX && overview->list[overview->cursor] != current)
		overview->chosen = true;
	if (current != SIZE_MAX)
		overview->selected = current;
	overview->n_list = 0;
	for (size_t i = 0; i < overview->n_rows; i++)
		if (overview_row_matches(&overview->rows[i], &ui->filter))
			overview->list[overview->n_list++] = i;
	qsort_r(overview->list, overview->n_list, sizeof(*overview->list), compare, overview);
	size_t at = overview->chosen ? find(overview, overview->selected) : 0;
	if (at == overview->n_list)
		at = overview->cursor;
	if (at >= overview->n_list)
		at = overview->n_list ? overview->n_list - 1 : 0;
	overview->cursor = at;
	if (!on_top)
		return;
	ui->cursor = at;
	overview->questions = ui->questions;
}

void overview_select(struct overview *overview, struct ui_state *ui, size_t row)
{
	overview->selected = row;
	overview->chosen = true;
	overview->cursor = ui->cursor = find(overview, row);
}

void overview_next_sort(struct overview *overview, const struct ui_state *ui)
{
	unsigned int next = overview->sort;
	do
		next = (next + 1) % OVERVIEW_COLUMNS;
	while (!(ui->shown.columns & 1u << next) && next != overview->sort);
	overview->sort = (enum overview_column)next;
	overview->reverse = false;
}

void overview_toggle_reverse(struct overview *overview)
{
	overview->reverse = !overview->reverse;
}

void overview_sort_by(struct overview *overview, enum overview_column column)
{
	overview->reverse = overview->sort == column && !overview->reverse;
	overview->sort = column;
}
