/* Reads actions from the end of the audit log. Other programs may also write to that file. */
#include "dashboard/logs.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "action/audit.h"
#include "action/audit_recent.h"
#include "base/arena.h"
#include "base/cleanup.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/plural.h"
#include "base/text.h"
#include "dashboard/commands.h"
#include "dashboard/dashboard.h"
#include "modes/app.h"
#include "modes/log.h"
#include "view/log_view.h"

#define TAIL_MAX (512 << 10) /* bytes read from the end of the log: about a thousand lines */

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static long number_of(const json_t *object, const char *key)
{
	return (long)json_integer_value(json_object_get(object, key));
}

/* Appends; text that does not fit is cut. */
__attribute__((format(printf, 3, 4))) static void append(
	char *text, size_t size, const char *format, ...)
{
	size_t length = strlen(text);
	va_list args;
	va_start(args, format);
	vsnprintf(text + length, size - length, format, args);
	va_end(args);
}

/* Appends a name of the log as words: "held_too_long" becomes "held too long". */
static void append_words(char *text, size_t size, const char *name)
{
	size_t from = strlen(text);
	append(text, size, "%s", name);
	for (char *at = text + from; (at = strchr(at, '_'));)
		*at = ' ';
}

static void describe_who(const json_t *root, char *text, size_t size)
{
	const json_t *who = json_object_get(root, "who");
	const char *server = text_of(root, "server"), *user = text_of(who, "user");
	const char *sudo_user = text_of(who, "sudo_user");
	if (user)
		append(text, size, ", by %s", user);
	if (user && sudo_user)
		append(text, size, " (%s)", sudo_user);
	if (server)
		append(text, size, ", on %s", server);
}

static void describe_begin(const json_t *root, char *text, size_t size)
{
	long targets = number_of(root, "targets");
	append(text, size, ": begins with %ld target%s", targets, plural_s(targets));
	describe_who(root, text, size);
}

static void describe_session(const json_t *root, char *text, size_t size)
{
	const json_t *session = json_object_get(root, "session");
	const char *database = text_of(session, "database"), *user = text_of(session, "user");
	const char *process = text_of(session, "process");
	const char *reason = text_of(json_object_get(root, "planned"), "reason");
	append(text, size, ": backend %ld %s", number_of(session, "pid"), text_of(root, "result"));
	if (reason) {
		append(text, size, ", ");
		append_words(text, size, reason);
	}
	if (user && database)
		append(text, size, ", %s on %s", user, database);
	if (process)
		append(text, size, ", of %s", process);
}

static void describe_process(const json_t *root, char *text, size_t size)
{
	const json_t *process = json_object_get(root, "process");
	const char *signal = text_of(root, "signal"), *result = text_of(root, "result");
	const char *command = text_of(process, "command");
	append(text, size, ": process %ld", number_of(process, "pid"));
	if (result)
		append(text, size, " %s", result);
	if (signal)
		append(text, size, " %s", signal);
	if (command)
		append(text, size, ", %s", command);
}

static void describe_page(const json_t *root, char *text, size_t size)
{
	const json_t *page = json_object_get(root, "page");
	const char *path = text_of(page, "path"), *process = text_of(page, "process");
	append(text, size, ": %s %s", path ? path : "a page", text_of(root, "result"));
	if (process)
		append(text, size, ", of %s", process);
}

static bool describe(const json_t *root, char *text, size_t size)
{
	const char *event = text_of(root, "event");
	if (!event || !text_of(root, "action"))
		return false;
	append_words(text, size, text_of(root, "action"));
	if (strcmp(event, "action") == 0)
		describe_begin(root, text, size);
	else if (json_is_object(json_object_get(root, "session")) && text_of(root, "result"))
		describe_session(root, text, size);
	else if (json_is_object(json_object_get(root, "process")))
		describe_process(root, text, size);
	else if (json_is_object(json_object_get(root, "page")) && text_of(root, "result"))
		describe_page(root, text, size);
	else
		return false;
	const char *detail = text_of(root, "detail");
	if (detail)
		append(text, size, ": %s", detail);
	return true;
}

static bool has_failed(const json_t *root)
{
	static const char *const failures[] = { "denied", "timeout" };
	const char *result = text_of(root, "result");
	for (size_t i = 0; result && i < sizeof(failures) / sizeof(failures[0]); i++)
		if (strcmp(result, failures[i]) == 0)
			return true;
	return false;
}

bool logs_read_action(const char *line, size_t length, struct logs_line *ret_line)
{
	char text[LOGS_TEXT_MAX] = "";
	json_t *root = json_loadb(line, length, 0, NULL);
	const char *at = text_of(root, "at");
	struct logs_line result = { .failed = has_failed(root) };
	bool good = at && instant_parse(at, &result.at) == 0 && describe(root, text, sizeof(text));
	json_decref(root);
	if (!good)
		return false;
	struct arena *arena = arena_new();
	const char *clean = text_clean(arena, text, strlen(text), TEXT_LINE);
	snprintf(result.text, sizeof(result.text), "%s", clean);
	arena_free(arena);
	*ret_line = result;
	return true;
}

static void add_actions(struct log_view *log, const char *bytes, size_t length)
{
	/* Backwards: the newest line is shown first. */
	for (size_t end = length; end > 0;) {
		const char *newline = memrchr(bytes, '\n', end - 1);
		size_t from = newline ? (size_t)(newline - bytes) + 1 : 0;
		struct logs_line line;
		if (logs_read_action(bytes + from, end - from, &line))
			log_view_add(
				log, line.at, line.failed ? STYLE_CAUTION : STYLE_TEXT, line.text);
		end = from;
	}
}

void command_actions_log(struct dashboard *dashboard)
{
	CLEANUP(cleanup_free) char *path = audit_default_path();
	size_t length = 0;
	errno = 0;
	CLEANUP(cleanup_free) char *bytes = path ? audit_read_tail(path, TAIL_MAX, &length) : NULL;
	CLEANUP(cleanup_free)
	char *empty = bytes || errno == ENOENT || !path
		? mem_strdup("nothing has been ended or cancelled yet")
		: mem_printf("%s: %s", path, strerror(errno));
	log_view_open(&dashboard->log, &dashboard->ui, "Actions", empty);
	if (bytes)
		add_actions(&dashboard->log, bytes, length);
}

void command_messages(struct dashboard *dashboard)
{
	const struct log_entry *entry;
	log_view_open(&dashboard->log, &dashboard->ui, "Messages", "nothing has been logged yet");
	for (size_t i = 0; (entry = log_get(dashboard->app->log, i)); i++)
		log_view_add(&dashboard->log, entry->at, STYLE_TEXT, entry->text);
}
