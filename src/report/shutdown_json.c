/* The JSON of a shutdown test: the tables of its fields, in the order in which they are written. A
 * new field is a row here, and in docs/json.md. */
#include "model/shutdown.h"
#include "report/encoder.h"
#include "report/json_rows.h"
#include "report/shutdown.h"

WORDS(event_word, shutdown_event_name, enum shutdown_event_kind)
WORDS(behaviour_word, shutdown_behaviour_name, enum shutdown_behaviour)

static const struct json_field event_fields[] = {
	{ "ms", FIELD_MS, AT(shutdown_event, at) },
	{ "event", FIELD_WORD, AT(shutdown_event, kind), event_word, EVENT_TIMEOUT + 1 },
	{ "pid", FIELD_POSITIVE, AT(shutdown_event, pid) },
	{ "connections", FIELD_COUNT, AT(shutdown_event, connections) },
	{ "text", FIELD_NAME, AT(shutdown_event, text) },
};
static const struct json_table event_table = TABLE(event_fields);

struct hook_row {
	struct shutdown_hook hook;
	const char *name;
};

static const struct json_field hook_fields[] = {
	{ "name", FIELD_NAME, AT(hook_row, name) },
	{ "phase", FIELD_NAME, AT(hook_row, hook.phase) },
	{ "state", FIELD_NAME, AT(hook_row, hook.state) },
	{ "ms", FIELD_MS, AT(hook_row, hook.duration) },
};
static const struct json_table hook_table = TABLE(hook_fields);

struct survivor_row {
	struct shutdown_survivor survivor;
	const char *kind;
};

static const struct json_field survivor_fields[] = {
	{ "kind", FIELD_NAME, AT(survivor_row, kind) },
	{ "pid", FIELD_INT, AT(survivor_row, survivor.pid) },
	{ "what", FIELD_NAME, AT(survivor_row, survivor.what) },
	{ "result", FIELD_NAME, AT(survivor_row, survivor.result) },
};
static const struct json_table survivor_table = TABLE(survivor_fields);

enum list {
	LIST_COMMAND,
	LIST_HOOKS,
	LIST_TIMELINE,
	LIST_SURVIVORS,
};

struct test_row {
	int schema;
	const char *signal, *target, *verdict_word;
	int64_t signalled_at;
	bool strict;
	struct shutdown_verdict verdict;
};

static const struct json_field test_fields[] = {
	{ "schema", FIELD_COUNT, AT(test_row, schema) },
	{ "command", FIELD_LIST, LIST_COMMAND },
	{ "signal", FIELD_NAME, AT(test_row, signal) },
	{ "target", FIELD_NAME, AT(test_row, target) },
	{ "signalled_at", FIELD_INSTANT, AT(test_row, signalled_at) },
	{ "verdict", FIELD_NAME, AT(test_row, verdict_word) },
	{ "behaviour", FIELD_WORD, AT(test_row, verdict.behaviour), behaviour_word,
		BEHAVIOUR_DIED_UNCLOSED + 1 },
	{ "strict", FIELD_FLAG, AT(test_row, strict) },
	{ "exit_status", FIELD_COUNT, AT(test_row, verdict.exit_status) },
	{ "connections_before", FIELD_COUNT, AT(test_row, verdict.before) },
	{ "connections_after", FIELD_COUNT, AT(test_row, verdict.after) },
	{ "connections_opened", FIELD_COUNT, AT(test_row, verdict.opened) },
	{ "processes_after", FIELD_COUNT, AT(test_row, verdict.running) },
	{ "drained_ms", FIELD_MS, AT(test_row, verdict.drained) },
	{ "pending_writes", FIELD_LARGE, AT(test_row, verdict.pending_writes) },
	{ "outbox_waiting", FIELD_LARGE, AT(test_row, verdict.outbox_waiting) },
	{ "hooks", FIELD_LIST, LIST_HOOKS },
	{ "not_read", FIELD_NAME, AT(test_row, verdict.not_read) },
	{ "rolled_back_write", FIELD_FLAG, AT(test_row, verdict.rolled_back_write) },
	{ "text", FIELD_NAME, AT(test_row, verdict.sentence) },
	{ "timeline", FIELD_LIST, LIST_TIMELINE },
	{ "survivors", FIELD_LIST, LIST_SURVIVORS },
};
static const struct json_table test_table = TABLE(test_fields);

static void write_command(struct encoder *encoder, const struct shutdown_report *report)
{
	for (const char *const *word = report->command; *word; word++)
		encoder_string(encoder, NULL, *word);
}

static void write_hooks(struct encoder *encoder, const struct shutdown_report *report)
{
	for (size_t i = 0; i < report->record->n_hooks; i++) {
		const struct shutdown_hook *hook = &report->record->hooks[i];
		const struct hook_row row = { *hook, hook->name };
		json_write_object(encoder, NULL, &hook_table, &row);
	}
}

static void write_timeline(struct encoder *encoder, const struct shutdown_report *report)
{
	for (size_t i = 0; i < report->verdict->n_events; i++)
		json_write_object(encoder, NULL, &event_table, &report->verdict->timeline[i]);
}

static void write_survivors(struct encoder *encoder, const struct shutdown_report *report)
{
	for (size_t i = 0; i < report->record->n_survivors; i++) {
		const struct shutdown_survivor *survivor = &report->record->survivors[i];
		const struct survivor_row row = { *survivor,
			survivor->session ? "session" : "process" };
		json_write_object(encoder, NULL, &survivor_table, &row);
	}
}

static void write_list(struct encoder *encoder, const char *key, size_t list, const void *data)
{
	static void (*const writers[])(
		struct encoder * encoder, const struct shutdown_report *report) = {
		[LIST_COMMAND] = write_command,
		[LIST_HOOKS] = write_hooks,
		[LIST_TIMELINE] = write_timeline,
		[LIST_SURVIVORS] = write_survivors,
	};
	encoder_open(encoder, key, '[');
	writers[list](encoder, data);
	encoder_close(encoder, ']');
}

int shutdown_print_json(const struct shutdown_report *report, FILE *file)
{
	const struct shutdown_record *record = report->record;
	struct test_row row = {
		.schema = SCHEMA,
		.signal = record->signal_number ? shutdown_signal_name(record->signal_number)
						: "none",
		.target = report->target,
		.verdict_word = report->verdict->pass ? "pass" : "fail",
		.signalled_at = record->signalled_wall,
		.strict = report->strict,
		.verdict = *report->verdict,
	};
	if (row.verdict.behaviour == BEHAVIOUR_NONE) {
		row.verdict_word = "none";
		row.verdict.after = row.verdict.opened = row.verdict.running = -1;
	}
	return json_write_line(file, &test_table, &row, write_list, report);
}
