/* Processes and their sockets, from each sample and each process's end.
 *
 *   armed → preparing → signalled → gathering → settled
 *
 * A watch that sends no signal itself goes from armed to signalled with the first sign that the
 * application ends. */
#include "app/watch.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "action/process.h"
#include "analyze/shutdown.h"
#include "app/target.h"
#include "app/watch_parts.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/mem.h"
#include "collect/endings.h"
#include "collect/follow.h"
#include "collect/procfs.h"
#include "model/assessment.h"

/* Between two samples: armed; before a signal of ours; once it has begun; and when that lasts. */
#define ARMED_PACE (40 * USEC_PER_MSEC)
#define READY_PACE (10 * USEC_PER_MSEC)
#define QUICK_PACE (5 * USEC_PER_MSEC)
#define SLOW_PACE  (20 * USEC_PER_MSEC)
#define QUICK_FOR  (2 * USEC_PER_SEC)

/* A link to PgBouncer that is shorter than this after the signal was a request to cancel. */
#define CANCEL_LASTS (50 * USEC_PER_MSEC)

#define PREPARING_MS 5000

void watch_changed(struct watch *watch)
{
	if (watch->options.changed)
		watch->options.changed(watch->options.data);
}

bool watch_owns(const struct watch *watch, int32_t pid, uint64_t start_ticks)
{
	for (size_t i = 0; i < watch->record.n_processes; i++)
		if (watch->record.processes[i].pid == pid &&
			watch->record.processes[i].start_ticks == start_ticks)
			return true;
	return false;
}

static bool is_begun(const struct watch *watch)
{
	return watch->record.signalled_at != INSTANT_UNKNOWN;
}

static struct shutdown_process *find_process(struct watch *watch, int32_t pid, uint64_t start_ticks)
{
	for (size_t i = 0; i < watch->record.n_processes; i++) {
		struct shutdown_process *process = &watch->record.processes[i];
		if (process->pid == pid && process->start_ticks == start_ticks)
			return process;
	}
	return NULL;
}

/* When it has ended already the next sample lacks it. */
static struct shutdown_process *add_process(
	struct watch *watch, int32_t pid, uint64_t start_ticks, int64_t at)
{
	int fd;
	struct shutdown_process *process = shutdown_add_process(&watch->record);
	process->pid = pid;
	process->start_ticks = start_ticks;
	process->command = pid == watch->options.pid;
	process->began_at = at;
	if (process_hold("/proc", pid, start_ticks, &fd) == 0)
		(void)endings_add(watch->processes, fd, (uint64_t)pid);
	return process;
}

static enum shutdown_disposition disposition(const struct procfs_signals *signals, int number)
{
	uint64_t bit = UINT64_C(1) << (number - 1);
	if (signals->ignored & bit)
		return DISPOSITION_IGNORES;
	if (signals->blocked & bit)
		return DISPOSITION_BLOCKS;
	return signals->caught & bit ? DISPOSITION_CATCHES : DISPOSITION_DEFAULT;
}

/* A signal that is on its way to a process we watch: seldom seen, as it is taken within
 * microseconds, but by one that is stopped or busy in the kernel. */
static void note_sign(struct watch *watch, const struct follow_process *seen, int64_t at)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (!(seen->signals.pending & UINT64_C(1) << (numbers[i] - 1)) ||
			seen->pid != watch->options.pid)
			continue;
		watch->record.signal_number = numbers[i];
		watch_begin(watch, at,
			arena_printf(watch->record.arena, "SIG%s seen",
				shutdown_signal_name(numbers[i])));
		return;
	}
}

/* What it does with the signal is what it did when it came; whether it has taken it shows in what
 * is pending. */
