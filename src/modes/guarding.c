/* Each assessment: the times of the leaks → which are due → a plan → the runner. */
#include "modes/guarding.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "action/audit.h"
#include "action/audit_recent.h"
#include "action/guard.h"
#include "action/leak_times.h"
#include "action/plan.h"
#include "action/runner.h"
#include "base/cleanup.h"
#include "base/duration.h"
#include "base/instant.h"
#include "base/mem.h"
#include "model/action.h"
#include "model/assessment.h"
#include "model/findings.h"
#include "session/session.h"

/* The pauses before a session that could not be ended is tried again. */
#define FIRST_PAUSE (10 * USEC_PER_SEC)
#define LAST_PAUSE  (600 * USEC_PER_SEC)

/* The pause before the audit log is tried again. */
#define AUDIT_PAUSE (10 * USEC_PER_SEC)

/* How long a line about a new session waits for the name of its process: three regular scans. */
#define NAME_TIMEOUT (15 * USEC_PER_SEC)

/* The last line about a leak. The same decision is not logged twice. */
enum noted {
	NOTED_NOTHING,
	NOTED_PROTECTED,
	NOTED_UNCERTAIN,
	NOTED_WAITS,
	NOTED_READONLY,
	NOTED_DRY_RUN,
	NOTED_LIMIT,
	NOTED_AUDIT,
	NOTED_RESULT,
};

struct guarding {
	struct session *session;
	struct audit *audit;
	struct guarding_rules rules;
	struct guarding_callbacks callbacks;
	struct runner *runner;
	struct leak_times *times;
	struct guard_history history;
	bool has_recalled;   /* the history has what an earlier guard did */
	struct action *plan; /* NULL unless it is carried out */
	bool has_seen;       /* the last assessment was fresh */
	char *blind;         /* what was logged of what cannot be seen; NULL: nothing */
	bool noted_pooler;
	int64_t audit_after; /* monotonic: the audit log could not be written before this */
};

__attribute__((format(printf, 2, 3))) static void decide(
	const struct guarding *guarding, const char *format, ...)
{
	CLEANUP(cleanup_free) char *text = NULL;
	va_list args;
	va_start(args, format);
	int length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		text = NULL;
	else
		guarding->callbacks.decided(guarding->callbacks.data, text);
}

/* --- words --- */

struct session_name {
	char text[320];
};

/* "session 4711 (app: bob@shop, process 4312 python3)" */
static struct session_name name_session(int32_t pid, const char *application, const char *user,
	const char *database, int32_t process_pid, const char *process)
{
	struct session_name name;
	char owner[96] = "";
	if (process_pid > 0)
		snprintf(owner, sizeof(owner), ", process %d%s%.64s", process_pid,
			process ? " " : "", process ? process : "");
	snprintf(name.text, sizeof(name.text), "session %d (%.64s: %.64s@%.64s%s)", pid,
		application && *application ? application : "no name", user ? user : "?",
		database ? database : "?", owner);
	return name;
}

static struct session_name name_connection(
	const struct assessment *assessment, const struct connection *connection)
{
	const struct backend *backend = connection->backend;
	const struct client_process *process = assessment_process(assessment, connection);
	return name_session(backend->pid, backend->application_name, backend->user,
		backend->database, process ? process->process.pid : 0,
		process ? process->process.name : NULL);
}

static struct session_name name_step(const struct action_step *step)
{
	const struct session_step *session = &step->session;
	return name_session(step->pid, session->application_name, session->user, session->database,
		session->process_pid, NULL);
}

/* "client_gone, proven" */
static const char *why(enum reason reason, enum certainty certainty, char text[static 64])
{
	if (reason == REASON_NONE)
		return reason_name(REASON_CLIENT_GONE);
	snprintf(text, 64, "%s, %s", reason_name(reason), certainty_name(certainty));
	return text;
}

