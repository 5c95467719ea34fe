/* The programs of this tree: dbtop and its JSON, and the clients of the live tests. */
#include "live.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/mem.h"

#define MOST_ARGUMENTS 64
#define RUN_MS         60000
#define READY_MS       30000
#define FETCH_MS       300000

char *live_built(const char *path)
{
	const char *copy = getenv("DBTOP_TEST_BUILD");
	size_t length = strlen(BUILD_ROOT);
	bool moved = copy && *copy && strncmp(path, BUILD_ROOT "/", length + 1) == 0;
	return moved ? mem_printf("%s%s", copy, path + length) : mem_strdup(path);
}

const char *live_dbtop_path(void)
{
	static char *built;
	const char *path = getenv("DBTOP");
	if (path && *path)
		return path;
	if (!built)
		built = live_built(DBTOP_PATH);
	return built;
}

const char *live_client_path(void)
{
	static char *built;
	if (!built)
		built = live_built(LIVE_CLIENT_PATH);
	return built;
}

const char *live_node_path(void)
{
	static char *variable;
	if (variable)
		return variable;
	const char *const argv[] = { "tools/node-pg", NULL };
	/* what it fetches is for later runs, too */
	const char *home = getenv("HOME");
	CLEANUP(cleanup_free) char *assignment = mem_printf("HOME=%s", home ? home : "");
	const char *const environment[] = { home ? assignment : NULL, NULL };
	struct live_run run = live_run(
		&(struct live_program_options){ .argv = argv, .env = environment }, FETCH_MS);
	if (run.status != 0)
		fail_msg("tools/node-pg: status %d: %s", run.status, run.err);
	variable = mem_printf("NODE_PATH=%.*s", (int)strcspn(run.out, "\n"), run.out);
	live_run_clear(&run);
	return variable;
}

/* Appends the list's strings, up to its NULL. */
static void take_arguments(const char **argv, size_t count, va_list list)
{
	const char *argument;
	while ((argument = va_arg(list, const char *)) && count < MOST_ARGUMENTS - 1)
		argv[count++] = argument;
	argv[count] = NULL;
}

struct live_run live_dbtop(const char *arg, ...)
{
	const char *argv[MOST_ARGUMENTS] = { live_dbtop_path(), arg };
	va_list list;
	va_start(list, arg);
	if (arg)
		take_arguments(argv, 2, list);
	va_end(list);
	const struct live_program_options options = { .argv = argv };
	return live_run(&options, RUN_MS);
}

struct live_program *live_dbtop_start(const struct live_program_options *options, ...)
{
	const char *argv[MOST_ARGUMENTS] = { live_dbtop_path() };
	struct live_program_options own = { 0 };
	if (options)
		own = *options;
	va_list list;
	va_start(list, options);
	take_arguments(argv, 1, list);
	va_end(list);
	own.argv = argv;
	return live_start(&own);
}

json_t *live_parse_json(const char *text)
{
	json_error_t error;
	json_t *root = json_loads(text, JSON_DISABLE_EOF_CHECK, &error);
	if (!root)
		fail_msg("no JSON: %s in: %s", error.text, text);
	return root;
}

char *live_audit_path(void)
{
	return mem_printf("%s/state/dbtop/actions.jsonl", live_folder());
}

json_t *live_last_json(struct live_program *program, size_t *ret_count)
{
	const char *start = live_out(program), *last = NULL;
	size_t count = 0;
	for (const char *end; (end = strchr(start, '\n')); start = end + 1, count++)
		last = start;
	if (ret_count)
		*ret_count = count;
	return last ? json_loadb(last, strcspn(last, "\n"), 0, NULL) : NULL;
}

struct json_awaited {
	struct live_program *program;
	bool (*holds)(json_t *root, void *data);
	void *data;
	size_t before;
	json_t *found;
};

static bool has_come(void *data)
{
	struct json_awaited *awaited = data;
	size_t count;
	bool running = live_running(awaited->program);
	json_t *root = live_last_json(awaited->program, &count);
	if (count > awaited->before && awaited->holds(root, awaited->data)) {
		awaited->found = root;
		return true;
	}
	json_decref(root);
	return !running;
}