static void note_signals(struct watch *watch, struct shutdown_process *process,
	const struct follow_process *seen, int64_t at)
{
	if (!watch->record.signal_number && !is_begun(watch))
		note_sign(watch, seen, at);
	int number = watch->record.signal_number;
	if (!number)
		return;
	if (!is_begun(watch)) {
		process->disposition = disposition(&seen->signals, number);
		return;
	}
	bool pending = seen->signals.pending & UINT64_C(1) << (number - 1);
	if (!pending && process->taken_at == INSTANT_UNKNOWN &&
		process->ended_at == INSTANT_UNKNOWN &&
		process->began_at <= watch->record.signalled_at &&
		(process->disposition == DISPOSITION_CATCHES ||
			process->disposition == DISPOSITION_BLOCKS))
		process->taken_at = at;
}

static void read_process(
	struct watch *watch, const struct follow_process *seen, const struct follow_sample *sample)
{
	struct shutdown_process *process = find_process(watch, seen->pid, seen->start_ticks);
	if (!process)
		process = add_process(watch, seen->pid, seen->start_ticks, sample->began_at);
	/* a program that was not started yet when it was first seen */
	if (!process->name || strcmp(process->name, seen->name) != 0)
		process->name = arena_strdup(watch->record.arena, seen->name);
	if (!is_begun(watch) || sample->began_at > watch->record.signalled_at)
		note_signals(watch, process, seen, sample->taken_at);
}

static bool is_seen(const struct follow_sample *sample, const struct shutdown_process *process)
{
	for (size_t i = 0; i < sample->n_processes; i++)
		if (sample->processes[i].pid == process->pid &&
			sample->processes[i].start_ticks == process->start_ticks)
			return true;
	return false;
}

static void read_processes(struct watch *watch, const struct follow_sample *sample)
{
	for (size_t i = 0; i < sample->n_processes; i++)
		read_process(watch, &sample->processes[i], sample);
	for (size_t i = 0; i < watch->record.n_processes; i++) {
		struct shutdown_process *process = &watch->record.processes[i];
		if (process->ended_at == INSTANT_UNKNOWN && !is_seen(sample, process) &&
			endings_fd(watch->processes, (uint64_t)process->pid) < 0)
			process->ended_at = sample->taken_at;
	}
}

static struct watch_socket *find_socket(struct watch *watch, uint32_t inode)
{
	for (size_t i = 0; i < watch->n_sockets; i++)
		if (watch->sockets[i].inode == inode)
			return &watch->sockets[i];
	return NULL;
}

static struct watch_socket *add_socket(struct watch *watch, const struct follow_socket *seen)
{
	if (watch->n_sockets == watch->sockets_room) {
		watch->sockets_room = watch->sockets_room ? watch->sockets_room * 2 : 16;
		watch->sockets =
			mem_resize(watch->sockets, watch->sockets_room, sizeof(*watch->sockets));
	}
	struct watch_socket *socket = &watch->sockets[watch->n_sockets++];
	*socket = (struct watch_socket){
		.inode = seen->inode,
		.holder = seen->pid,
		.port = seen->port,
		.local = seen->local,
		.server_inode = seen->server_inode,
		.pooled = watch_is_pooler(watch, seen->port),
		.opened_at = seen->first_seen,
		.closed_at = INSTANT_UNKNOWN,
	};
	/* the server knows more of it: soon asked */
	watch->pause = 0;
	watch->ask_at = 0;
	return socket;
}

/* A socket that was inherited has several holders: the one that is known stays as long as it has
 * it. */
static void read_socket(
	struct watch *watch, const struct follow_socket *seen, const struct follow_sample *sample)
{
	struct watch_socket *socket = find_socket(watch, seen->inode);
	if (!socket)
		socket = add_socket(watch, seen);
	if (!socket->open)
		socket->holder = seen->pid;
	socket->open = true;
	/* an heir that was not known yet when the other holder let go of it */
	socket->closed_at = INSTANT_UNKNOWN;
	socket->established |= seen->established;
	socket->seen_at = sample->taken_at;
}

static void hand_over(struct watch *watch, const struct follow_sample *sample)
{
	for (size_t i = 0; i < watch->n_sockets; i++)
		watch->sockets[i].open = false;
	/* first those that still have it … */
	for (size_t i = 0; i < sample->n_sockets; i++) {
		const struct watch_socket *socket = find_socket(watch, sample->sockets[i].inode);
		if (socket && socket->holder == sample->sockets[i].pid)
			read_socket(watch, &sample->sockets[i], sample);
	}
	/* … then the heirs */
	for (size_t i = 0; i < sample->n_sockets; i++)
		read_socket(watch, &sample->sockets[i], sample);
}

