/* A table of metrics. Each row is written for all servers before the next one, because both formats
 * want the samples of a metric together. */
#include "report/metrics.h"

#include <string.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "model/assessment.h"
#include "model/findings.h"
#include "model/session_ends.h"
#include "report/metrics_counters.h"
#include "report/metrics_pools.h"
#include "report/metrics_rows.h"
#include "report/metrics_writer.h"
#include "report/stream.h"

enum type { TYPE_GAUGE, TYPE_COUNTER, TYPE_HISTOGRAM };

struct metric {
	const char *name; /* with _total, for a counter */
	enum type type;
	void (*write)(const struct metrics_writer *writer);
	const char *help;
};

static void write_up(const struct metrics_writer *writer)
{
	metrics_put(writer, NULL, writer->fresh);
}

static void write_slots(const struct metrics_writer *writer)
{
	const struct slots *slots = &writer->assessment->slots;
	if (!writer->fresh)
		return;
	metrics_put_known(writer, LABELS({ "kind", "max" }), slots->max);
	metrics_put_known(writer, LABELS({ "kind", "reserved" }), slots->reserved);
	metrics_put_known(writer, LABELS({ "kind", "used" }), slots->used);
	metrics_put_known(writer, LABELS({ "kind", "free" }), slots->free);
}

static void write_wanted(const struct metrics_writer *writer)
{
	if (writer->options->wanted_free > 0)
		metrics_put(writer, NULL, writer->options->wanted_free);
}

static void write_connections(const struct metrics_writer *writer)
{
	for (int i = 0; writer->fresh && i < STATUS_COUNT; i++)
		metrics_put_known(writer, LABELS({ "status", status_name((enum status)i) }),
			writer->assessment->slots.by_status[i]);
}

static int64_t count_leaked(
	const struct assessment *assessment, enum reason reason, enum certainty certainty)
{
	int64_t count = 0;
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		count += connection->in_scope && connection->verdict.status == STATUS_LEAKED &&
			connection->verdict.reason == reason &&
			connection->verdict.certainty == certainty;
	}
	return count;
}

/* Whether a leak for this reason can have this certainty: then 0 is a sample, too. */
static bool can_be(enum reason reason, enum certainty certainty)
{
	switch (reason) {
	case REASON_CLIENT_GONE:
		return certainty == CERTAINTY_PROVEN || certainty == CERTAINTY_DECLARED;
	case REASON_HELD_TOO_LONG:
		return certainty == CERTAINTY_DECLARED || certainty == CERTAINTY_PRESUMED;
	default: return certainty == CERTAINTY_PRESUMED;
	}
}

static void write_leaked(const struct metrics_writer *writer)
{
	if (!writer->fresh)
		return;
	for (int i = REASON_CLIENT_GONE; i < REASON_COUNT; i++)
		for (int j = CERTAINTY_PRESUMED; j < CERTAINTY_COUNT; j++)
			if (can_be((enum reason)i, (enum certainty)j))
				metrics_put(writer,
					LABELS({ "reason", reason_name((enum reason)i) },
						{ "certainty", certainty_name((enum certainty)j) }),
					count_leaked(writer->assessment, (enum reason)i,
						(enum certainty)j));
}

static void write_processes(const struct metrics_writer *writer)
{
	for (size_t i = 0; writer->fresh && i < writer->rows->n_processes; i++) {
		const struct process_sum *sum = &writer->rows->processes[i];
		metrics_put(writer,
			LABELS({ "process", sum->name }, { "user", sum->user },
				{ "unit", sum->unit }, { "container", sum->container },
				{ "host", sum->host }),
			(int64_t)sum->connections);
	}
}

static void write_oldest_transaction(const struct metrics_writer *writer)
{
	if (writer->fresh)
		metrics_put_seconds(
			writer, NULL, assessment_oldest_transaction(writer->assessment));
}

static void write_lock_waits(const struct metrics_writer *writer)
{
	if (writer->fresh)
		metrics_put(writer, NULL, assessment_count_lock_waits(writer->assessment));
}

static void write_logging_in(const struct metrics_writer *writer)
{
	if (writer->fresh)
		metrics_put_known(writer, NULL, writer->assessment->slots.logging_in);
}

/* So many of the tightest limits are shown. */
#define LIMITS_MAX 20

/* The i-th limit that is shown; NULL if there is none. Different names may be the same when they
 * are clean: the tightest one is shown. */
