/* Owns the stage and the record of the shutdown watch. The record changes when a sample or an
 * assessment arrives, a process ends or the server answers; then the stage may change:
 *
 *   armed → preparing → armed → signalled → gathering → complete
 *
 * When somebody else sends the signal, the stage changes from armed to signalled at the first sign
 * that the application is ending. */
#include "watch/watch.h"

#include <stdlib.h>
#include <unistd.h>

#include "analyze/close_evidence.h"
#include "analyze/session_owner.h"
#include "analyze/shutdown.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "collect/follow.h"
#include "loop/handle.h"
#include "model/assessment.h"
#include "target/target.h"
#include "watch/held.h"
#include "watch/pool_phases.h"
#include "watch/questions.h"
#include "watch/record_phases.h"
#include "watch/record_processes.h"
#include "watch/record_sessions.h"
#include "watch/record_sockets.h"
#include "watch/server_queries.h"

/* Intervals between two samples: before the signal, if somebody else sends it; before the signal,
 * if the watch sends it; for QUICK_FOR after it; and later in a long shutdown. */
#define ARMED_PACE (40 * USEC_PER_MSEC)
#define READY_PACE (10 * USEC_PER_MSEC)
#define QUICK_PACE (5 * USEC_PER_MSEC)
#define SLOW_PACE  (20 * USEC_PER_MSEC)
#define QUICK_FOR  (2 * USEC_PER_SEC)

/* While a test waits for an end, so many connections that have ended are kept. */
#define KEEP_MOST 10000

#define PREPARING_MS 5000
#define GATHER_MS    4000

/* During a sample that takes no longer than this, little can happen. */
#define BRIEF        USEC_PER_MSEC
#define LAST_SAMPLES 3

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

	int64_t whole_at;     /* monotonic: when the table of all processes was last read */
	const void *activity; /* the last that was read: only compared, never dereferenced */
	struct questions questions;

	/* the preparation */
	int64_t prepare_since; /* monotonic: when it began */
	int64_t prepare_wall;  /* the same on the wall clock */
	bool sampled;          /* a whole sample has arrived since then */
	bool timed_out;        /* the stage has timed out: do not wait for answers */
	bool is_released;      /* prepared, and no signal is sent */
	bool is_exact;         /* no scan was running when the signal was sent */
};

static void notify_changed(struct watch *watch)
{
	if (watch->options.changed)
		watch->options.changed(watch->options.data);
}

/* --- reading --- */

static struct pending_signal read_processes(struct watch *watch, const struct follow_sample *sample)
{
	struct shutdown_record *record = &watch->record;
	size_t before = record->n_processes;
	struct pending_signal pending = record_processes(record, sample);
	for (size_t i = before; i < record->n_processes; i++)
		held_add_process(watch->held, &record->processes[i]);
	return pending;
}

static void read_sockets(struct watch *watch, const struct follow_sample *sample)
{
	if (record_sockets(&watch->record, target_assessment(watch->target), sample))
		watch->questions = (struct questions){ 0 };
	record_links(&watch->record);
}

static void read_sessions(struct watch *watch)
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
	for (size_t i = before; i < record->n_connections; i++)
		held_add_backend(watch->held, &record->connections[i]);
	if (record->n_connections > before)
		watch->questions.pause = 0;
	record->server_version = assessment->activity->server.version;
	record->blind = session_owner_blind(record, assessment);
	if (assessment->activity != watch->activity) {
		watch->activity = assessment->activity;
		record_missing(record, &reading);
		record_foreign(record, assessment);
		if (shutdown_has_begun(record))
			server_queries_writes(watch->queries, record);
	}
	arena_free(arena);
}

/* --- before the shutdown: what is over is forgotten --- */

/* When the watch does not send the signal itself, what ended within the last timeout may be the
 * signal's first effect and has to stay in the record. */
static void forget_past(struct watch *watch)
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

/* --- stages --- */

static void on_timer(uv_timer_t *timer);