static const struct follow_process *find_holder(
	const struct follow_sample *sample, const struct watch_socket *socket)
{
	for (size_t i = 0; i < sample->n_processes; i++)
		if (sample->processes[i].pid == socket->holder)
			return &sample->processes[i];
	return NULL;
}

/* When a socket that a look lacks was closed; INSTANT_UNKNOWN while that is not known yet. What is
 * missing of a process that the kernel is ending, or has ended, was not closed by it: it goes with
 * its end, which may have been told before the look, or is in a moment. */
static int64_t closed_at(const struct watch *watch, const struct watch_socket *socket,
	const struct follow_sample *sample)
{
	const struct follow_process *holder = find_holder(sample, socket);
	if (holder)
		return holder->exiting ? INSTANT_UNKNOWN : sample->taken_at;
	for (size_t i = 0; i < watch->record.n_processes; i++)
		if (watch->record.processes[i].pid == socket->holder)
			return watch->record.processes[i].ended_at;
	return sample->taken_at;
}

static void close_sockets(struct watch *watch, const struct follow_sample *sample)
{
	for (size_t i = 0; i < watch->n_sockets; i++) {
		struct watch_socket *socket = &watch->sockets[i];
		if (socket->open || socket->closed_at != INSTANT_UNKNOWN)
			continue;
		socket->closed_at = closed_at(watch, socket, sample);
		if (socket->closed_at == INSTANT_UNKNOWN)
			continue;
		watch->pause = 0;
		watch->ask_at = 0;
	}
}

/* A link to PgBouncer is a connection by itself. */
static void take_pooled(struct watch *watch, struct watch_socket *socket)
{
	bool after = is_begun(watch) && socket->opened_at > watch->record.signalled_at;
	if (socket->taken || !socket->pooled || !socket->established ||
		(after && socket->seen_at - socket->opened_at < CANCEL_LASTS))
		return;
	struct shutdown_connection *connection = shutdown_add_connection(&watch->record);
	connection->link = LINK_POOLED;
	connection->inode = socket->inode;
	connection->opened_at = socket->opened_at;
	connection->after_signal = after;
	socket->taken = true;
}

static void tell_record(struct watch *watch)
{
	for (size_t i = 0; i < watch->n_sockets; i++)
		take_pooled(watch, &watch->sockets[i]);
	for (size_t i = 0; i < watch->record.n_connections; i++) {
		struct shutdown_connection *connection = &watch->record.connections[i];
		const struct watch_socket *socket =
			connection->inode ? find_socket(watch, connection->inode) : NULL;
		if (!socket)
			continue;
		connection->holder = socket->holder;
		connection->closed_at = socket->closed_at;
	}
}

static void forget_socket(struct watch *watch, uint32_t inode)
{
	for (size_t i = 0; i < watch->n_sockets; i++)
		if (watch->sockets[i].inode == inode) {
			watch->sockets[i] = watch->sockets[--watch->n_sockets];
			return;
		}
}

/* Of a watch that does not know when the signal comes, what ended just now may have been its first
 * effect. */
static bool is_recent(const struct watch *watch, int64_t ended_at)
{
	return !watch->options.own && instant_monotonic() - ended_at < watch->record.timeout;
}

/* As long as nothing has begun, what is over is no part of the story: an application may open and
 * close thousands before. */