/* Logs a decision about a leak, unless it was the last one. */
static void note(const struct guarding *guarding, const struct assessment *assessment,
	struct leak_time *leak, enum noted noted, const char *decision)
{
	char reason[64];
	if (leak->noted == (int)noted)
		return;
	leak->noted = (int)noted;
	decide(guarding, "%s: %s: %s", name_connection(assessment, leak->connection).text,
		why(leak->reason, leak->certainty, reason), decision);
}

/* --- results --- */

static struct leak_time *find_leak(const struct guarding *guarding, const struct action_step *step)
{
	for (size_t i = 0; i < leak_times_count(guarding->times); i++) {
		struct leak_time *leak = leak_times_get(guarding->times, i);
		if (leak->pid == step->pid && leak->backend_start == step->session.backend_start)
			return leak;
	}
	return NULL;
}

/* What could not be ended is tried again, less and less often. */
static void postpone(struct leak_time *leak)
{
	int64_t pause = LAST_PAUSE;
	if (leak->attempts < 6)
		pause = FIRST_PAUSE << leak->attempts;
	leak->attempts++;
	leak->not_before = instant_monotonic() + (pause < LAST_PAUSE ? pause : LAST_PAUSE);
}

static void report_step(const struct guarding *guarding, const struct action_step *step)
{
	char reason[64];
	struct leak_time *leak = find_leak(guarding, step);
	if (leak) {
		leak->noted = NOTED_RESULT;
		postpone(leak);
	}
	decide(guarding, "%s: %s: %s%s%s", name_step(step).text,
		why(step->session.reason, step->session.certainty, reason),
		action_result_name(step->result), step->detail ? ": " : "",
		step->detail ? step->detail : "");
}

static void finish(struct guarding *guarding)
{
	struct action *plan = guarding->plan;
	guarding->plan = NULL;
	for (size_t i = 0; i < plan->n_steps; i++)
		if (plan->steps[i].selected)
			report_step(guarding, &plan->steps[i]);
	if (guarding->callbacks.acted)
		guarding->callbacks.acted(guarding->callbacks.data, plan);
	action_free(plan);
}

static void on_done(void *data)
{
	finish(data);
}

/* --- decisions --- */

static void note_lost(void *data, const struct leak_time *leak, const struct connection *connection)
{
	const struct guarding *guarding = data;
	char reason[64];
	/* a leak that continues for another reason gets a line of its own */
	bool goes_on = connection && connection->verdict.status == STATUS_LEAKED;
	if (goes_on || leak->noted <= NOTED_UNCERTAIN || leak->noted == NOTED_RESULT)
		return;
	decide(guarding, "session %d: %s: left alone: %s", leak->pid,
		why(leak->reason, leak->certainty, reason),
		!connection ? "it has ended by itself"
			: connection->verdict.protection != PROTECTION_NONE
			? protection_phrase(connection->verdict.protection)
			: "it is no leak any more");
}

/* What cannot be seen is logged when it changes. */
static void note_blindness(struct guarding *guarding, const struct assessment *assessment)
{
	char text[FINDINGS_TEXT_MAX] = "";
	enum blindness blindness = findings_blindness(assessment, CERTAINTY_NONE);
	bool is_beginning = !guarding->blind &&
		(assessment->server.status == SERVER_CONNECTING ||
			assessment->sources[SOURCE_ACTIVITY].status == SOURCE_WAITING);
	if (is_beginning)
		return;
	if (blindness != BLIND_NOT)
		findings_describe_blindness(assessment, CERTAINTY_NONE, text);
	/* their number may change with each refresh */
	const char *kind = blindness == BLIND_HIDDEN ? "hidden" : text;
	if (!guarding->blind ? !*kind : strcmp(guarding->blind, kind) == 0)
		return;
	free(guarding->blind);
	guarding->blind = *kind ? mem_strdup(kind) : NULL;
	if (*text)
		decide(guarding, "%s%s", text,
			blindness == BLIND_HIDDEN ? "" : ": all times begin anew");
}

