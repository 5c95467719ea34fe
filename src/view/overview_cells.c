/* Numbers of a server that does not answer are its last ones, and dim. */
#include "view/overview_cells.h"

#include "base/duration.h"
#include "base/plural.h"
#include "model/assessment.h"
#include "model/server_row.h"
#include "view/trouble.h"
#include "widgets/filter.h"

static const struct {
	char32_t sign;
	enum style style;
} signs[SERVER_NEED_COUNT] = {
	[NEED_UNREACHABLE] = { U'!', STYLE_LEAKED },
	[NEED_FULL] = { U'!', STYLE_LEAKED },
	[NEED_SILENT] = { U'!', STYLE_CAUTION },
	[NEED_ROOM] = { U'!', STYLE_LEAKED },
	[NEED_LEAKED] = { U'✗', STYLE_LEAKED },
	[NEED_WAITING] = { U'•', STYLE_CAUTION },
	[NEED_CONNECTING] = { U'…', STYLE_DIM },
	[NEED_NOTHING] = { U' ', STYLE_TEXT },
};

struct overview_sign overview_sign_of(const struct server_row *row)
{
	return (struct overview_sign){ signs[row->need].sign, signs[row->need].style };
}

static const struct {
	const char *title;
	bool right;
} columns[OVERVIEW_COLUMNS] = {
	[OVERVIEW_NAME] = { "SERVER", false },
	[OVERVIEW_GAUGE] = { "SLOTS", false },
	[OVERVIEW_USED] = { "USED", true },
	[OVERVIEW_FREE] = { "FREE", true },
	[OVERVIEW_LEAKED] = { "LEAKED", true },
	[OVERVIEW_TRANSACTION] = { "IN TX", true },
	[OVERVIEW_WAITING] = { "WAIT", true },
	[OVERVIEW_AGE] = { "DATA", true },
	[OVERVIEW_STATUS] = { "STATUS", false },
};

const char *overview_title(enum overview_column column)
{
	return columns[column].title;
}

bool overview_is_right(enum overview_column column)
{
	return columns[column].right;
}

static void add_used(const struct server_row *row, struct line *line)
{
	const struct slots *slots = &row->assessment->slots;
	if (slots->used_at_most >= 0 && slots->max >= 0)
		line_printf(line, STYLE_STRONG, "%s%d/%d", slots->used < 0 ? "≤ " : "",
			slots->used_at_most, slots->max);
}

static void add_free(const struct server_row *row, struct line *line)
{
	const struct slots *slots = &row->assessment->slots;
	if (slots->free_at_least >= 0)
		line_printf(line, slots->free_at_least ? STYLE_TEXT : STYLE_LEAKED, "%s%d",
			slots->free < 0 ? "≥ " : "", slots->free_at_least);
}

/* Where sessions are hidden, more than these may be leaked. */
static void add_leaked(const struct server_row *row, struct line *line)
{
	if (row->leaked < 0)
		return;
	const char *at_least = row->is_partly_hidden ? "≥ " : "";
	if (row->leaked > 0)
		line_printf(line, STYLE_LEAKED, "✗ %s%d", at_least, row->leaked);
	else
		line_printf(line, STYLE_DIM, "%s0", at_least);
}

static void add_transaction(const struct server_row *row, struct line *line)
{
	char text[DURATION_TEXT_MAX];
	bool is_long = row->transaction > row->assessment->limits.transaction;
	if (row->transaction > 0)
		line_add(line, is_long ? STYLE_CAUTION : STYLE_TEXT,
			duration_format(row->transaction, text));
	else if (row->transaction == 0)
		line_add(line, STYLE_DIM, "-");
}

static void add_waiting(const struct server_row *row, struct line *line)
{
	if (row->waiting >= 0)
		line_printf(line, row->waiting ? STYLE_CAUTION : STYLE_DIM, "%d", row->waiting);
}

static void add_age(const struct server_row *row, int64_t now, struct line *line)
{
	char text[DURATION_TEXT_MAX];
	if (!row->assessment->activity)
		return;
	if (trouble_is_stale(row->assessment))
		line_add(line, STYLE_CAUTION,
			duration_format(trouble_age(row->assessment, now), text));
	else
		line_add(line, STYLE_GOOD, "live");
}