static void forget_past(struct watch *watch)
{
	struct shutdown_record *record = &watch->record;
	for (size_t i = 0; i < record->n_connections;) {
		struct shutdown_connection *connection = &record->connections[i];
		if (!shutdown_connection_is_over(connection) ||
			is_recent(watch, shutdown_connection_end(connection))) {
			i++;
			continue;
		}
		forget_socket(watch, connection->inode);
		*connection = record->connections[--record->n_connections];
	}
	for (size_t i = 0; i < watch->n_sockets;) {
		if (watch->sockets[i].closed_at != INSTANT_UNKNOWN && !watch->sockets[i].taken)
			watch->sockets[i] = watch->sockets[--watch->n_sockets];
		else
			i++;
	}
	for (size_t i = 0; i < record->n_processes;) {
		const struct shutdown_process *process = &record->processes[i];
		if (process->ended_at != INSTANT_UNKNOWN && !process->command &&
			!is_recent(watch, process->ended_at))
			record->processes[i] = record->processes[--record->n_processes];
		else
			i++;
	}
}

void watch_begin(struct watch *watch, int64_t at, const char *sign)
{
	watch->record.signalled_at = at;
	watch->record.signalled_wall = instant_now() - (instant_monotonic() - at);
	watch->record.sign = sign;
	watch->stage = WATCH_SIGNALLED;
	follow_set_interval(watch->follow, QUICK_PACE);
}

/* The process ended without any other sign: then its end began with the first connection that it
 * closed after it had opened the last one. */
static void begin_by_end(struct watch *watch, int64_t ended_at)
{
	const struct shutdown_record *record = &watch->record;
	int64_t opened_at = INSTANT_UNKNOWN, at = ended_at;
	for (size_t i = 0; i < record->n_connections; i++)
		if (record->connections[i].opened_at > opened_at)
			opened_at = record->connections[i].opened_at;
	for (size_t i = 0; i < record->n_connections; i++) {
		const struct shutdown_connection *connection = &record->connections[i];
		int64_t end = connection->closed_at != INSTANT_UNKNOWN ? connection->closed_at
								       : connection->ended_at;
		if (end != INSTANT_UNKNOWN && end > opened_at && end < at)
			at = end;
	}
	watch_begin(watch, at, at < ended_at ? "the first connection closed" : "the process ended");
}

static const struct shutdown_process *command(const struct watch *watch)
{
	for (size_t i = 0; i < watch->record.n_processes; i++)
		if (watch->record.processes[i].command)
			return &watch->record.processes[i];
	return NULL;
}

/* A process may have forked just before it ended: the table of all processes must have been read
 * after that. */
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
		begin_by_end(watch, process->ended_at);
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

/* Behind PgBouncer: in which of its sessions the application has a transaction is known only when
 * all sources tell of the same moment. */
static bool has_surveyed(const struct watch *watch)
{
	const struct assessment *assessment = target_assessment(watch->target);
	return !is_pooled(watch) || watch->timed_out ||
		(assessment->settled && assessment->peers &&
			assessment->peers->dumped_at >= watch->survey_since);
}

static void prepared(struct watch *watch)
{
	if (watch->stage != WATCH_PREPARING || !watch->sampled || watch->waiting ||
		!has_surveyed(watch))
		return;
	uv_timer_stop(watch->timer);
	watch->stage = WATCH_ARMED;
	watch->options.prepared(watch->options.data);
}

void watch_baseline_taken(struct watch *watch)
{
	prepared(watch);
}

static void on_sampled(void *data, const struct follow_sample *sample)
{
	struct watch *watch = data;
	if (watch->stage >= WATCH_GATHERING)
		return;
	read_processes(watch, sample);
	watch_read_pages(watch, sample->taken_at);
	hand_over(watch, sample);
	close_sockets(watch, sample);
	tell_record(watch);
	if (watch->stage == WATCH_ARMED)
		forget_past(watch);
	watch_ask(watch, sample->taken_at);
	if (is_begun(watch) && sample->taken_at > watch->record.signalled_at + QUICK_FOR)
		follow_set_interval(watch->follow, SLOW_PACE);
	watch->sampled |= sample->whole;
	if (sample->whole)
		watch->whole_at = sample->began_at;
	prepared(watch);
	advance(watch, instant_monotonic());
	watch_changed(watch);
}

/* The processes' sockets are closed with them, and children may be orphans now: looked at once. */
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

