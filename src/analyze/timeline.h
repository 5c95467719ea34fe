/* What happened since the signal, in order. Pure. */
#ifndef ANALYZE_TIMELINE_H
#define ANALYZE_TIMELINE_H

#include <stddef.h>
#include <stdint.h>

#include "model/shutdown.h"

struct arena;

/* "4312 python3", or the number alone; the command's descendants are children. */
const char *timeline_process_name(struct arena *arena, const struct shutdown_process *process);

/* "412 ms", "5 s", "1m02s". */
const char *timeline_span(struct arena *arena, int64_t usec);

/* Nothing before the signal. `now` is the monotonic clock: phases that go on last until then. */
const struct shutdown_moment *timeline_build(
	const struct shutdown_record *record, int64_t now, struct arena *arena, size_t *ret_count);

#endif
