/* Prints emergencies as text and JSON. */
#include "report/emergency_report.h"

#include "base/duration.h"
#include "base/instant.h"
#include "model/emergency.h"
#include "report/encoder.h"
#include "report/stream.h"

#define SCHEMA 1

static const char *plural(size_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

/* "     4312  python3 main.py                3 connections  app.service" */
static void put_process(struct printer *printer, const struct action_step *step)
{
	const char *name = step->process.command ? step->process.command : step->process.name;
	printer_format(printer, "%9d  ", step->pid);
	printer_cell(printer, name ? name : "?", 32);
	printer_format(printer, " %3u %s", step->process.connections,
		plural(step->process.connections, "connection", "connections"));
	if (step->process.unit)
		printer_format(printer, "  %s", step->process.unit);
	printer_end_line(printer);
}

static void put_skipped(struct printer *printer, const struct emergency *emergency)
{
	if (action_count_selected(&emergency->action) == emergency->action.n_steps)
		return;
	printer_text(printer, "left alone:");
	printer_end_line(printer);
	for (size_t i = 0; i < emergency->action.n_steps; i++) {
		const struct action_step *step = &emergency->action.steps[i];
		if (step->process.skip == SKIP_NONE)
			continue;
		put_process(printer, step);
		printer_note(printer, "", skip_reason_phrase(step->process.skip));
		printer_note(printer, "", step->process.why);
	}
}

static void put_session(struct printer *printer, const struct action_step *step)
{
	char age[DURATION_TEXT_MAX];
	printer_format(printer, "%9d  ", step->pid);
	printer_cell(printer, step->session.application_name, 20);
	printer_format(printer, " %7s  ", duration_format(step->session.age, age));
	printer_text(printer, step->session.state_text);
}

static void put_gone(struct printer *printer, const struct action *gone)
{
	size_t n = action_count_selected(gone);
	if (!n)
		return;
	printer_format(printer, "and end %zu %s whose client is gone", n,
		plural(n, "session", "sessions"));
	printer_end_line(printer);
	for (size_t i = 0; i < gone->n_steps; i++) {
		if (!gone->steps[i].selected)
			continue;
		put_session(printer, &gone->steps[i]);
		printer_end_line(printer);
		printer_note(printer, "loses: ", gone->steps[i].session.loses);
	}
}

/* Nothing to stop is said only of what was looked at. */
static void put_blind(struct printer *printer, const struct emergency *emergency)
{
	const struct action *action = &emergency->action;
	if (!action->blind)
		return;
	printer_text(
		printer, action_count_selected(action) > 0 ? "perhaps more: " : "cannot tell: ");
	printer_text(printer, action->blind);
	printer_end_line(printer);
}

int emergency_report_plan(
	const struct emergency *emergency, const struct printer_style *style, FILE *file)
{
	char loses[EMERGENCY_LOSES_MAX];
	struct printer printer = { .file = file, .style = *style };
	size_t n = action_count_selected(&emergency->action);
	size_t connections = emergency_count_connections(emergency);
	if (n > 0 || !emergency->action.blind) {
		printer_format(&printer, "would stop %zu %s with %zu %s on ", n,
			plural(n, "process", "processes"), connections,
			plural(connections, "connection", "connections"));
		printer_text(&printer, emergency->action.server);
		printer_end_line(&printer);
	}
	put_blind(&printer, emergency);
	for (size_t i = 0; i < emergency->action.n_steps; i++)
		if (emergency->action.steps[i].process.skip == SKIP_NONE) {
			put_process(&printer, &emergency->action.steps[i]);
			printer_note(&printer,
				"connects as: ", emergency->action.steps[i].process.applications);
			emergency_loses(emergency, &emergency->action.steps[i], loses);
			printer_note(&printer, "loses: ", *loses ? loses : NULL);
		}
	put_gone(&printer, emergency->gone);
	if (n) {
		printer_text(&printer, "also lost: " ACTION_LOSES_UNKNOWN);
		printer_end_line(&printer);
	}
	put_skipped(&printer, emergency);
	if (!emergency->connected) {
		printer_text(&printer, "no connection: found by their sockets alone");
		printer_end_line(&printer);
	}
	return printer_flush(&printer);
}

static void put_result(struct printer *printer, const struct action_step *step)
{
	char took[DURATION_TEXT_MAX];
	const char *name = step->process.command ? step->process.command : step->process.name;
	printer_format(printer, "%9d  ", step->pid);
	printer_cell(printer,
		step->result == RESULT_PENDING && !step->process.signal
			? "not reached"
			: action_result_name(step->result),
		12);
	printer_cell(printer, name ? name : "?", 32);
	if (step->process.took >= 0)
		printer_format(printer, "  %s, %s", action_signal_name(step->process.signal),
			duration_format(step->process.took, took));
	printer_end_line(printer);
	printer_note(printer, "", step->detail);
}

int emergency_report_progress(const struct emergency *emergency, const struct action_step *step,
	const struct printer_style *style, FILE *file)
{
	struct printer printer = { .file = file, .style = *style };
	if (!step) {
		printer_format(&printer, "%s …", emergency_phase_name(emergency->phase));
		printer_end_line(&printer);
	} else if (step->result != RESULT_PENDING) {
		put_result(&printer, step);
	} else {
		printer_format(&printer, "%9d  %-12s", step->pid,
			action_signal_name(step->process.signal));
		printer_text(&printer,
			step->process.command ? step->process.command : step->process.name);
		printer_end_line(&printer);
	}
	return printer_flush(&printer);
}

struct tally {
	struct printer *printer; /* NULL: only counts */
	size_t all, ended;
};

static void tally_session(void *data, const struct action_step *step)
{
	struct tally *tally = data;
	if (!step->selected)
		return;
	tally->all++;
	tally->ended += step->result == RESULT_TERMINATED;
	if (!tally->printer)
		return;
	printer_format(tally->printer, "%9d  ", step->pid);
	printer_cell(tally->printer, action_result_name(step->result), 12);
	printer_cell(tally->printer, step->session.application_name, 20);
	printer_text(tally->printer, "  session, its process is gone");
	printer_end_line(tally->printer);
	printer_note(tally->printer, "", step->detail);
}

static size_t count_ended(const struct emergency *emergency)
{
	size_t ended = 0;
	for (size_t i = 0; i < emergency->action.n_steps; i++)
		ended += emergency->action.steps[i].result == RESULT_TERMINATED;
	return ended;
}

static void put_left(struct printer *printer, const struct emergency *emergency)
{
	if (emergency->interrupted)
		printer_text(printer, "interrupted: what is left was not counted");
	else if (emergency->counted < 0)
		printer_text(printer, emergency->cannot);
	else
		printer_format(
			printer, "%d of the application's connections left", emergency->counted);
	printer_end_line(printer);
	for (size_t i = 0; i < emergency->n_left; i++) {
		const struct emergency_left *left = &emergency->left[i];
		if (left->backend)
			printer_format(printer, "%9d  session of ", left->backend);
		else if (left->process_pid)
			printer_format(printer, "%9d  ", left->process_pid);
		else
			printer_format(printer, "%9u  ", left->connections);
		printer_text(printer, left->name && *left->name ? left->name : "?");
		printer_end_line(printer);
		printer_note(printer, "", left->why);
	}
}

int emergency_report_text(
	const struct emergency *emergency, const struct printer_style *style, FILE *file)
{
	struct printer printer = { .file = file, .style = *style };
	struct tally count = { 0 }, print = { .printer = &printer };
	size_t n = action_count_selected(&emergency->action);
	emergency_each_session(emergency, tally_session, &count);
	printer_format(&printer, "stopped %zu of %zu %s, ended %zu of %zu %s on ",
		count_ended(emergency), n, plural(n, "process", "processes"), count.ended,
		count.all, plural(count.all, "session", "sessions"));
	printer_text(&printer, emergency->action.server);
	printer_end_line(&printer);
	for (size_t i = 0; i < emergency->action.n_steps; i++)
		if (emergency->action.steps[i].process.skip == SKIP_NONE)
			put_result(&printer, &emergency->action.steps[i]);
	emergency_each_session(emergency, tally_session, &print);
	put_left(&printer, emergency);
	put_skipped(&printer, emergency);
	return printer_flush(&printer);
}

static void encode_process(struct encoder *encoder, const struct emergency *emergency,
	const struct action_step *step, bool dry_run)
{
	bool skipped = step->process.skip != SKIP_NONE, untouched = dry_run || skipped;
	char loses[EMERGENCY_LOSES_MAX];
	emergency_loses(emergency, step, loses);
	encoder_open(encoder, NULL, '{');
	encoder_string(encoder, "kind", "process");
	encoder_integer(encoder, "pid", step->pid);
	encoder_string(encoder, "result", untouched ? NULL : action_result_name(step->result));
	encoder_string(encoder, "reason",
		skipped ? skip_reason_name(step->process.skip) : "holds_connections");
	encoder_string(encoder, "detail", skipped ? step->process.why : step->detail);
	encoder_string(encoder, "signal",
		step->process.signal ? action_signal_name(step->process.signal) : NULL);
	encoder_seconds(encoder, "seconds", step->process.took);
	encoder_integer(encoder, "start_ticks", (int64_t)step->process.start_ticks);
	encoder_string(encoder, "name", step->process.name);
	encoder_string(encoder, "command", step->process.command);
	encoder_string(encoder, "user", step->process.user);
	encoder_string(encoder, "unit", step->process.unit);
	encoder_string(encoder, "applications", step->process.applications);
	encoder_count(encoder, "connections", step->process.connections);
	encoder_string(encoder, "loses", *loses ? loses : NULL);
	encoder_close(encoder, '}');
}

static void encode_session(struct encoder *encoder, const struct action_step *step, bool dry_run)
{
	encoder_open(encoder, NULL, '{');
	encoder_string(encoder, "kind", "session");
	encoder_integer(encoder, "pid", step->pid);
	encoder_string(encoder, "result", dry_run ? NULL : action_result_name(step->result));
	encoder_string(encoder, "reason", "process_gone");
	encoder_string(encoder, "detail", step->detail);
	encoder_string(encoder, "loses", step->session.loses);
	encoder_count(encoder, "locks", step->session.locks);
	encoder_count(encoder, "waiters", step->session.waiters);
	encoder_instant(encoder, "backend_start", step->session.backend_start);
	encoder_string(encoder, "database", step->session.database);
	encoder_string(encoder, "user", step->session.user);
	encoder_string(encoder, "application_name", step->session.application_name);
	encoder_string(encoder, "state", step->session.state_text);
	encoder_count(
		encoder, "process_pid", step->session.process_pid ? step->session.process_pid : -1);
	encoder_close(encoder, '}');
}

static void encode_done_session(void *data, const struct action_step *step)
{
	if (step->selected)
		encode_session(data, step, false);
}

static void encode_targets(struct encoder *encoder, const struct emergency *emergency, bool dry_run)
{
	encoder_open(encoder, "targets", '[');
	for (size_t i = 0; i < emergency->action.n_steps; i++)
		if (emergency->action.steps[i].process.skip == SKIP_NONE)
			encode_process(encoder, emergency, &emergency->action.steps[i], dry_run);
	if (dry_run)
		for (size_t i = 0; i < emergency->gone->n_steps; i++) {
			if (emergency->gone->steps[i].selected)
				encode_session(encoder, &emergency->gone->steps[i], true);
		}
	else
		emergency_each_session(emergency, encode_done_session, encoder);
	encoder_close(encoder, ']');
	encoder_open(encoder, "spared", '[');
	for (size_t i = 0; i < emergency->action.n_steps; i++)
		if (emergency->action.steps[i].process.skip != SKIP_NONE)
			encode_process(encoder, emergency, &emergency->action.steps[i], dry_run);
	encoder_close(encoder, ']');
}

static void encode_surviving_session(void *data, const struct action_step *step)
{
	if (step->selected && action_result_survived(step->result))
		encoder_integer(data, NULL, step->pid);
}

/* Lists pids, like every action: of processes and of sessions. Those that were not in a plan are
 * only in "left". */
static void encode_survivors(struct encoder *encoder, const struct emergency *emergency)
{
	encoder_open(encoder, "survivors", '[');
	for (size_t i = 0; i < emergency->action.n_steps; i++)
		if (action_result_survived(emergency->action.steps[i].result))
			encoder_integer(encoder, NULL, emergency->action.steps[i].pid);
	emergency_each_session(emergency, encode_surviving_session, encoder);
	encoder_close(encoder, ']');
	encoder_open(encoder, "left", '[');
	for (size_t i = 0; i < emergency->n_left; i++) {
		const struct emergency_left *left = &emergency->left[i];
		encoder_open(encoder, NULL, '{');
		encoder_count(encoder, "pid", left->backend ? left->backend : -1);
		encoder_count(encoder, "process_pid", left->process_pid ? left->process_pid : -1);
		encoder_string(encoder, "name", left->name);
		encoder_count(encoder, "connections", left->connections);
		encoder_string(encoder, "why", left->why);
		encoder_close(encoder, '}');
	}
	encoder_close(encoder, ']');
}

int emergency_report_json(const struct emergency *emergency, bool dry_run, FILE *file)
{
	struct encoder encoder = { .file = file };
	struct tally tally = { 0 };
	emergency_each_session(emergency, tally_session, &tally);
	encoder_open(&encoder, NULL, '{');
	encoder_integer(&encoder, "schema", SCHEMA);
	encoder_string(&encoder, "action", "emergency");
	encoder_boolean(&encoder, "dry_run", dry_run);
	encoder_string(&encoder, "server", emergency->action.server);
	encoder_instant(&encoder, "made_at", emergency->action.made_at);
	encoder_boolean(&encoder, "connected", emergency->connected);
	encode_targets(&encoder, emergency, dry_run);
	encoder_count(&encoder, "terminated", (int64_t)(count_ended(emergency) + tally.ended));
	encode_survivors(&encoder, emergency);
	encoder_count(&encoder, "connections_left", emergency->counted);
	encoder_boolean(&encoder, "interrupted", emergency->interrupted);
	encoder_string(
		&encoder, "error", emergency->cannot ? emergency->cannot : emergency->action.blind);
	encoder_close(&encoder, '}');
	putc('\n', file);
	return stream_flush(file);
}
