/* Makes the lines of the audit log. */
#include "action/audit.h"

#include <errno.h>
#include <jansson.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/journal.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/writer.h"
#include "model/action.h"

#define SCHEMA 1

/* How long to wait for the disk. */
#define TIMEOUT (2 * USEC_PER_SEC)

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
	bool hangs;     /* the disk was waited for in vain, and has not answered since */
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
		.timeout = TIMEOUT,
		.user = clean(arena, passwd ? passwd->pw_name : NULL),
		.tty = clean(arena, ttyname(STDERR_FILENO)),
		/* sudo sets it; only root's environment cannot be set by everybody */
		.sudo_user = getuid() == 0 ? clean(arena, getenv("SUDO_USER")) : NULL,
	};
	return audit;
}

size_t audit_free(struct audit *audit)
{
	if (!audit)
		return 0;
	size_t unwritten = writer_free(audit->writer, TIMEOUT);
	arena_free(audit->arena);
	return unwritten;
}

const char *audit_path(const struct audit *audit)
{
	return audit->path;
}

void audit_set_timeout(struct audit *audit, int64_t timeout)
{
	audit->timeout = timeout;
	audit->hangs = false;
}

/* Returns 0 when all lines are written. */
static int wait_for_disk(struct audit *audit, int64_t timeout)
{
	int r = writer_wait(audit->writer, timeout);
	audit->hangs = r == -ETIMEDOUT;
	return r;
}

/* Frees the object. */
static void write_line(struct audit *audit, json_t *object)
{
	CLEANUP(cleanup_free)
	char *line = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(15));
	json_decref(object);
	audit->malformed = !line;
	if (!line || !audit->writer)
		return;
	/* before the new line, which the disk cannot have yet */
	if (audit->hangs)
		(void)wait_for_disk(audit, 0);
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
	const struct session_step *session = &step->session;
	return json_pack("{si so ss? ss? ss? ss? so}", "pid", step->pid, "backend_start",
		json_instant(session->backend_start), "database", session->database, "user",
		session->user, "application_name", session->application_name, "process",
		session->process, "process_pid",
		session->process_pid ? json_integer(session->process_pid) : json_null());
}

static json_t *describe_planned(const struct session_step *session)
{
	return json_pack("{ss? so ss? ss? so}", "state", session->state_text, "state_change",
		json_instant(session->state_change), "reason", reason_name(session->reason),
		"certainty", certainty_name(session->certainty), "seconds",
		session->age < 0 ? json_null()
				 : json_real((double)(session->age / USEC_PER_MSEC) / 1000));
}

static json_t *describe_seen(const struct session_step *session)
{
	return json_pack("{so ss? so}", "at", json_instant(session->seen_at), "state",
		session->seen_state, "state_change", json_instant(session->seen_state_change));
}

static json_t *describe_process(const struct action_step *step)
{
	const struct process_step *process = &step->process;
	return json_pack("{si sI ss? ss? ss? ss? ss? sI}", "pid", step->pid, "start_ticks",
		(json_int_t)process->start_ticks, "name", process->name, "command",
		process->command, "user", process->user, "unit", process->unit, "applications",
		process->applications, "connections", (json_int_t)process->connections);
}

static json_t *describe_page(const struct action_step *step)
{
	const struct page_step *page = &step->page;
	return json_pack("{ss ss? si sI ss? so}", "path", page->path, "name", page->name, "pid",
		step->pid, "start_ticks", (json_int_t)page->start_ticks, "process", page->process,
		"dead_since", json_instant(page->dead_since));
}

static json_t *describe_command(const struct command_step *command)
{
	json_t *words = json_array();
	for (const char *const *word = command->argv; *word; word++)
		json_array_append_new(words, json_string(*word));
	return words;
}

/* The process that the command replaces. */
static json_t *describe_old(const struct action *action)
{
	const struct action_step *old = &action->steps[0];
	if (old->kind != STEP_PROCESS)
		return json_null();
	return json_pack("{si sI ss? ss?}", "pid", old->pid, "start_ticks",
		(json_int_t)old->process.start_ticks, "name", old->process.name, "executable",
		old->process.executable);
}

