/* For how long each leak has been one without a gap: when the guard may end it. Pure.
 *
 * The time of a leak counts while each assessment was fresh and called the session leaked for the
 * same reason, and the session did not come to life. Anything else begins it anew. It is counted
 * for each certainty: a leak that has been proven for a second has not been proven for its whole
 * time. */
#ifndef ACTION_LEAK_TIMES_H
#define ACTION_LEAK_TIMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/verdict.h"

struct assessment;
struct connection;
struct leak_times;

/* A leak in scope; or, without a reason, a session whose client is gone and that is protected. What
 * the caller notes stays while the time of the leak goes on. */
struct leak_time {
	int32_t pid;
	int64_t backend_start;
	int64_t state_change;
	enum reason reason;
	enum certainty certainty;
	/* For each certainty: monotonic, the first assessment since when all said so, and were at
	 * least so certain; */
	int64_t since[CERTAINTY_COUNT];
	/* µs from then until the latest rows were asked for; never negative. */
	int64_t lasted[CERTAINTY_COUNT];
	const struct connection *connection; /* in the latest assessment; not for lost() */

	/* the caller's, 0 at first */
	int noted;          /* what was logged of it */
	unsigned attempts;  /* how often it was tried to end it */
	int64_t not_before; /* monotonic: when it may be tried again */
};

struct leak_times_callbacks {
	void *data;
	/* The time of this leak is over: it is no leak any more, or its time begins anew.
	 * `connection` is the session now; NULL: it has gone. May be NULL. */
	void (*lost)(void *data, const struct leak_time *leak, const struct connection *connection);
};

/* Never NULL. */
struct leak_times *leak_times_new(const struct leak_times_callbacks *callbacks);

/* NULL is allowed. */
void leak_times_free(struct leak_times *times);

/* Takes a new assessment. `gap` is the longest time in µs between two polls that still counts as
 * without a gap. Returns whether the assessment is fresh. If it is not, or there was a gap, all
 * times begin anew, and lost() is not called. */
bool leak_times_update(struct leak_times *times, const struct assessment *assessment, int64_t gap);

/* The leaks of the latest assessment, in its order. */
size_t leak_times_count(const struct leak_times *times);
struct leak_time *leak_times_get(struct leak_times *times, size_t i);

#endif
