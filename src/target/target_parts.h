/* What the files of a target share: target.c says when each source is asked, target_looks.c looks
 * at this machine, target_picture.c makes a picture of what they told. Nobody else includes it. */
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
	bool rows_wait;    /* for the look at the pages that is under way … */
	int64_t rows_at;   /* … since then (monotonic) */
	struct assessment *assessment;
	struct history history;
	int64_t last_look; /* monotonic */
	bool paused;
	int64_t hurry_since; /* until the picture is settled and from after this instant;
				INSTANT_UNKNOWN: in no hurry */
};

/* Whether the server owes an answer for too long. */
bool target_is_overdue(const struct target *target);

/* Makes a picture of what the sources told last, and shows it; not while paused, nor halfway
 * through a round. */
void target_assess(struct target *target);

/* Looks at sockets and processes; `fresh` trusts nothing that was seen before. Nothing happens
 * while it is not known where the server is. */
void target_look_at(struct target *target, bool fresh);

/* Whether the latest rows show what the last look does not explain, or that was too long ago. */
bool target_wants_look(const struct target *target);

/* Looks at the proxy unless that was done `after` µs ago or later. */
void target_look_at_proxy(struct target *target, int64_t after);
void target_keep_proxy_in_sight(struct target *target);

#endif