static json_t *new_line(
	const struct audit *audit, const struct action *action, const char *event, int64_t now)
{
	json_t *line = json_pack("{si so ss ss so}", "schema", SCHEMA, "at", json_instant(now),
		"event", event, "action", action_kind_name(action->kind), "who",
		who(audit, action->role));
	if (action->server)
		json_object_set_new(line, "server", json_string(action->server));
	return line;
}

static bool is_about_proxy(const struct action *action)
{
	return action->kind == ACTION_PROXY_START || action->kind == ACTION_PROXY_RESTART;
}

/* The command's line also names the process that it replaces. */
static void add_command(
	json_t *line, const struct action *action, const struct action_step *step, bool done)
{
	json_t *more = json_pack("{so so so ss?}", "command", describe_command(&step->command),
		"stopped", describe_old(action), "pid",
		step->pid ? json_integer(step->pid) : json_null(), "result",
		done ? action_result_name(step->result) : NULL);
	json_object_update(line, more);
	json_decref(more);
}

int audit_begin(struct audit *audit, const struct action *action, int64_t now)
{
	json_t *line = new_line(audit, action, "action", now);
	if (is_about_proxy(action))
		add_command(line, action, &action->steps[action->n_steps - 1], false);
	else
		json_object_set_new(
			line, "targets", json_integer((json_int_t)action_count_selected(action)));
	/* the emergency itself, not a round of its sessions */
	if (action->kind == ACTION_EMERGENCY &&
		(!action->n_steps || action->steps[0].kind == STEP_PROCESS)) {
		json_object_set_new(line, "force", json_boolean(action->stop_way == STOP_BY_KILL));
		json_object_set_new(line, "grace_seconds",
			json_real((double)(action->grace / USEC_PER_MSEC) / 1000));
	}
	write_line(audit, line);
	return !action->unaudited && audit_error(audit) ? -EIO : 0;
}

static void describe(json_t *line, const struct action *action, const struct action_step *step)
{
	switch (step->kind) {
	case STEP_SESSION:
		json_object_set_new(line, "session", describe_session(step));
		json_object_set_new(line, "planned", describe_planned(&step->session));
		json_object_set_new(line, "seen", describe_seen(&step->session));
		break;
	case STEP_PROCESS:
		json_object_set_new(line, "process", describe_process(step));
		json_object_set_new(line, "signal",
			step->process.signal ? json_string(action_signal_name(step->process.signal))
					     : json_null());
		break;
	case STEP_COMMAND: add_command(line, action, step, true); break;
	case STEP_PAGE: json_object_set_new(line, "page", describe_page(step)); break;
	}
}

void audit_step(struct audit *audit, const struct action *action, const struct action_step *step,
	int64_t now)
{
	bool pending = step->result == RESULT_PENDING;
	/* the command's line names it */
	if (step->kind == STEP_PROCESS && is_about_proxy(action))
		return;
	json_t *line = new_line(audit, action, pending ? "signal" : "result", now);
	describe(line, action, step);
	json_object_set_new(line, "result",
		pending ? json_null() : json_string(action_result_name(step->result)));
	json_object_set_new(line, "detail", step->detail ? json_string(step->detail) : json_null());
	write_line(audit, line);
}

const char *audit_refusal(const struct audit *audit)
{
	return audit->error;
}

const char *audit_error(struct audit *audit)
{
	if (!audit->writer) {
		snprintf(audit->error, sizeof(audit->error),
			"there is no audit log: neither XDG_STATE_HOME nor HOME is set");
		return audit->error;
	}
	int r = audit->malformed ? -EILSEQ
				 : wait_for_disk(audit, audit->hangs ? 0 : audit->timeout);
	if (r == 0)
		return NULL;
	snprintf(audit->error, sizeof(audit->error), "the audit log %s cannot be written: %s",
		audit->path, journal_strerror(r));
	return audit->error;
}
