/* Makes one event of each fact, then sorts them. */
#include "analyze/timeline.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/arena.h"
#include "base/duration.h"
#include "base/instant.h"
#include "base/map.h"

struct timeline {
	const struct shutdown_record *record;
	struct arena *arena;
	int64_t now;
	struct map *ended; /* indexes of the processes that have ended, by pid */
	struct shutdown_event *events;
	size_t count, room;
};

const char *timeline_process_name(struct arena *arena, const struct shutdown_process *process)
{
	const char *relation = process->command ? ""
		: process->contained            ? "the container's "
						: "child ";
	return arena_printf(arena, "%s%s%s%d", relation, process->name ? process->name : "",
		process->name ? " " : "", process->pid);
}

const char *timeline_span(struct arena *arena, int64_t usec)
{
	char text[DURATION_TEXT_MAX];
	if (usec < USEC_PER_SEC)
		return arena_printf(arena, "%lld ms", (long long)(usec / USEC_PER_MSEC));
	/* Whole seconds are written briefly, as people write timeouts. */
	if (usec < 60 * USEC_PER_SEC)
		return usec % USEC_PER_SEC < 100 * USEC_PER_MSEC
			? arena_printf(arena, "%lld s", (long long)(usec / USEC_PER_SEC))
			: arena_printf(arena, "%.1f s", (double)usec / USEC_PER_SEC);
	return arena_strdup(arena, duration_format(usec, text));
}

/* Adds an event, unless its instant is unknown or before the signal. */
static void add(struct timeline *timeline, int64_t at, enum shutdown_event_kind kind, int32_t pid,
	const char *text)
{
	int64_t since = at - timeline->record->signalled_at;
	if (at == INSTANT_UNKNOWN || since < 0 || timeline->count == timeline->room)
		return;
	timeline->events[timeline->count++] = (struct shutdown_event){
		.at = since,
		.kind = kind,
		.pid = pid,
		.text = text,
	};
}

static void add_signal(struct timeline *timeline)
{
	const struct shutdown_record *record = timeline->record;
	const char *text = record->trigger ? record->trigger
					   : arena_printf(timeline->arena, "SIG%s sent",
						     shutdown_signal_name(record->signal_number));
	if (record->container[0])
		text = arena_printf(timeline->arena,
			"%s; the container %s is followed, too, by --cidfile", text,
			record->container);
	add(timeline, record->signalled_at, EVENT_SIGNAL, 0, text);
}

/* "status 130", "ended by SIGKILL" */
static const char *how_it_ended(struct arena *arena, const struct shutdown_process *process)
{
	if (!process->has_status)
		return "ended";
	if (WIFSIGNALED(process->status))
		return arena_printf(
			arena, "ended by SIG%s", shutdown_signal_name(WTERMSIG(process->status)));
	return arena_printf(arena, "ended, status %d", WEXITSTATUS(process->status));
}

static void add_process(struct timeline *timeline, const struct shutdown_process *process)
{
	struct arena *arena = timeline->arena;
	const char *name = timeline_process_name(arena, process);
	const char *signal_name = timeline->record->signal_number
		? arena_printf(
			  arena, "SIG%s", shutdown_signal_name(timeline->record->signal_number))
		: "the signal";
	add(timeline, process->taken_at, EVENT_TAKEN, process->pid,
		arena_printf(arena, "%s took %s", name, signal_name));
	add(timeline, process->ended_at, EVENT_PROCESS_ENDED, process->pid,
		arena_printf(arena, "%s %s", name, how_it_ended(arena, process)));
}

static const char *connection_name(
	struct arena *arena, const struct shutdown_connection *connection)
{
	if (connection->backend)
		return arena_printf(arena, "%d", connection->backend);
	return connection->link == LINK_POOLED ? "a connection to PgBouncer" : "a connection";
}

