#include "view/emergency_rows.h"

#include <stdio.h>
#include <string.h>

#include "base/duration.h"
#include "base/plural.h"
#include "model/emergency.h"
#include "model/findings.h"
#include "model/peers.h"
#include "widgets/line.h"
#include "widgets/process_title.h"

#define PID_WIDTH 8

bool emergency_rows_can_be_ticked(enum skip_reason skip)
{
	return skip == SKIP_NONE || skip == SKIP_UNTICKED;
}

/* Begins the line of a process or a session: its tick before the action, its result afterwards. */
static void add_prefix(
	const struct emergency *emergency, const struct action_step *step, struct line *line)
{
	bool planned = emergency->phase == EMERGENCY_PLANNED;
	bool is_process = step->kind == STEP_PROCESS;
	if (is_process && !emergency_rows_can_be_ticked(step->process.skip))
		line_add(line, STYLE_TEXT, planned ? "   " : " ");
	else if (planned)
		line_add(line, step->selected ? STYLE_STRONG : STYLE_DIM,
			step->selected ? "[x]" : "[ ]");
	else if (!step->selected)
		line_add(line, STYLE_TEXT, " ");
	else
		line_add(line, action_result_style(step->result), action_result_sign(step->result));
	line_printf(line, STYLE_TEXT, " %*d  ", PID_WIDTH, step->pid);
}

/* The words for a result; "" while there is none. */
static const char *phrase_of(const struct action_step *step)
{
	return step->result == RESULT_PENDING ? "" : action_result_phrase(step->kind, step->result);
}

static void add_count(struct line *line, uint32_t connections)
{
	char text[40];
	snprintf(text, sizeof(text), "%u connection%s", connections, plural_s(connections));
	line_add_next(line, STYLE_DIM, text);
}

static void add_outcome(const struct action_step *step, struct line *line)
{
	char text[80], took[DURATION_TEXT_MAX];
	if (step->result == RESULT_PENDING && step->process.signal)
		snprintf(text, sizeof(text), "%s …", action_signal_name(step->process.signal));
	else if (step->process.took >= 0)
		snprintf(text, sizeof(text), "%s after %s, %s", phrase_of(step),
			duration_format(step->process.took, took),
			action_signal_name(step->process.signal));
	else
		snprintf(text, sizeof(text), "%s", phrase_of(step));
	if (*text)
		line_add_next(line, action_result_style(step->result), text);
	if (step->detail)
		line_add_next(line, STYLE_TEXT, step->detail);
}

void emergency_rows_format_process(const struct emergency *emergency,
	const struct action_step *step, bool is_short, struct line *line)
{
	const struct process title = { .name = step->process.name,
		.command = step->process.command };
	bool skipped = step->process.skip != SKIP_NONE;
	bool planned = emergency->phase == EMERGENCY_PLANNED;
	char loses[EMERGENCY_LOSES_MAX];
	add_prefix(emergency, step, line);
	(is_short ? process_title_add_short : process_title_add)(
		&title, skipped ? STYLE_DIM : STYLE_TEXT, line);
	if (skipped && !(planned && emergency_rows_can_be_ticked(step->process.skip))) {
		line_add_next(line, STYLE_PROTECTED, skip_reason_phrase(step->process.skip));
		if (step->process.why)
			line_add_next(line, STYLE_DIM, step->process.why);
	} else if (!skipped && !planned) {
		add_outcome(step, line);
	}
	add_count(line, step->process.connections);
	if (planned && emergency_rows_can_be_ticked(step->process.skip) &&
		*emergency_loses(emergency, step, loses)) {
		line_add_next(line, STYLE_DIM, "loses: ");
		line_add(line, STYLE_CAUTION, loses);
	}
	if (step->process.applications && planned &&
		emergency_rows_can_be_ticked(step->process.skip))
		line_add_next(line, STYLE_DIM, step->process.applications);
	if (step->process.unit)
		line_add_next(line, STYLE_DIM, step->process.unit);
}

void emergency_rows_format_session(
	const struct emergency *emergency, const struct action_step *step, struct line *line)
{
	char age[DURATION_TEXT_MAX];
	bool planned = emergency->phase == EMERGENCY_PLANNED;
	add_prefix(emergency, step, line);
	line_add(line, STYLE_TEXT,
		step->session.application_name ? step->session.application_name : "session");
	if (!planned)
		line_add_next(line, action_result_style(step->result), phrase_of(step));
	if (!planned && step->detail)
		line_add_next(line, STYLE_TEXT, step->detail);
	line_add_next(line, STYLE_DIM, step->session.state_text ? step->session.state_text : "");
	line_printf(line, STYLE_DIM, " %s", duration_format(step->session.age, age));
	if (step->session.loses && planned) {
		line_add_next(line, STYLE_DIM, "loses: ");
		line_add(line, STYLE_CAUTION, step->session.loses);
	}
}

void emergency_rows_format_host(
	const struct findings_host *host, const char *part, size_t length, struct line *line)
{
	line_printf(line, STYLE_TEXT, "%*s", EMERGENCY_HOST_INDENT, "");
	line_add_bytes(line, STYLE_TEXT, part, length);
	if (!part[length])
		line_printf(line, STYLE_DIM, "%s%zu session%s", length ? " · " : "", host->sessions,
			plural_s(host->sessions));
}

void emergency_rows_format_left(const struct emergency_left *left, struct line *line)
{
	int32_t number = left->backend ? left->backend : left->process_pid;
	line_add(line, STYLE_LEAKED, "✗");
	line_printf(line, STYLE_TEXT, " %*d  ", PID_WIDTH,
		number ? number : (int32_t)left->connections);
	line_add(line, STYLE_TEXT, left->name && *left->name ? left->name : "session");
	line_add_next(line, STYLE_CAUTION, left->why);
	if (number)
		add_count(line, left->connections);
}
