/* The stages of a shutdown watch, and what makes each end:
 *
 *   armed → preparing → armed → signalled → gathering → complete
 *
 * When somebody else sends the signal, the stage changes from armed to signalled at the first sign
 * that the application is ending. */
#include "watch/stages.h"

#include "analyze/assess.h"
#include "analyze/close_evidence.h"
#include "analyze/shutdown.h"
#include "base/arena.h"
#include "base/instant.h"
#include "collect/follow.h"
#include "model/assessment.h"
#include "session/session.h"
#include "target/target.h"
#include "watch/pool_phases.h"
#include "watch/reading.h"
#include "watch/record_phases.h"
#include "watch/record_processes.h"
#include "watch/record_sessions.h"
#include "watch/server_queries.h"
#include "watch/watch_state.h"

/* The interval between two samples just after the signal. */
#define QUICK_PACE (5 * USEC_PER_MSEC)

#define PREPARING_MS 5000
#define CONSOLE_MS   30000 /* the same behind PgBouncer: each of its consoles is asked in turn */
/* A server or machine that is too busy to answer within the first time is asked again until the
 * last. AGAIN_MS: while there is no connection. */
#define GATHER_MS   4000
#define GATHER_MOST (30 * USEC_PER_SEC)
#define AGAIN_MS    200

/* During a sample that takes no longer than this, little can happen. */
#define BRIEF        USEC_PER_MSEC
#define LAST_SAMPLES 3

void stages_notify_changed(struct watch *watch)
{
	if (watch->options.changed)
		watch->options.changed(watch->options.data);
}

static void on_timer(uv_timer_t *timer);

/* The server has answered after the last end. */
static bool has_counts(const struct watch *watch)
{
	return watch->record.counts_after.sessions >= 0;
}

static bool has_time(const struct watch *watch)
{
	return instant_monotonic() - watch->gather_since < GATHER_MOST;
}

static void complete(struct watch *watch)
{
	struct shutdown_record *record = &watch->record;
	uv_timer_stop(watch->timer);
	server_queries_give_up(watch->queries);
	if (!has_counts(watch) && target_assessment(watch->target)->server.status != SERVER_OK)
		record->blind = "the server is not reachable";
	record->close_evidence = close_evidence_find(record);
	record_unseen(record);
	record->collecting = false;
	watch->stage = STAGE_COMPLETE;
	stages_notify_changed(watch);
	if (watch->options.complete)
		watch->options.complete(watch->options.data);
}

/* There may be an answer soon: the connection is being made, or a poll is overdue. */
static bool may_answer(const struct watch *watch)
{
	enum server_status polled = target_assessment(watch->target)->server.status;
	return !has_counts(watch) && has_time(watch) &&
		(polled == SERVER_STALE || polled == SERVER_CONNECTING ||
			session_state(target_session(watch->target))->status == SERVER_CONNECTING);
}

static void end_gathering(struct watch *watch)
{
	if (may_answer(watch))
		uv_timer_start(watch->timer, on_timer, AGAIN_MS, 0);
	else
		complete(watch);
}

static void gather(struct watch *watch)
{
	size_t count;
	int64_t now = instant_monotonic();
	const struct pool_reading *readings = pool_phases_read(watch->pools, now, &count);
	record_phases(&watch->record, watch->pools, readings, count, now);
	uv_timer_start(watch->timer, on_timer, GATHER_MS, 0);
	server_queries_counts(watch->queries, &watch->record);
	server_queries_outcomes(watch->queries);
	if (!server_queries_are_awaited(watch->queries))
		end_gathering(watch);
}

/* Asks how the sessions and their writes ended; then the watch is complete. */
static void begin_gathering(struct watch *watch)
{
	watch->stage = STAGE_GATHERING;
	watch->record.over = true;
	watch->gather_since = instant_monotonic();
	/* answers to statements sent before the signal are of no use now */
	server_queries_give_up(watch->queries);
	gather(watch);
}

void stages_begin(struct watch *watch, int64_t at, const char *trigger)
{
	watch->record.signalled_at = at;
	watch->record.signalled_wall = instant_now() - (instant_monotonic() - at);
	watch->record.trigger = trigger;
	watch->stage = STAGE_SIGNALLED;
	follow_set_interval(watch->follow, QUICK_PACE);
}

void stages_begin_by(struct watch *watch, int64_t since, int64_t trigger_at, const char *trigger)
{
	int64_t at = shutdown_first_closing(&watch->record, since, trigger_at);
	stages_begin(watch, at, at < trigger_at ? "the first connection closed" : trigger);
}

/* Whether the client of a session that may be the application's was not yet looked for after that
 * instant. What two scans do not show, a third one does not: the client of a server elsewhere that
 * was gone before the first scan, or addresses that are changed on their way. */
static bool has_unscanned(const struct shutdown_record *record, int64_t after)
{
	for (size_t i = 0; i < record->n_foreign; i++) {
		const struct foreign_session *session = &record->foreign[i];
		if (shutdown_is_stray(session) && session->looked_at <= after &&
			session->missed_at[1] <= after)
			return true;
	}
	return false;
}

/* A process may have forked just before it ended, and its children may hold its connections; and it
 * may have left a session that it opened at its very end. The watch is over only after the table of
 * all processes was read, the server asked for its sessions, and the clients of new ones looked
 * for, later than the last end. */
