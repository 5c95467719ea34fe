/* One timed connection attempt to an address: it shows whether the listener speaks PostgreSQL's
 * protocol. No password, ticket or client certificate is sent, whatever the listener asks for: it
 * may be any program. */
#ifndef COLLECT_PROBE_H
#define COLLECT_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct endpoint;
struct params;
struct probe;

struct probe_result {
	bool answered;    /* in PostgreSQL's protocol; a refusal is an answer, too */
	bool verified;    /* the server has proven its name, under sslmode=verify-full */
	int64_t took;     /* µs until the answer */
	const char *text; /* why there was no answer, one line, not clean; NULL if answered */
};

typedef void probe_done_fn(void *data, const struct probe_result *result);

/* Uses these parameters, sslmode included, except the address, the port, all secrets, and
 * application_name; a Unix socket is found by the folder in the parameters. Never NULL: an attempt
 * that cannot start is reported by the callback, too. The callback comes once, from the loop, and
 * not later than some seconds after the start: an attempt may hang in its thread, in a file or a
 * look-up. */
struct probe *probe_start(uv_loop_t *loop, const struct params *params,
	const struct endpoint *endpoint, const char *application_name, probe_done_fn *done,
	void *data);

/* True until the attempt's thread has ended, which may be after the callback. */
bool probe_is_running(const struct probe *probe);

/* Ends the attempt without a callback, or frees a finished one. NULL is allowed. */
void probe_free(struct probe *probe);

#endif
