/* Makes the lines of the audit log. */
#include "action/audit.h"

#include <errno.h>
#include <jansson.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "action/plan.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/journal.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/writer.h"
#include "model/clearing.h"
#include "model/emergency.h"
#include "model/launch.h"

#define SCHEMA 1

/* How long a disk is waited for at the end. */
#define END_TIMEOUT (2 * USEC_PER_SEC)

static const struct journal_options journal = {
	.size_max = AUDIT_SIZE_MAX,
	.make_folders = true,
	.strict = true,
};

struct audit {
	struct arena *arena;
	const char *path;
	const char *user, *tty; /* NULL when not known */
	const char *sudo_user;  /* on whose behalf root acts; NULL without sudo */
	struct writer *writer;  /* NULL without a path */
	int64_t timeout;
	bool malformed; /* the last line */
	char error[256];
};

char *audit_default_path(void)
{
	/* a relative path is to be ignored, says the XDG Base Directory Specification */
	const char *state = getenv("XDG_STATE_HOME");
	if (state && state[0] == '/')
		return mem_printf("%s/dbtop/actions.jsonl", state);
	const char *home = getenv("HOME");
	if (home && home[0] == '/')
		return mem_printf("%s/.local/state/dbtop/actions.jsonl", home);
	return NULL;
}

static const char *clean(struct arena *arena, const char *text)
{
	return text ? text_clean(arena, text, strlen(text), TEXT_LINE) : NULL;
}

struct audit *audit_new(const char *path)
{
	struct arena *arena = arena_new();
	struct audit *audit = arena_alloc(arena, sizeof(*audit));
	const struct passwd *passwd = getpwuid(getuid());
	*audit = (struct audit){
		.arena = arena,
		.path = arena_strdup(arena, path),
		.writer = path ? writer_new(path, &journal) : NULL,
		.timeout = END_TIMEOUT,
		.user = clean(arena, passwd ? passwd->pw_name : NULL),
		.tty = clean(arena, ttyname(STDERR_FILENO)),
		/* sudo sets it; only root's word is worth more than anybody's environment */
		.sudo_user = getuid() == 0 ? clean(arena, getenv("SUDO_USER")) : NULL,
	};
	return audit;
}

size_t audit_free(struct audit *audit)
{
	if (!audit)
		return 0;
	size_t unwritten = writer_free(audit->writer, END_TIMEOUT);
	arena_free(audit->arena);
	return unwritten;
}

void audit_set_timeout(struct audit *audit, int64_t timeout)
{
	audit->timeout = timeout;
}

/* Takes the object. */
static void write_line(struct audit *audit, json_t *object)
{
	CLEANUP(cleanup_free)
	char *line = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(15));
	json_decref(object);
	audit->malformed = !line;
	if (line && audit->writer)
		writer_append(audit->writer, line);
}

static json_t *json_instant(int64_t instant)
{
	char text[INSTANT_TEXT_MAX];
	return instant == INSTANT_UNKNOWN ? json_null()
					  : json_string(instant_rfc3339(instant, text));
}

static json_t *who(const struct audit *audit, const char *role)
{
	return json_pack("{ss? si ss? si ss? ss?}", "user", audit->user, "uid", (int)getuid(),
		"sudo_user", audit->sudo_user, "pid", (int)getpid(), "tty", audit->tty, "role",
		role);
}

static json_t *describe_session(const struct action_step *step)
{
	return json_pack("{si so ss? ss? ss? ss? so}", "pid", step->pid, "backend_start",
		json_instant(step->session.backend_start), "database", step->session.database,
		"user", step->session.user, "application_name", step->session.application_name,
		"process", step->session.process, "process_pid",
		step->session.process_pid ? json_integer(step->session.process_pid) : json_null());
}

static json_t *describe_plan(const struct action_step *step)
{
	return json_pack("{ss? so ss? ss? so}", "state", step->session.state_text, "state_change",
		json_instant(step->session.state_change), "reason",
		reason_name(step->session.reason), "certainty",
		certainty_name(step->session.certainty), "seconds",
		step->session.age < 0
			? json_null()
			: json_real((double)(step->session.age / USEC_PER_MSEC) / 1000));
}

static json_t *describe_seen(const struct action_step *step)
{
	return json_pack("{so ss? so}", "at", json_instant(step->session.seen_at), "state",
		step->session.seen_state, "state_change",
		json_instant(step->session.seen_state_change));
}

void audit_action(struct audit *audit, const struct action *plan, int64_t now)
{
	write_line(audit,
		json_pack("{si so ss ss so ss? sI}", "schema", SCHEMA, "at", json_instant(now),
			"event", "action", "action", action_kind_name(plan->kind), "who",
			who(audit, plan->role), "server", plan->server, "targets",
			(json_int_t)plan_count_selected(plan)));
}

