/* The JSON of actions and emergencies: the tables of its fields, in the order in which they are
 * written. A new field is a row here, and in docs/json.md. */
#include "base/instant.h"
#include "model/emergency.h"
#include "report/emergency_report.h"
#include "report/encoder.h"
#include "report/json_rows.h"
#include "report/result.h"

WORDS(reason_word, reason_name, enum reason)
WORDS(certainty_word, certainty_name, enum certainty)

/* A step, and its values that are written in another form. */
struct step_row {
	struct action_step step;
	const char *kind, *result, *reason, *detail, *loses, *signal;
};

/* What an action and an emergency say of a session. */
/* clang-format off */
#define SESSION_FIELDS \
	{ "detail", FIELD_NAME, AT(step_row, step.detail) }, \
	{ "loses", FIELD_NAME, AT(step_row, step.session.loses) }, \
	{ "locks", FIELD_COUNT, AT(step_row, step.session.locks) }, \
	{ "waiters", FIELD_COUNT, AT(step_row, step.session.waiters) }, \
	{ "backend_start", FIELD_INSTANT, AT(step_row, step.session.backend_start) }, \
	{ "database", FIELD_NAME, AT(step_row, step.session.database) }, \
	{ "user", FIELD_NAME, AT(step_row, step.session.user) }, \
	{ "application_name", FIELD_NAME, AT(step_row, step.session.application_name) }, \
	{ "state", FIELD_NAME, AT(step_row, step.session.state_text) }
/* clang-format on */

/* A session of an action. */
static const struct json_field target_fields[] = {
	{ "pid", FIELD_INT, AT(step_row, step.pid) },
	{ "result", FIELD_NAME, AT(step_row, result) },
	{ "reason", FIELD_WORD, AT(step_row, step.session.reason), reason_word, REASON_COUNT },
	{ "certainty", FIELD_WORD, AT(step_row, step.session.certainty), certainty_word,
		CERTAINTY_COUNT },
	SESSION_FIELDS,
	{ "seconds", FIELD_SECONDS, AT(step_row, step.session.age) },
	{ "query", FIELD_TEXT, AT(step_row, step.session.query) },
	{ "process", FIELD_NAME, AT(step_row, step.session.process) },
	{ "process_pid", FIELD_POSITIVE, AT(step_row, step.session.process_pid) },
};
static const struct json_table target_table = TABLE(target_fields);

/* A session of an emergency. */
static const struct json_field session_fields[] = {
	{ "kind", FIELD_NAME, AT(step_row, kind) },
	{ "pid", FIELD_INT, AT(step_row, step.pid) },
	{ "result", FIELD_NAME, AT(step_row, result) },
	{ "reason", FIELD_NAME, AT(step_row, reason) },
	SESSION_FIELDS,
	{ "process_pid", FIELD_POSITIVE, AT(step_row, step.session.process_pid) },
};
static const struct json_table session_table = TABLE(session_fields);

/* A process of an emergency. */
static const struct json_field process_fields[] = {
	{ "kind", FIELD_NAME, AT(step_row, kind) },
	{ "pid", FIELD_INT, AT(step_row, step.pid) },
	{ "result", FIELD_NAME, AT(step_row, result) },
	{ "reason", FIELD_NAME, AT(step_row, reason) },
	{ "detail", FIELD_NAME, AT(step_row, detail) },
	{ "signal", FIELD_NAME, AT(step_row, signal) },
	{ "seconds", FIELD_SECONDS, AT(step_row, step.process.took) },
	{ "start_ticks", FIELD_TICKS, AT(step_row, step.process.start_ticks) },
	{ "name", FIELD_NAME, AT(step_row, step.process.name) },
	{ "command", FIELD_NAME, AT(step_row, step.process.command) },
	{ "user", FIELD_NAME, AT(step_row, step.process.user) },
	{ "unit", FIELD_NAME, AT(step_row, step.process.unit) },
	{ "applications", FIELD_NAME, AT(step_row, step.process.applications) },
	{ "connections", FIELD_UNSIGNED, AT(step_row, step.process.connections) },
	{ "loses", FIELD_NAME, AT(step_row, loses) },
};
static const struct json_table process_table = TABLE(process_fields);

static const struct json_field left_fields[] = {
	{ "pid", FIELD_POSITIVE, AT(emergency_left, backend) },
	{ "process_pid", FIELD_POSITIVE, AT(emergency_left, process_pid) },
	{ "name", FIELD_NAME, AT(emergency_left, name) },
	{ "connections", FIELD_UNSIGNED, AT(emergency_left, connections) },
	{ "why", FIELD_NAME, AT(emergency_left, why) },
};
static const struct json_table left_table = TABLE(left_fields);

