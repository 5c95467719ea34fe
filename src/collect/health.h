/* The proxy's health endpoints over HTTP: /startup, /liveness and /readiness, and no other path.
 * libcurl's multi interface on the loop: nothing waits. */
#ifndef COLLECT_HEALTH_H
#define COLLECT_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "model/proxy.h"

struct arena;
struct health;

/* What an answer means: an HTTP status and the first `length` bytes of its body. The text goes to
 * the arena. */
struct proxy_probe health_read(struct arena *arena, long status, const char *body, size_t length);

struct health_callbacks {
	void *data;
	void (*asked)(void *data); /* all answers are in: health_probe() */
};

/* url is "http://localhost:9090"; copied. NULL when libcurl cannot be had. */
struct health *health_new(
	uv_loop_t *loop, const char *url, const struct health_callbacks *callbacks);

/* The handles close in the loop's next turns. NULL is allowed. */
void health_free(struct health *health);

/* Asks all three, unless the last round is still under way. */
void health_ask(struct health *health);

/* The last answer of a probe; its text lives until the next round is over. */
const struct proxy_probe *health_probe(const struct health *health, size_t probe);

/* Our wall clock when the last round was over; INSTANT_UNKNOWN before the first. */
int64_t health_asked_at(const struct health *health);

#endif
