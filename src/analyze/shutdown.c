/* From the facts (shutdown_facts.c) to a behaviour, then to pass or fail; shutdown_words.c writes
 * the sentence. */
#include "analyze/shutdown.h"

#include <sys/wait.h>

#include "analyze/shutdown_facts.h"
#include "analyze/shutdown_words.h"
#include "analyze/timeline.h"
#include "base/arena.h"
#include "base/instant.h"

/* A session that ended so long before its socket was closed was ended by the server. */
#define ENDED_BEFORE USEC_PER_SEC

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
		 * socket. But if its socket is open for long after it, the server ended it */
		int64_t closed_at =
			connection->closed_at == INSTANT_UNKNOWN ? before : connection->closed_at;
		bool is_ours = connection->ended_at != INSTANT_UNKNOWN &&
			closed_at - connection->ended_at < ENDED_BEFORE;
		const int64_t ends[] = { connection->closed_at,
			is_ours ? connection->ended_at : INSTANT_UNKNOWN };
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
					  : BEHAVIOUR_CHILD_STILL_RUNS;
	bool is_asked = !facts->record->expired;
	if (is_asked && (facts->deaf || (facts->works_on && !facts->record->n_phases)))
		return BEHAVIOUR_IGNORED_SIGNAL;
	return BEHAVIOUR_NEVER_EXITED;
}

/* Whether writes that its pools announced were not written. Those in an outbox are not lost: they
 * are on disk, and delivered at the next start. */
static bool has_lost_writes(const struct shutdown_facts *facts)
{
	return facts->pending > 0 || facts->failed_flush;
}

static enum shutdown_behaviour behaviour(const struct shutdown_facts *facts)
{
	enum close_evidence close_evidence = facts->record->close_evidence;
	if (facts->running)
		return behaviour_of_running(facts);
	if (facts->after)
		return facts->new_left && !facts->old_left ? BEHAVIOUR_RECONNECTED
							   : BEHAVIOUR_LEFT_SESSIONS;
	if (has_lost_writes(facts))
		return BEHAVIOUR_LOST_WRITES;
	if (facts->opened)
		return BEHAVIOUR_RECONNECTED;
	if (facts->before &&
		(close_evidence == CLOSE_ABANDONED || close_evidence == CLOSE_ABANDONED_PRESUMED))
		return BEHAVIOUR_DIED_UNCLOSED;
	return BEHAVIOUR_CLOSED;
}

static bool is_expected(const struct shutdown_rules *rules, const struct shutdown_process *command)
{
	bool by_signal = WIFSIGNALED(command->status);
	int status = by_signal ? 128 + WTERMSIG(command->status) : WEXITSTATUS(command->status);
	for (size_t i = 0; i < rules->n_expected; i++) {
		const struct shutdown_end *end = &rules->expected[i];
		if (end->by_signal ? by_signal && WTERMSIG(command->status) == end->number
				   : status == end->number)
			return true;
	}
	return !rules->n_expected;
}

/* Whether the command has ended with a status that was not expected. */
static bool ended_otherwise(const struct shutdown_facts *facts, const struct shutdown_rules *rules)
{
	const struct shutdown_process *command = facts->command;
	return command && !shutdown_runs(facts->record, command) && command->has_status &&
		!is_expected(rules, command);
}

static bool passes(const struct shutdown_facts *facts, const struct shutdown_verdict *verdict,
	const struct shutdown_rules *rules)
{
	if (facts->running || facts->after || verdict->unexpected_status || has_lost_writes(facts))
		return false;
	return !rules->strict || verdict->behaviour == BEHAVIOUR_CLOSED;
}

/* Whether the exit status is 0 although a write was rolled back. */
static bool hides_rolled_back_write(const struct shutdown_facts *facts)
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
		.pending_writes = facts->pending,
		.outbox_waiting = facts->waiting,
		.exit_status = exit_status(facts),
		.drained = drained && facts->record->signalled_at != INSTANT_UNKNOWN
			? last - facts->record->signalled_at
			: -1,
	};
}

/* A session that may be the application's: it lost its client, or no scan shows the client. */
static const struct foreign_session *find_stray(const struct shutdown_record *record, bool lost)
{
	for (size_t i = 0; i < record->n_foreign; i++) {
		const struct foreign_session *session = &record->foreign[i];
		if (shutdown_is_stray(session) &&
			(lost ? session->lost_client : session->looked_at == INSTANT_UNKNOWN))
			return session;
	}
	return NULL;
}

/* Why a session of the application may be left although none is known; NULL. */
static const char *find_doubt(const struct shutdown_record *record)
{
	if (record->lent_unknown)
		return "PgBouncer did not say in time which of its sessions was in use by the "
		       "application";
	bool own_unread;
	(void)shutdown_count_unread(record, &own_unread);
	if (own_unread)
		return "a stats page of the application could not be read, so that lost writes "
		       "would not be seen";
	if (find_stray(record, true))
		return "a session began meanwhile and lost its client, which may have been the "
		       "application";
	if (find_stray(record, false))
		return "a session began meanwhile, and its client, which may have been the "
		       "application, cannot be found";
	return NULL;
}

static void withdraw(struct shutdown_verdict *verdict, const char *doubt, struct arena *arena)
{
	verdict->behaviour = BEHAVIOUR_NONE;
	verdict->pass = false;
	verdict->drained = -1;
	verdict->sentence = arena_printf(arena, "cannot tell: %s; %s", doubt, verdict->sentence);
}

struct shutdown_verdict shutdown_judge(const struct shutdown_record *record,
	const struct shutdown_rules *rules, int64_t now, struct arena *arena)
{
	struct shutdown_facts facts = shutdown_facts(record, now, arena);
	struct shutdown_verdict verdict = counts(&facts);
	if (record->blind) {
		verdict.drained = -1;
		verdict.sentence = arena_printf(arena, "cannot tell: %s", record->blind);
	} else if (!is_over(&facts)) {
		verdict.sentence = shutdown_words_progress(&facts);
	} else if (record->collecting) {
		verdict.sentence = find_stray(record, false)
			? "it has ended: looking for the client of a session that began meanwhile"
			: "it has ended: checking what it left behind";
	} else if (!facts.before && !facts.running && !facts.after && !has_lost_writes(&facts)) {
		verdict.drained = -1;
		verdict.sentence = shutdown_words_no_connection(&facts);
	} else {
		verdict.behaviour = behaviour(&facts);
		verdict.unexpected_status = ended_otherwise(&facts, rules);
		verdict.rolled_back_write = hides_rolled_back_write(&facts);
		verdict.pass = passes(&facts, &verdict, rules);
		verdict.not_read = shutdown_words_not_read(&facts);
		verdict.sentence = shutdown_words_verdict(&facts, &verdict);
		const char *doubt = verdict.pass ? find_doubt(record) : NULL;
		if (doubt)
			withdraw(&verdict, doubt, arena);
	}
	verdict.timeline = timeline_build(record, now, arena, &verdict.n_events);
	return verdict;
}
