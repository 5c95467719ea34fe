/* One connection attempt, timed, to whoever listens at an address: it shows that PostgreSQL's
 * protocol is spoken there. No password, ticket or client certificate is given away, whatever is
 * asked for: nobody knows who listens. */
#ifndef COLLECT_PROBE_H
#define COLLECT_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct endpoint;
struct params;
struct probe;

struct probe_result {
	bool answered;    /* in PostgreSQL's protocol: also by refusing us */
	bool verified;    /* by a server that has proven its name, under sslmode=verify-full */
	int64_t took;     /* µs until the answer */
	const char *text; /* why there was none, one line, not clean; NULL when answered */
};

typedef void probe_done_fn(void *data, const struct probe_result *result);

/* With these parameters, sslmode among them, but for the address, the port, what proves who we are,
 * and application_name; a Unix socket is found by its own folder. Never NULL: what cannot be begun
 * is reported by the callback, too, which comes once, from the loop. */
struct probe *probe_start(uv_loop_t *loop, const struct params *params,
	const struct endpoint *endpoint, const char *application_name, probe_done_fn *done,
	void *data);

/* Ends it without its callback, or frees it after. NULL is allowed. */
void probe_free(struct probe *probe);

#endif
