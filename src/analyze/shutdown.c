/* First what is left, then which behaviour that is, then the sentence. */
#include "analyze/shutdown.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "analyze/timeline.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/plural.h"

/* A statement that begins this long after the signal is no answer to it: work goes on. */
#define REACTION (300 * USEC_PER_MSEC)

/* The server needs a moment to end the session of a client that closed and ended at once. */
#define AT_ONCE (20 * USEC_PER_MSEC)

/* More sessions and processes than this are counted in the sentence, not listed. */
#define MOST_NAMED 3

struct facts {
	const struct shutdown_record *record;
	struct arena *arena;
	int64_t now;
	const struct shutdown_process *command; /* NULL: none was seen */
	int before, opened, after, running, running_children;
	int open_links;    /* sockets that a running process holds */
	bool new_left;     /* one of those left was opened after the signal … */
	bool old_left;     /* … or before it */
	bool child_holds;  /* a descendant that runs holds one */
	bool reacted;      /* something was closed or ended, or a phase began */
	bool deaf;         /* a process that runs ignores the signal, or blocks it */
	bool works_on;     /* statements begin as if nothing had happened */
	int64_t last_end;  /* of a connection; INSTANT_UNKNOWN */
	int64_t last_exit; /* of a process; INSTANT_UNKNOWN while one runs */
	bool rolled_back;
};

struct words {
	size_t length;
	char text[1024];
};

__attribute__((format(printf, 2, 3))) static void say(struct words *words, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int n = vsnprintf(
		words->text + words->length, sizeof(words->text) - words->length, format, args);
	va_end(args);
	if (n > 0)
		words->length += (size_t)n;
	if (words->length >= sizeof(words->text))
		words->length = sizeof(words->text) - 1;
}

/* One that ended after its time was up ran on. */
static bool runs(const struct shutdown_record *record, const struct shutdown_process *process)
{
	return process->ended_at == INSTANT_UNKNOWN ||
		(record->signalled_at != INSTANT_UNKNOWN &&
			process->ended_at > record->signalled_at + record->timeout);
}

static const struct shutdown_process *find_process(
	const struct shutdown_record *record, int32_t pid)
{
	for (size_t i = 0; pid && i < record->n_processes; i++)
		if (record->processes[i].pid == pid)
			return &record->processes[i];
	return NULL;
}

/* Over before the signal: no part of the story. */
static bool is_past(const struct shutdown_record *record, const struct shutdown_connection *c)
{
	int64_t end = shutdown_connection_end(c);
	return end != INSTANT_UNKNOWN && end < record->signalled_at;
}