static void add_connection(struct timeline *timeline, const struct shutdown_connection *connection)
{
	struct arena *arena = timeline->arena;
	const char *name = connection_name(arena, connection);
	if (connection->counted) {
		add(timeline, connection->opened_at, EVENT_OPENED, 0,
			"one more connection was opened, by the server's count …");
		add(timeline, connection->opened_at, EVENT_CLOSED, 0, "… and closed");
		return;
	}
	if (connection->after_signal)
		add(timeline, connection->opened_at, EVENT_OPENED, connection->backend,
			arena_printf(arena, "%s opened", name));
	add(timeline, shutdown_connection_end(connection), EVENT_CLOSED, connection->backend,
		arena_printf(arena, "%s %s", name,
			connection->link == LINK_LENT ? "given back to PgBouncer" : "closed"));
	if (connection->outcome == OUTCOME_ROLLED_BACK)
		add(timeline, shutdown_connection_end(connection), EVENT_ROLLED_BACK,
			connection->backend,
			arena_printf(arena, "%s: its open write was rolled back", name));
}

static void index_ended(struct timeline *timeline)
{
	const struct shutdown_record *record = timeline->record;
	timeline->ended = map_new(timeline->arena, record->n_processes);
	for (size_t i = record->n_processes; i-- > 0;)
		if (record->processes[i].ended_at != INSTANT_UNKNOWN)
			map_set(timeline->ended, (uint64_t)record->processes[i].pid, (uint32_t)i);
}

/* A page may be read for the last time after the end of its process, which is the latest instant of
 * whatever it shows. */
static int64_t before_its_end(const struct timeline *timeline, int32_t pid, int64_t at)
{
	uint32_t i = map_get(timeline->ended, (uint64_t)pid);
	int64_t ended_at = i == MAP_NONE ? at : timeline->record->processes[i].ended_at;
	return ended_at < at ? ended_at : at;
}

/* A phase ends when the next one of its process begins, or when that process ends. */
static int64_t *phase_ends(const struct timeline *timeline)
{
	const struct shutdown_record *record = timeline->record;
	int64_t *ends = arena_array(timeline->arena, record->n_phases, sizeof(*ends));
	struct map *next = map_new(timeline->arena, record->n_phases);
	for (size_t i = record->n_phases; i-- > 0;) {
		uint64_t pid = (uint64_t)record->phases[i].pid;
		uint32_t later = map_get(next, pid);
		ends[i] = before_its_end(timeline, record->phases[i].pid,
			later == MAP_NONE ? timeline->now : record->phases[later].began_at);
		map_set(next, pid, (uint32_t)i);
	}
	return ends;
}

/* " · 12 pending writes → 0 in 38 ms"; "" if there were none */
static const char *say_writes(struct arena *arena, const struct shutdown_phase *phase,
	const struct shutdown_writes *writes, const char *what)
{
	if (writes->first <= 0)
		return "";
	if (writes->drained_at != INSTANT_UNKNOWN)
		return arena_printf(arena, " · %lld %s → 0 in %s", (long long)writes->first, what,
			timeline_span(arena, writes->drained_at - phase->began_at));
	return arena_printf(arena, " · %lld %s → %lld", (long long)writes->first, what,
		(long long)writes->last);
}

static void add_phase(struct timeline *timeline, size_t index, int64_t end)
{
	struct arena *arena = timeline->arena;
	const struct shutdown_phase *phase = &timeline->record->phases[index];
	int64_t length = end - phase->began_at;
	add(timeline, before_its_end(timeline, phase->pid, phase->began_at), EVENT_PHASE,
		phase->pid,
		arena_printf(arena, "phase: %s, %s%s%s", phase->name,
			timeline_span(arena, length > 0 ? length : 0),
			say_writes(arena, phase, &phase->pending, "pending writes"),
			say_writes(arena, phase, &phase->outbox, "writes in the outbox")));
}

/* "hook outbox (flush): failed with result 1 after 38 ms", "… over its deadline after 120 ms" */
static void add_hook(struct timeline *timeline, const struct shutdown_hook *hook)
{
	struct arena *arena = timeline->arena;
	const char *span = timeline_span(arena, hook->duration > 0 ? hook->duration : 0);
	const char *result =
		hook->has_failed ? arena_printf(arena, " with result %d", hook->result) : "";
	add(timeline, before_its_end(timeline, hook->pid, hook->ended_at), EVENT_HOOK, hook->pid,
		arena_printf(arena, "hook %s (%s): %s%s after %s", hook->name, hook->phase,
			strcmp(hook->state, "late") == 0 ? "over its deadline" : hook->state,
			result, span));
}

