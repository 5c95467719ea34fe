/* What each column shows of a connection, and its sort key. */
#include "widgets/columns.h"

#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/duration.h"
#include "base/instant.h"
#include "base/text.h"
#include "model/assessment.h"
#include "widgets/line.h"
#include "widgets/process_title.h"

/* The statuses; the lowest order is sorted first. */
static const struct {
	const char *word, *narrow;
	enum style style, row;
	unsigned int order;
} statuses[] = {
	[STATUS_UNKNOWN] = { "unknown", "unknown", STYLE_DIM, STYLE_DIM, 4 },
	[STATUS_ACTIVE] = { "active", "active", STYLE_ACTIVE, STYLE_TEXT, 2 },
	[STATUS_IDLE] = { "idle", "idle", STYLE_DIM, STYLE_DIM, 3 },
	[STATUS_IDLE_IN_TRANSACTION] = { "in transaction", "in txn", STYLE_CAUTION, STYLE_TEXT, 1 },
	[STATUS_LEAKED] = { "LEAKED", "LEAKED", STYLE_LEAKED, STYLE_TEXT, 0 },
};

static enum style row_style(const struct connection *connection)
{
	return statuses[connection->verdict.status].row;
}

static enum style status_style(const struct connection *connection)
{
	return statuses[connection->verdict.status].style;
}

static int digits(uint32_t number)
{
	int count = 1;
	for (; number >= 10; number /= 10)
		count++;
	return count;
}

static void backend_format(const struct assessment *assessment, const struct connection *connection,
	bool narrow, struct line *line)
{
	(void)assessment, (void)narrow;
	bool leaked = connection->verdict.status == STATUS_LEAKED;
	line_printf(line, leaked ? STYLE_LEAKED : row_style(connection), "%d",
		connection->backend->pid);
}

static int backend_measure(const struct connection *connection)
{
	return digits((uint32_t)connection->backend->pid);
}

static uint64_t backend_key(const struct connection *connection)
{
	return (uint64_t)connection->backend->pid;
}

/* LEAKED is proven or declared by the pool, LEAKED? is presumed. One that is at rest for more than
 * half of its limit is old. */
static void status_format(const struct assessment *assessment, const struct connection *connection,
	bool narrow, struct line *line)
{
	enum status status = connection->verdict.status;
	if (verdict_is_old(&connection->verdict, &assessment->limits)) {
		bool idle = status == STATUS_IDLE;
		line_add(line, STYLE_CAUTION,
			narrow         ? idle ? "old" : "old txn"
				: idle ? "idle, old"
				       : "in txn, old");
		return;
	}
	line_add(line, statuses[status].style,
		narrow ? statuses[status].narrow : statuses[status].word);
	if (connection->verdict.certainty == CERTAINTY_PRESUMED)
		line_add(line, statuses[status].style, "?");
}

/* Longest first; not known (−1) is last. */
static uint64_t for_key(const struct connection *connection)
{
	return UINT64_MAX / 2 - (uint64_t)(connection->verdict.age + 1);
}

/* Worst first, then longest. */
static uint64_t status_key(const struct connection *connection)
{
	uint64_t order = statuses[connection->verdict.status].order;
	return order << 60 | for_key(connection) >> 4;
}

static void for_format(const struct assessment *assessment, const struct connection *connection,
	bool narrow, struct line *line)
{
	(void)assessment;
	char text[DURATION_TEXT_MAX];
	duration_format(connection->verdict.age, text);
	size_t number = strspn(text, "0123456789");
	if (narrow && number && text[number] != '.')
		text[number + 1] = '\0'; /* 7m12s becomes 7m */
	line_add(line, status_style(connection), text);
}

/* Shown when the process is not known. */
static const char *const without_process[] = {
	[CLIENT_END_UNKNOWN] = "…",
	[CLIENT_END_ELSEWHERE] = "elsewhere",
	[CLIENT_END_NOT_VISIBLE] = "another user's",
	[CLIENT_END_HELD] = "…",
	[CLIENT_END_GONE] = "gone",
};

static void process_format(const struct assessment *assessment, const struct connection *connection,
	bool narrow, struct line *line)
{
	(void)narrow;
	const struct client_process *process = assessment_process(assessment, connection);
	if (!process) {
		bool hidden = connection->backend->kind == BACKEND_HIDDEN;
		line_add(
			line, STYLE_DIM, hidden ? "not visible" : without_process[connection->end]);
		return;
	}
	if (!process->alive)
		line_add(line, STYLE_DIM, "gone: ");
	process_title_add(&process->process, row_style(connection), line);
	line_printf(line, STYLE_DIM, " %d", process->process.pid);
	if (process->process.host)
		line_printf(line, STYLE_DIM, "@%s", process->process.host);
}

static const char *process_text(
	const struct assessment *assessment, const struct connection *connection)
{
	const struct client_process *process = assessment_process(assessment, connection);
	return process ? process->process.command : NULL;
}

static const char *container_text(
	const struct assessment *assessment, const struct connection *connection)
{
	const struct client_process *process = assessment_process(assessment, connection);
	return process ? process->process.container : NULL;
}

