/* Puts what a sample or an assessment shows into the watch's record. */
#include "watch/reading.h"

#include <stdio.h>

#include "analyze/session_owner.h"
#include "base/arena.h"
#include "base/instant.h"
#include "collect/follow.h"
#include "model/assessment.h"
#include "target/target.h"
#include "watch/held.h"
#include "watch/pool_phases.h"
#include "watch/record_processes.h"
#include "watch/record_sessions.h"
#include "watch/record_sockets.h"
#include "watch/server_queries.h"
#include "watch/watch_state.h"

/* While a test waits for an end, so many connections that have ended are kept. */
#define KEEP_MOST 10000

struct pending_signal reading_processes(struct watch *watch, const struct follow_sample *sample)
{
	struct shutdown_record *record = &watch->record;
	size_t before = record->n_processes;
	struct pending_signal pending = record_processes(record, sample);
	snprintf(record->container, sizeof(record->container), "%.12s", sample->container);
	record->container_seen = sample->container_seen;
	for (size_t i = before; i < record->n_processes; i++)
		held_add_process(watch->held, &record->processes[i]);
	return pending;
}

void reading_sockets(struct watch *watch, const struct follow_sample *sample)
{
	if (record_sockets(&watch->record, target_assessment(watch->target), sample))
		watch->questions = (struct questions){ 0 };
	record_links(&watch->record);
}

void reading_sessions(struct watch *watch)
{
	const struct assessment *assessment = target_assessment(watch->target);
	struct shutdown_record *record = &watch->record;
	if (!assessment->activity || assessment->server.status != SERVER_OK)
		return;
	struct arena *arena = arena_new();
	struct session_reading reading =
		session_reading_make(record, assessment, watch->options.own, arena);
	reading.armed = watch->stage == STAGE_ARMED;
	reading.is_exact = watch->is_exact;
	size_t before = record->n_connections;
	record_sessions(record, &reading);
	/* Elsewhere, the backends' pids are those of other processes. A scan tells where the server
	 * is, and it may come after the rows. */
	for (size_t i = watch->server_is_here ? before : 0;
		i < record->n_connections && assessment->place.here; i++)
		held_add_backend(watch->held, &record->connections[i]);
	watch->server_is_here |= assessment->place.here;
	if (record->n_connections > before)
		watch->questions.pause = 0;
	record->server_version = assessment->activity->server.version;
	record->blind = session_owner_blind(record, assessment);
	if (assessment->activity != watch->activity) {
		watch->activity = assessment->activity;
		watch->polled_at = assessment->activity->asked_monotonic;
		record_missing(record, &reading);
		record_foreign(record, assessment);
		if (shutdown_has_begun(record))
			server_queries_writes(watch->queries, record);
	}
	arena_free(arena);
}

/* When the watch does not send the signal itself, what ended within the last timeout may be the
 * signal's first effect and has to stay in the record. */
void reading_forget_past(struct watch *watch)
{
	int64_t since = watch->options.signal_number ? INT64_MAX
						     : instant_monotonic() - watch->record.timeout;
	/* the test waits for an end that may have begun long before it shows */
	if (watch->is_released && watch->record.n_connections < KEEP_MOST)
		since = INSTANT_UNKNOWN;
	record_forget_connections(&watch->record, since);
	record_forget_processes(&watch->record, since);
	pool_phases_forget(watch->pools, &watch->record);
	shutdown_record_compact(&watch->record);
}
