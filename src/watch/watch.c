/* Owns the stages of the shutdown watch. A stage changes when a sample arrives, a process ends or
 * the stage's timer expires.
 *
 *   armed → preparing → signalled → gathering → complete
 *
 * When somebody else sends the signal, the stage changes from armed to signalled at the first
 * trigger that the application is ending. */
#include "watch/watch.h"

#include <stdlib.h>
#include <unistd.h>

#include "analyze/shutdown.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "collect/follow.h"
#include "loop/handle.h"
#include "loop/pidfd_watch.h"
#include "model/assessment.h"
#include "proc/procfs.h"
#include "target/target.h"
#include "watch/watch_parts.h"

/* Intervals between two samples: before the signal, if somebody else sends it; before the signal,
 * if the watch sends it; for QUICK_FOR after it; and later in a long shutdown. */
#define ARMED_PACE (40 * USEC_PER_MSEC)
#define READY_PACE (10 * USEC_PER_MSEC)
#define QUICK_PACE (5 * USEC_PER_MSEC)
#define SLOW_PACE  (20 * USEC_PER_MSEC)
#define QUICK_FOR  (2 * USEC_PER_SEC)

#define PREPARING_MS 5000

/* Strings are copied to a new arena only when they take more than this many bytes. */
#define COMPACT_LEAST (64 * 1024)

/* During a sample that takes no longer than this, little can happen. */
#define BRIEF      USEC_PER_MSEC
#define LAST_LOOKS 3

void watch_changed(struct watch *watch)
{
	if (watch->options.changed)
		watch->options.changed(watch->options.data);
}

bool watch_has_begun(const struct watch *watch)
{
	return watch->record.signalled_at != INSTANT_UNKNOWN;
}

/* When the watch does not send the signal itself, a connection that ended within the last timeout
 * may be the signal's first effect and has to stay in the record. */
static bool is_recent(const struct watch *watch, int64_t ended_at)
{
	return !watch->options.own && instant_monotonic() - ended_at < watch->record.timeout;
}

/* Before the signal, connections that have ended are removed from the record: an application may
 * open and close thousands of them before it shuts down. */
static void forget_connections(struct watch *watch)
{
	struct shutdown_record *record = &watch->record;
	size_t kept = 0;
	for (size_t i = 0; i < record->n_connections; i++) {
		const struct shutdown_connection *connection = &record->connections[i];
		if (!shutdown_connection_is_over(connection) ||
			is_recent(watch, shutdown_connection_end(connection))) {
			record->connections[kept++] = *connection;
			continue;
		}
		struct watch_socket *socket =
			connection->inode ? watch_find_socket(watch, connection->inode) : NULL;
		if (socket)
			socket->past = true;
	}
	if (kept < record->n_connections)
		watch_indexes_drop(watch->indexes);
	record->n_connections = kept;
}

static void forget_processes(struct watch *watch)
{
	struct shutdown_record *record = &watch->record;
	size_t kept = 0;
	for (size_t i = 0; i < record->n_processes; i++) {
		const struct shutdown_process *process = &record->processes[i];
		if (process->ended_at == INSTANT_UNKNOWN || process->command ||
			is_recent(watch, process->ended_at))
			record->processes[kept++] = *process;
	}
	if (kept < record->n_processes)
		watch_indexes_drop(watch->indexes);
	record->n_processes = kept;
}

/* An application may be watched for days. The strings in the record change all the time, and an
 * arena never frees a single string: copy the strings in use to a new arena. */
static void forget_strings(struct watch *watch)
{
	if (arena_used(watch->record.arena) < watch->compact_at)
		return;
	shutdown_record_compact(&watch->record);
	watch->compact_at = 2 * arena_used(watch->record.arena);
	if (watch->compact_at < COMPACT_LEAST)
		watch->compact_at = COMPACT_LEAST;
}

static void forget_past(struct watch *watch)
{
	forget_connections(watch);
	watch_forget_sockets(watch);
	forget_processes(watch);
	watch_forget_ended_pages(watch);
	forget_strings(watch);
}

void watch_begin(struct watch *watch, int64_t at, const char *trigger)
{
	watch->record.signalled_at = at;
	watch->record.signalled_wall = instant_now() - (instant_monotonic() - at);
	watch->record.trigger = trigger;
	watch->stage = WATCH_SIGNALLED;
	follow_set_interval(watch->follow, QUICK_PACE);
}

