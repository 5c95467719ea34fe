/* Asks the proxy's health endpoints over HTTP: /startup, /liveness and /readiness, and no other
 * path. Uses libcurl's multi interface on the loop and never blocks. */
#ifndef COLLECT_HEALTH_H
#define COLLECT_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "model/proxy.h"

struct arena;
struct health;

/* Interprets an answer: an HTTP status and the first `length` bytes of its body. The text is
 * allocated in the arena. */
struct proxy_probe health_read(struct arena *arena, long status, const char *body, size_t length);

struct health_callbacks {
	void *data;
	void (*asked)(void *data); /* all answers have arrived: see health_probe() */
};

/* url is "http://localhost:9090"; copied. NULL when libcurl cannot be had. */
struct health *health_new(
	uv_loop_t *loop, const char *url, const struct health_callbacks *callbacks);

/* The handles close in the loop's next turns. NULL is allowed. */
void health_free(struct health *health);

/* Asks all three endpoints, unless the last round is still running. */
void health_ask(struct health *health);

/* The latest answer of an endpoint; its text is valid until the next round ends. */
const struct proxy_probe *health_probe(const struct health *health, size_t probe);

/* Our wall clock at the end of the last round; INSTANT_UNKNOWN before the first. */
int64_t health_asked_at(const struct health *health);

#endif