/* Why the leak is left alone for now, in the order of the checks; NOTED_NOTHING: it is due. */
static enum noted find_reason(const struct guarding *guarding, const struct leak_time *leak)
{
	const struct guarding_rules *rules = &guarding->rules;
	if (leak->reason == REASON_NONE)
		return NOTED_PROTECTED;
	if (leak->certainty < rules->least || leak->connection->unsettled)
		return NOTED_UNCERTAIN;
	if (leak->lasted[rules->least] < rules->after)
		return NOTED_WAITS;
	if (rules->readonly)
		return NOTED_READONLY;
	return rules->dry_run ? NOTED_DRY_RUN : NOTED_NOTHING;
}

static const char *describe_reason(const struct guarding *guarding, const struct leak_time *leak,
	enum noted noted, char text[static 96])
{
	char duration[DURATION_TEXT_MAX];
	switch (noted) {
	case NOTED_PROTECTED:
		snprintf(text, 96, "left alone: %s",
			protection_phrase(leak->connection->verdict.protection));
		return text;
	case NOTED_UNCERTAIN:
		if (leak->certainty >= guarding->rules.least)
			return "left alone: what may protect it cannot be read from here";
		snprintf(text, 96, "left alone: less than %s",
			certainty_name(guarding->rules.least));
		return text;
	case NOTED_WAITS:
		snprintf(text, 96, "ended if it stays so for %s",
			duration_format(guarding->rules.after, duration));
		return text;
	case NOTED_READONLY: return "left alone: read-only";
	default: return "would be ended (dry run)";
	}
}

/* Whether a later scan may find its process. */
static bool may_be_named_yet(
	const struct assessment *assessment, const struct connection *connection)
{
	enum source_status scans = assessment->sources[SOURCE_PEERS].status;
	bool is_settled = connection->process != NO_PROCESS || connection->end == CLIENT_END_GONE ||
		connection->end == CLIENT_END_ELSEWHERE;
	return !is_settled && (scans == SOURCE_OK || scans == SOURCE_WAITING) &&
		instant_elapsed(connection->first_seen, assessment->now) < NAME_TIMEOUT;
}

/* Whether the leak is to be ended now. */
static bool is_due(const struct guarding *guarding, const struct assessment *assessment,
	struct leak_time *leak)
{
	char text[96];
	enum noted noted = find_reason(guarding, leak);
	if (noted == NOTED_NOTHING)
		return instant_monotonic() >= leak->not_before;
	/* it is said once, and so waits for the scan that finds the process */
	if (may_be_named_yet(assessment, leak->connection))
		return false;
	note(guarding, assessment, leak, noted, describe_reason(guarding, leak, noted, text));
	return false;
}

/* A guard that was started again keeps the limit of the one before. */
static void recall(struct guarding *guarding)
{
	if (!guarding->has_recalled)
		audit_recall(audit_path(guarding->audit), guarding->plan->server,
			&guarding->history, instant_now(), instant_monotonic());
	guarding->has_recalled = true;
}

/* Unticks what is beyond the limit of a minute; the plan's order says what comes first. */
static void keep_limit(struct guarding *guarding, const struct assessment *assessment)
{
	const struct guard_limits limits = { .per_minute = guarding->rules.per_minute };
	size_t room = guard_room(&limits, &guarding->history, instant_monotonic());
	for (size_t i = 0; i < guarding->plan->n_steps; i++) {
		struct action_step *step = &guarding->plan->steps[i];
		step->selected = i < room;
		struct leak_time *leak = find_leak(guarding, step);
		if (!step->selected && leak)
			note(guarding, assessment, leak, NOTED_LIMIT,
				"waits: kill_limit is reached for this minute");
	}
}

