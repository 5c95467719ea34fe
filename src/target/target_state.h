/* The state of a target, for the files of this folder alone. target.c changes it and calls the
 * others; target_scans.c scans this machine, target_assess.c makes assessments. */
#ifndef TARGET_TARGET_STATE_H
#define TARGET_TARGET_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "model/history.h"
#include "target/target_options.h"

struct target {
	uv_loop_t *loop;
	struct target_options options;
	char *name; /* of the configuration; NULL: none */
	struct session *session;
	struct backends *backends;
	struct clients *clients;
	struct exits *exits;
	struct proxy_watch *proxy;
	bool proxy_wanted;
	struct locks *locks;
	bool locks_wanted;
	int32_t locks_subject;
	struct ends_watch *ends;
	struct poolers *poolers;
	struct host_asker *asker; /* NULL: no hosts */
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

#endif