/* cmocka cuts its messages after 1,000 characters: the whole snapshot goes to stderr. */
static void show_snapshot(const json_t *snapshot)
{
	if (snapshot)
		(void)json_dumpf(snapshot, stderr, JSON_INDENT(1));
	fputc('\n', stderr);
}

json_t *live_await_json(struct live_program *program, bool (*holds)(json_t *root, void *data),
	void *data, const char *what, int ms)
{
	struct json_awaited awaited = { .program = program, .holds = holds, .data = data };
	json_decref(live_last_json(program, &awaited.before));
	(void)live_wait(has_come, &awaited, ms);
	if (!awaited.found) {
		size_t count;
		json_t *last = live_last_json(program, &count);
		show_snapshot(last);
		json_decref(last);
		fail_msg("no snapshot with %s in %zu lines; the last one is shown above\n%s", what,
			count, live_err(program));
	}
	return awaited.found;
}

json_t *live_dbtop_json(int *ret_status, const char *conninfo, ...)
{
	const char *argv[MOST_ARGUMENTS] = { live_dbtop_path(), "--json", conninfo };
	va_list list;
	va_start(list, conninfo);
	take_arguments(argv, 3, list);
	va_end(list);
	const struct live_program_options options = { .argv = argv };
	struct live_run run = live_run(&options, RUN_MS);
	json_error_t error;
	json_t *root = json_loads(run.out, 0, &error);
	if (!root)
		fail_msg("no JSON from dbtop (%s), status %d: \"%s\", \"%s\"", error.text,
			run.status, run.out, run.err);
	if (ret_status)
		*ret_status = run.status;
	live_run_clear(&run);
	return root;
}

json_t *live_find_text(json_t *root, const char *key, const char *member, const char *value)
{
	size_t i;
	json_t *object;
	json_array_foreach(json_object_get(root, key), i, object)
	{
		const char *text = live_text(object, member);
		if (text && strcmp(text, value) == 0)
			return object;
	}
	return NULL;
}

json_t *live_find_number(json_t *root, const char *key, const char *member, long value)
{
	size_t i;
	json_t *object;
	json_array_foreach(json_object_get(root, key), i, object)
	{
		json_t *number = live_member(object, member);
		if (json_is_integer(number) && json_integer_value(number) == value)
			return object;
	}
	return NULL;
}

json_t *live_member(json_t *object, const char *path)
{
	CLEANUP(cleanup_free) char *names = mem_strdup(path);
	for (char *rest = names, *name; (name = strsep(&rest, "."));)
		object = json_object_get(object, name);
	return object;
}

const char *live_text(json_t *object, const char *path)
{
	return json_string_value(live_member(object, path));
}

static struct live_program *start_client(const struct live_program_options *options,
	const char *conninfo, const char *role, va_list list)
{
	const char *argv[MOST_ARGUMENTS] = { live_client_path(), conninfo, role };
	struct live_program_options own = *options;
	take_arguments(argv, 3, list);
	own.argv = argv;
	struct live_program *program = live_start(&own);
	live_wait_out(program, "ready\n", READY_MS);
	return program;
}

struct live_program *live_client(const char *conninfo, const char *role, ...)
{
	const struct live_program_options options = { .argv = NULL };
	va_list list;
	va_start(list, role);
	struct live_program *program = start_client(&options, conninfo, role, list);
	va_end(list);
	return program;
}

struct live_program *live_client_with(
	const struct live_program_options *options, const char *conninfo, const char *role, ...)
{
	va_list list;
	va_start(list, role);
	struct live_program *program = start_client(options, conninfo, role, list);
	va_end(list);
	return program;
}

int live_client_backend(struct live_program *client)
{
	int pid = 0;
	if (sscanf(live_out(client), "pid %d", &pid) != 1)
		fail_msg("no pid of a session: %s", live_out(client));
	return pid;
}

int live_client_killed(const char *conninfo)
{
	struct live_program *client = live_client(conninfo, "active", NULL);
	int pid = live_client_backend(client);
	live_free(client);
	return pid;
}