void watch_begin_by(struct watch *watch, int64_t since, int64_t trigger_at, const char *trigger)
{
	const struct shutdown_record *record = &watch->record;
	int64_t opened_at = since, at = trigger_at;
	for (size_t i = 0; i < record->n_connections; i++)
		if (record->connections[i].opened_at > opened_at)
			opened_at = record->connections[i].opened_at;
	for (size_t i = 0; i < record->n_connections; i++) {
		const struct shutdown_connection *connection = &record->connections[i];
		/* the earlier of both: a session's end may be reported before a sample lacks its
		 * socket */
		const int64_t ends[] = { connection->closed_at, connection->ended_at };
		for (size_t j = 0; j < sizeof(ends) / sizeof(ends[0]); j++)
			if (ends[j] != INSTANT_UNKNOWN && ends[j] > opened_at && ends[j] < at)
				at = ends[j];
	}
	watch_begin(watch, at, at < trigger_at ? "the first connection closed" : trigger);
}

static const struct shutdown_process *command(const struct watch *watch)
{
	for (size_t i = 0; i < watch->record.n_processes; i++)
		if (watch->record.processes[i].command)
			return &watch->record.processes[i];
	return NULL;
}

/* A process may have forked just before it ended. The watch is over only after the table of all
 * processes was read later than the last end. */
static bool has_looked_again(const struct watch *watch, int64_t now)
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
	const struct shutdown_process *process = command(watch);
	if (watch->stage == WATCH_ARMED && process && process->ended_at != INSTANT_UNKNOWN)
		watch_begin_by(watch, INSTANT_UNKNOWN, process->ended_at, "the process ended");
	if (watch->stage == WATCH_SIGNALLED && has_looked_again(watch, now) &&
		shutdown_is_over(&watch->record, now)) {
		watch->stage = WATCH_GATHERING;
		watch->record.over = true;
		watch_gather(watch);
	}
}

static bool is_pooled(const struct watch *watch)
{
	for (size_t i = 0; i < watch->record.n_connections; i++)
		if (watch->record.connections[i].link == LINK_POOLED)
			return true;
	return false;
}

/* The sessions of PgBouncer in which the application has a transaction are known only from an
 * assessment whose sources are all of the same moment. */
static bool has_assessed(const struct watch *watch)
{
	const struct assessment *assessment = target_assessment(watch->target);
	return !is_pooled(watch) || watch->timed_out ||
		(assessment->complete && assessment->peers &&
			assessment->peers->dump_began >= watch->assess_since);
}

static void read_here(struct watch *watch, const struct follow_sample *sample)
{
	watch_read_processes(watch, sample);
	watch_read_sockets(watch, sample);
	watch_tell_record(watch);
}

/* Takes the last samples before the signal, with no other scan running: a socket that only a later
 * sample shows was opened after the signal. The first sample includes children, which takes time;
 * the scan is repeated until one is brief. False while another scan is running. */
static bool look_last(struct watch *watch)
{
	struct follow_sample sample;
	bool brief = false;
	for (int tries = 0; tries < LAST_LOOKS && !brief; tries++) {
		if (!follow_scan_here(watch->follow, tries == 0, &sample))
			return false;
		read_here(watch, &sample);
		brief = !sample.whole && sample.taken_at - sample.began_at < BRIEF;
		arena_free(sample.arena);
	}
	return true;
}

static void prepared(struct watch *watch)
{
	if (watch->stage != WATCH_PREPARING || !watch->sampled || watch->waiting ||
		!has_assessed(watch))
		return;
	watch->told_apart = look_last(watch);
	/* prepared() is called again when the running scan is done */
	if (!watch->told_apart && !watch->timed_out)
		return;
	uv_timer_stop(watch->timer);
	watch->stage = WATCH_ARMED;
	watch->options.prepared(watch->options.data);
}

void watch_baseline_taken(struct watch *watch)
{
	prepared(watch);
}

void watch_read_sample(struct watch *watch, const struct follow_sample *sample)
{
	if (watch->stage >= WATCH_GATHERING)
		return;
	watch_read_processes(watch, sample);
	watch_read_pages(watch, sample->taken_at);
	watch_read_sockets(watch, sample);
	watch_tell_record(watch);
	if (watch->stage == WATCH_ARMED)
		forget_past(watch);
	watch_ask(watch, sample->taken_at);
	if (watch_has_begun(watch) && sample->taken_at > watch->record.signalled_at + QUICK_FOR)
		follow_set_interval(watch->follow, SLOW_PACE);
	watch->sampled |= sample->whole;
	if (sample->whole)
		watch->whole_at = sample->began_at;
	prepared(watch);
	advance(watch, instant_monotonic());
	watch_changed(watch);
}

static void on_sampled(void *data, const struct follow_sample *sample)
{
	watch_read_sample(data, sample);
}

/* A process's sockets are closed when it ends, and its children may be orphans now: scan at once.
 */