static const struct slot_limit *get_limit(const struct assessment *assessment, size_t i)
{
	const struct slot_limit *limit = &assessment->slot_limits[i];
	if (limit->limit < 0)
		return NULL;
	for (size_t k = 0; k < i; k++) {
		const struct slot_limit *before = &assessment->slot_limits[k];
		if (before->kind == limit->kind && strcmp(before->name, limit->name) == 0)
			return NULL;
	}
	return limit;
}

static void write_limit_rows(const struct metrics_writer *writer, bool used)
{
	const struct assessment *assessment = writer->assessment;
	for (size_t i = 0; writer->fresh && i < assessment->n_slot_limits && i < LIMITS_MAX; i++) {
		const struct slot_limit *limit = get_limit(assessment, i);
		if (limit)
			metrics_put_known(writer,
				LABELS({ "kind", slot_limit_kind_name(limit->kind) },
					{ "name", limit->name }),
				used ? limit->used : limit->limit);
	}
}

static void write_limits(const struct metrics_writer *writer)
{
	write_limit_rows(writer, false);
}

static void write_limits_used(const struct metrics_writer *writer)
{
	write_limit_rows(writer, true);
}

/* So many databases are shown: those that had most sessions. */
#define DATABASES_MAX 20

/* The server's own counters: one that begins anew on the server does so here. */
static void write_session_ends(const struct metrics_writer *writer)
{
	const struct session_ends *ends = writer->assessment->session_ends;
	for (size_t i = 0; writer->fresh && ends && i < ends->count && i < DATABASES_MAX; i++) {
		const struct database_ends *item = &ends->items[i];
		const char *name = item->database;
		/* different names may be the same when they are clean */
		if (session_ends_find(ends, name) != item)
			continue;
		metrics_put_known(writer, LABELS({ "database", name }, { "how", "abandoned" }),
			item->abandoned);
		metrics_put_known(
			writer, LABELS({ "database", name }, { "how", "fatal" }), item->fatal);
		metrics_put_known(
			writer, LABELS({ "database", name }, { "how", "killed" }), item->killed);
	}
}

static void write_terminated(const struct metrics_writer *writer)
{
	static const enum action_result results[] = { RESULT_TERMINATED, RESULT_GONE,
		RESULT_CHANGED, RESULT_DENIED, RESULT_TIMEOUT };
	for (size_t i = 0; i < sizeof(results) / sizeof(results[0]); i++)
		metrics_put(writer, LABELS({ "result", action_result_name(results[i]) }),
			(int64_t)metrics_counters_results(writer->counters, results[i]));
}

static void write_refresh(const struct metrics_writer *writer)
{
	if (writer->fresh)
		metrics_put_seconds(writer, NULL, writer->assessment->server.latency);
}

/* A console may be named twice. */
static bool is_first_source(const struct assessment *assessment, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(assessment->sources[k].name, assessment->sources[i].name) == 0)
			return false;
	return true;
}

static void write_source_ages(const struct metrics_writer *writer)
{
	const struct assessment *assessment = writer->assessment;
	for (size_t i = 0; i < assessment->n_sources; i++)
		if (is_first_source(assessment, i))
			metrics_put_seconds(writer,
				LABELS({ "source", assessment->sources[i].name }),
				instant_elapsed(assessment->sources[i].taken_at, assessment->now));
}

