/* PQconnectPoll() on the loop, and its end.
 *
 * The attempt goes as far as the server's first word: a demand for a password, a refusal, or being
 * let in. A slot is held for that moment at most, and of a full server none. */
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
#include "session/failure.h"
#include "session/params.h"

#define DEADLINE_MS 5000

struct probe {
	uv_loop_t *loop;
	PGconn *conn;
	uv_poll_t *poll;
	uv_timer_t *deadline; /* also ends one that could not begin, from the loop */
	int64_t started_at;   /* monotonic */
	probe_done_fn *done;  /* NULL once called */
	void *data;
};

static void unwatch(struct probe *probe)
{
	handle_close(probe->poll);
	probe->poll = NULL;
}

/* The callback comes last: it may free the probe. */
static void finish(struct probe *probe, bool answered, const char *text)
{
	struct probe_result result = {
		.answered = answered,
		.took = instant_monotonic() - probe->started_at,
		.text = answered ? NULL : text,
	};
	probe_done_fn *done = probe->done;
	void *data = probe->data;
	probe->done = NULL;
	unwatch(probe);
	uv_timer_stop(probe->deadline);
	char *copy = mem_strdup(result.text);
	result.text = copy;
	PQfinish(probe->conn);
	probe->conn = NULL;
	if (done)
		done(data, &result);
	free(copy);
}

/* A refusal with the server's own code is an answer, and so is a wish for a password. */
static void judge_failure(struct probe *probe)
{
	const char *message = PQerrorMessage(probe->conn);
	struct arena *arena = arena_new();
	struct failure failure = failure_read(arena, message);
	bool answered = failure.sqlstate[0] || PQconnectionNeedsPassword(probe->conn);
	finish(probe, answered,
		failure.text && *failure.text ? failure.text : "the connection was closed");
	arena_free(arena);
}

static void on_deadline(uv_timer_t *timer)
{
	struct probe *probe = timer->data;
	if (!probe->conn)
		finish(probe, false, "out of memory");
	else if (PQstatus(probe->conn) == CONNECTION_BAD)
		judge_failure(probe);
	else
		finish(probe, false, "no answer in 5 s");
}

static void on_unwatched(uv_timer_t *timer)
{
	finish(timer->data, false, "the socket cannot be watched");
}

static void on_socket(uv_poll_t *poll, int status, int events);

static void watch(struct probe *probe, int events)
{
	probe->poll = mem_alloc(sizeof(*probe->poll));
	if (uv_poll_init(probe->loop, probe->poll, PQsocket(probe->conn)) != 0) {
		free(probe->poll);
		probe->poll = NULL;
		uv_timer_start(probe->deadline, on_unwatched, 0, 0);
		return;
	}
	probe->poll->data = probe;
	uv_poll_start(probe->poll, events, on_socket);
}

static void on_socket(uv_poll_t *poll, int status, int events)
{
	(void)status, (void)events;
	struct probe *probe = poll->data;
	if (poll != probe->poll)
		return;
	/* libpq may close its socket and open another: see session/session.c */
	unwatch(probe);
	switch (PQconnectPoll(probe->conn)) {
	case PGRES_POLLING_OK: finish(probe, true, NULL); return;
	case PGRES_POLLING_FAILED: judge_failure(probe); return;
	case PGRES_POLLING_READING: watch(probe, UV_READABLE); return;
	default: watch(probe, UV_WRITABLE); return;
	}
}

/* An address that means "any of ours" is reached by the loopback one. */
static void set_address(struct params *params, const struct endpoint *endpoint)
{
	static const uint8_t any[16];
	char address[ENDPOINT_TEXT_MAX], port[8];
	endpoint_address(endpoint, address);
	if (memcmp(endpoint->address, any, sizeof(any)) == 0)
		snprintf(address, sizeof(address), "%s",
			endpoint->family == AF_INET6 ? "::1" : "127.0.0.1");
	snprintf(port, sizeof(port), "%u", endpoint->port);
	params_set(params, "host", address);
	params_set(params, "hostaddr", address);
	params_set(params, "port", port);
}

struct probe *probe_start(uv_loop_t *loop, const struct params *from,
	const struct endpoint *endpoint, const char *application_name, probe_done_fn *done,
	void *data)
{
	struct probe *probe = mem_alloc(sizeof(*probe));
	struct params params = { 0 };
	*probe = (struct probe){ .loop = loop, .done = done, .data = data };
	probe->deadline = handle_new_timer(loop, probe);
	probe->started_at = instant_monotonic();
	params_lay_over(&params, from);
	if (endpoint->family != AF_UNIX)
		set_address(&params, endpoint);
	/* between us and a proxy there is no encryption; it has its own */
	params_set(&params, "sslmode", "prefer");
	params_set(&params, "application_name", application_name);
	params_set(&params, "client_encoding", "UTF8");
	probe->conn = PQconnectStartParams(
		(const char *const *)params.keywords, (const char *const *)params.values, 0);
	params_clear(&params);
	bool begun = probe->conn && PQstatus(probe->conn) != CONNECTION_BAD;
	if (probe->conn)
		PQsetErrorVerbosity(probe->conn, PQERRORS_VERBOSE);
	uv_timer_start(probe->deadline, on_deadline, begun ? DEADLINE_MS : 0, 0);
	if (begun)
		watch(probe, UV_WRITABLE);
	return probe;
}

void probe_free(struct probe *probe)
{
	if (!probe)
		return;
	unwatch(probe);
	PQfinish(probe->conn);
	handle_close(probe->deadline);
	free(probe);
}
