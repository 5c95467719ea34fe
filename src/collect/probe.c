/* The attempt ends with the server's first answer: a demand for a password, a refusal, or a
 * successful login. It occupies a slot only for that moment, and none if the server is full. */
#include "collect/probe.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "loop/handle.h"
#include "model/endpoint.h"
#include "session/dial.h"
#include "session/failure.h"
#include "session/params.h"

#define DEADLINE_SECONDS 5

/* The attempt has one address, and its thread ends within the deadline unless it hangs. */
#define HANGS_AFTER_SECONDS (DEADLINE_SECONDS + 2)

/* libpq treats a missing file as no file; for /dev/null it prints a warning */
#define NO_FILE "/dev/null/none"

struct probe {
	struct dial *dial;  /* NULL when the attempt has ended */
	uv_timer_t *timer;  /* NULL when the attempt was reported */
	int64_t started_at; /* monotonic */
	probe_done_fn *done;
	void *data;
};

/* Calls the callback last, because it may free the probe. */
static void finish(struct probe *probe, bool verified, bool answered, const char *text)
{
	if (!probe->timer)
		return;
	handle_close(probe->timer);
	probe->timer = NULL;
	const struct probe_result result = {
		.answered = answered,
		.verified = verified,
		.took = instant_monotonic() - probe->started_at,
		.text = answered ? NULL : text,
	};
	probe->done(probe->data, &result);
}

static void on_late(uv_timer_t *timer)
{
	finish(timer->data, false, false, "the connection attempt takes too long");
}

/* A refusal with an error code of the server is an answer, and so is a demand for a password. */
static bool is_answer(const struct dial_result *dialed, const struct session_failure *failure)
{
	return failure->sqlstate[0] || PQconnectionNeedsPassword(dialed->conn) ||
		/* libpq's message if require_auth forbids the method */
		strstr(failure->text, "authentication method requirement");
}

static void on_dialed(void *data, const struct dial_result *dialed)
{
	struct probe *probe = data;
	probe->dial = NULL;
	if (!dialed->error) {
		PQfinish(dialed->conn);
		finish(probe, dialed->verified, true, NULL);
		return;
	}
	struct arena *arena = arena_new();
	struct session_failure failure = failure_read(arena, dialed->error);
	bool answered = dialed->conn && is_answer(dialed, &failure);
	PQfinish(dialed->conn);
	finish(probe, dialed->verified, answered,
		*failure.text ? failure.text : "the connection was closed");
	arena_free(arena);
}

/* Keeps the host name, because the certificate is checked against it. A list of names or a socket's
 * folder is replaced: it is not the name of the server that is asked. */
static void set_name(struct params *params, const char *address)
{
	const char *name = params_get(params, "host");
	if (!name || !*name || strchr("/@", *name) || strchr(name, ','))
		params_set(params, "host", address);
}

/* If the listener's address means "any address", connects to the loopback address. */
static void set_address(struct params *params, const struct endpoint *endpoint)
{
	static const uint8_t any[16];
	char address[ENDPOINT_TEXT_MAX], port[8];
	endpoint_address(endpoint, address);
	if (memcmp(endpoint->address, any, sizeof(any)) == 0)
		snprintf(address, sizeof(address), "%s",
			endpoint->family == AF_INET6 ? "::1" : "127.0.0.1");
	snprintf(port, sizeof(port), "%u", endpoint->port);
	set_name(params, address);
	params_set(params, "hostaddr", address);
	params_set(params, "port", port);
}

/* Sets the secrets to nothing. If they were left out, libpq would take them from the environment
 * and the service file. */
static void withhold_secrets(struct params *params)
{
	params_set(params, "password", "");
	params_set(params, "passfile", NO_FILE);
	params_set(params, "sslcert", NO_FILE);
	params_set(params, "sslkey", NO_FILE);
	params_set(params, "sslpassword", "");
	params_set(params, "gssencmode", "disable");
	if (PQlibVersion() >= 160000)
		params_set(params, "require_auth", "none");
}

struct probe *probe_start(uv_loop_t *loop, const struct params *from,
	const struct endpoint *endpoint, const char *application_name, probe_done_fn *done,
	void *data)
{
	struct probe *probe = mem_alloc(sizeof(*probe));
	struct params params = { 0 };
	*probe = (struct probe){ .done = done, .data = data };
	probe->started_at = instant_monotonic();
	probe->timer = handle_new_timer(loop, probe);
	uv_timer_start(probe->timer, on_late, HANGS_AFTER_SECONDS * UINT64_C(1000), 0);
	params_lay_over(&params, from);
	if (endpoint->family != AF_UNIX)
		set_address(&params, endpoint);
	withhold_secrets(&params);
	params_set(&params, "connect_timeout", "");
	params_set(&params, "target_session_attrs", "any");
	params_set(&params, "application_name", application_name);
	params_set(&params, "client_encoding", "UTF8");
	const struct dial_callbacks callbacks = { .data = probe, .done = on_dialed };
	probe->dial = dial_start(loop, &params, DEADLINE_SECONDS, &callbacks);
	params_clear(&params);
	return probe;
}

bool probe_is_running(const struct probe *probe)
{
	return probe->dial != NULL;
}

void probe_free(struct probe *probe)
{
	if (!probe)
		return;
	dial_abandon(probe->dial);
	handle_close(probe->timer);
	free(probe);
}