static const struct metric metrics[] = {
	{ "dbtop_up", TYPE_GAUGE, write_up, "1 if the rows of the last poll are current." },
	{ "dbtop_slots", TYPE_GAUGE, write_slots, "Connection slots of the server." },
	{ "dbtop_slots_wanted_free", TYPE_GAUGE, write_wanted,
		"Fewer free slots than this are too few (--min-free)." },
	{ "dbtop_connections", TYPE_GAUGE, write_connections, "Sessions by status." },
	{ "dbtop_leaked_connections", TYPE_GAUGE, write_leaked,
		"Leaked sessions by reason and certainty." },
	{ "dbtop_process_connections", TYPE_GAUGE, write_processes,
		"Sessions by the process at their other end." },
	{ "dbtop_oldest_transaction_seconds", TYPE_GAUGE, write_oldest_transaction,
		"Age of the oldest transaction." },
	{ "dbtop_waiting_on_lock_connections", TYPE_GAUGE, write_lock_waits,
		"Sessions that wait for a lock." },
	{ "dbtop_logging_in_connections", TYPE_GAUGE, write_logging_in,
		"Sockets to the server that have no session yet." },
	{ "dbtop_limit_connections", TYPE_GAUGE, write_limits,
		"The tightest CONNECTION LIMITs of roles and databases." },
	{ "dbtop_limit_used_connections", TYPE_GAUGE, write_limits_used,
		"Sessions that count against such a limit." },
	{ "dbtop_sessions_ended_total", TYPE_COUNTER, write_session_ends,
		"Sessions that ended in another way than by closing them, as the server counts." },
	{ "dbtop_terminated_total", TYPE_COUNTER, write_terminated,
		"Sessions that the guard was to end, by result." },
	{ "dbtop_refresh_seconds", TYPE_GAUGE, write_refresh,
		"How long the server took to answer the last poll." },
	{ "dbtop_source_age_seconds", TYPE_GAUGE, write_source_ages,
		"Age of what each source said last." },
	{ "dbtop_pool_connections", TYPE_GAUGE, metrics_write_pool_connections,
		"Connections of the pools of one name." },
	{ "dbtop_pool_connections_max", TYPE_GAUGE, metrics_write_pool_max,
		"The most connections that they may open." },
	{ "dbtop_pool_waiting", TYPE_GAUGE, metrics_write_pool_waiting,
		"Threads that wait for a connection." },
	{ "dbtop_pool_timeouts_total", TYPE_COUNTER, metrics_write_pool_timeouts,
		"Checkouts that waited too long." },
	{ "dbtop_pool_wait_seconds", TYPE_HISTOGRAM, metrics_write_waits,
		"How long checkouts waited." },
	{ "dbtop_pool_pending_writes", TYPE_GAUGE, metrics_write_pending,
		"Writes that the application has not sent yet." },
	{ "dbtop_outbox_waiting", TYPE_GAUGE, metrics_write_outbox_waiting,
		"Writes that wait in outboxes." },
	{ "dbtop_outbox_rejected_total", TYPE_COUNTER, metrics_write_outbox_rejected,
		"Writes of outboxes that the server refused for good." },
	{ "dbtop_pgbouncer_clients", TYPE_GAUGE, metrics_write_bouncer_clients,
		"Clients of PgBouncer by pool." },
	{ "dbtop_pgbouncer_servers", TYPE_GAUGE, metrics_write_bouncer_servers,
		"PgBouncer's connections to the server by pool." },
	{ "dbtop_pgbouncer_max_wait_seconds", TYPE_GAUGE, metrics_write_bouncer_wait,
		"How long the first client in the queue has waited." },
};
#define METRICS (sizeof(metrics) / sizeof(metrics[0]))

static bool ends_with(const char *text, size_t length, const char *end)
{
	size_t n = strlen(end);
	return length >= n && strncmp(text + length - n, end, n) == 0;
}

/* In OpenMetrics a counter's name has no _total, which only its samples have. */
static void put_head(FILE *file, const struct metric *metric, enum metrics_format format)
{
	static const char *const types[] = { "gauge", "counter", "histogram" };
	size_t length = strlen(metric->name);
	if (format == METRICS_OPEN && metric->type == TYPE_COUNTER)
		length -= strlen("_total");
	fprintf(file, "# HELP %.*s %s\n", (int)length, metric->name, metric->help);
	fprintf(file, "# TYPE %.*s %s\n", (int)length, metric->name, types[metric->type]);
	if (format == METRICS_OPEN && ends_with(metric->name, length, "_seconds"))
		fprintf(file, "# UNIT %.*s seconds\n", (int)length, metric->name);
}

int metrics_print(const struct metrics_source *sources, size_t n_sources,
	const struct metrics_options *options, FILE *file)
{
	struct arena *arena = arena_new();
	struct metrics_rows *rows = arena_array(arena, n_sources + 1, sizeof(*rows));
	for (size_t i = 0; i < n_sources; i++)
		rows[i] = metrics_rows_make(
			arena, sources[i].assessment, sources[i].counters, options->processes);
	for (size_t k = 0; k < METRICS; k++) {
		put_head(file, &metrics[k], options->format);
		for (size_t i = 0; i < n_sources; i++) {
			const struct metrics_writer writer = {
				.file = file,
				.name = metrics[k].name,
				.server = sources[i].server,
				.assessment = sources[i].assessment,
				.counters = sources[i].counters,
				.options = options,
				.rows = &rows[i],
				.fresh = !findings_has_no_rows(sources[i].assessment),
			};
			metrics[k].write(&writer);
		}
	}
	if (options->format == METRICS_OPEN)
		fputs("# EOF\n", file);
	arena_free(arena);
	return stream_flush(file);
}

char *metrics_server_label(const struct assessment *assessment)
{
	const struct server_state *server = &assessment->server;
	return mem_printf("%s:%d/%s", server->host ? server->host : "local", server->port,
		server->database ? server->database : "");
}
