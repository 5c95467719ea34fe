/* The guard of one server: ends each leak that has been one for long enough, and says of each
 * decision what it was and why, once. It asks nobody. */
#ifndef MODES_GUARDING_H
#define MODES_GUARDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "model/verdict.h"

struct action;
struct assessment;
struct audit;
struct guarding;
struct session;

struct guarding_rules {
	int64_t after;        /* µs that something is a leak before it is ended */
	enum certainty least; /* what is less certain is left alone */
	int64_t gap;          /* µs: two polls that are further apart have a gap between them */
	int per_minute;       /* the most sessions that are ended in a minute */
	bool readonly, dry_run;
};

struct guarding_callbacks {
	void *data;
	/* A decision: one clean line. */
	void (*decided)(void *data, const char *text);
	/* Each step of the action has its result; valid during the call. */
	void (*acted)(void *data, const struct action *action);
};

/* Session and audit are borrowed, and must outlive it. Never NULL. */
struct guarding *guarding_new(uv_loop_t *loop, struct session *session, struct audit *audit,
	const struct guarding_rules *rules, const struct guarding_callbacks *callbacks);

/* New rules; the times of the leaks go on. */
void guarding_set_rules(struct guarding *guarding, const struct guarding_rules *rules);

/* The target has a new assessment. */
void guarding_update(struct guarding *guarding, const struct assessment *assessment);

/* Whether an action is under way. */
bool guarding_is_busy(const struct guarding *guarding);

/* Gives up an action that is under way: each step gets its result, and is reported. Then frees the
 * guarding. NULL is allowed. The handles close in the loop's next turns. */
void guarding_free(struct guarding *guarding);

#endif
