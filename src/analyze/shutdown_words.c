/* One sentence for each behaviour: how many, how long, and their names. */
#include "analyze/shutdown_words.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>

#include "analyze/shutdown_facts.h"
#include "analyze/timeline.h"
#include "base/arena.h"
#include "base/instant.h"
#include "base/plural.h"

/* The server needs some time to end the session of a client that closed and ended at once. */
#define AT_ONCE (20 * USEC_PER_MSEC)

/* Sessions and processes beyond this number are counted in the sentence, not listed. */
#define MOST_NAMED 3

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

static const char *signal_words(const struct shutdown_facts *facts)
{
	const struct shutdown_record *record = facts->record;
	if (!record->signal_number)
		return record->expired ? "it was ready" : "the first sign of its end";
	return arena_printf(facts->arena, "SIG%s", shutdown_signal_name(record->signal_number));
}

/* "backend 9912 idle in transaction for 7m12s, borrowed at sync.c:212" */
static void name_connection(const struct shutdown_facts *facts, struct words *words,
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

static void name_left(const struct shutdown_facts *facts, struct words *words)
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

static void name_running(const struct shutdown_facts *facts, struct words *words)
{
	const struct shutdown_record *record = facts->record;
	int named = 0;
	for (size_t i = 0; i < record->n_processes && named < MOST_NAMED; i++)
		if (shutdown_runs(record, &record->processes[i]))
			say(words, "%s%s", named++ ? ", " : "",
				timeline_process_name(facts->arena, &record->processes[i]));
	if (facts->running > named)
		say(words, " and %d more", facts->running - named);
}

/* Whether the sockets ended with their process. The process may have closed them just before, or
 * the kernel closed them. */
static bool is_gone(const struct shutdown_facts *facts)
{
	enum close_evidence close_evidence = facts->record->close_evidence;
	return close_evidence == CLOSE_ABANDONED || close_evidence == CLOSE_ABANDONED_PRESUMED ||
		close_evidence == CLOSE_NOT_VISIBLE;
}

/* Only the server can show whether they were closed properly. Over PgBouncer only its log would
 * show it. */
static void say_not_visible(const struct shutdown_facts *facts, struct words *words)
{
	if (facts->record->close_evidence == CLOSE_NOT_VISIBLE)
		say(words, "; it is not known whether it closed %s or left that to the kernel",
			facts->before + facts->opened == 1 ? "it" : "them all");
}

/* "all 3 connections closed in 412 ms, before the process ended" */
static void say_closed(const struct shutdown_facts *facts, struct words *words)
{
	int all = facts->before + facts->opened;
	say(words, "%s%d connection%s %s in %s", all > 1 ? "all " : "", all, plural_s(all),
		is_gone(facts) ? "gone" : "closed",
		timeline_span(facts->arena, facts->last_end - facts->record->signalled_at));
	if (!facts->command || shutdown_runs(facts->record, facts->command))
		return;
	int64_t late = facts->last_end - facts->command->ended_at;
	/* The kernel closes open sockets a moment before the end of the process is seen. */
	if (late < 0 && facts->record->close_evidence != CLOSE_NOT_VISIBLE)
		say(words, ", before the process ended");
	else if (late < AT_ONCE)
		say(words, ", as the process ended");
	else
		say(words, ", %s after the process ended", timeline_span(facts->arena, late));
	say_not_visible(facts, words);
}

static void say_left(const struct shutdown_facts *facts, struct words *words)
{
	say(words, "%d connection%s left %s after exit", facts->after, plural_s(facts->after),
		timeline_span(facts->arena, facts->now - facts->last_exit));
	name_left(facts, words);
}

static void say_child(const struct shutdown_facts *facts, struct words *words)
{
	say(words, "the command ended, but ");
	name_running(facts, words);
	say(words, " %s on and %s %d connection%s", facts->running == 1 ? "runs" : "run",
		facts->running == 1 ? "holds" : "hold", facts->open_links,
		plural_s(facts->open_links));
	name_left(facts, words);
}

static void say_running(const struct shutdown_facts *facts, struct words *words)
{
	bool command_runs = facts->command && shutdown_runs(facts->record, facts->command);
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

static void say_ignored(const struct shutdown_facts *facts, struct words *words)
{
	bool blocks = facts->command && facts->command->disposition == DISPOSITION_BLOCKS;
	say(words, "%s is %s: ", signal_words(facts),
		!facts->deaf     ? "of no effect, work goes on"
			: blocks ? "blocked"
				 : "ignored");
	say_running(facts, words);
}

static void say_lost(const struct shutdown_facts *facts, struct words *words)
{
	if (facts->failed_flush)
		say(words, "its hook %s failed with result %d%s", facts->failed_flush->name,
			facts->failed_flush->result, facts->pending > 0 ? ", " : "");
	if (facts->pending > 0)
		say(words, "%lld pending write%s lost", (long long)facts->pending,
			facts->pending == 1 ? " is" : "s are");
}

static void say_lost_writes(const struct shutdown_facts *facts, struct words *words)
{
	say_lost(facts, words);
	if (!facts->before && !facts->opened)
		return;
	say(words, "; ");
	say_closed(facts, words);
}

static void say_reconnected(const struct shutdown_facts *facts, struct words *words)
{
	say(words, "%d connection%s opened after %s; ", facts->opened, plural_s(facts->opened),
		signal_words(facts));
	if (facts->after)
		say_left(facts, words);
	else
		say_closed(facts, words);
}

static void say_died(const struct shutdown_facts *facts, struct words *words)
{
	const struct shutdown_process *command = facts->command;
	bool killed = command && command->has_status && WIFSIGNALED(command->status);
	if (killed)
		say(words, "ended by SIG%s without closing; ",
			shutdown_signal_name(WTERMSIG(command->status)));
	else
		say(words, "ended without closing; ");
	say(words,
		facts->record->close_evidence == CLOSE_ABANDONED
			? "the server noticed: "
			: "the server noticed, it seems: ");
	say_closed(facts, words);
}

static void (*const sentences[])(const struct shutdown_facts *facts, struct words *words) = {
	[BEHAVIOUR_CLOSED] = say_closed,
	[BEHAVIOUR_LEFT_SESSIONS] = say_left,
	[BEHAVIOUR_CHILD_KEPT_CONNECTION] = say_child,
	[BEHAVIOUR_CHILD_STILL_RUNS] = say_running,
	[BEHAVIOUR_NEVER_EXITED] = say_running,
	[BEHAVIOUR_IGNORED_SIGNAL] = say_ignored,
	[BEHAVIOUR_LOST_WRITES] = say_lost_writes,
	[BEHAVIOUR_RECONNECTED] = say_reconnected,
	[BEHAVIOUR_DIED_UNCLOSED] = say_died,
};

static void say_rolled_back(const struct shutdown_facts *facts, struct words *words)
{
	const struct shutdown_record *record = facts->record;
	say(words, "; exit status 0, although killed in mid-write:");
	for (size_t i = 0, named = 0; i < record->n_connections; i++)
		if (record->connections[i].outcome == OUTCOME_ROLLED_BACK)
			say(words, "%s backend %d's write was rolled back", named++ ? "," : "",
				record->connections[i].backend);
}

const char *shutdown_words_progress(const struct shutdown_facts *facts)
{
	struct words words = { .length = 0 };
	const struct shutdown_record *record = facts->record;
	int all = facts->before + facts->opened;
	if (record->signalled_at == INSTANT_UNKNOWN)
		say(&words, "armed: waits for its end; press Ctrl-C in its terminal, or signal it");
	else if (facts->after)
		say(&words, "%d of %d connection%s closed",
			all > facts->after ? all - facts->after : 0, all, plural_s(all));
	else
		say(&words, "all connections are closed; the process still runs");
	return arena_strdup(facts->arena, words.text);
}

const char *shutdown_words_no_connection(const struct shutdown_facts *facts)
{
	struct words words = { .length = 0 };
	say(&words, "cannot tell: it held no connection at %s", signal_words(facts));
	if (facts->opened)
		say(&words, ", and opened %d later", facts->opened);
	return arena_strdup(facts->arena, words.text);
}

/* Whether it has a pool of libdbpool, by the names of its sessions, and no page of one was read. */
static bool lacks_page(const struct shutdown_record *record)
{
	bool unseen = false;
	for (size_t i = 0; i < record->n_connections; i++)
		unseen |= record->connections[i].pool_unseen;
	return unseen && !record->n_pools;
}

const char *shutdown_words_not_read(const struct shutdown_facts *facts)
{
	struct words words = { .length = 0 };
	const struct shutdown_record *record = facts->record;
	bool own;
	size_t unread = shutdown_count_unread(record, &own);
	if (lacks_page(record))
		say(&words, "no stats page of its pool was found");
	if (unread)
		say(&words,
			"%s%zu stats page%s not read: the file cannot be read, or its process "
			"cannot be seen",
			words.length ? "; " : "", unread, unread == 1 ? " was" : "s were");
	if (record->pages_error[0])
		say(&words, "%snot all stats pages were read (%s)", words.length ? "; " : "",
			record->pages_error);
	return words.length ? arena_strdup(facts->arena, words.text) : NULL;
}

const char *shutdown_words_verdict(
	const struct shutdown_facts *facts, const struct shutdown_verdict *verdict)
{
	struct words words = { .length = 0 };
	sentences[verdict->behaviour](facts, &words);
	if (verdict->behaviour == BEHAVIOUR_CLOSED && facts->record->may_have_opened)
		say(&words, "; it is not known whether it opened another one for a moment");
	if (facts->after && !facts->running && (facts->pending > 0 || facts->failed_flush)) {
		say(&words, "; ");
		say_lost(facts, &words);
	}
	if (facts->waiting > 0)
		say(&words, "; %lld write%s in the outbox", (long long)facts->waiting,
			facts->waiting == 1 ? " waits" : "s wait");
	if (verdict->rolled_back_write)
		say_rolled_back(facts, &words);
	if (verdict->pass && verdict->not_read)
		say(&words, "; %s", verdict->not_read);
	if (verdict->unexpected_status)
		say(&words, "; it ended with status %d, which was not expected",
			verdict->exit_status);
	return arena_strdup(facts->arena, words.text);
}