/* In a few words, what keeps us from reading its sessions. */
static const char *trouble_words(const struct server_row *row)
{
	const struct assessment *assessment = row->assessment;
	static const char *const words[] = {
		[SERVER_CONNECTING] = "connection lost",
		[SERVER_OK] = "statement refused",
		[SERVER_FULL] = "FULL",
		[SERVER_ROLE_LIMIT] = "role limit",
		[SERVER_DATABASE_LIMIT] = "database limit",
		[SERVER_REFUSED] = "no answer",
		[SERVER_DENIED] = "not let in",
		[SERVER_STALE] = "overdue",
	};
	bool is_late = assessment->server.status == SERVER_OK &&
		assessment->sources[SOURCE_ACTIVITY].status == SOURCE_STALE;
	if (row->asks_password)
		return "password: Enter";
	return words[is_late ? SERVER_STALE : assessment->server.status];
}

static void add_room(const struct server_row *row, struct line *line)
{
	const struct slot_limit *limit = assessment_binding_limit(row->assessment);
	if (row->room == 0)
		line_add(line, STYLE_LEAKED, "none free");
	else
		line_printf(line, STYLE_LEAKED, "%d free", row->room);
	if (limit)
		line_printf(line, STYLE_LEAKED, " (%s)", slot_limit_kind_name(limit->kind));
}

static void add_waits(const struct server_row *row, struct line *line)
{
	if (row->waiting > 0)
		line_printf(line, STYLE_CAUTION, "%d waiting", row->waiting);
	else
		line_add(line, STYLE_CAUTION, "long tx");
}

static void add_status(const struct server_row *row, struct line *line)
{
	switch (row->need) {
	case NEED_UNREACHABLE:
	case NEED_FULL:
	case NEED_SILENT: line_add(line, signs[row->need].style, trouble_words(row)); break;
	case NEED_ROOM: add_room(row, line); break;
	case NEED_LEAKED: line_printf(line, STYLE_LEAKED, "%d leaked", row->leaked); break;
	case NEED_WAITING: add_waits(row, line); break;
	case NEED_CONNECTING: line_add(line, STYLE_DIM, "connecting"); break;
	case NEED_NOTHING:
		if (row->is_partly_hidden)
			line_add(line, STYLE_CAUTION, "partly hidden");
		else
			line_add(line, STYLE_GOOD, "ok");
		break;
	}
	if (row->assessment && row->assessment->server.pooler)
		line_add_next(line, STYLE_CAUTION, "through a pooler");
}

void overview_format(
	const struct server_row *row, enum overview_column column, int64_t now, struct line *line)
{
	line_begin(line);
	if (column == OVERVIEW_NAME)
		line_add(line, STYLE_TEXT, row->name ? row->name : "?");
	else if (column == OVERVIEW_STATUS)
		add_status(row, line);
	if (!row->assessment)
		return;
	switch (column) {
	case OVERVIEW_USED: add_used(row, line); break;
	case OVERVIEW_FREE: add_free(row, line); break;
	case OVERVIEW_LEAKED: add_leaked(row, line); break;
	case OVERVIEW_TRANSACTION: add_transaction(row, line); break;
	case OVERVIEW_WAITING: add_waiting(row, line); break;
	case OVERVIEW_AGE: add_age(row, now, line); break;
	default: break;
	}
}

void overview_add_error(const struct server_row *row, bool with_hint, struct line *line)
{
	struct trouble trouble;
	if (row->need > NEED_SILENT ||
		!trouble_get(row->assessment, row->assessment->now, &trouble))
		return;
	if (trouble.error) {
		if (line->length)
			line_add(line, STYLE_DIM, " · ");
		line_add_folded(line, STYLE_DIM, trouble.error);
	}
	if (with_hint && trouble.hint && !row->asks_password)
		line_printf(line, STYLE_DIM, " → %s", trouble.hint);
}

bool overview_row_matches(const struct server_row *row, const struct filter *filter)
{
	struct line line;
	if (!filter->n_terms)
		return true;
	overview_format(row, OVERVIEW_STATUS, 0, &line);
	line_add(&line, STYLE_TEXT, " ");
	line_add(&line, STYLE_TEXT, row->name ? row->name : "?");
	if (row->assessment) {
		const struct server_state *server = &row->assessment->server;
		line_printf(&line, STYLE_TEXT, " %s:%d/%s %s", server->host ? server->host : "",
			server->port, server->database ? server->database : "",
			server->user ? server->user : "");
	}
	return filter_matches_text(filter, line.text);
}