static void note_audit(struct guarding *guarding, const struct assessment *assessment)
{
	char text[300];
	guarding->audit_after = instant_monotonic() + AUDIT_PAUSE;
	snprintf(text, sizeof(text), "waits: %s", audit_refusal(guarding->audit));
	for (size_t i = 0; i < guarding->plan->n_steps; i++) {
		struct leak_time *leak = find_leak(guarding, &guarding->plan->steps[i]);
		if (leak)
			note(guarding, assessment, leak, NOTED_AUDIT, text);
	}
}

/* The plan is due. */
static void carry_out(struct guarding *guarding, const struct assessment *assessment)
{
	recall(guarding);
	keep_limit(guarding, assessment);
	int r = -EINVAL;
	if (action_count_selected(guarding->plan))
		r = runner_begin(guarding->runner, guarding->plan);
	if (r == 0) {
		guard_note(&guarding->history, action_count_selected(guarding->plan),
			instant_monotonic());
		return;
	}
	if (r == -EIO)
		note_audit(guarding, assessment);
	action_free(guarding->plan);
	guarding->plan = NULL;
}

static void end_due(struct guarding *guarding, const struct assessment *assessment)
{
	size_t count = leak_times_count(guarding->times), n_due = 0;
	CLEANUP(cleanup_free)
	struct plan_session *due = mem_alloc((count + 1) * sizeof(*due));
	for (size_t i = 0; i < count; i++) {
		struct leak_time *leak = leak_times_get(guarding->times, i);
		if (is_due(guarding, assessment, leak))
			due[n_due++] = (struct plan_session){ leak->pid, leak->backend_start };
	}
	if (n_due == 0 || instant_monotonic() < guarding->audit_after)
		return;
	guarding->plan = plan_selected(assessment, ACTION_KILL_LEAKED, due, n_due);
	carry_out(guarding, assessment);
}

void guarding_update(struct guarding *guarding, const struct assessment *assessment)
{
	note_blindness(guarding, assessment);
	bool is_fresh = leak_times_update(guarding->times, assessment, guarding->rules.gap);
	if (is_fresh && !guarding->has_seen)
		decide(guarding, "connected to %s:%d",
			assessment->server.host ? assessment->server.host : "local",
			assessment->server.port);
	guarding->has_seen = is_fresh;
	if (!is_fresh || guarding->plan)
		return;
	if (!assessment->server.pooler) {
		end_due(guarding, assessment);
	} else if (!guarding->noted_pooler) {
		guarding->noted_pooler = true;
		decide(guarding, "nothing is ended " POOLER_REASON);
	}
}

struct guarding *guarding_new(uv_loop_t *loop, struct session *session, struct audit *audit,
	const struct guarding_rules *rules, const struct guarding_callbacks *callbacks)
{
	struct guarding *guarding = mem_alloc(sizeof(*guarding));
	*guarding = (struct guarding){
		.session = session,
		.audit = audit,
		.rules = *rules,
		.callbacks = *callbacks,
	};
	const struct runner_options runner = {
		.deadline = RUNNER_DEADLINE_DEFAULT,
		.audit = audit,
	};
	const struct runner_callbacks done = { .data = guarding, .done = on_done };
	const struct leak_times_callbacks lost = { .data = guarding, .lost = note_lost };
	guarding->runner = runner_new(loop, session, &runner, &done);
	guarding->times = leak_times_new(&lost);
	return guarding;
}

void guarding_set_rules(struct guarding *guarding, const struct guarding_rules *rules)
{
	guarding->rules = *rules;
}

bool guarding_is_busy(const struct guarding *guarding)
{
	return guarding->plan != NULL;
}

void guarding_free(struct guarding *guarding)
{
	if (!guarding)
		return;
	if (guarding->plan) {
		runner_interrupt(guarding->runner);
		finish(guarding);
	}
	runner_free(guarding->runner);
	leak_times_free(guarding->times);
	free(guarding->blind);
	free(guarding);
}