static int compare(const void *a, const void *b)
{
	const struct shutdown_event *x = a, *y = b;
	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return (x->pid > y->pid) - (x->pid < y->pid);
}

/* Connections that were open at the signal. */
static int count_before(const struct shutdown_record *record)
{
	int count = 0;
	for (size_t i = 0; i < record->n_connections; i++) {
		const struct shutdown_connection *connection = &record->connections[i];
		int64_t end = shutdown_connection_end(connection);
		count += connection->link != LINK_LENT && !connection->after_signal &&
			(end == INSTANT_UNKNOWN || end >= record->signalled_at);
	}
	return count;
}

static struct map *index_lent(const struct shutdown_record *record, struct arena *arena)
{
	struct map *lent = map_new(arena, 0);
	for (size_t i = 0; i < record->n_connections; i++)
		if (record->connections[i].link == LINK_LENT)
			map_set(lent, (uint64_t)record->connections[i].backend, 0);
	return lent;
}

static void count_down(struct timeline *timeline)
{
	int left = count_before(timeline->record);
	const struct map *lent = index_lent(timeline->record, timeline->arena);
	for (size_t i = 0; i < timeline->count; i++) {
		struct shutdown_event *event = &timeline->events[i];
		bool counts = !event->pid || map_get(lent, (uint64_t)event->pid) == MAP_NONE;
		left += counts && event->kind == EVENT_OPENED;
		left -= counts && event->kind == EVENT_CLOSED;
		event->connections = left;
	}
}

/* The end of the last session. */
static void add_clean(struct timeline *timeline)
{
	const struct shutdown_record *record = timeline->record;
	int64_t last = INSTANT_UNKNOWN;
	for (size_t i = 0; i < record->n_connections; i++) {
		int64_t end = shutdown_connection_end(&record->connections[i]);
		if (end == INSTANT_UNKNOWN)
			return;
		last = end > last ? end : last;
	}
	if (!record->blind)
		add(timeline, last, EVENT_SERVER_CLEAN, 0, "nothing left on the server");
}

static void add_timeout(struct timeline *timeline)
{
	const struct shutdown_record *record = timeline->record;
	int64_t at = record->signalled_at + record->timeout;
	bool running = false;
	for (size_t i = 0; i < record->n_processes; i++)
		running |= record->processes[i].ended_at == INSTANT_UNKNOWN;
	if (running && timeline->now >= at)
		add(timeline, at, EVENT_TIMEOUT, 0, "time is up");
}

const struct shutdown_event *timeline_build(
	const struct shutdown_record *record, int64_t now, struct arena *arena, size_t *ret_count)
{
	struct timeline timeline = { .record = record, .arena = arena, .now = now };
	*ret_count = 0;
	if (record->signalled_at == INSTANT_UNKNOWN)
		return NULL;
	timeline.room = 3 + 2 * record->n_processes + 3 * record->n_connections + record->n_phases +
		record->n_hooks;
	timeline.events = arena_array(arena, timeline.room, sizeof(*timeline.events));
	index_ended(&timeline);
	add_signal(&timeline);
	for (size_t i = 0; i < record->n_processes; i++)
		add_process(&timeline, &record->processes[i]);
	for (size_t i = 0; i < record->n_connections; i++)
		add_connection(&timeline, &record->connections[i]);
	for (size_t i = 0; i < record->n_hooks; i++)
		add_hook(&timeline, &record->hooks[i]);
	const int64_t *ends = phase_ends(&timeline);
	for (size_t i = 0; i < record->n_phases; i++)
		add_phase(&timeline, i, ends[i]);
	add_clean(&timeline);
	add_timeout(&timeline);
	qsort(timeline.events, timeline.count, sizeof(*timeline.events), compare);
	count_down(&timeline);
	*ret_count = timeline.count;
	return timeline.events;
}