/* As in a snapshot, but for what has an age. */
static const struct json_field server_fields[] = {
	{ "host", FIELD_NAME, AT(action_server, host) },
	{ "port", FIELD_POSITIVE, AT(action_server, port) },
	{ "database", FIELD_NAME, AT(action_server, database) },
	{ "version", FIELD_COUNT, AT(action_server, version) },
	{ "started_at", FIELD_INSTANT, AT(action_server, started_at) },
	{ "status", FIELD_NAME, AT(action_server, status) },
	{ "pooler", FIELD_FLAG, AT(action_server, pooler) },
	{ "user", FIELD_NAME, AT(action_server, user) },
	{ "name", FIELD_NAME, AT(action_server, name) },
};
static const struct json_table server_table = TABLE(server_fields);

enum list {
	LIST_TARGETS,
	LIST_SPARED,
	LIST_SURVIVORS,
	LIST_LEFT,
};

/* An action or an emergency. */
struct result_row {
	int schema;
	const char *action, *error;
	struct action_server server;
	int64_t at, made_at, terminated;
	bool dry_run, connected, interrupted;
	int connections_left;
};

/* What the results of an action and of the guard have in common. */
/* clang-format off */
#define RESULT_FIELDS \
	{ "server", FIELD_OPTIONAL, AT(result_row, server), .table = &server_table }, \
	{ "made_at", FIELD_INSTANT, AT(result_row, made_at) }, \
	{ "targets", FIELD_LIST, LIST_TARGETS }, \
	{ "terminated", FIELD_LARGE, AT(result_row, terminated) }, \
	{ "survivors", FIELD_LIST, LIST_SURVIVORS }, \
	{ "error", FIELD_NAME, AT(result_row, error) }
/* clang-format on */

static const struct json_field action_fields[] = {
	{ "schema", FIELD_COUNT, AT(result_row, schema) },
	{ "action", FIELD_NAME, AT(result_row, action) },
	{ "dry_run", FIELD_FLAG, AT(result_row, dry_run) },
	RESULT_FIELDS,
};
static const struct json_table action_table = TABLE(action_fields);

/* An action of the guard. */
static const struct json_field event_fields[] = {
	{ "schema", FIELD_COUNT, AT(result_row, schema) },
	{ "at", FIELD_INSTANT, AT(result_row, at) },
	{ "action", FIELD_NAME, AT(result_row, action) },
	RESULT_FIELDS,
};
static const struct json_table event_table = TABLE(event_fields);

static const struct json_field emergency_fields[] = {
	{ "schema", FIELD_COUNT, AT(result_row, schema) },
	{ "action", FIELD_NAME, AT(result_row, action) },
	{ "dry_run", FIELD_FLAG, AT(result_row, dry_run) },
	{ "server", FIELD_OPTIONAL, AT(result_row, server), .table = &server_table },
	{ "made_at", FIELD_INSTANT, AT(result_row, made_at) },
	{ "connected", FIELD_FLAG, AT(result_row, connected) },
	{ "targets", FIELD_LIST, LIST_TARGETS },
	{ "spared", FIELD_LIST, LIST_SPARED },
	{ "terminated", FIELD_LARGE, AT(result_row, terminated) },
	{ "survivors", FIELD_LIST, LIST_SURVIVORS },
	{ "left", FIELD_LIST, LIST_LEFT },
	{ "connections_left", FIELD_COUNT, AT(result_row, connections_left) },
	{ "interrupted", FIELD_FLAG, AT(result_row, interrupted) },
	{ "error", FIELD_NAME, AT(result_row, error) },
};
static const struct json_table emergency_table = TABLE(emergency_fields);

/* What the lists are written from; emergency: NULL for an action. */
struct document {
	const struct action *action;
	const struct emergency *emergency;
	bool dry_run;
};

/* For emergency_each_session(). */
struct visit {
	struct encoder *encoder;
	const struct document *document;
};

static const char *result_word(const struct document *document, const struct action_step *step)
{
	return document->dry_run ? NULL : action_result_name(step->result);
}

static void write_process(
	struct encoder *encoder, const struct document *document, const struct action_step *step)
{
	char loses[EMERGENCY_LOSES_MAX];
	bool is_skipped = step->process.skip != SKIP_NONE;
	int signal_number = step->process.signal;
	emergency_loses(document->emergency, step, loses);
	const struct step_row row = {
		.step = *step,
		.kind = "process",
		.result = is_skipped ? NULL : result_word(document, step),
		.reason = is_skipped ? skip_reason_name(step->process.skip) : "holds_connections",
		.detail = is_skipped ? step->process.why : step->detail,
		.loses = *loses ? loses : NULL,
		.signal = signal_number ? action_signal_name(signal_number) : NULL,
	};
	json_write_object(encoder, NULL, &process_table, &row);
}

