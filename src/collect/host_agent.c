/* An agent goes through these states, again and again:
 *
 *	RESOLVING → STARTING → UP → WAITING (for the next attempt)
 *
 * RESOLVING finds the addresses that its name stands for: by ssh's own configuration (ssh -G), then
 * by the resolver. */
#include "collect/host_agent.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/text.h"
#include "collect/host_lines.h"
#include "loop/handle.h"
#include "loop/pipe_child.h"
#include "session/backoff.h"

#define SSH_CONNECT_TIMEOUT "ConnectTimeout=10"

/* Of ssh -G. */
#define CONFIG_LINE_MOST ((size_t)8192)

enum agent_state {
	AGENT_WAITING,
	AGENT_RESOLVING,
	AGENT_STARTING,
	AGENT_UP,
};

struct resolution;

struct host_agent {
	uv_loop_t *loop;
	struct host_agent_callbacks callbacks;
	char *name, *source;
	char **command; /* ends with NULL; NULL: ssh */
	struct endpoint listed[HOST_ADDRESSES_MOST], addresses[HOST_ADDRESSES_MOST];
	size_t n_listed, n_addresses;
	enum agent_state state;
	struct pipe_child *child;
	struct resolution *resolution;
	uv_timer_t *timer;
	int64_t start_timeout;
	uint64_t run;
	int version;
	unsigned failures; /* in a row */
	bool has_failed;   /* ever */
	char *hostname;    /* by ssh -G */
	char error[256];
};

/* A running look-up; the agent may be gone before it ends. */
struct resolution {
	uv_getaddrinfo_t request;
	struct host_agent *agent; /* NULL: nobody waits for it */
};

static void begin(struct host_agent *agent);

static void arm(struct host_agent *agent, uv_timer_cb callback, int64_t usec)
{
	uv_timer_start(agent->timer, callback, (uint64_t)(usec / USEC_PER_MSEC), 0);
}

static void on_retry(uv_timer_t *timer)
{
	begin(timer->data);
}

/* ssh's attempts are lines in logs over there, and may lock us out. */
static bool is_denied(const char *error)
{
	return strstr(error, "ermission denied") || strstr(error, "erification failed") ||
		strstr(error, "refuses");
}

void host_agent_fail(struct host_agent *agent, const char *error)
{
	/* the text may be the agent's own */
	char text[sizeof(agent->error)];
	snprintf(text, sizeof(text), "%s", error);
	memcpy(agent->error, text, sizeof(text));
	pipe_child_free(agent->child);
	agent->child = NULL;
	agent->state = AGENT_WAITING;
	agent->has_failed = true;
	enum server_status like = is_denied(text) ? SERVER_DENIED : SERVER_REFUSED;
	uv_timer_start(agent->timer, on_retry, backoff_delay(like, agent->failures++), 0);
	agent->callbacks.changed(agent->callbacks.data, agent);
}

/* The last line that it wrote, or how it ended. */
static void fail_with(struct host_agent *agent, const char *reason, const char *errors)
{
	struct arena *arena = arena_new();
	size_t length = strlen(errors);
	while (length > 0 && strchr(" \r\n", errors[length - 1]))
		length--;
	size_t from = length;
	while (from > 0 && errors[from - 1] != '\n')
		from--;
	const char *words = text_clean(arena, errors + from, length - from, TEXT_LINE);
	const char *how = reason ? reason : "ended";
	host_agent_fail(agent, *words ? arena_printf(arena, "%s (%s)", words, how) : how);
	arena_free(arena);
}

static void on_agent_ended(void *data, const char *reason, const char *errors)
{
	fail_with(data, reason, errors);
}

static void on_start_timeout(uv_timer_t *timer)
{
	struct host_agent *agent = timer->data;
	bool is_resolving = agent->state == AGENT_RESOLVING && agent->resolution;
	host_agent_fail(agent,
		is_resolving ? "the look-up of its name did not end in time"
			     : "the dbtop there did not answer in time");
}

/* A number that differs between any two runs. */
static uint64_t run_of(const char *name, const struct host_hello *hello)
{
	uint64_t run = 0;
	const char *const texts[] = { name, hello->boot, hello->run };
	for (size_t i = 0; i < 3; i++)
		for (const char *c = texts[i]; *c; c++)
			run = map_mix(run, (unsigned char)*c);
	return run ? run : 1;
}

