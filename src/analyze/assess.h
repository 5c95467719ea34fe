/* Makes one assessment from the data of all sources. Pure: the clocks and rules are arguments. */
#ifndef ANALYZE_ASSESS_H
#define ANALYZE_ASSESS_H

#include "model/assessment.h"

struct rules;

/* A host whose dbtop is asked. */
struct assess_host {
	const struct host_ends *latest; /* NULL before its first answer; referenced likewise */
	bool is_up;                     /* as in struct asked_host */
};

struct assess_input {
	/* NULL before the first answer; assess() takes a reference */
	const struct activity *activity;
	const struct peers *peers;               /* likewise */
	const struct proxy *proxy;               /* likewise */
	const struct lock_table *locks;          /* likewise */
	const struct session_ends *session_ends; /* likewise */
	const struct server_state *server;
	const struct pool_pages *pages;        /* likewise */
	const struct bouncer *const *bouncers; /* likewise, each */
	size_t n_bouncers;
	const struct assess_host *hosts;
	size_t n_hosts;
	/* states of the sources as in the assessment; NULL if there are none */
	const struct source_state *sources;
	size_t n_sources;
	const struct rules *rules;
	bool incomplete;   /* the caller waits for data that has not arrived */
	bool await_logins; /* complete only when each socket without a session is decided */
	int64_t now;       /* our wall clock */
	int64_t monotonic; /* the monotonic clock at the same moment */
};

/* Never returns NULL; the caller frees the result with assessment_free(). `previous` is the
 * previous assessment of the same server, or NULL; it is not needed afterwards. */
struct assessment *assess(const struct assess_input *input, const struct assessment *previous);

/* Whether rows and sockets are of one time, and no answer of a PgBouncer is missing; one that fails
 * is not waited for. Unlike `complete` it does not ask that each new session was scanned. */
bool assess_knows_poolers(const struct assessment *assessment);

#endif
