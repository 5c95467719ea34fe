/* The watch's record and stage. Only reading.c, stages.c and watch.c change them. */
#ifndef WATCH_WATCH_STATE_H
#define WATCH_WATCH_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "model/shutdown.h"
#include "watch/questions.h"
#include "watch/watch_options.h"

enum stage {
	STAGE_ARMED,
	STAGE_PREPARING,
	STAGE_SIGNALLED,
	STAGE_GATHERING, /* the shutdown is over: asks how the sessions ended */
	STAGE_COMPLETE,
};

struct watch {
	struct target *target;
	struct watch_options options;
	struct shutdown_record record;
	enum stage stage;
	struct follow *follow;
	struct held *held;
	struct pool_phases *pools;
	struct server_queries *queries;
	uv_timer_t *timer; /* ends a stage that takes too long */

	int64_t whole_at;  /* monotonic: when the table of all processes was last read */
	int64_t polled_at; /* monotonic: when the server was asked for the sessions that were read
			      last */
	int64_t gather_since; /* monotonic: when the last questions were asked first */
	const void *activity; /* the last that was read: only compared, never dereferenced */
	struct questions questions;
	bool server_is_here; /* a scan has shown its processes in our pid namespace */

	/* the preparation */
	int64_t prepare_since; /* monotonic: when it began */
	int64_t prepare_wall;  /* the same on the wall clock */
	bool sampled;          /* a whole sample has arrived since then */
	bool timed_out;        /* the stage has timed out: do not wait for answers */
	bool is_released;      /* prepared, and no signal is sent */
	bool is_exact;         /* no scan was running when the signal was sent */
};

#endif