static void write_session(void *data, const struct action_step *step)
{
	const struct visit *visit = data;
	const struct step_row row = {
		.step = *step,
		.kind = "session",
		.result = result_word(visit->document, step),
		.reason = "process_gone",
	};
	if (step->selected)
		json_write_object(visit->encoder, NULL,
			visit->document->emergency ? &session_table : &target_table, &row);
}

static void write_sessions(
	struct encoder *encoder, const struct document *document, const struct action *action)
{
	struct visit visit = { encoder, document };
	for (size_t i = 0; i < action->n_steps; i++)
		write_session(&visit, &action->steps[i]);
}

static void write_processes(
	struct encoder *encoder, const struct document *document, bool are_skipped)
{
	for (size_t i = 0; i < document->action->n_steps; i++) {
		const struct action_step *step = &document->action->steps[i];
		if ((step->process.skip != SKIP_NONE) == are_skipped)
			write_process(encoder, document, step);
	}
}

static void write_targets(struct encoder *encoder, const struct document *document)
{
	const struct emergency *emergency = document->emergency;
	if (emergency)
		write_processes(encoder, document, false);
	if (emergency && !document->dry_run)
		emergency_each_session(
			emergency, write_session, &(struct visit){ encoder, document });
	else
		write_sessions(encoder, document, emergency ? emergency->gone : document->action);
}

static void write_spared(struct encoder *encoder, const struct document *document)
{
	write_processes(encoder, document, true);
}

static void write_survivor(void *data, const struct action_step *step)
{
	if (step->selected && action_result_survived(step->result))
		encoder_integer(data, NULL, step->pid);
}

/* Lists pids: of processes and of sessions. Those that were not in a plan are only in "left". */
static void write_survivors(struct encoder *encoder, const struct document *document)
{
	for (size_t i = 0; i < document->action->n_steps; i++)
		write_survivor(encoder, &document->action->steps[i]);
	if (document->emergency)
		emergency_each_session(document->emergency, write_survivor, encoder);
}

static void write_left(struct encoder *encoder, const struct document *document)
{
	const struct emergency *emergency = document->emergency;
	for (size_t i = 0; i < emergency->n_left; i++)
		json_write_object(encoder, NULL, &left_table, &emergency->left[i]);
}

static void write_list(struct encoder *encoder, const char *key, size_t list, const void *data)
{
	static void (*const writers[])(
		struct encoder * encoder, const struct document *document) = {
		[LIST_TARGETS] = write_targets,
		[LIST_SPARED] = write_spared,
		[LIST_SURVIVORS] = write_survivors,
		[LIST_LEFT] = write_left,
	};
	const struct document *document = data;
	if (document->action->has_no_rows && !document->emergency) {
		encoder_null(encoder, key);
		return;
	}
	encoder_open(encoder, key, '[');
	writers[list](encoder, document);
	encoder_close(encoder, ']');
}

static int print_action(const struct json_table *table, const struct action *plan, bool dry_run,
	int64_t at, FILE *file)
{
	const struct document document = { .action = plan, .dry_run = dry_run };
	const struct result_row row = {
		.schema = SCHEMA,
		.at = at,
		.action = action_kind_name(plan->kind),
		.dry_run = dry_run,
		.server = plan->at,
		.made_at = plan->made_at,
		.terminated = plan->has_no_rows ? -1 : (int64_t)action_count_done(plan),
		.error = plan->blind,
	};
	return json_write_line(file, table, &row, write_list, &document);
}

int result_print_json(const struct action *plan, bool dry_run, FILE *file)
{
	return print_action(&action_table, plan, dry_run, INSTANT_UNKNOWN, file);
}

int result_print_event(const struct action *action, int64_t at, FILE *file)
{
	return print_action(&event_table, action, false, at, file);
}

int emergency_report_json(const struct emergency *emergency, bool dry_run, FILE *file)
{
	const struct action *action = &emergency->action;
	const struct document document = { action, emergency, dry_run };
	size_t sessions, ended;
	emergency_count_sessions(emergency, &sessions, &ended);
	const struct result_row row = {
		.schema = SCHEMA,
		.action = "emergency",
		.dry_run = dry_run,
		.server = action->at,
		.made_at = action->made_at,
		.connected = emergency->connected,
		.terminated = (int64_t)(action_count_done(action) + ended),
		.connections_left = emergency->counted,
		.interrupted = emergency->interrupted,
		.error = emergency->cannot ? emergency->cannot : action->blind,
	};
	return json_write_line(file, &emergency_table, &row, write_list, &document);
}
