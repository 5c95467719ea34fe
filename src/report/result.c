/* Prints plans and results as text and JSON. */
#include "report/result.h"

#include "base/duration.h"
#include "base/instant.h"
#include "base/plural.h"
#include "model/action.h"
#include "report/encoder.h"
#include "report/stream.h"

#define SCHEMA 1

static const struct {
	const char *would, *did, *what;
} phrases[] = {
	[ACTION_KILL_LEAKED] = { "would end", "ended", "leaked connection" },
	[ACTION_TERMINATE] = { "would end", "ended", "connection" },
	[ACTION_CANCEL] = { "would cancel", "cancelled", "running statement" },
	[ACTION_EMERGENCY] = { "would end", "ended", "remaining session" },
};

static bool is_done(enum action_result result)
{
	return result == RESULT_TERMINATED || result == RESULT_CANCELLED;
}

static size_t count(const struct action_plan *plan, bool (*test)(enum action_result result))
{
	size_t n = 0;
	for (size_t i = 0; i < plan->n_targets; i++)
		n += plan->targets[i].selected && (!test || test(plan->targets[i].result));
	return n;
}

static void put_place(struct printer *printer, const struct action_plan *plan, size_t n)
{
	printer_format(printer, "%zu %s%s on ", n, phrases[plan->kind].what, plural_s(n));
	printer_text(printer, plan->server);
}

/* "   9912  terminated    7m12s  app/4312/1        held too long, proven" */
static void put_target(
	struct printer *printer, const struct action_target *target, const char *result)
{
	char age[DURATION_TEXT_MAX];
	printer_format(printer, "%9d  ", target->pid);
	if (result)
		printer_cell(printer, result, 12);
	printer_format(printer, "%7s  ", duration_format(target->age, age));
	printer_cell(printer, target->application_name, 18);
	if (target->reason != REASON_NONE)
		printer_format(printer, "%s, %s", reason_phrase(target->reason),
			certainty_name(target->certainty));
	else
		printer_text(printer, target->state_text);
	printer_end_line(printer);
}

/* Cut at the end of the line. */
static void put_query(struct printer *printer, const char *query)
{
	if (!query || !*query)
		return;
	printer_move(printer, PRINTER_NOTE_COLUMN);
	printer_text(printer, "query: ");
	printer_rest(printer, query);
	printer_end_line(printer);
}

int result_print_plan(const struct action_plan *plan, const struct printer_style *style, FILE *file)
{
	struct printer printer = { .file = file, .style = *style };
	size_t n = count(plan, NULL);
	printer_format(&printer, "%s ", phrases[plan->kind].would);
	put_place(&printer, plan, n);
	printer_end_line(&printer);
	for (size_t i = 0; i < plan->n_targets; i++) {
		const struct action_target *target = &plan->targets[i];
		if (!target->selected)
			continue;
		put_target(&printer, target, NULL);
		printer_note(&printer, "process: ", target->process);
		put_query(&printer, target->query);
		printer_note(&printer, "loses: ", target->loses);
	}
	return printer_flush(&printer);
}

static void put_survivors(struct printer *printer, const struct action_plan *plan)
{
	printer_format(printer, "%zu survived:", count(plan, action_result_survived));
	for (size_t i = 0; i < plan->n_targets; i++)
		if (plan->targets[i].selected && action_result_survived(plan->targets[i].result))
			printer_format(printer, " %d", plan->targets[i].pid);
	printer_end_line(printer);
}

int result_print_text(const struct action_plan *plan, const struct printer_style *style, FILE *file)
{
	struct printer printer = { .file = file, .style = *style };
	size_t n = count(plan, NULL);
	printer_format(&printer, "%s %zu of ", phrases[plan->kind].did, count(plan, is_done));
	put_place(&printer, plan, n);
	printer_end_line(&printer);
	for (size_t i = 0; i < plan->n_targets; i++) {
		const struct action_target *target = &plan->targets[i];
		if (!target->selected)
			continue;
		put_target(&printer, target, action_result_name(target->result));
		printer_note(&printer, "", target->detail);
	}
	if (count(plan, action_result_survived) > 0)
		put_survivors(&printer, plan);
	return printer_flush(&printer);
}

static void encode_target(struct encoder *encoder, const struct action_target *target, bool dry_run)
{
	encoder_open(encoder, NULL, '{');
	encoder_integer(encoder, "pid", target->pid);
	encoder_string(encoder, "result", dry_run ? NULL : action_result_name(target->result));
	encoder_string(encoder, "reason", reason_name(target->reason));
	encoder_string(encoder, "certainty", certainty_name(target->certainty));
	encoder_string(encoder, "detail", target->detail);
	encoder_string(encoder, "loses", target->loses);
	encoder_count(encoder, "locks", target->locks);
	encoder_count(encoder, "waiters", target->waiters);
	encoder_instant(encoder, "backend_start", target->backend_start);
	encoder_string(encoder, "database", target->database);
	encoder_string(encoder, "user", target->user);
	encoder_string(encoder, "application_name", target->application_name);
	encoder_string(encoder, "state", target->state_text);
	encoder_seconds(encoder, "seconds", target->age);
	encoder_string(encoder, "query", target->query);
	encoder_string(encoder, "process", target->process);
	encoder_count(encoder, "process_pid", target->process_pid ? target->process_pid : -1);
	encoder_close(encoder, '}');
}

static void encode_survivors(struct encoder *encoder, const struct action_plan *plan)
{
	encoder_open(encoder, "survivors", '[');
	for (size_t i = 0; i < plan->n_targets; i++)
		if (plan->targets[i].selected && action_result_survived(plan->targets[i].result))
			encoder_integer(encoder, NULL, plan->targets[i].pid);
	encoder_close(encoder, ']');
}

int result_print_json(const struct action_plan *plan, bool dry_run, FILE *file)
{
	struct encoder encoder = { .file = file };
	encoder_open(&encoder, NULL, '{');
	encoder_integer(&encoder, "schema", SCHEMA);
	encoder_string(&encoder, "action", action_kind_name(plan->kind));
	encoder_boolean(&encoder, "dry_run", dry_run);
	encoder_string(&encoder, "server", plan->server);
	encoder_instant(&encoder, "made_at", plan->made_at);
	encoder_open(&encoder, "targets", '[');
	for (size_t i = 0; i < plan->n_targets; i++)
		if (plan->targets[i].selected)
			encode_target(&encoder, &plan->targets[i], dry_run);
	encoder_close(&encoder, ']');
	encoder_count(&encoder, "terminated", (int64_t)count(plan, is_done));
	encode_survivors(&encoder, plan);
	encoder_close(&encoder, '}');
	putc('\n', file);
	return stream_flush(file);
}
