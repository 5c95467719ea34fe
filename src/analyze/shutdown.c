/* From the facts (shutdown_facts.c) to a behaviour, then to pass or fail; shutdown_words.c writes
 * the sentence. */
#include "analyze/shutdown.h"

#include <sys/wait.h>

#include "analyze/shutdown_facts.h"
#include "analyze/shutdown_words.h"
#include "analyze/timeline.h"
#include "base/arena.h"
#include "base/instant.h"

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
	struct shutdown_facts facts = shutdown_facts(record, now, arena);
	arena_free(arena);
	return is_over(&facts);
}

int64_t shutdown_first_closing(const struct shutdown_record *record, int64_t since, int64_t before)
{
	int64_t at = before;
	for (size_t i = 0; i < record->n_connections; i++)
		if (record->connections[i].opened_at > since)
			since = record->connections[i].opened_at;
	for (size_t i = 0; i < record->n_connections; i++) {
		const struct shutdown_connection *connection = &record->connections[i];
		/* the earlier of both: a session's end may be reported before a sample lacks its
		 * socket */
		const int64_t ends[] = { connection->closed_at, connection->ended_at };
		for (size_t j = 0; j < sizeof(ends) / sizeof(ends[0]); j++)
			if (ends[j] != INSTANT_UNKNOWN && ends[j] > since && ends[j] < at)
				at = ends[j];
	}
	return at;
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
	enum close_evidence close_evidence = facts->record->close_evidence;
	if (facts->running)
		return behaviour_of_running(facts);
	if (facts->after)
		return facts->new_left && !facts->old_left ? BEHAVIOUR_RECONNECTED
							   : BEHAVIOUR_LEFT_SESSIONS;
	if (facts->opened)
		return BEHAVIOUR_RECONNECTED;
	if (facts->before &&
		(close_evidence == CLOSE_ABANDONED || close_evidence == CLOSE_ABANDONED_PRESUMED))
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

/* Whether the exit status is 0 although a write was rolled back. */
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
	struct shutdown_facts facts = shutdown_facts(record, now, arena);
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
	verdict.timeline = timeline_build(record, now, arena, &verdict.n_events);
	return verdict;
}