static const char *application_text(
	const struct assessment *assessment, const struct connection *connection)
{
	(void)assessment;
	return connection->backend->application_name;
}

static const char *user_text(
	const struct assessment *assessment, const struct connection *connection)
{
	(void)assessment;
	return connection->backend->user;
}

static const char *database_text(
	const struct assessment *assessment, const struct connection *connection)
{
	(void)assessment;
	return connection->backend->database;
}

/* The client of the application. Behind PgBouncer the server's client is PgBouncer itself. */
static const struct endpoint *client_of(const struct connection *connection)
{
	return connection->bouncer_client ? &connection->bouncer_client->remote
					  : &connection->backend->client;
}

static void client_format(const struct assessment *assessment, const struct connection *connection,
	bool narrow, struct line *line)
{
	(void)assessment, (void)narrow;
	char text[ENDPOINT_TEXT_MAX];
	line_add(line, row_style(connection), endpoint_format(client_of(connection), text));
}

/* The width of what endpoint_format() writes, without formatting it: this runs
 * for each connection. */
static int client_measure(const struct connection *connection)
{
	const struct endpoint *client = client_of(connection);
	char text[ENDPOINT_TEXT_MAX];
	if (client->family == AF_UNSPEC)
		return 0;
	if (client->family != AF_INET)
		return (int)strlen(endpoint_format(client, text));
	int width = 4 + digits(client->port);
	for (int i = 0; i < 4; i++)
		width += digits(client->address[i]);
	return width;
}

static uint64_t client_key(const struct connection *connection)
{
	const struct endpoint *client = client_of(connection);
	uint64_t key = 0;
	for (int i = 0; i < 6; i++)
		key = key << 8 | client->address[i];
	return client->family == AF_UNSPEC ? UINT64_MAX : key << 16 | client->port;
}

static const char *query_text(
	const struct assessment *assessment, const struct connection *connection)
{
	(void)assessment;
	return connection->backend->query;
}

/* "held since 11:56:32 at sync.c:212": names the line of code that borrowed the connection. */
static void add_hold(const struct pool_slot *slot, struct line *line)
{
	char since[INSTANT_TEXT_MAX];
	line_printf(line, STYLE_LEAKED, "held since %s", instant_clock(slot->since, since));
	if (slot->site) {
		line_add(line, STYLE_LEAKED, " at ");
		line_add(line, STYLE_LEAKED, slot->site);
	}
}

/* Explains the status; query_format() adds the statement after it. */
static void add_why(const struct connection *connection, struct line *line)
{
	const struct verdict *verdict = &connection->verdict;
	const struct backend *backend = connection->backend;
	if (verdict->status == STATUS_UNKNOWN)
		line_add(line, STYLE_DIM,
			backend->kind == BACKEND_HIDDEN ? "hidden from this role"
							: "track_activities is off");
	else if (verdict->reason == REASON_HELD_TOO_LONG && connection->slot)
		add_hold(connection->slot, line);
	else if (verdict->reason != REASON_NONE)
		line_add(line, STYLE_LEAKED, reason_phrase(verdict->reason));
	else if (verdict->protection != PROTECTION_NONE)
		line_add(line, STYLE_PROTECTED, protection_phrase(verdict->protection));
	if (backend->state == BACKEND_STATE_IN_ABORTED_TRANSACTION)
		line_add_next(line, STYLE_CAUTION, "aborted");
	if (verdict->status == STATUS_ACTIVE && backend->wait_event_type &&
		strcmp(backend->wait_event_type, "Lock") == 0)
		line_add_next(line, STYLE_CAUTION, "waits for a lock");
	if (connection->waits_for_client > 0) {
		char age[DURATION_TEXT_MAX];
		line_add_next(line, STYLE_CAUTION, "waits for its client, ");
		line_add(line, STYLE_CAUTION, duration_format(connection->waits_for_client, age));
	}
}

static void query_format(const struct assessment *assessment, const struct connection *connection,
	bool narrow, struct line *line)
{
	(void)assessment, (void)narrow;
	const char *query = connection->backend->query;
	add_why(connection, line);
	if (!query || !*query || connection->verdict.protection == PROTECTION_OWN)
		return;
	line_add_next(line, STYLE_DIM, "");
	line_add_folded(line, row_style(connection), query);
}

/* The oldest instant sorts first, an unknown one last. */
static uint64_t since_key(int64_t instant)
{
	return instant == INSTANT_UNKNOWN ? UINT64_MAX : (uint64_t)instant + (UINT64_C(1) << 63);
}

static void add_since(const struct assessment *assessment, const struct connection *connection,
	int64_t instant, struct line *line)
{
	char text[DURATION_TEXT_MAX];
	if (instant != INSTANT_UNKNOWN)
		line_add(line, row_style(connection),
			duration_format(instant_elapsed(instant, assessment->server_now), text));
}

static void age_format(const struct assessment *assessment, const struct connection *connection,
	bool narrow, struct line *line)
{
	(void)narrow;
	add_since(assessment, connection, connection->backend->start, line);
}

