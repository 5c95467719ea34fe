/* Judges a shutdown: from what was observed to a verdict with its reason. Pure. */
#ifndef ANALYZE_SHUTDOWN_H
#define ANALYZE_SHUTDOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "model/shutdown.h"

struct arena;

/* Whether the verdict can be given: no process runs and no session is left, or the time for it has
 * passed. `now` is of the monotonic clock. Never true before the signal. */
bool shutdown_is_over(const struct shutdown_record *record, int64_t now);

/* When the first connection closed after `since`, after the last opening of a connection and before
 * `before`; `before` if none did. A shutdown that is noticed late, at `before`, began then. */
int64_t shutdown_first_closing(const struct shutdown_record *record, int64_t since, int64_t before);

/* Makes the verdict. Before it can be given, its behaviour is BEHAVIOUR_NONE and the sentence
 * describes the progress. `strict` fails behaviours that otherwise pass with a remark. Strings and
 * the timeline are in the arena or belong to the record. */
struct shutdown_verdict shutdown_judge(
	const struct shutdown_record *record, bool strict, int64_t now, struct arena *arena);

#endif
