/* One connection attempt to a server, timed, through whatever stands in between: whoever answers in
 * PostgreSQL's protocol proves that the way to it works, also by refusing us. */
#ifndef COLLECT_PROBE_H
#define COLLECT_PROBE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct endpoint;
struct params;
struct probe;

struct probe_result {
	bool answered;
	int64_t took;     /* µs until the answer */
	const char *text; /* why there was none, one line, not clean; NULL when answered */
};

typedef void probe_done_fn(void *data, const struct probe_result *result);

/* With these parameters but for the host and the port, which are the endpoint's unless that is a
 * Unix socket, and application_name. Never NULL: what cannot be begun is told by the callback, too,
 * which comes once, from the loop. */
struct probe *probe_start(uv_loop_t *loop, const struct params *params,
	const struct endpoint *endpoint, const char *application_name, probe_done_fn *done,
	void *data);

/* Ends it without its callback, or frees it after. NULL is allowed. */
void probe_free(struct probe *probe);

#endif