static uint64_t age_key(const struct connection *connection)
{
	return since_key(connection->backend->start);
}

static void transaction_format(const struct assessment *assessment,
	const struct connection *connection, bool narrow, struct line *line)
{
	(void)narrow;
	add_since(assessment, connection, connection->backend->xact_start, line);
}

static uint64_t transaction_key(const struct connection *connection)
{
	return since_key(connection->backend->xact_start);
}

static const char *wait_text(
	const struct assessment *assessment, const struct connection *connection)
{
	(void)assessment;
	return connection->backend->wait_event;
}

static bool application_is_redundant(
	const struct assessment *assessment, const struct connection *connection)
{
	const struct client_process *holder = assessment_process(assessment, connection);
	const char *application = connection->backend->application_name;
	if (!application || !*application)
		return true;
	return holder && process_title_says(&holder->process, application);
}

static bool database_is_redundant(
	const struct assessment *assessment, const struct connection *connection)
{
	const char *database = connection->backend->database;
	const char *title = assessment->server.database;
	return !database || (title && strcmp(database, title) == 0);
}

/* In the order of the screen. Columns whose contents change often have a constant width, so that
 * the other columns do not move. */
static const struct column columns[] = {
	[COLUMN_BACKEND] = { "BACKEND", "backend", "pid", .right = true, .widest = 10,
		.format = backend_format, .measure = backend_measure, .key = backend_key },
	[COLUMN_STATUS] = { "STATUS", "status", NULL, .widest = sizeof("in transaction") - 1,
		.narrow = sizeof("LEAKED?") - 1, .format = status_format, .key = status_key },
	[COLUMN_FOR] = { "FOR", "for", NULL, .right = true, .widest = 7, .narrow = 4,
		.format = for_format, .key = for_key },
	[COLUMN_PROCESS] = { "PROCESS", "process", "command", .widest = 30, .narrow = 16,
		.text = process_text, .format = process_format },
	[COLUMN_APPLICATION] = { "APPLICATION", "application", NULL, .widest = 20,
		.text = application_text, .is_redundant = application_is_redundant },
	[COLUMN_USER] = { "USER", "user", "role", .widest = 16, .text = user_text },
	[COLUMN_DATABASE] = { "DATABASE", "database", "db", .widest = 16, .text = database_text,
		.is_redundant = database_is_redundant },
	[COLUMN_CLIENT] = { "CLIENT", "client", "address", .widest = 47, .format = client_format,
		.measure = client_measure, .key = client_key },
	[COLUMN_CONTAINER] = { "CONTAINER", "container", NULL, .widest = 24, .optional = true,
		.text = container_text },
	[COLUMN_AGE] = { "AGE", "age", NULL, .right = true, .widest = 7, .narrow = 7,
		.optional = true, .format = age_format, .key = age_key },
	[COLUMN_TRANSACTION] = { "TXN", "transaction", "txn", .right = true, .widest = 7,
		.narrow = 7, .optional = true, .format = transaction_format,
		.key = transaction_key },
	[COLUMN_WAIT] = { "WAIT", "wait", NULL, .widest = 20, .optional = true, .text = wait_text },
	[COLUMN_QUERY] = { "QUERY, OR WHY", "query", "why", .text = query_text,
		.format = query_format },
};

const struct column *column_get(enum column_id id)
{
	return &columns[id];
}

const char *const *column_names(size_t *ret_count)
{
	static const char *names[2 * COLUMN_COUNT];
	size_t count = 0;
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		names[count++] = columns[i].field;
	for (size_t i = 0; i < COLUMN_COUNT; i++)
		if (columns[i].alias)
			names[count++] = columns[i].alias;
	*ret_count = count;
	return names;
}

static bool begins(const char *whole, const char *name, size_t length)
{
	return whole && strncasecmp(whole, name, length) == 0;
}

enum column_id column_find(const char *name, size_t length)
{
	for (size_t i = 0; length && i < COLUMN_COUNT; i++)
		if (begins(columns[i].field, name, length) ||
			begins(columns[i].alias, name, length))
			return (enum column_id)i;
	return COLUMN_NONE;
}

void column_format(enum column_id id, const struct assessment *assessment,
	const struct connection *connection, bool narrow, struct line *line)
{
	const struct column *column = &columns[id];
	line_begin(line);
	if (column->format) {
		column->format(assessment, connection, narrow, line);
		return;
	}
	const char *text = column->text(assessment, connection);
	line_add(line, row_style(connection), text ? text : "");
}

int column_measure(enum column_id id, const struct assessment *assessment,
	const struct connection *connection, int known)
{
	const struct column *column = &columns[id];
	int width;
	if (column->measure) {
		width = column->measure(connection);
	} else {
		const char *text = column->text(assessment, connection);
		width = text ? (int)strnlen(text, LINE_BYTES) : 0;
		/* A character has at least as many bytes as columns. */
		if (width > known)
			width = text_width(text);
	}
	return width < column->widest ? width : column->widest;
}
