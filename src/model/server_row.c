/* The order is stable while a server's state is: servers without a need stand in their names'
 * order. */
#include "model/server_row.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/assessment.h"
#include "model/findings.h"

static void set_name(struct server_row *row, const struct server_state *server)
{
	const char *database = server->database ? server->database : "";
	free(row->name);
	row->has_place = !server->name;
	if (server->name)
		row->name = mem_strdup(server->name);
	else if (server->host)
		row->name = mem_printf("%s:%d/%s", server->host, server->port, database);
	else
		row->name = mem_strdup(*database ? database : "?");
}

void server_row_init(struct server_row *row, const char *name)
{
	*row = (struct server_row){
		.name = mem_strdup(name ? name : "?"),
		.need = NEED_CONNECTING,
		.room = -1,
		.leaked = -1,
		.waiting = -1,
		.transaction = -1,
	};
}

/* What is left of the server's slots, or of the CONNECTION LIMIT that leaves less. Returns the
 * largest number that is called few; −1 if that is not known. */
static int find_room(struct server_row *row, int min_free)
{
	const struct slots *slots = &row->assessment->slots;
	const struct slot_limit *limit = assessment_binding_limit(row->assessment);
	int max = limit ? limit->limit : slots->max;
	row->room = limit ? slot_limit_left(limit) : slots->free_at_least;
	if (row->room < 0 || max < 0)
		return -1;
	return min_free > 0 ? min_free - 1 : max / 10;
}

/* The need of a server whose rows are current. */
static enum server_need judge_rows(const struct server_row *row, int few)
{
	if (row->room >= 0 && row->room <= few)
		return NEED_ROOM;
	if (row->leaked > 0)
		return NEED_LEAKED;
	if (row->waiting > 0 || row->transaction > row->assessment->limits.transaction)
		return NEED_WAITING;
	return NEED_NOTHING;
}

static enum server_need judge(const struct server_row *row, int few)
{
	const struct assessment *assessment = row->assessment;
	const struct source_state *activity = &assessment->sources[SOURCE_ACTIVITY];
	switch (assessment->server.status) {
	case SERVER_FULL: return NEED_FULL;
	case SERVER_ROLE_LIMIT:
	case SERVER_DATABASE_LIMIT:
	case SERVER_REFUSED:
	case SERVER_DENIED: return NEED_UNREACHABLE;
	case SERVER_STALE: return NEED_SILENT;
	case SERVER_CONNECTING: return assessment->activity ? NEED_SILENT : NEED_CONNECTING;
	case SERVER_OK: break;
	}
	if (activity->status == SOURCE_FAILED)
		return NEED_UNREACHABLE;
	if (activity->status == SOURCE_STALE)
		return NEED_SILENT;
	return assessment->activity ? judge_rows(row, few) : NEED_CONNECTING;
}

void server_row_update(struct server_row *row, const struct assessment *assessment, int min_free)
{
	set_name(row, &assessment->server);
	row->assessment = assessment;
	row->leaked = assessment->slots.by_status[STATUS_LEAKED];
	row->is_partly_hidden = findings_blindness(assessment, CERTAINTY_NONE) == BLIND_HIDDEN;
	row->waiting = assessment->activity ? assessment_count_lock_waits(assessment) : -1;
	row->transaction = assessment->activity ? assessment_oldest_transaction(assessment) : -1;
	row->need = judge(row, find_room(row, min_free));
}

void server_row_deinit(struct server_row *row)
{
	free(row->name);
	*row = (struct server_row){ 0 };
}

bool server_row_needs_person(const struct server_row *row)
{
	return row->need < NEED_CONNECTING;
}

int server_row_compare_names(const struct server_row *a, const struct server_row *b)
{
	return strverscmp(a->name ? a->name : "", b->name ? b->name : "");
}

static int compare_numbers(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

int server_row_compare(const struct server_row *a, const struct server_row *b)
{
	int order = compare_numbers(a->need, b->need);
	if (order == 0 && a->need == NEED_ROOM)
		order = compare_numbers(a->room, b->room);
	if (order == 0 && (a->need == NEED_ROOM || a->need == NEED_LEAKED))
		order = compare_numbers(b->leaked, a->leaked);
	if (order == 0 && a->need == NEED_WAITING)
		order = compare_numbers(b->waiting, a->waiting);
	return order ? order : server_row_compare_names(a, b);
}
