/* First what is left, then which behaviour that is; shutdown_words.c says it. */
#include "analyze/shutdown.h"

#include <sys/wait.h>

#include "analyze/shutdown_facts.h"
#include "analyze/shutdown_words.h"
#include "analyze/timeline.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/map.h"

/* A statement that begins this long after the signal is no answer to it: work goes on. */
#define REACTION (300 * USEC_PER_MSEC)

bool shutdown_runs(const struct shutdown_record *record, const struct shutdown_process *process)
{
	return process->ended_at == INSTANT_UNKNOWN ||
		(record->signalled_at != INSTANT_UNKNOWN &&
			process->ended_at > record->signalled_at + record->timeout);
}

/* The first process of each pid. */
static struct map *index_processes(const struct shutdown_record *record, struct arena *arena)
{
	struct map *by_pid = map_new(arena, record->n_processes);
	for (size_t i = record->n_processes; i-- > 0;)
		map_set(by_pid, (uint64_t)record->processes[i].pid, (uint32_t)i);
	return by_pid;
}

static const struct shutdown_process *find_process(
	const struct shutdown_record *record, const struct map *by_pid, int32_t pid)
{
	uint32_t i = pid ? map_get(by_pid, (uint64_t)pid) : MAP_NONE;
	return i == MAP_NONE ? NULL : &record->processes[i];
}

/* Over before the signal: no part of the story. */
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
		facts->deaf |= process->disposition == DISPOSITION_IGNORES ||
			(process->disposition == DISPOSITION_BLOCKS &&
				process->taken_at == INSTANT_UNKNOWN);
	}
	if (facts->running)
		facts->last_exit = INSTANT_UNKNOWN;
}

static void weigh_left(struct shutdown_facts *facts, const struct map *by_pid,
	const struct shutdown_connection *connection)
{
	const struct shutdown_process *holder =
		find_process(facts->record, by_pid, connection->holder);
	bool held = connection->closed_at == INSTANT_UNKNOWN && holder &&
		shutdown_runs(facts->record, holder);
	facts->after++;
	facts->open_links += held;
	facts->new_left |= connection->after_signal;
	facts->old_left |= !connection->after_signal;
	facts->child_holds |= held && !holder->command;
}

static void weigh_connections(struct shutdown_facts *facts)
{
	const struct shutdown_record *record = facts->record;
	const struct map *by_pid = index_processes(record, facts->arena);
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
			connection->worked_at > record->signalled_at + REACTION;
		facts->reacted |= connection->closed_at != INSTANT_UNKNOWN;
		facts->rolled_back |= connection->fate == FATE_ROLLED_BACK;
		if (end == INSTANT_UNKNOWN)
			weigh_left(facts, by_pid, connection);
		else if (end > facts->last_end)
			facts->last_end = end;
	}
}

static struct shutdown_facts weigh(
	const struct shutdown_record *record, int64_t now, struct arena *arena)
{
	struct shutdown_facts facts = { .record = record, .arena = arena, .now = now };
	weigh_processes(&facts);
	weigh_connections(&facts);
	facts.reacted |= record->n_phases > 0;
	return facts;
}

static bool is_over(const struct shutdown_facts *facts)
{
	const struct shutdown_record *record = facts->record;
	if (record->signalled_at == INSTANT_UNKNOWN)
		return false;
	if (record->over)
		return true;
	if (facts->running)
		return facts->now >= record->signalled_at + record->timeout;
	return !facts->after || facts->now >= facts->last_exit + record->settle;
}

bool shutdown_is_over(const struct shutdown_record *record, int64_t now)
{
	struct arena *arena = arena_new();
	struct shutdown_facts facts = weigh(record, now, arena);
	arena_free(arena);
	return is_over(&facts);
}

static enum shutdown_behaviour behaviour_of_running(const struct shutdown_facts *facts)
{
	bool command_runs = facts->command && shutdown_runs(facts->record, facts->command);
	if (!command_runs)
		return facts->child_holds ? BEHAVIOUR_CHILD_KEPT_CONNECTION
					  : BEHAVIOUR_NEVER_EXITED;
	if (facts->deaf || (facts->works_on && !facts->record->n_phases))
		return BEHAVIOUR_IGNORED_SIGNAL;
	return BEHAVIOUR_NEVER_EXITED;
}

static enum shutdown_behaviour behaviour(const struct shutdown_facts *facts)
{
	enum shutdown_goodbye goodbye = facts->record->goodbye;
	if (facts->running)
		return behaviour_of_running(facts);
	if (facts->after)
		return facts->new_left && !facts->old_left ? BEHAVIOUR_RECONNECTED
							   : BEHAVIOUR_LEFT_SESSIONS;
	if (facts->opened)
		return BEHAVIOUR_RECONNECTED;
	if (facts->before && (goodbye == GOODBYE_MISSED || goodbye == GOODBYE_PRESUMED))
		return BEHAVIOUR_DIED_UNCLOSED;
	return BEHAVIOUR_CLOSED;
}

static bool passes(
	const struct shutdown_facts *facts, enum shutdown_behaviour behaviour, bool strict)
{
	if (facts->running || facts->after)
		return false;
	return !strict || behaviour == BEHAVIOUR_CLOSED;
}

/* Status 0 says that all went well; a write that was rolled back says it did not. */
static bool hides_lost_write(const struct shutdown_facts *facts)
{
	const struct shutdown_process *command = facts->command;
	return facts->rolled_back && command && !shutdown_runs(facts->record, command) &&
		command->has_status && WIFEXITED(command->status) &&
		WEXITSTATUS(command->status) == 0;
}

static int exit_status(const struct shutdown_facts *facts)
{
	const struct shutdown_process *command = facts->command;
	if (!command || shutdown_runs(facts->record, command) || !command->has_status)
		return -1;
	return WIFSIGNALED(command->status) ? 128 + WTERMSIG(command->status)
					    : WEXITSTATUS(command->status);
}

static struct shutdown_verdict counts(const struct shutdown_facts *facts)
{
	bool drained = !facts->after;
	int64_t last =
		facts->last_end == INSTANT_UNKNOWN ? facts->record->signalled_at : facts->last_end;
	return (struct shutdown_verdict){
		.before = facts->before,
		.after = facts->after,
		.opened = facts->opened,
		.running = facts->running,
		.exit_status = exit_status(facts),
		.drained = drained && facts->record->signalled_at != INSTANT_UNKNOWN
			? last - facts->record->signalled_at
			: -1,
	};
}

struct shutdown_verdict shutdown_judge(
	const struct shutdown_record *record, bool strict, int64_t now, struct arena *arena)
{
	struct shutdown_facts facts = weigh(record, now, arena);
	struct shutdown_verdict verdict = counts(&facts);
	if (record->blind) {
		verdict.drained = -1;
		verdict.sentence = arena_printf(arena, "cannot tell: %s", record->blind);
	} else if (!is_over(&facts)) {
		verdict.sentence = shutdown_words_progress(&facts);
	} else {
		verdict.behaviour = behaviour(&facts);
		verdict.pass = passes(&facts, verdict.behaviour, strict);
		verdict.lost_write = hides_lost_write(&facts);
		verdict.sentence =
			shutdown_words_verdict(&facts, verdict.behaviour, verdict.lost_write);
	}
	verdict.timeline = timeline_build(record, now, arena, &verdict.n_moments);
	return verdict;
}