static void read_hello(struct host_agent *agent, const char *line, size_t length)
{
	struct arena *arena = arena_new();
	struct host_hello hello;
	const char *error;
	if (host_lines_read_hello(arena, line, length, &hello, &error) < 0) {
		host_agent_fail(agent, error);
	} else {
		uv_timer_stop(agent->timer);
		agent->run = run_of(agent->name, &hello);
		agent->version = hello.version;
		agent->state = AGENT_UP;
		agent->error[0] = '\0';
		pipe_child_limit(agent->child, HOST_ANSWER_MOST);
		agent->callbacks.changed(agent->callbacks.data, agent);
	}
	arena_free(arena);
}

static void on_agent_line(void *data, const char *line, size_t length)
{
	struct host_agent *agent = data;
	if (agent->state == AGENT_STARTING)
		read_hello(agent, line, length);
	else
		agent->callbacks.line(agent->callbacks.data, agent, line, length);
}

static int start_child(struct host_agent *agent, const char *const *argv, size_t line_most,
	void (*line)(void *data, const char *line, size_t length),
	void (*ended)(void *data, const char *reason, const char *errors))
{
	const struct pipe_child_callbacks callbacks = { agent, line, ended };
	pipe_child_free(agent->child);
	agent->child = NULL;
	int r = pipe_child_start(agent->loop, argv, line_most, &callbacks, &agent->child);
	if (r < 0) {
		char text[sizeof(agent->error)];
		snprintf(text, sizeof(text), "%.100s cannot be run: %s", argv[0], uv_strerror(r));
		host_agent_fail(agent, text);
	}
	return r;
}

static void start_agent(struct host_agent *agent)
{
	const char *const ssh[] = { "ssh", "-T", "-o", "BatchMode=yes", "-o", SSH_CONNECT_TIMEOUT,
		"--", agent->name, "dbtop", "--peers", NULL };
	const char *const *argv = agent->command ? (const char *const *)agent->command : ssh;
	agent->state = AGENT_STARTING;
	if (start_child(agent, argv, HOST_HELLO_MOST, on_agent_line, on_agent_ended) < 0)
		return;
	arm(agent, on_start_timeout, agent->start_timeout);
	pipe_child_write(agent->child, host_lines_greeting());
}

static void take_addresses(struct host_agent *agent, const struct addrinfo *list)
{
	agent->n_addresses = 0;
	for (; list && agent->n_addresses < HOST_ADDRESSES_MOST; list = list->ai_next) {
		struct endpoint address = endpoint_from_sockaddr(list->ai_addr);
		address.port = 0;
		if (!endpoint_is_loopback(&address))
			agent->addresses[agent->n_addresses++] = address;
	}
}

/* A name that has no address is no failure: the agent may be reached all the same, and may be the
 * server's host. */
static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
	struct resolution *resolution = request->data;
	struct host_agent *agent = resolution->agent;
	if (agent)
		agent->resolution = NULL;
	if (agent && agent->state == AGENT_RESOLVING && !agent->child) {
		take_addresses(agent, status == 0 ? list : NULL);
		start_agent(agent);
	}
	uv_freeaddrinfo(list);
	free(resolution);
}

/* What ssh would connect to without its configuration: without a user, a scheme and a port. */
static char *plain_host(const char *name)
{
	bool is_uri = strncmp(name, "ssh://", 6) == 0;
	const char *host = is_uri ? name + 6 : name, *at = strrchr(host, '@');
	char *copy = mem_strdup(at ? at + 1 : host);
	if (is_uri)
		copy[strcspn(copy, ":/")] = '\0';
	return copy;
}

/* A look-up that hangs keeps one of a few threads: no second one is begun beside it. */
static void resolve(struct host_agent *agent)
{
	if (agent->resolution)
		return;
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct resolution *resolution = mem_alloc(sizeof(*resolution));
	char *plain = plain_host(agent->name);
	const char *host = agent->hostname ? agent->hostname : plain;
	resolution->request.data = resolution;
	resolution->agent = agent;
	agent->resolution = resolution;
	if (uv_getaddrinfo(agent->loop, &resolution->request, on_resolved, host, NULL, &hints) <
		0) {
		agent->resolution = NULL;
		free(resolution);
		start_agent(agent);
	}
	free(plain);
}

