/* Writes and reads the lines by jansson. */
#include "collect/host_lines.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/text.h"
#include "collect/line_weight.h"
#include "model/programs.h"

/* The longest texts of a process, in bytes. */
#define NAME_MOST    256
#define COMMAND_MOST 4096

/* The last second of the year 9999, which RFC 3339 can write; and so much that a sum is a number.
 */
#define LAST_INSTANT (INT64_C(253402300799) * USEC_PER_SEC)
#define RSS_MOST     (INT64_C(1) << 48)

#define UNIX_PREFIX "unix:"

/* Only those that matter for a verdict. */
static const char *const program_names[] = {
	[PROGRAM_UNKNOWN] = NULL,
	[PROGRAM_POSTGRESQL] = "postgresql",
	[PROGRAM_HA_AGENT] = "ha_agent",
	[PROGRAM_POOLER] = "pooler",
	[PROGRAM_SSHD] = "sshd",
	[PROGRAM_FORWARDER] = "forwarder",
	[PROGRAM_MAINTENANCE] = "maintenance",
	[PROGRAM_TOOL] = "tool",
	[PROGRAM_DBTOP] = "dbtop",
};
#define PROGRAM_COUNT (sizeof(program_names) / sizeof(program_names[0]))

/* --- writing --- */

/* Takes over the value. */
static char *to_line(json_t *root)
{
	char *line = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return line ? line : mem_strdup("{}");
}

static void set(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text)
		set(object, key, json_string(text));
}

static json_t *end_text(const struct asked_end *end)
{
	char text[ENDPOINT_TEXT_MAX];
	if (end->client.family == AF_UNIX)
		snprintf(text, sizeof(text), UNIX_PREFIX "%" PRId32, end->backend);
	else
		endpoint_format(&end->client, text);
	return json_string(text);
}

static json_t *end_list(const struct asked_end *ends, size_t n_ends)
{
	json_t *list = json_array();
	for (size_t i = 0; i < n_ends; i++)
		json_array_append_new(list, end_text(&ends[i]));
	return list;
}

char *host_lines_greeting(void)
{
	return to_line(json_pack("{s[ii]}", "dbtop_peers", HOST_VERSION_LEAST, HOST_VERSION));
}

char *host_lines_hello(const struct host_hello *hello)
{
	return to_line(json_pack(
		"{si ss ss}", "version", hello->version, "boot", hello->boot, "run", hello->run));
}

char *host_lines_refusal(const char *error)
{
	return to_line(json_pack("{ss}", "error", error));
}

char *host_lines_question(const struct host_question *question)
{
	json_t *root = json_object(), *ports = json_array();
	char own[ENDPOINT_TEXT_MAX];
	set(root, "question", json_integer((json_int_t)question->number));
	set(root, "target", json_integer(question->target));
	if (question->is_first)
		set(root, "first", json_true());
	for (size_t i = 0; i < question->n_ports; i++)
		json_array_append_new(ports, json_integer(question->ports[i]));
	set(root, "ports", ports);
	if (question->own.family == AF_INET || question->own.family == AF_INET6)
		set_text(root, "own", endpoint_format(&question->own, own));
	if (question->n_add)
		set(root, "add", end_list(question->add, question->n_add));
	if (question->n_drop)
		set(root, "drop", end_list(question->drop, question->n_drop));
	return to_line(root);
}

static json_t *process_object(const struct host_process *row)
{
	const struct process *process = &row->process;
	json_t *object = json_object();
	set(object, "id", json_integer(row->id));
	set(object, "pid", json_integer(process->pid));
	set(object, "start_ticks", json_integer((json_int_t)process->start_ticks));
	if (process->started_at != INSTANT_UNKNOWN)
		set(object, "started_at", json_integer(process->started_at));
	set_text(object, "name", process->name);
	set_text(object, "command", process->command);
	set(object, "uid", json_integer(process->uid));
	set_text(object, "user", process->user);
	set_text(object, "unit", process->unit);
	set_text(object, "container", process->container);
	set_text(object, "image", process->image);
	set_text(object, "program", program_names[process->program]);
	if (!isnan(process->cpu_percent))
		set(object, "cpu", json_real(process->cpu_percent));
	if (process->rss_bytes >= 0)
		set(object, "rss", json_integer(process->rss_bytes));
	if (process->ended_at != INSTANT_UNKNOWN)
		set(object, "ended", json_true());
	return object;
}

static json_t *change_object(const struct host_change *change)
{
	json_t *object = json_object();
	set(object, "end", end_text(&change->end));
	set_text(object, "state", host_end_state_name(change->state));
	if (change->process)
		set(object, "process", json_integer(change->process));
	if (change->shared_by)
		set(object, "shared_by", json_integer(change->shared_by));
	return object;
}

