/* Keeps the cursor and marks changes from one frame to the next. */
#include "widgets/settle.h"

#include "base/arena.h"
#include "base/map.h"
#include "model/assessment.h"
#include "widgets/search.h"
#include "widgets/ui.h"

static uint64_t seen_key(const struct backend *backend)
{
	return map_mix((uint64_t)backend->pid, (uint64_t)backend->start);
}

/* Keeps two generations: the connections of the last refresh and of the one before. */
static void remember(struct ui_state *ui, const struct assessment *assessment)
{
	struct ui_seen next = ui->before;
	if (!next.arena)
		next.arena = arena_new();
	arena_reset(next.arena);
	next.statuses = map_new(next.arena, assessment->n_connections);
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		map_set(next.statuses, seen_key(connection->backend), connection->verdict.status);
	}
	next.used = assessment->slots.used_at_most;
	next.leaked = assessment->slots.by_status[STATUS_LEAKED];
	ui->before = ui->last;
	ui->last = next;
}

bool settle_has_changed(const struct ui_state *ui, const struct connection *connection)
{
	if (!ui->before.statuses)
		return false;
	uint64_t key = seen_key(connection->backend);
	return map_get(ui->before.statuses, key) != connection->verdict.status;
}

void settle_rows(struct ui_state *ui, const struct assessment *assessment)
{
	if (assessment->now != ui->assessed_at && assessment->activity) {
		remember(ui, assessment);
		search_check_followed(ui, assessment);
		ui->assessed_at = assessment->now;
	}
	struct rows_options options = {
		.grouping = ui->grouping,
		.sort = ui->sort,
		.reverse = ui->reverse,
		.filter = &ui->filter,
		.folded = &ui->folded,
	};
	rows_build(&ui->rows, assessment, &options);
	bool stays = ui->row_chosen || ui->following;
	size_t row = stays ? rows_find(&ui->rows, ui->selected) : 0;
	if (row < ui->rows.n_rows)
		ui->row = row;
	else if (ui->row >= ui->rows.n_rows)
		ui->row = ui->rows.n_rows ? ui->rows.n_rows - 1 : 0;
	/* A followed connection is kept even if it is folded away or filtered out. */
	if (!ui->following || row < ui->rows.n_rows)
		ui->selected = rows_identity(&ui->rows, ui->row);
}

size_t settle_first(size_t first, size_t cursor, size_t shown, size_t lines)
{
	if (lines <= shown || !shown)
		return shown ? 0 : cursor;
	if (first > lines - shown)
		first = lines - shown;
	if (cursor < first)
		return cursor;
	return cursor >= first + shown ? cursor - shown + 1 : first;
}