static void on_config_line(void *data, const char *line, size_t length)
{
	static const char key[] = "hostname ";
	struct host_agent *agent = data;
	if (length > strlen(key) && strncmp(line, key, strlen(key)) == 0) {
		free(agent->hostname);
		agent->hostname = mem_strdup(line + strlen(key));
	}
}

/* Its last words are kept for when it cannot be started. */
static void on_config_ended(void *data, const char *reason, const char *errors)
{
	struct host_agent *agent = data;
	if (reason) {
		fail_with(agent, reason, errors);
		return;
	}
	pipe_child_free(agent->child);
	agent->child = NULL;
	resolve(agent);
}

static void begin(struct host_agent *agent)
{
	const char *const ssh[] = { "ssh", "-G", "--", agent->name, NULL };
	agent->state = AGENT_RESOLVING;
	arm(agent, on_start_timeout, agent->start_timeout);
	memcpy(agent->addresses, agent->listed, sizeof(agent->listed));
	agent->n_addresses = agent->n_listed;
	if (agent->n_listed) {
		start_agent(agent);
		return;
	}
	if (agent->command) {
		resolve(agent);
		return;
	}
	(void)start_child(agent, ssh, CONFIG_LINE_MOST, on_config_line, on_config_ended);
}

static void on_first(uv_timer_t *timer)
{
	begin(timer->data);
}

static char **copy_command(const char *const *command)
{
	size_t count = 0;
	while (command && command[count])
		count++;
	if (!count)
		return NULL;
	char **copy = mem_alloc((count + 1) * sizeof(*copy));
	for (size_t i = 0; i < count; i++)
		copy[i] = mem_strdup(command[i]);
	return copy;
}

struct host_agent *host_agent_new(uv_loop_t *loop, const struct host_agent_options *options,
	const struct host_agent_callbacks *callbacks)
{
	struct host_agent *agent = mem_alloc(sizeof(*agent));
	agent->loop = loop;
	agent->callbacks = *callbacks;
	agent->name = mem_strdup(options->name);
	agent->source = mem_printf("host %s", options->name);
	agent->command = copy_command(options->command);
	for (size_t i = 0; i < options->n_addresses && i < HOST_ADDRESSES_MOST; i++)
		agent->listed[agent->n_listed++] = options->addresses[i];
	agent->start_timeout =
		options->start_timeout ? options->start_timeout : HOST_AGENT_START_TIMEOUT;
	agent->timer = handle_new_timer(loop, agent);
	agent->state = AGENT_RESOLVING;
	uv_timer_start(agent->timer, on_first, 0, 0);
	return agent;
}

void host_agent_free(struct host_agent *agent)
{
	if (!agent)
		return;
	pipe_child_free(agent->child);
	if (agent->resolution)
		agent->resolution->agent = NULL;
	handle_close(agent->timer);
	for (size_t i = 0; agent->command && agent->command[i]; i++)
		free(agent->command[i]);
	free(agent->command);
	free(agent->hostname);
	free(agent->source);
	free(agent->name);
	free(agent);
}

void host_agent_praise(struct host_agent *agent)
{
	agent->failures = 0;
}

void host_agent_write(struct host_agent *agent, char *line)
{
	pipe_child_write(agent->child, line);
}

bool host_agent_is_up(const struct host_agent *agent)
{
	return agent->state == AGENT_UP;
}

bool host_agent_has_failed(const struct host_agent *agent)
{
	return agent->has_failed;
}

const char *host_agent_error(const struct host_agent *agent)
{
	return agent->error;
}

const char *host_agent_name(const struct host_agent *agent)
{
	return agent->name;
}

const char *host_agent_source(const struct host_agent *agent)
{
	return agent->source;
}

uint64_t host_agent_run(const struct host_agent *agent)
{
	return agent->run;
}

bool host_agent_has_command(const struct host_agent *agent)
{
	return agent->command;
}

bool host_agent_sends_pages(const struct host_agent *agent)
{
	return agent->version >= HOST_VERSION_PAGES;
}

const struct endpoint *host_agent_addresses(const struct host_agent *agent, size_t *ret_count)
{
	*ret_count = agent->n_addresses;
	return agent->addresses;
}
