/* The shutdown test's judge: from what was observed to a verdict with its reason. Pure. */
#ifndef ANALYZE_SHUTDOWN_H
#define ANALYZE_SHUTDOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "model/shutdown.h"

struct arena;

/* Whether the verdict can be given: nothing runs and no session is left, or the time for it is up.
 * `now` is the monotonic clock. Never before the signal. */
bool shutdown_is_over(const struct shutdown_record *record, int64_t now);

/* The verdict; before it can be given its behaviour is BEHAVIOUR_NONE, and the sentence tells how
 * far it is. `strict` fails what passes and is only told. Strings and the timeline go to the arena
 * or stay the record's. */
struct shutdown_verdict shutdown_judge(
	const struct shutdown_record *record, bool strict, int64_t now, struct arena *arena);

#endif
