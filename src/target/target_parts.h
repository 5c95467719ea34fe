/* Shared by the files of a target: target.c decides when each source is asked, target_scans.c scans
 * this machine, target_assess.c makes assessments. No other file includes it. */
#ifndef TARGET_TARGET_PARTS_H
#define TARGET_TARGET_PARTS_H

#include "model/history.h"
#include "target/target.h"

struct target {
	uv_loop_t *loop;
	struct target_options options;
	struct session *session;
	struct backends *backends;
	struct clients *clients;
	struct exits *exits;
	struct proxy_watch *proxy;
	bool proxy_wanted;
	struct locks *locks;
	bool locks_wanted;
	int32_t locks_subject;
	struct poolers *poolers;
	struct pages *pages;
	uv_timer_t *tick;
	uv_timer_t *grace; /* active while the statement waits for the PgBouncers */
	bool rows_wait;    /* new rows wait for the scan of the pages that is running */
	int64_t rows_at;   /* since this instant (monotonic) */
	struct assessment *assessment;
	struct history history;
	int64_t last_scan; /* monotonic */
	bool paused;
	int64_t wanted_since; /* refresh at once until the assessment is complete and its scan is
				not older than this instant; INSTANT_UNKNOWN: no need */
};

/* True if the server's answer is overdue. */
bool target_is_overdue(const struct target *target);

/* Makes an assessment of the latest answers, and publishes it; does nothing while the target is
 * paused or new rows wait for the pages. */
void target_assess(struct target *target);

/* Scans sockets and processes; `fresh` reads everything again. Does nothing while the server's
 * address is not known. */
void target_begin_scan(struct target *target, bool fresh);

/* True if the latest rows show a connection that the last scan did not look for, or if the last
 * scan is too old. */
bool target_needs_scan(const struct target *target);

/* Scans for the proxy unless the last scan is younger than `after` µs. */
void target_scan_proxy(struct target *target, int64_t after);
void target_keep_proxy_in_sight(struct target *target);

#endif