static json_t *address_list(const struct endpoint *addresses, size_t n_addresses)
{
	char text[ENDPOINT_TEXT_MAX];
	json_t *list = json_array();
	for (size_t i = 0; i < n_addresses; i++)
		json_array_append_new(list, json_string(endpoint_address(&addresses[i], text)));
	return list;
}

static json_t *server_object(const struct host_answer *answer)
{
	json_t *object = json_object();
	set(object, "pid", json_integer(answer->server_pid));
	if (answer->server_started_at != INSTANT_UNKNOWN)
		set(object, "started_at", json_integer(answer->server_started_at));
	return object;
}

char *host_lines_answer(const struct host_answer *answer)
{
	json_t *root = json_object(), *list;
	set(root, "answer", json_integer((json_int_t)answer->number));
	set(root, "target", json_integer(answer->target));
	if (answer->server_pid)
		set(root, "server", server_object(answer));
	if (answer->has_interfaces)
		set(root, "interfaces", address_list(answer->interfaces, answer->n_interfaces));
	set(root, "processes", list = json_array());
	for (size_t i = 0; i < answer->n_processes; i++)
		json_array_append_new(list, process_object(&answer->processes[i]));
	set(root, "ends", list = json_array());
	for (size_t i = 0; i < answer->n_changes; i++)
		json_array_append_new(list, change_object(&answer->changes[i]));
	if (answer->pages.items)
		host_pages_write(root, &answer->pages);
	return to_line(root);
}

/* --- reading --- */

struct reading {
	struct arena *arena;
	json_t *root;
	bool is_wrong; /* something was not as expected */
};

/* The beginning of the line, for an error. */
static const char *quote(struct arena *arena, const char *line, size_t length)
{
	return text_clean(arena, line, length < 80 ? length : 80, TEXT_LINE);
}

static int fail(struct arena *arena, const char *line, size_t length, const char **ret_error)
{
	*ret_error = arena_printf(
		arena, "not a line of dbtop --peers: \"%s\"", quote(arena, line, length));
	return -EPROTO;
}

/* Only an object is accepted. */
static struct reading read_object(struct arena *arena, const char *line, size_t length)
{
	struct reading reading = { .arena = arena };
	if (line_weight_is_allowed(line, length))
		reading.root = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
	reading.is_wrong = !json_is_object(reading.root);
	return reading;
}

/* A whole number within the limits; `otherwise` if it is not there. */
static int64_t get_integer(struct reading *reading, const json_t *object, const char *key,
	int64_t least, int64_t most, int64_t otherwise)
{
	const json_t *value = json_object_get(object, key);
	if (!value)
		return otherwise;
	json_int_t number = json_integer_value(value);
	if (json_is_integer(value) && number >= least && number <= most)
		return number;
	reading->is_wrong = true;
	return otherwise;
}

static int64_t need_integer(
	struct reading *reading, const json_t *object, const char *key, int64_t least, int64_t most)
{
	reading->is_wrong |= !json_object_get(object, key);
	return get_integer(reading, object, key, least, most, least);
}

/* Clean; NULL if it is not there. */
static const char *get_text(
	struct reading *reading, const json_t *object, const char *key, size_t most)
{
	const json_t *value = json_object_get(object, key);
	if (!value || json_is_null(value))
		return NULL;
	size_t length = json_string_length(value);
	reading->is_wrong |= !json_is_string(value);
	return json_is_string(value) ? text_clean(reading->arena, json_string_value(value),
					       length < most ? length : most, TEXT_LINE)
				     : NULL;
}

/* A list of at most this many items; none if it is not there. */
static const json_t *get_list(
	struct reading *reading, const char *key, size_t most, size_t *ret_count)
{
	const json_t *list = json_object_get(reading->root, key);
	*ret_count = json_array_size(list);
	if ((list && !json_is_array(list)) || *ret_count > most) {
		reading->is_wrong = true;
		*ret_count = 0;
	}
	return list;
}

static bool parse_end(const char *text, struct asked_end *ret_end)
{
	static const size_t prefix = sizeof(UNIX_PREFIX) - 1;
	struct endpoint client;
	if (!text)
		return false;
	if (strncmp(text, UNIX_PREFIX, prefix) == 0) {
		const char *digits = text + prefix;
		size_t length = strspn(digits, "0123456789");
		long pid = length > 0 && length <= 10 && !digits[length] ? strtol(digits, NULL, 10)
									 : 0;
		if (pid <= 0 || pid > INT32_MAX)
			return false;
		*ret_end = (struct asked_end){ { .family = AF_UNIX }, (int32_t)pid };
		return true;
	}
	if (!endpoint_parse(text, &client) || !client.port)
		return false;
	*ret_end = (struct asked_end){ client, 0 };
	return true;
}

