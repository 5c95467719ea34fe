/* What happened since the signal, in order. Pure. */
#ifndef ANALYZE_TIMELINE_H
#define ANALYZE_TIMELINE_H

#include <stddef.h>
#include <stdint.h>

#include "model/shutdown.h"

struct arena;

/* "4312 python3", or only the pid; descendants of the command are marked as children. */
const char *timeline_process_name(struct arena *arena, const struct shutdown_process *process);

/* "412 ms", "5 s", "1m02s". */
const char *timeline_span(struct arena *arena, int64_t usec);

/* Lists no event before the signal. `now` is of the monotonic clock: a phase that has not ended
 * lasts until then. */
const struct shutdown_event *timeline_build(
	const struct shutdown_record *record, int64_t now, struct arena *arena, size_t *ret_count);

#endif