void audit_result(
	struct audit *audit, const struct action *plan, const struct action_step *step, int64_t now)
{
	write_line(audit,
		json_pack("{si so ss ss so ss? so so so ss ss?}", "schema", SCHEMA, "at",
			json_instant(now), "event", "result", "action",
			action_kind_name(plan->kind), "who", who(audit, plan->role), "server",
			plan->server, "session", describe_session(step), "planned",
			describe_plan(step), "seen", describe_seen(step), "result",
			action_result_name(step->result), "detail", step->detail));
}

static json_t *describe_command(const struct launch *launch)
{
	json_t *words = json_array();
	for (const char *const *word = launch->argv; *word; word++)
		json_array_append_new(words, json_string(*word));
	return words;
}

static json_t *describe_old(const struct launch *launch)
{
	if (!launch->old_pid)
		return json_null();
	return json_pack("{si sI ss? ss?}", "pid", launch->old_pid, "start_ticks",
		(json_int_t)launch->old_start_ticks, "name", launch->old_name, "executable",
		launch->old_executable);
}

void audit_launch(struct audit *audit, const struct launch *launch, int64_t now)
{
	bool done = launch->phase == LAUNCH_DONE;
	write_line(audit,
		json_pack("{si so ss ss so so so so ss? ss?}", "schema", SCHEMA, "at",
			json_instant(now), "event", done ? "result" : "action", "action",
			launch_kind_name(launch->kind), "who", who(audit, NULL), "command",
			describe_command(launch), "stopped", describe_old(launch), "pid",
			launch->pid ? json_integer(launch->pid) : json_null(), "result",
			done ? launch_result_name(launch->result) : NULL, "detail",
			launch->detail));
}

const char *audit_error(struct audit *audit)
{
	if (!audit->writer) {
		snprintf(audit->error, sizeof(audit->error),
			"there is no audit log: neither XDG_STATE_HOME nor HOME is set");
		return audit->error;
	}
	int r = audit->malformed ? -EILSEQ : writer_wait(audit->writer, audit->timeout);
	if (r == 0)
		return NULL;
	snprintf(audit->error, sizeof(audit->error), "the audit log %s cannot be written: %s",
		audit->path, journal_strerror(r));
	return audit->error;
}

void audit_emergency(struct audit *audit, const struct emergency *emergency, int64_t now)
{
	write_line(audit,
		json_pack("{si so ss ss so ss? sI sb sf}", "schema", SCHEMA, "at",
			json_instant(now), "event", "action", "action", "emergency", "who",
			who(audit, emergency->role), "server", emergency->server, "targets",
			(json_int_t)emergency_count_stopped(emergency), "force", emergency->force,
			"grace_seconds", (double)(emergency->grace / USEC_PER_MSEC) / 1000));
}

static json_t *describe_process(const struct emergency_process *process)
{
	return json_pack("{si sI ss? ss? ss? ss? ss? sI}", "pid", process->pid, "start_ticks",
		(json_int_t)process->start_ticks, "name", process->name, "command",
		process->command, "user", process->user, "unit", process->unit, "applications",
		process->applications, "connections", (json_int_t)process->connections);
}

void audit_process(struct audit *audit, const struct emergency *emergency,
	const struct emergency_process *process, int64_t now)
{
	bool pending = process->result == RESULT_PENDING;
	const char *sent = process->signal ? emergency_signal_name(process->signal) : NULL;
	write_line(audit,
		json_pack("{si so ss ss so ss? so ss? ss? ss?}", "schema", SCHEMA, "at",
			json_instant(now), "event", pending ? "signal" : "result", "action",
			"emergency", "who", who(audit, emergency->role), "server",
			emergency->server, "process", describe_process(process), "signal", sent,
			"result", pending ? NULL : action_result_name(process->result), "detail",
			process->detail));
}

void audit_clearing(struct audit *audit, const struct clearing *clearing, int64_t now)
{
	write_line(audit,
		json_pack("{si so ss ss so ss sI}", "schema", SCHEMA, "at", json_instant(now),
			"event", "action", "action", "clear_pages", "who", who(audit, NULL),
			"server", clearing->server, "targets", (json_int_t)clearing->n_pages));
}

static json_t *describe_page(const struct clearing_page *page)
{
	return json_pack("{ss ss? si sI ss? so}", "path", page->path, "name", page->name, "pid",
		page->pid, "start_ticks", (json_int_t)page->start_ticks, "process", page->process,
		"dead_since", json_instant(page->dead_since));
}

void audit_cleared(struct audit *audit, const struct clearing *clearing,
	const struct clearing_page *page, int64_t now)
{
	write_line(audit,
		json_pack("{si so ss ss so ss so ss ss?}", "schema", SCHEMA, "at",
			json_instant(now), "event", "result", "action", "clear_pages", "who",
			who(audit, NULL), "server", clearing->server, "page", describe_page(page),
			"result", clearing_result_name(page->result), "detail", page->detail));
}