static struct asked_end *get_ends(struct reading *reading, const char *key, size_t *ret_count)
{
	size_t count;
	const json_t *list = get_list(reading, key, HOST_ENDS_MOST, &count);
	struct asked_end *ends = arena_array(reading->arena, count, sizeof(*ends));
	for (size_t i = 0; i < count; i++)
		if (!parse_end(json_string_value(json_array_get(list, i)), &ends[i]))
			reading->is_wrong = true;
	*ret_count = count;
	return ends;
}

/* Frees what was read; 0 if all of it was right. */
static int finish(struct reading *reading, const char *line, size_t length, const char **ret_error)
{
	json_decref(reading->root);
	return reading->is_wrong ? fail(reading->arena, line, length, ret_error) : 0;
}

int host_lines_read_greeting(struct arena *arena, const char *line, size_t length, int *ret_version,
	const char **ret_error)
{
	struct reading reading = read_object(arena, line, length);
	const json_t *versions = json_object_get(reading.root, "dbtop_peers");
	json_int_t least = json_integer_value(json_array_get(versions, 0));
	json_int_t most = json_integer_value(json_array_get(versions, 1));
	bool is_right = json_array_size(versions) == 2 && least > 0 && most >= least;
	reading.is_wrong |= !is_right;
	if (is_right && (least > HOST_VERSION || most < HOST_VERSION_LEAST)) {
		*ret_error = arena_printf(arena,
			"this dbtop speaks versions %d to %d, the other one %" JSON_INTEGER_FORMAT
			" to %" JSON_INTEGER_FORMAT,
			HOST_VERSION_LEAST, HOST_VERSION, least, most);
		json_decref(reading.root);
		return -EPROTONOSUPPORT;
	}
	int r = finish(&reading, line, length, ret_error);
	if (r == 0)
		*ret_version = most < HOST_VERSION ? (int)most : HOST_VERSION;
	return r;
}

int host_lines_read_hello(struct arena *arena, const char *line, size_t length,
	struct host_hello *ret_hello, const char **ret_error)
{
	struct reading reading = read_object(arena, line, length);
	const char *error = get_text(&reading, reading.root, "error", NAME_MOST);
	struct host_hello hello = {
		.boot = get_text(&reading, reading.root, "boot", NAME_MOST),
		.run = get_text(&reading, reading.root, "run", NAME_MOST),
	};
	hello.version = (int)need_integer(
		&reading, reading.root, "version", HOST_VERSION_LEAST, HOST_VERSION);
	if (error) {
		*ret_error = arena_printf(arena, "dbtop --peers refuses: %s", error);
		json_decref(reading.root);
		return -EPROTONOSUPPORT;
	}
	reading.is_wrong |= !hello.boot || !hello.run || !*hello.boot || !*hello.run;
	int r = finish(&reading, line, length, ret_error);
	if (r == 0)
		*ret_hello = hello;
	return r;
}

int host_lines_read_question(struct arena *arena, const char *line, size_t length,
	struct host_question *ret_question, const char **ret_error)
{
	struct reading reading = read_object(arena, line, length);
	struct host_question question = {
		.number = (uint64_t)need_integer(&reading, reading.root, "question", 1, INT64_MAX),
		.target = (uint32_t)need_integer(
			&reading, reading.root, "target", 0, HOST_TARGETS_MOST - 1),
		.is_first = json_is_true(json_object_get(reading.root, "first")),
	};
	const json_t *ports = get_list(&reading, "ports", HOST_PORTS_MOST, &question.n_ports);
	for (size_t i = 0; i < question.n_ports; i++) {
		const json_t *port = json_array_get(ports, i);
		json_int_t number = json_integer_value(port);
		reading.is_wrong |= number <= 0 || number > UINT16_MAX;
		question.ports[i] = (uint16_t)number;
	}
	reading.is_wrong |= question.n_ports == 0;
	const char *own = get_text(&reading, reading.root, "own", ENDPOINT_TEXT_MAX);
	if (own && (!endpoint_parse(own, &question.own) || !question.own.port))
		reading.is_wrong = true;
	question.add = get_ends(&reading, "add", &question.n_add);
	question.drop = get_ends(&reading, "drop", &question.n_drop);
	int r = finish(&reading, line, length, ret_error);
	if (r == 0)
		*ret_question = question;
	return r;
}

static enum program_kind get_program(struct reading *reading, const json_t *object)
{
	const char *name = get_text(reading, object, "program", NAME_MOST);
	for (size_t i = 1; name && i < PROGRAM_COUNT; i++)
		if (strcmp(program_names[i], name) == 0)
			return (enum program_kind)i;
	return PROGRAM_UNKNOWN;
}

