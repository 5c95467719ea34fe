/* Serves /metrics and /healthz by HTTP. It runs on the loop, never waits, and answers from what is
 * known: it makes one text for each assessment and format, however often that is asked for. */
#ifndef MODES_METRICS_SERVER_H
#define MODES_METRICS_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "report/metrics.h"

struct metrics_server;

struct metrics_server_callbacks {
	void *data;
	/* Makes the text of /metrics, which is freed with free(); NULL: it failed. */
	char *(*render)(void *data, enum metrics_format format, size_t *ret_length);
	/* Whether the last poll is fresh; writes a line about it. */
	bool (*check)(void *data, char line[static 128]);
};

#define METRICS_SERVER_ERROR_MAX 256

/* Listens at "[ADDRESS:]PORT": a numeric address, in brackets if it is IPv6; 127.0.0.1 if there is
 * none. Port 0 takes a free one. Returns 0, or a negative errno with one line in error. */
int metrics_server_new(uv_loop_t *loop, const char *where,
	const struct metrics_server_callbacks *callbacks, struct metrics_server **ret_server,
	char error[static METRICS_SERVER_ERROR_MAX]) __attribute__((warn_unused_result));

/* The handles close in the loop's next turns. NULL is allowed. */
void metrics_server_free(struct metrics_server *server);

/* "http://127.0.0.1:9187/metrics" */
const char *metrics_server_url(const struct metrics_server *server);

/* What render() and check() say has changed. */
void metrics_server_changed(struct metrics_server *server);

#endif
