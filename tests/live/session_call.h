#ifndef LIVE_SESSION_CALL_H
#define LIVE_SESSION_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "session/session.h"

/* A session in the test's own process, with a loop of its own, and the outcome of its first attempt
 * to reach the server. */
struct call {
	uv_loop_t loop;
	uv_timer_t limit, tick;
	struct session *session;
	int ready;          /* how often */
	int ticks;          /* every 10 ms while the loop turns */
	bool over;          /* the limit has passed */
	int64_t started_at; /* monotonic, µs */
};

/* With these parameters, and libpq's for the others. Not begun. */
void call_prepare(struct call *call, bool console, const char *conninfo);

void call_begin(struct call *call);

/* The session, begun, with these parameters over those of the group's server over TCP. */
__attribute__((format(printf, 2, 3))) void call_start(struct call *call, const char *format, ...);

/* Since call_begin(). */
int64_t call_elapsed_ms(const struct call *call);

/* Waits for the outcome, which is this one: else the test fails. */
void call_assert_ready(struct call *call);
void call_assert_error(struct call *call, const char *text);

/* Frees the session and the loop. */
void call_end(struct call *call);

/* call_end() in two steps, for a session whose look-up of a name is under way: the loop does not
 * wait for the look-up, and reports that it is still running; then, once the look-up was answered.
 */
void call_end_beside_look_up(struct call *call);
void call_end_after_look_up(struct call *call);

#endif