/* Answers that do not come hold nothing up. */
static void on_timer(uv_timer_t *timer)
{
	struct watch *watch = timer->data;
	watch->waiting = 0;
	watch->sampled = watch->timed_out = true;
	prepared(watch);
	if (watch->stage == WATCH_GATHERING)
		watch_settle(watch);
}

void watch_time_out(struct watch *watch, uint64_t ms)
{
	uv_timer_start(watch->timer, on_timer, ms, 0);
}

struct watch *watch_new(uv_loop_t *loop, struct target *target, const struct watch_options *options)
{
	struct watch *watch = mem_alloc(sizeof(*watch));
	watch->loop = loop;
	watch->target = target;
	watch->options = *options;
	shutdown_record_init(&watch->record);
	watch->record.signal_number = options->signal_number;
	watch->record.timeout = options->timeout;
	watch->record.settle = options->settle;
	watch->record.armed_at = instant_monotonic();
	watch->before = watch->after = (struct watch_counts){ -1, -1 };
	watch->procfs = procfs_new("/proc");
	const struct endings_callbacks processes = { watch, on_process_ended };
	const struct endings_callbacks backends = { watch, on_backend_ended };
	watch->processes = endings_new(loop, &processes);
	watch->backends = endings_new(loop, &backends);
	watch->timer = mem_alloc(sizeof(*watch->timer));
	uv_timer_init(loop, watch->timer);
	watch->timer->data = watch;
	const struct follow_callbacks follow = { watch, on_sampled };
	watch->follow = follow_new(loop, "/proc", &follow);
	follow_process(watch->follow, options->pid, options->start_ticks);
	if (options->own)
		follow_children_of(watch->follow, getpid());
	(void)add_process(watch, options->pid, options->start_ticks, watch->record.armed_at);
	watch_set_ports(watch);
	follow_set_interval(watch->follow, options->own ? READY_PACE : ARMED_PACE);
	follow_now(watch->follow);
	return watch;
}

static void free_handle(uv_handle_t *handle)
{
	free(handle);
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	watch_forget(watch);
	watch_forget_pages(watch);
	watch_forget_writes(watch);
	uv_close((uv_handle_t *)watch->timer, free_handle);
	follow_free(watch->follow);
	endings_free(watch->processes);
	endings_free(watch->backends);
	procfs_free(watch->procfs);
	shutdown_record_deinit(&watch->record);
	free(watch->sockets);
	free(watch->strangers);
	free(watch);
}

void watch_assessed(struct watch *watch)
{
	if (watch->stage >= WATCH_GATHERING)
		return;
	watch_set_ports(watch);
	watch_find_pages(watch);
	watch_read_sessions(watch);
	tell_record(watch);
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
		/* without a state it has not come up yet */
		bool stands = connection->link == LINK_POOLED ||
			(connection->link == LINK_DIRECT && connection->state);
		count += stands && !shutdown_connection_is_over(connection);
	}
	return count;
}

void watch_prepare(struct watch *watch)
{
	watch->stage = WATCH_PREPARING;
	watch->sampled = watch->timed_out = false;
	watch->survey_since = instant_now();
	if (is_pooled(watch))
		target_survey(watch->target);
	watch_take_baseline(watch);
	watch_time_out(watch, PREPARING_MS);
	follow_now(watch->follow);
}

void watch_signalled(struct watch *watch)
{
	watch_begin(watch, instant_monotonic(), NULL);
	follow_now(watch->follow);
}

void watch_reaped(struct watch *watch, int32_t pid, int status)
{
	for (size_t i = 0; i < watch->record.n_processes; i++) {
		struct shutdown_process *process = &watch->record.processes[i];
		if (process->pid != pid || process->has_status)
			continue;
		process->has_status = true;
		process->status = status;
	}
}

struct shutdown_record *watch_record(struct watch *watch)
{
	return &watch->record;
}

bool watch_is_settled(const struct watch *watch)
{
	return watch->stage == WATCH_SETTLED;
}

int watch_process_fd(const struct watch *watch, const struct shutdown_process *process)
{
	return endings_fd(watch->processes, (uint64_t)process->pid);
}
