/* The events of the shutdown watch: a sample or an assessment arrives, a process ends, the server
 * answers. At each of them reading.c puts what is new into the record, and stages.c decides whether
 * the stage changes. */
#include "watch/watch.h"

#include <stdlib.h>
#include <unistd.h>

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
#include "watch/reading.h"
#include "watch/record_pages.h"
#include "watch/record_phases.h"
#include "watch/record_processes.h"
#include "watch/record_sessions.h"
#include "watch/record_sockets.h"
#include "watch/server_queries.h"
#include "watch/stages.h"
#include "watch/watch_state.h"

/* Intervals between two samples: before the signal, if somebody else sends it; before the signal,
 * if the watch sends it; and in a long shutdown, from QUICK_FOR after the signal. */
#define ARMED_PACE (40 * USEC_PER_MSEC)
#define READY_PACE (10 * USEC_PER_MSEC)
#define SLOW_PACE  (20 * USEC_PER_MSEC)
#define QUICK_FOR  (2 * USEC_PER_SEC)

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
		stages_begin_by(watch, INSTANT_UNKNOWN, at, trigger);
	else
		stages_begin(watch, at, trigger);
}

static void begin_at_phase(
	struct watch *watch, const struct pool_reading *readings, size_t count, int64_t at)
{
	for (size_t i = 0; i < count; i++) {
		if (!readings[i].is_new_phase || shutdown_has_begun(&watch->record))
			continue;
		stages_begin_by(watch, readings[i].previous_at, at, "its pool stops lending");
	}
}

void watch_read_sample(struct watch *watch, const struct follow_sample *sample)
{
	size_t n_readings;
	struct shutdown_record *record = &watch->record;
	if (watch->stage >= STAGE_GATHERING)
		return;
	struct pending_signal pending = reading_processes(watch, sample);
	const struct pool_reading *readings =
		pool_phases_read(watch->pools, sample->taken_at, &n_readings);
	if (pending.number && !watch->options.own)
		begin_at_pending(watch, &pending, sample->taken_at);
	begin_at_phase(watch, readings, n_readings, sample->taken_at);
	record_phases(record, watch->pools, readings, n_readings, sample->taken_at);
	reading_sockets(watch, sample);
	if (watch->stage == STAGE_ARMED)
		reading_forget_past(watch);
	questions_ask(&watch->questions, watch->target, record, sample->taken_at);
	if (shutdown_has_begun(record) && sample->taken_at > record->signalled_at + QUICK_FOR)
		follow_set_interval(watch->follow, SLOW_PACE);
	watch->sampled |= sample->whole;
	if (sample->whole)
		watch->whole_at = sample->began_at;
	stages_end_preparing(watch);
	stages_advance(watch, instant_monotonic());
	stages_notify_changed(watch);
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
	stages_notify_changed(watch);
}

static void on_backend_ended(void *data, int32_t pid, int64_t at)
{
	struct watch *watch = data;
	record_backend_ended(&watch->record, pid, at);
	stages_notify_changed(watch);
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
	record->collecting = true;
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
	if (options->container_file)
		follow_container(watch->follow, options->container_file, options->start_ticks);
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
		on_wrote, stages_answered };
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
	reading_sessions(watch);
	record_pages(&watch->record, assessment);
	record_links(&watch->record);
	if (watch->stage == STAGE_ARMED)
		reading_forget_past(watch);
	stages_end_preparing(watch);
	stages_advance(watch, instant_monotonic());
	stages_notify_changed(watch);
}

int watch_count(const struct watch *watch)
{
	return shutdown_count_open(&watch->record);
}

void watch_prepare(struct watch *watch)
{
	stages_prepare(watch);
}

void watch_expire(struct watch *watch, int64_t since)
{
	if (watch->stage != STAGE_ARMED)
		return;
	watch->record.expired = true;
	stages_begin(watch, since, "it was ready");
	stages_advance(watch, instant_monotonic());
}

void watch_signalled(struct watch *watch)
{
	watch->record.signal_came = true;
	stages_begin(watch, instant_monotonic(), NULL);
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
