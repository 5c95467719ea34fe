/* From what the sources brought to one judged picture. Pure: clocks and rules come from outside. */
#ifndef ANALYZE_ASSESS_H
#define ANALYZE_ASSESS_H

#include "model/assessment.h"

struct rules;

struct assess_input {
	const struct activity *activity; /* NULL before the first answer; a reference is taken */
	const struct peers *peers;       /* likewise */
	const struct proxy *proxy;       /* likewise */
	const struct lock_table *locks;  /* likewise */
	const struct server_state *server;
	const struct pool_pages *pages;        /* likewise */
	const struct bouncer *const *bouncers; /* likewise, each */
	size_t n_bouncers;
	const struct source_state *sources; /* as in the assessment; NULL without any */
	size_t n_sources;
	const struct rules *rules;
	bool unsettled;    /* something is still to come that the caller waits for */
	int64_t now;       /* our wall clock … */
	int64_t monotonic; /* … and the clock that nobody sets, at the same moment */
};

/* Never NULL; the caller frees it with assessment_free(). `previous` is the one before of the same
 * server, or NULL; it is not needed after. */
struct assessment *assess(const struct assess_input *input, const struct assessment *previous);

#endif
