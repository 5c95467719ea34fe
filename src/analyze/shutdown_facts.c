/* Counts what is left, what was closed and which processes still run. */
#include "analyze/shutdown_facts.h"

#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"
#include "model/shutdown.h"

/* When a statement that begins is new work, and no part of the shutdown: in the second half of the
 * time that the application has, and not before it may have taken the signal. */
#define REACTION (300 * USEC_PER_MSEC)
static int64_t works_on_from(const struct shutdown_record *record)
{
	int64_t half = record->timeout / 2;
	return record->signalled_at + (half > REACTION ? half : REACTION);
}

bool shutdown_runs(const struct shutdown_record *record, const struct shutdown_process *process)
{
	return process->ended_at == INSTANT_UNKNOWN ||
		(record->signalled_at != INSTANT_UNKNOWN &&
			process->ended_at > record->signalled_at + record->timeout);
}

static const struct shutdown_process *find_process(
	const struct shutdown_record *record, const struct map *by_pid, int32_t pid)
{
	uint32_t i = pid ? map_get(by_pid, (uint64_t)pid) : MAP_NONE;
	return i == MAP_NONE ? NULL : &record->processes[i];
}

/* Whether it ended before the signal: then it is ignored. */
static bool is_past(const struct shutdown_record *record, const struct shutdown_connection *c)
{
	int64_t end = shutdown_connection_end(c);
	return end != INSTANT_UNKNOWN && end < record->signalled_at;
}

static void weigh_processes(struct shutdown_facts *facts)
{
	const struct shutdown_record *record = facts->record;
	facts->last_exit = INSTANT_UNKNOWN;
	for (size_t i = 0; i < record->n_processes; i++) {
		const struct shutdown_process *process = &record->processes[i];
		if (process->command)
			facts->command = process;
		if (!shutdown_runs(record, process)) {
			facts->reacted |= process->ended_at >= record->signalled_at;
			if (process->ended_at > facts->last_exit)
				facts->last_exit = process->ended_at;
			continue;
		}
		facts->running++;
		facts->running_children += !process->command;
		bool deaf = process->disposition == DISPOSITION_IGNORES ||
			(process->disposition == DISPOSITION_BLOCKS &&
				process->taken_at == INSTANT_UNKNOWN);
		facts->deaf |= deaf && process->command;
		facts->deaf_child |= deaf && !process->command;
	}
	if (facts->running)
		facts->last_exit = INSTANT_UNKNOWN;
}

static void weigh_left(struct shutdown_facts *facts, const struct map *by_pid,
	const struct shutdown_connection *connection)
{
	const struct shutdown_process *owner =
		find_process(facts->record, by_pid, connection->owner);
	bool held = connection->closed_at == INSTANT_UNKNOWN && owner &&
		shutdown_runs(facts->record, owner);
	facts->after++;
	facts->open_links += held;
	facts->new_left |= connection->after_signal;
	facts->old_left |= !connection->after_signal;
	facts->child_holds |= held && !owner->command;
}

static void weigh_connections(struct shutdown_facts *facts)
{
	const struct shutdown_record *record = facts->record;
	const struct map *by_pid = shutdown_index_pids(record, facts->arena);
	facts->last_end = INSTANT_UNKNOWN;
	for (size_t i = 0; i < record->n_connections; i++) {
		const struct shutdown_connection *connection = &record->connections[i];
		int64_t end = shutdown_connection_end(connection);
		if (is_past(record, connection))
			continue;
		if (connection->link != LINK_LENT) {
			facts->before += !connection->after_signal;
			facts->opened += connection->after_signal;
		}
		facts->works_on |= connection->worked_at != INSTANT_UNKNOWN &&
			connection->worked_at > works_on_from(record);
		facts->reacted |= connection->closed_at != INSTANT_UNKNOWN;
		facts->rolled_back |= connection->outcome == OUTCOME_ROLLED_BACK;
		if (end == INSTANT_UNKNOWN)
			weigh_left(facts, by_pid, connection);
		else if (end > facts->last_end)
			facts->last_end = end;
	}
}

/* Negative numbers are not known. */
static void add_known(int64_t *sum, int64_t number)
{
	if (number >= 0)
		*sum = (*sum < 0 ? 0 : *sum) + number;
}

static void weigh_pools(struct shutdown_facts *facts)
{
	const struct shutdown_record *record = facts->record;
	facts->pending = facts->waiting = -1;
	for (size_t i = 0; i < record->n_pools; i++) {
		add_known(&facts->pending, record->pools[i].pending);
		add_known(&facts->waiting, record->pools[i].outbox);
	}
	for (size_t i = 0; i < record->n_hooks && !facts->failed_flush; i++)
		if (record->hooks[i].is_flush && record->hooks[i].has_failed)
			facts->failed_flush = &record->hooks[i];
}

struct shutdown_facts shutdown_facts(
	const struct shutdown_record *record, int64_t now, struct arena *arena)
{
	struct shutdown_facts facts = { .record = record, .arena = arena, .now = now };
	weigh_processes(&facts);
	weigh_connections(&facts);
	weigh_pools(&facts);
	facts.deaf |= facts.deaf_child && facts.child_holds;
	facts.reacted |= record->n_phases > 0;
	return facts;
}