static void complete(struct watch *watch)
{
	struct shutdown_record *record = &watch->record;
	uv_timer_stop(watch->timer);
	server_queries_give_up(watch->queries);
	if (target_assessment(watch->target)->server.status != SERVER_OK)
		record->blind = "the server is not reachable";
	record->close_evidence = close_evidence_find(record);
	record_unseen(record);
	watch->stage = STAGE_COMPLETE;
	notify_changed(watch);
	if (watch->options.complete)
		watch->options.complete(watch->options.data);
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
		complete(watch);
}

/* Asks how the sessions and their writes ended; then the watch is complete. */
static void begin_gathering(struct watch *watch)
{
	watch->stage = STAGE_GATHERING;
	watch->record.over = true;
	/* answers to statements sent before the signal are of no use now */
	server_queries_give_up(watch->queries);
	gather(watch);
}

/* Begins the shutdown: at the first sign of an end, or at the signal itself (trigger: NULL). */
static void begin(struct watch *watch, int64_t at, const char *trigger)
{
	watch->record.signalled_at = at;
	watch->record.signalled_wall = instant_now() - (instant_monotonic() - at);
	watch->record.trigger = trigger;
	watch->stage = STAGE_SIGNALLED;
	follow_set_interval(watch->follow, QUICK_PACE);
}

/* Begins the shutdown at a sign that is seen late. If connections closed before it, and after both
 * `since` and the last opening of a connection, the shutdown began when the first of them closed.
 */
static void begin_by(struct watch *watch, int64_t since, int64_t trigger_at, const char *trigger)
{
	int64_t at = shutdown_first_closing(&watch->record, since, trigger_at);
	begin(watch, at, at < trigger_at ? "the first connection closed" : trigger);
}

/* A process may have forked just before it ended. The watch is over only after the table of all
 * processes was read later than the last end. */
static bool has_scanned_again(const struct watch *watch, int64_t now)
{
	int64_t last = watch->record.signalled_at;
	for (size_t i = 0; i < watch->record.n_processes; i++) {
		int64_t ended_at = watch->record.processes[i].ended_at;
		if (ended_at == INSTANT_UNKNOWN)
			return true;
		last = ended_at > last ? ended_at : last;
	}
	return watch->whole_at > last || now > last + watch->record.timeout;
}

static void advance(struct watch *watch, int64_t now)
{
	const struct shutdown_process *command = shutdown_command(&watch->record);
	if (watch->stage == STAGE_ARMED && command && command->ended_at != INSTANT_UNKNOWN)
		begin_by(watch, INSTANT_UNKNOWN, command->ended_at, "the process ended");
	if (watch->stage == STAGE_SIGNALLED && has_scanned_again(watch, now) &&
		shutdown_is_over(&watch->record, now))
		begin_gathering(watch);
}

/* --- preparing --- */

/* The application's pools are known only from stats pages that were listed after the preparation
 * began, and the sessions of PgBouncer in which the application has a transaction only from an
 * assessment whose sources all answered after that. */
static bool has_new_assessment(const struct watch *watch)
{
	const struct assessment *assessment = target_assessment(watch->target);
	if (!watch->timed_out &&
		(!assessment->pages || assessment->pages->read_at < watch->prepare_wall))
		return false;
	return !shutdown_has_link(&watch->record, LINK_POOLED) || watch->timed_out ||
		(assessment->complete && assessment->peers &&
			assessment->peers->dump_began >= watch->prepare_since);
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
		(void)read_processes(watch, &sample);
		read_sockets(watch, &sample);
		brief = !sample.whole && sample.taken_at - sample.began_at < BRIEF;
		arena_free(sample.arena);
	}
	return true;
}

