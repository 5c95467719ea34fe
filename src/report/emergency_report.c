/* Prints emergencies as text. An emergency has a report of its own: besides the results of its
 * steps it says which processes are left alone and why, and what is left at the end; and it reports
 * while it runs. */
#include "report/emergency_report.h"

#include "base/duration.h"
#include "base/plural.h"
#include "model/emergency.h"
#include "report/result.h"

/* "     4312  python3 main.py                3 connections  app.service" */
static void put_process(struct printer *printer, const struct action_step *step)
{
	const char *name = step->process.command ? step->process.command : step->process.name;
	printer_format(printer, "%9d  ", step->pid);
	printer_cell(printer, name ? name : "?", 32);
	printer_format(printer, " %3u connection%s", step->process.connections,
		plural_s(step->process.connections));
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
	printer_format(printer, "and end %zu session%s whose client is gone", n, plural_s(n));
	printer_end_line(printer);
	for (size_t i = 0; i < gone->n_steps; i++) {
		if (!gone->steps[i].selected)
			continue;
		put_session(printer, &gone->steps[i]);
		printer_end_line(printer);
		printer_note(printer, "loses: ", gone->steps[i].session.loses);
	}
}

int emergency_report_plan(
	const struct emergency *emergency, const struct printer_style *style, FILE *file)
{
	char loses[EMERGENCY_LOSES_MAX];
	struct printer printer = { .file = file, .style = *style };
	size_t n = action_count_selected(&emergency->action);
	size_t connections = emergency_count_connections(emergency);
	if (n > 0 || !emergency->action.blind) {
		if (n > 0)
			printer_format(&printer, "would stop %zu process%s with %zu connection%s",
				n, plural_es(n), connections, plural_s(connections));
		else
			printer_text(&printer, "nothing to stop");
		printer_format(&printer, " on ");
		printer_text(&printer, emergency->action.server);
		printer_end_line(&printer);
	}
	result_put_blind(&printer, &emergency->action);
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

static void put_session_result(void *data, const struct action_step *step)
{
	struct printer *printer = data;
	if (!step->selected)
		return;
	printer_format(printer, "%9d  ", step->pid);
	printer_cell(printer, action_result_name(step->result), 12);
	printer_cell(printer, step->session.application_name, 20);
	printer_text(printer, "  session, its process is gone");
	printer_end_line(printer);
	printer_note(printer, "", step->detail);
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
	size_t n = action_count_selected(&emergency->action), sessions, ended;
	emergency_count_sessions(emergency, &sessions, &ended);
	printer_format(&printer, "stopped %zu of %zu process%s, ended %zu of %zu session%s on ",
		action_count_done(&emergency->action), n, plural_es(n), ended, sessions,
		plural_s(sessions));
	printer_text(&printer, emergency->action.server);
	printer_end_line(&printer);
	for (size_t i = 0; i < emergency->action.n_steps; i++)
		if (emergency->action.steps[i].process.skip == SKIP_NONE)
			put_result(&printer, &emergency->action.steps[i]);
	emergency_each_session(emergency, put_session_result, &printer);
	put_left(&printer, emergency);
	put_skipped(&printer, emergency);
	return printer_flush(&printer);
}