static bool has_looked_again(const struct watch *watch, int64_t now)
{
	int64_t last = watch->record.signalled_at;
	bool has_ended = false, runs = false;
	for (size_t i = 0; i < watch->record.n_processes; i++) {
		int64_t ended_at = watch->record.processes[i].ended_at;
		runs |= ended_at == INSTANT_UNKNOWN;
		if (ended_at == INSTANT_UNKNOWN || ended_at < last)
			continue;
		has_ended = true;
		last = ended_at;
	}
	return (runs && !has_ended) ||
		(watch->whole_at > last && watch->polled_at > last &&
			!has_unscanned(&watch->record, last)) ||
		now > last + watch->record.timeout;
}

void stages_advance(struct watch *watch, int64_t now)
{
	const struct shutdown_process *command = shutdown_command(&watch->record);
	if (watch->stage == STAGE_ARMED && command && command->ended_at != INSTANT_UNKNOWN)
		stages_begin_by(watch, INSTANT_UNKNOWN, command->ended_at, "the process ended");
	if (watch->stage != STAGE_SIGNALLED || !shutdown_is_over(&watch->record, now))
		return;
	if (has_looked_again(watch, now)) {
		begin_gathering(watch);
	} else {
		if (has_unscanned(&watch->record, INT64_MAX))
			target_scan(watch->target);
		target_refresh(watch->target);
	}
}

/* --- preparing --- */

/* The application's pools are known only from stats pages that were listed after the preparation
 * began (one of another pid namespace from the next scan of processes on), and the sessions of
 * PgBouncer in which the application has a transaction only from an assessment whose sources all
 * answered after that. */
static bool knows_lent(const struct watch *watch)
{
	const struct assessment *assessment = target_assessment(watch->target);
	return !shutdown_has_link(&watch->record, LINK_POOLED) ||
		(assess_knows_poolers(assessment) &&
			assessment->peers->dump_began >= watch->prepare_since);
}

static bool has_new_assessment(const struct watch *watch)
{
	const struct assessment *assessment = target_assessment(watch->target);
	bool own_unread;
	(void)shutdown_count_unread(&watch->record, &own_unread);
	if (watch->timed_out)
		return true;
	return assessment->pages && assessment->pages->read_at >= watch->prepare_wall &&
		!own_unread && knows_lent(watch);
}

/* Takes the last samples before the signal, with no other scan running: a socket that only a later
 * sample shows was opened after the signal. The first sample includes children, which takes time;
 * the scan is repeated until one is brief. False while another scan is running. */
static bool sample_last(struct watch *watch)
{
	struct follow_sample sample;
	bool brief = false;
	for (int tries = 0; tries < LAST_SAMPLES && !brief; tries++) {
		if (!follow_scan_here(watch->follow, tries == 0, &sample))
			return false;
		(void)reading_processes(watch, &sample);
		reading_sockets(watch, &sample);
		brief = !sample.whole && sample.taken_at - sample.began_at < BRIEF;
		arena_free(sample.arena);
	}
	return true;
}

void stages_end_preparing(struct watch *watch)
{
	if (watch->stage != STAGE_PREPARING || !watch->sampled ||
		server_queries_are_awaited(watch->queries) || !has_new_assessment(watch))
		return;
	watch->is_exact = sample_last(watch);
	/* tried again when the running scan is done */
	if (!watch->is_exact && !watch->timed_out)
		return;
	uv_timer_stop(watch->timer);
	watch->record.lent_unknown = !knows_lent(watch);
	watch->stage = STAGE_ARMED;
	watch->is_released = !watch->options.signal_number;
	watch->options.prepared(watch->options.data);
}

/* Asks for the counts and the open writes before the signal. */
static void take_baseline(struct watch *watch)
{
	struct shutdown_record *record = &watch->record;
	shutdown_list_databases(record);
	record->counts_before = (struct session_counts){ -1, -1, -1 };
	record->n_foreign = 0;
	record->based = false;
	record_foreign(record, target_assessment(watch->target));
	record->based = true;
	record_baseline(record);
	server_queries_counts(watch->queries, record);
	server_queries_writes(watch->queries, record);
}

void stages_prepare(struct watch *watch)
{
	watch->stage = STAGE_PREPARING;
	watch->sampled = watch->timed_out = watch->is_exact = false;
	watch->prepare_since = instant_monotonic();
	watch->prepare_wall = instant_now();
	target_refresh(watch->target);
	bool pooled = shutdown_has_link(&watch->record, LINK_POOLED);
	if (pooled)
		target_assess_anew(watch->target);
	take_baseline(watch);
	uv_timer_start(watch->timer, on_timer, pooled ? CONSOLE_MS : PREPARING_MS, 0);
	follow_now(watch->follow);
}

/* --- answers --- */

void stages_answered(void *data)
{
	struct watch *watch = data;
	stages_end_preparing(watch);
	if (watch->stage == STAGE_GATHERING)
		end_gathering(watch);
}

/* The stage has timed out: ask again, or go on without the answers that are missing. */
static void on_timer(uv_timer_t *timer)
{
	struct watch *watch = timer->data;
	server_queries_give_up(watch->queries);
	if (watch->stage == STAGE_GATHERING && has_time(watch)) {
		gather(watch);
		return;
	}
	watch->sampled = watch->timed_out = true;
	stages_end_preparing(watch);
	if (watch->stage == STAGE_GATHERING)
		complete(watch);
}