static struct host_process get_process(struct reading *reading, const json_t *object)
{
	const json_t *cpu = json_object_get(object, "cpu");
	struct host_process row = {
		.id = (uint32_t)need_integer(reading, object, "id", 1, UINT32_MAX - 1),
		.process = {
			.pid = (int32_t)need_integer(reading, object, "pid", 1, INT32_MAX),
			.start_ticks = (uint64_t)need_integer(
				reading, object, "start_ticks", 0, INT64_MAX),
			.started_at = get_integer(reading, object, "started_at", 0, LAST_INSTANT,
				INSTANT_UNKNOWN),
			.ended_at = INSTANT_UNKNOWN,
			.name = get_text(reading, object, "name", NAME_MOST),
			.command = get_text(reading, object, "command", COMMAND_MOST),
			.uid = (uint32_t)get_integer(reading, object, "uid", 0, UINT32_MAX, 0),
			.user = get_text(reading, object, "user", NAME_MOST),
			.unit = get_text(reading, object, "unit", NAME_MOST),
			.container = get_text(reading, object, "container", NAME_MOST),
			.image = get_text(reading, object, "image", NAME_MOST),
			.program = get_program(reading, object),
			.cpu_percent = json_is_number(cpu) ? json_number_value(cpu) : NAN,
			.rss_bytes = get_integer(reading, object, "rss", 0, RSS_MOST, -1),
		},
	};
	if (!(row.process.cpu_percent >= 0 && row.process.cpu_percent < 1e6))
		row.process.cpu_percent = NAN;
	/* when it ended is known by this machine's clock alone: that is when it is read */
	if (json_is_true(json_object_get(object, "ended")))
		row.process.ended_at = instant_now();
	return row;
}

static enum host_end_state get_state(struct reading *reading, const json_t *object)
{
	const char *name = get_text(reading, object, "state", NAME_MOST);
	for (int i = 0; name && i < HOST_END_STATE_COUNT; i++)
		if (strcmp(host_end_state_name((enum host_end_state)i), name) == 0)
			return (enum host_end_state)i;
	reading->is_wrong = true;
	return HOST_END_UNKNOWN;
}

static struct host_change get_change(struct reading *reading, const json_t *object)
{
	struct host_change change = {
		.state = get_state(reading, object),
		.process = (uint32_t)get_integer(reading, object, "process", 1, UINT32_MAX - 1, 0),
		.shared_by = (int)get_integer(reading, object, "shared_by", 0, INT32_MAX, 0),
	};
	if (!parse_end(json_string_value(json_object_get(object, "end")), &change.end))
		reading->is_wrong = true;
	if (change.state == HOST_END_HELD && !change.process)
		reading->is_wrong = true;
	return change;
}

static void get_interfaces(struct reading *reading, struct host_answer *answer)
{
	const json_t *list =
		get_list(reading, "interfaces", HOST_INTERFACES_MOST, &answer->n_interfaces);
	answer->has_interfaces = list != NULL;
	answer->interfaces =
		arena_array(reading->arena, answer->n_interfaces, sizeof(*answer->interfaces));
	for (size_t i = 0; i < answer->n_interfaces; i++) {
		const char *text = json_string_value(json_array_get(list, i));
		if (!text || !endpoint_parse(text, &answer->interfaces[i]))
			reading->is_wrong = true;
	}
}

int host_lines_read_answer(struct arena *arena, const char *line, size_t length,
	struct host_answer *ret_answer, const char **ret_error)
{
	struct reading reading = read_object(arena, line, length);
	const json_t *server = json_object_get(reading.root, "server");
	struct host_answer answer = {
		.number = (uint64_t)need_integer(&reading, reading.root, "answer", 1, INT64_MAX),
		.target = (uint32_t)need_integer(
			&reading, reading.root, "target", 0, HOST_TARGETS_MOST - 1),
		.server_pid = (int32_t)get_integer(&reading, server, "pid", 1, INT32_MAX, 0),
		.server_started_at = get_integer(
			&reading, server, "started_at", 0, LAST_INSTANT, INSTANT_UNKNOWN),
	};
	get_interfaces(&reading, &answer);
	const json_t *list =
		get_list(&reading, "processes", HOST_PROCESSES_MOST, &answer.n_processes);
	answer.processes = arena_array(arena, answer.n_processes, sizeof(*answer.processes));
	for (size_t i = 0; i < answer.n_processes; i++)
		answer.processes[i] = get_process(&reading, json_array_get(list, i));
	list = get_list(&reading, "ends", HOST_ENDS_MOST, &answer.n_changes);
	answer.changes = arena_array(arena, answer.n_changes, sizeof(*answer.changes));
	for (size_t i = 0; i < answer.n_changes; i++)
		answer.changes[i] = get_change(&reading, json_array_get(list, i));
	reading.is_wrong |= !host_pages_read(arena, reading.root, &answer.pages);
	int r = finish(&reading, line, length, ret_error);
	if (r == 0)
		*ret_answer = answer;
	return r;
}
