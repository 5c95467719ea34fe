/* Judges a shutdown: from what was observed to a verdict with its reason. Pure. */
#ifndef ANALYZE_SHUTDOWN_H
#define ANALYZE_SHUTDOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/shutdown.h"

struct arena;

/* A way to end that is expected of the command. */
struct shutdown_end {
	bool by_signal; /* number is the signal that it dies by, else the exit status: also 128 and
			   the number of a signal, as shells write it */
	int number;
};

#define SHUTDOWN_ENDS_MOST 16

/* What a shutdown is judged by, besides the record. Zero: as the dashboard does it. */
struct shutdown_rules {
	bool strict; /* fail behaviours that otherwise pass with a remark */
	struct shutdown_end expected[SHUTDOWN_ENDS_MOST];
	size_t n_expected; /* 0: any */
};

/* Whether the verdict can be given: no process runs and no session is left, or the time for it has
 * passed. `now` is of the monotonic clock. Never true before the signal. */
bool shutdown_is_over(const struct shutdown_record *record, int64_t now);

/* When the first connection closed after `since`, after the last opening of a connection and before
 * `before`; `before` if none did. A shutdown that is noticed late, at `before`, began then. */
int64_t shutdown_first_closing(const struct shutdown_record *record, int64_t since, int64_t before);

/* Makes the verdict. Before it can be given, its behaviour is BEHAVIOUR_NONE and the sentence
 * describes the progress; it stays so if the application held no connection, and left nothing.
 * Strings and the timeline are in the arena or belong to the record. */
struct shutdown_verdict shutdown_judge(const struct shutdown_record *record,
	const struct shutdown_rules *rules, int64_t now, struct arena *arena);

#endif