static void end_preparing(struct watch *watch)
{
	if (watch->stage != STAGE_PREPARING || !watch->sampled ||
		server_queries_are_awaited(watch->queries) || !has_new_assessment(watch))
		return;
	watch->is_exact = sample_last(watch);
	/* tried again when the running scan is done */
	if (!watch->is_exact && !watch->timed_out)
		return;
	uv_timer_stop(watch->timer);
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

/* --- events --- */

static void on_counted(void *data, struct session_counts counts)
{
	struct watch *watch = data;
	if (watch->stage == STAGE_GATHERING)
		watch->record.counts_after = counts;
	else
		watch->record.counts_before = counts;
}

static void on_counted_start(void *data, int64_t sessions, int64_t at)
{
	struct watch *watch = data;
	watch->record.counted_at_start = sessions;
	watch->record.started_at = at;
}

static void on_wrote(void *data, int32_t backend, int64_t backend_start, enum write_outcome outcome)
{
	struct watch *watch = data;
	record_write(&watch->record, backend, backend_start, outcome);
}

static void on_answered(void *data)
{
	struct watch *watch = data;
	end_preparing(watch);
	if (watch->stage == STAGE_GATHERING)
		complete(watch);
}

/* The stage has timed out: go on without the answers that are missing. */
static void on_timer(uv_timer_t *timer)
{
	struct watch *watch = timer->data;
	server_queries_give_up(watch->queries);
	watch->sampled = watch->timed_out = true;
	end_preparing(watch);
	if (watch->stage == STAGE_GATHERING)
		complete(watch);
}

/* A process that dies by the signal may have handled it before, closed its connections, and sent it
 * to itself again, as Python and shells do. */
static void begin_at_pending(struct watch *watch, const struct pending_signal *pending, int64_t at)
{
	struct shutdown_record *record = &watch->record;
	const char *trigger =
		arena_printf(record->arena, "SIG%s seen", shutdown_signal_name(pending->number));
	record->signal_number = pending->number;
	record->signal_came = true;
	if (pending->fatal)
		begin_by(watch, INSTANT_UNKNOWN, at, trigger);
	else
		begin(watch, at, trigger);
}

static void begin_at_phase(
	struct watch *watch, const struct pool_reading *readings, size_t count, int64_t at)
{
	for (size_t i = 0; i < count; i++) {
		if (!readings[i].is_new_phase || shutdown_has_begun(&watch->record))
			continue;
		begin_by(watch, readings[i].previous_at, at, "its pool stops lending");
	}
}

void watch_read_sample(struct watch *watch, const struct follow_sample *sample)
{
	size_t n_readings;
	struct shutdown_record *record = &watch->record;
	if (watch->stage >= STAGE_GATHERING)
		return;
	struct pending_signal pending = read_processes(watch, sample);
	const struct pool_reading *readings =
		pool_phases_read(watch->pools, sample->taken_at, &n_readings);
	if (pending.number && !watch->options.own)
		begin_at_pending(watch, &pending, sample->taken_at);
	begin_at_phase(watch, readings, n_readings, sample->taken_at);
	record_phases(record, watch->pools, readings, n_readings, sample->taken_at);
	read_sockets(watch, sample);
	if (watch->stage == STAGE_ARMED)
		forget_past(watch);
	questions_ask(&watch->questions, watch->target, record, sample->taken_at);
	if (shutdown_has_begun(record) && sample->taken_at > record->signalled_at + QUICK_FOR)
		follow_set_interval(watch->follow, SLOW_PACE);
	watch->sampled |= sample->whole;
	if (sample->whole)
		watch->whole_at = sample->began_at;
	end_preparing(watch);
	advance(watch, instant_monotonic());
	notify_changed(watch);
}

static void on_sampled(void *data, const struct follow_sample *sample)
{
	watch_read_sample(data, sample);
}

/* A process's sockets are closed when it ends, and its children may be orphans now: scan at once.
 */
static void on_process_ended(void *data, int32_t pid, int64_t at)
{
	struct watch *watch = data;
	record_process_ended(&watch->record, pid, at);
	follow_now(watch->follow);
	notify_changed(watch);
}

static void on_backend_ended(void *data, int32_t pid, int64_t at)
{
	struct watch *watch = data;
	record_backend_ended(&watch->record, pid, at);
	notify_changed(watch);
}

static void make_record(struct watch *watch)
{
	struct shutdown_record *record = &watch->record;
	const struct watch_options *options = &watch->options;
	shutdown_record_init(record);
	record->signal_number = options->signal_number;
	record->alone = options->alone;
	record->timeout = options->timeout;
	record->settle = options->settle;
	record->armed_at = instant_monotonic();
	struct shutdown_process *command = shutdown_add_process(record);
	command->pid = options->pid;
	command->start_ticks = options->start_ticks;
	command->command = true;
	command->began_at = record->armed_at;
	command->name = held_name(watch->held, command, record->arena);
	held_add_process(watch->held, command);
}

static void make_follow(struct watch *watch, uv_loop_t *loop)
{
	const struct watch_options *options = &watch->options;
	const struct follow_callbacks callbacks = { watch, on_sampled };
	watch->follow = follow_new(loop, "/proc", &callbacks);
	follow_process(watch->follow, options->pid, options->start_ticks);
	if (options->own)
		follow_children_of(watch->follow, getpid());
	questions_set_ports(watch->target, watch->follow);
	follow_set_interval(watch->follow, options->own ? READY_PACE : ARMED_PACE);
	follow_now(watch->follow);
}

struct watch *watch_new(uv_loop_t *loop, struct target *target, const struct watch_options *options)
{
	struct watch *watch = mem_alloc(sizeof(*watch));
	watch->target = target;
	watch->options = *options;
	watch->pools = pool_phases_new();
	const struct server_queries_callbacks queries = { watch, on_counted, on_counted_start,
		on_wrote, on_answered };
	watch->queries = server_queries_new(loop, target_session(target), &queries);
	const struct held_callbacks held = { watch, on_process_ended, on_backend_ended };
	watch->held = held_new(loop, &held);
	watch->timer = handle_new_timer(loop, watch);
	make_record(watch);
	make_follow(watch, loop);
	if (options->own)
		server_queries_count_start(
			watch->queries, target_assessment(target)->activity->server.version);
	return watch;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	server_queries_free(watch->queries);
	pool_phases_free(watch->pools);
	handle_close(watch->timer);
	follow_free(watch->follow);
	held_free(watch->held);
	shutdown_record_deinit(&watch->record);
	free(watch);
}

void watch_assessed(struct watch *watch)
{
	const struct assessment *assessment = target_assessment(watch->target);
	if (watch->stage >= STAGE_GATHERING)
		return;
	questions_set_ports(watch->target, watch->follow);
	pool_phases_find(watch->pools, assessment->pages, &watch->record);
	read_sessions(watch);
	record_links(&watch->record);
	if (watch->stage == STAGE_ARMED)
		forget_past(watch);
	end_preparing(watch);
	advance(watch, instant_monotonic());
	notify_changed(watch);
}

int watch_count(const struct watch *watch)
{
	return shutdown_count_open(&watch->record);
}

void watch_prepare(struct watch *watch)
{
	watch->stage = STAGE_PREPARING;
	watch->sampled = watch->timed_out = watch->is_exact = false;
	watch->prepare_since = instant_monotonic();
	watch->prepare_wall = instant_now();
	target_refresh(watch->target);
	if (shutdown_has_link(&watch->record, LINK_POOLED))
		target_assess_anew(watch->target);
	take_baseline(watch);
	uv_timer_start(watch->timer, on_timer, PREPARING_MS, 0);
	follow_now(watch->follow);
}

void watch_expire(struct watch *watch, int64_t since)
{
	if (watch->stage != STAGE_ARMED)
		return;
	watch->record.expired = true;
	begin(watch, since, "it was ready");
	advance(watch, instant_monotonic());
}

void watch_signalled(struct watch *watch)
{
	watch->record.signal_came = true;
	begin(watch, instant_monotonic(), NULL);
	follow_now(watch->follow);
}

void watch_reaped(struct watch *watch, int32_t pid, int status)
{
	record_process_reaped(&watch->record, pid, status);
}

int watch_process_fd(const struct watch *watch, const struct shutdown_process *process)
{
	return held_fd(watch->held, process);
}

struct shutdown_record *watch_record(struct watch *watch)
{
	return &watch->record;
}

bool watch_is_complete(const struct watch *watch)
{
	return watch->stage == STAGE_COMPLETE;
}