static void on_process_ended(void *data, uint64_t key, int64_t at)
{
	struct watch *watch = data;
	for (size_t i = 0; i < watch->record.n_processes; i++) {
		struct shutdown_process *process = &watch->record.processes[i];
		if (process->pid == (int32_t)key && process->ended_at == INSTANT_UNKNOWN)
			process->ended_at = at;
	}
	follow_now(watch->follow);
	watch_changed(watch);
}

static void on_backend_ended(void *data, uint64_t key, int64_t at)
{
	struct watch *watch = data;
	watch_backend_ended(watch, (int32_t)key, at);
	watch_changed(watch);
}

/* The stage has timed out: go on without the answers that are missing. */
static void on_timer(uv_timer_t *timer)
{
	struct watch *watch = timer->data;
	watch->waiting = 0;
	watch->sampled = watch->timed_out = true;
	prepared(watch);
	if (watch->stage == WATCH_GATHERING)
		watch_complete(watch);
}

void watch_time_out(struct watch *watch, uint64_t ms)
{
	uv_timer_start(watch->timer, on_timer, ms, 0);
}

struct watch *watch_new(uv_loop_t *loop, struct target *target, const struct watch_options *options)
{
	struct watch *watch = mem_alloc(sizeof(*watch));
	watch->loop = loop;
	watch->indexes = watch_indexes_new();
	watch->compact_at = COMPACT_LEAST;
	watch->target = target;
	watch->options = *options;
	shutdown_record_init(&watch->record);
	watch->record.signal_number = options->signal_number;
	watch->record.timeout = options->timeout;
	watch->record.settle = options->settle;
	watch->record.armed_at = instant_monotonic();
	watch->before = watch->after = (struct watch_counts){ -1, -1 };
	watch->procfs = procfs_new("/proc");
	const struct pidfd_watch_callbacks processes = { watch, on_process_ended };
	const struct pidfd_watch_callbacks backends = { watch, on_backend_ended };
	watch->processes = pidfd_watch_new(loop, &processes);
	watch->backends = pidfd_watch_new(loop, &backends);
	watch->timer = handle_new_timer(loop, watch);
	const struct follow_callbacks follow = { watch, on_sampled };
	watch->follow = follow_new(loop, "/proc", &follow);
	follow_process(watch->follow, options->pid, options->start_ticks);
	if (options->own)
		follow_children_of(watch->follow, getpid());
	(void)watch_add_process(watch, options->pid, options->start_ticks, watch->record.armed_at);
	watch_set_ports(watch);
	follow_set_interval(watch->follow, options->own ? READY_PACE : ARMED_PACE);
	follow_now(watch->follow);
	return watch;
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	watch_forget(watch);
	watch_forget_pages(watch);
	watch_forget_writes(watch);
	handle_close(watch->timer);
	follow_free(watch->follow);
	pidfd_watch_free(watch->processes);
	pidfd_watch_free(watch->backends);
	procfs_free(watch->procfs);
	shutdown_record_deinit(&watch->record);
	watch_indexes_free(watch->indexes);
	free(watch->sockets);
	free(watch->foreign);
	free(watch);
}

void watch_assessed(struct watch *watch)
{
	if (watch->stage >= WATCH_GATHERING)
		return;
	watch_set_ports(watch);
	watch_find_pages(watch);
	watch_read_sessions(watch);
	watch_tell_record(watch);
	if (watch->stage == WATCH_ARMED)
		forget_past(watch);
	prepared(watch);
	advance(watch, instant_monotonic());
	watch_changed(watch);
}

int watch_count(const struct watch *watch)
{
	int count = 0;
	for (size_t i = 0; i < watch->record.n_connections; i++) {
		const struct shutdown_connection *connection = &watch->record.connections[i];
		/* a session whose state is not known yet has not finished connecting */
		bool stands = connection->link == LINK_POOLED ||
			(connection->link == LINK_DIRECT && connection->state);
		count += stands && !shutdown_connection_is_over(connection);
	}
	return count;
}

void watch_prepare(struct watch *watch)
{
	watch->stage = WATCH_PREPARING;
	watch->sampled = watch->timed_out = watch->told_apart = false;
	watch->assess_since = instant_monotonic();
	if (is_pooled(watch))
		target_assess_anew(watch->target);
	watch_take_baseline(watch);
	watch_time_out(watch, PREPARING_MS);
	follow_now(watch->follow);
}

void watch_signalled(struct watch *watch)
{
	watch_begin(watch, instant_monotonic(), NULL);
	follow_now(watch->follow);
}

struct shutdown_record *watch_record(struct watch *watch)
{
	return &watch->record;
}

bool watch_is_complete(const struct watch *watch)
{
	return watch->stage == WATCH_COMPLETE;
}