static void weigh_processes(struct facts *facts)
{
	const struct shutdown_record *record = facts->record;
	facts->last_exit = INSTANT_UNKNOWN;
	for (size_t i = 0; i < record->n_processes; i++) {
		const struct shutdown_process *process = &record->processes[i];
		if (process->command)
			facts->command = process;
		if (!runs(record, process)) {
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

static void weigh_left(struct facts *facts, const struct shutdown_connection *connection)
{
	const struct shutdown_process *holder = find_process(facts->record, connection->holder);
	bool held =
		connection->closed_at == INSTANT_UNKNOWN && holder && runs(facts->record, holder);
	facts->after++;
	facts->open_links += held;
	facts->new_left |= connection->after_signal;
	facts->old_left |= !connection->after_signal;
	facts->child_holds |= held && !holder->command;
}

static void weigh_connections(struct facts *facts)
{
	const struct shutdown_record *record = facts->record;
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
			weigh_left(facts, connection);
		else if (end > facts->last_end)
			facts->last_end = end;
	}
}

static struct facts weigh(const struct shutdown_record *record, int64_t now, struct arena *arena)
{
	struct facts facts = { .record = record, .arena = arena, .now = now };
	weigh_processes(&facts);
	weigh_connections(&facts);
	facts.reacted |= record->n_phases > 0;
	return facts;
}

static bool is_over(const struct facts *facts)
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
	struct facts facts = weigh(record, now, NULL);
	return is_over(&facts);
}

static enum shutdown_behaviour behaviour_of_running(const struct facts *facts)
{
	bool command_runs = facts->command && runs(facts->record, facts->command);
	if (!command_runs)
		return facts->child_holds ? BEHAVIOUR_CHILD_KEPT_CONNECTION
					  : BEHAVIOUR_NEVER_EXITED;
	if (facts->deaf || (facts->works_on && !facts->record->n_phases))
		return BEHAVIOUR_IGNORED_SIGNAL;
	return BEHAVIOUR_NEVER_EXITED;
}

static enum shutdown_behaviour behaviour(const struct facts *facts)
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

static bool passes(const struct facts *facts, enum shutdown_behaviour behaviour, bool strict)
{
	if (facts->running || facts->after)
		return false;
	return !strict || behaviour == BEHAVIOUR_CLOSED;
}

static const char *signal_words(const struct facts *facts)
{
	const struct shutdown_record *record = facts->record;
	if (!record->signal_number)
		return "the first sign of its end";
	return arena_printf(facts->arena, "SIG%s", shutdown_signal_name(record->signal_number));
}

/* "backend 9912 idle in transaction for 7m12s, borrowed at sync.c:212" */
static void name_connection(const struct facts *facts, struct words *words,
	const struct shutdown_connection *connection)
{
	if (connection->backend)
		say(words, "backend %d", connection->backend);
	else
		say(words, "%s", connection->link == LINK_POOLED ? "one to PgBouncer" : "one more");
	if (connection->link == LINK_LENT)
		say(words, " of PgBouncer");
	if (connection->state)
		say(words, " %s", connection->state);
	if (connection->state && connection->state_age >= USEC_PER_SEC)
		say(words, " for %s", timeline_span(facts->arena, connection->state_age));
	if (connection->site)
		say(words, ", borrowed at %s", connection->site);
}

static void name_left(const struct facts *facts, struct words *words)
{
	const struct shutdown_record *record = facts->record;
	int named = 0;
	for (size_t i = 0; i < record->n_connections; i++) {
		if (shutdown_connection_is_over(&record->connections[i]))
			continue;
		if (named == MOST_NAMED) {
			say(words, "; and %d more", facts->after - named);
			return;
		}
		say(words, named++ ? "; " : ": ");
		name_connection(facts, words, &record->connections[i]);
	}
}

static void name_running(const struct facts *facts, struct words *words)
{
	const struct shutdown_record *record = facts->record;
	int named = 0;
	for (size_t i = 0; i < record->n_processes && named < MOST_NAMED; i++)
		if (runs(record, &record->processes[i]))
			say(words, "%s%s", named++ ? ", " : "",
				timeline_process_name(facts->arena, &record->processes[i]));
	if (facts->running > named)
		say(words, " and %d more", facts->running - named);
}

/* "all 3 connections closed in 412 ms, before the process ended" */
static void say_closed(const struct facts *facts, struct words *words)
{
	int all = facts->before + facts->opened;
	if (!all) {
		say(words, "it held no connection");
		return;
	}
	say(words, "%s%d connection%s %s in %s", all > 1 ? "all " : "", all, plural_s(all),
		facts->record->goodbye == GOODBYE_MISSED ||
				facts->record->goodbye == GOODBYE_PRESUMED
			? "gone"
			: "closed",
		timeline_span(facts->arena, facts->last_end - facts->record->signalled_at));
	if (!facts->command || runs(facts->record, facts->command))
		return;
	int64_t late = facts->last_end - facts->command->ended_at;
	if (late <= 0)
		say(words, ", before the process ended");
	else if (late < AT_ONCE)
		say(words, ", as the process ended");
	else
		say(words, ", %s after the process ended", timeline_span(facts->arena, late));
}

static void say_left(const struct facts *facts, struct words *words)
{
	say(words, "%d connection%s left %s after exit", facts->after, plural_s(facts->after),
		timeline_span(facts->arena, facts->now - facts->last_exit));
	name_left(facts, words);
}

static void say_child(const struct facts *facts, struct words *words)
{
	say(words, "the command ended, but ");
	name_running(facts, words);
	say(words, " %s on and %s %d connection%s", facts->running == 1 ? "runs" : "run",
		facts->running == 1 ? "holds" : "hold", facts->open_links,
		plural_s(facts->open_links));
	name_left(facts, words);
}

static void say_running(const struct facts *facts, struct words *words)
{
	bool command_runs = facts->command && runs(facts->record, facts->command);
	if (!command_runs)
		say(words, "the command ended, but ");
	name_running(facts, words);
	say(words, " still run%s %s after %s", facts->running == 1 ? "s" : "",
		timeline_span(facts->arena, facts->record->timeout), signal_words(facts));
	if (facts->after) {
		say(words, " with %d connection%s", facts->after, plural_s(facts->after));
		name_left(facts, words);
	} else if (facts->before) {
		say(words, ", though its connections are closed");
	}
}

static void say_ignored(const struct facts *facts, struct words *words)
{
	bool blocks = facts->command && facts->command->disposition == DISPOSITION_BLOCKS;
	say(words, "%s is %s: ", signal_words(facts),
		!facts->deaf     ? "of no effect, work goes on"
			: blocks ? "blocked"
				 : "ignored");
	say_running(facts, words);
}

static void say_reconnected(const struct facts *facts, struct words *words)
{
	say(words, "%d connection%s opened after %s; ", facts->opened, plural_s(facts->opened),
		signal_words(facts));
	if (facts->after)
		say_left(facts, words);
	else
		say_closed(facts, words);
}

static void say_died(const struct facts *facts, struct words *words)
{
	const struct shutdown_process *command = facts->command;
	bool killed = command && command->has_status && WIFSIGNALED(command->status);
	if (killed)
		say(words, "ended by SIG%s without closing; ",
			shutdown_signal_name(WTERMSIG(command->status)));
	else
		say(words, "ended without closing; ");
	say(words,
		facts->record->goodbye == GOODBYE_MISSED ? "the server noticed: "
							 : "the server noticed, it seems: ");
	say_closed(facts, words);
}

static void (*const sentences[])(const struct facts *facts, struct words *words) = {
	[BEHAVIOUR_CLOSED] = say_closed,
	[BEHAVIOUR_LEFT_SESSIONS] = say_left,
	[BEHAVIOUR_CHILD_KEPT_CONNECTION] = say_child,
	[BEHAVIOUR_NEVER_EXITED] = say_running,
	[BEHAVIOUR_IGNORED_SIGNAL] = say_ignored,
	[BEHAVIOUR_RECONNECTED] = say_reconnected,
	[BEHAVIOUR_DIED_UNCLOSED] = say_died,
};

/* Status 0 says that all went well; a write that was rolled back says it did not. */
static bool hides_lost_write(const struct facts *facts)
{
	const struct shutdown_process *command = facts->command;
	return facts->rolled_back && command && !runs(facts->record, command) &&
		command->has_status && WIFEXITED(command->status) &&
		WEXITSTATUS(command->status) == 0;
}

static void say_lost_write(const struct facts *facts, struct words *words)
{
	const struct shutdown_record *record = facts->record;
	say(words, "; exit status 0, although killed in mid-write:");
	for (size_t i = 0, named = 0; i < record->n_connections; i++)
		if (record->connections[i].fate == FATE_ROLLED_BACK)
			say(words, "%s backend %d's write was rolled back", named++ ? "," : "",
				record->connections[i].backend);
}

/* Before the verdict. */
static void say_progress(const struct facts *facts, struct words *words)
{
	const struct shutdown_record *record = facts->record;
	int all = facts->before + facts->opened;
	if (record->signalled_at == INSTANT_UNKNOWN)
		say(words, "armed: waits for its end");
	else if (facts->after)
		say(words, "%d of %d connection%s closed",
			all > facts->after ? all - facts->after : 0, all, plural_s(all));
	else
		say(words, "all connections are closed; the process still runs");
}

static int exit_status(const struct facts *facts)
{
	const struct shutdown_process *command = facts->command;
	if (!command || runs(facts->record, command) || !command->has_status)
		return -1;
	return WIFSIGNALED(command->status) ? 128 + WTERMSIG(command->status)
					    : WEXITSTATUS(command->status);
}

static struct shutdown_verdict counts(const struct facts *facts)
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
	struct facts facts = weigh(record, now, arena);
	struct shutdown_verdict verdict = counts(&facts);
	struct words words = { .length = 0 };
	if (record->blind) {
		verdict.drained = -1;
		say(&words, "cannot tell: %s", record->blind);
	} else if (!is_over(&facts)) {
		say_progress(&facts, &words);
	} else {
		verdict.behaviour = behaviour(&facts);
		verdict.pass = passes(&facts, verdict.behaviour, strict);
		sentences[verdict.behaviour](&facts, &words);
		verdict.lost_write = hides_lost_write(&facts);
		if (verdict.lost_write)
			say_lost_write(&facts, &words);
	}
	verdict.sentence = arena_strdup(arena, words.text);
	verdict.timeline = timeline_build(record, now, arena, &verdict.n_moments);
	return verdict;
}
