/* One table with a row for each fact: its section, its label, and the function that formats it. */
#include "view/details_facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/duration.h"
#include "base/instant.h"
#include "base/plural.h"
#include "model/assessment.h"
#include "model/session_ends.h"
#include "view/explain.h"
#include "view/explain_locks.h"
#include "view/explain_pool.h"
#include "view/explain_process.h"
#include "view/proxy_view.h"
#include "widgets/facts.h"
#include "widgets/ui.h"

/* What a fact function reads. */
struct subject {
	struct arena *arena;
	const struct ui_state *ui;
	const struct assessment *assessment;
	const struct connection *connection;
	const struct backend *backend;
	const struct client_process *process; /* NULL when not known */
};

/* Returns NULL if the fact is not known or does not apply. `style` is STYLE_TEXT unless
 * it is set. */
typedef const char *fact_fn(const struct subject *subject, enum style *style);

static const char *verdict(const struct subject *subject, enum style *style)
{
	const struct verdict *verdict = &subject->connection->verdict;
	*style = verdict->status == STATUS_LEAKED ? STYLE_LEAKED : STYLE_STRONG;
	return explain_verdict(subject->arena, verdict, &subject->assessment->limits);
}

static const char *how_we_know(const struct subject *subject, enum style *style)
{
	(void)style;
	return explain_evidence(subject->arena, subject->assessment, subject->connection);
}

static const char *evidence(const struct subject *subject, enum style *style)
{
	*style = STYLE_CAUTION;
	return subject->connection->evidence;
}

static const char *query(const struct subject *subject, enum style *style)
{
	if (subject->backend->query)
		return subject->backend->query;
	*style = STYLE_DIM;
	return subject->backend->kind == BACKEND_HIDDEN ? "hidden from our role" : "not shown";
}

static const char *state(const struct subject *subject, enum style *style)
{
	(void)style;
	return subject->backend->state_text;
}

/* "7m12s ago · 11:56:32" */
static const char *since(const struct subject *subject, int64_t instant)
{
	char age[DURATION_TEXT_MAX], clock[INSTANT_TEXT_MAX];
	if (instant == INSTANT_UNKNOWN)
		return NULL;
	duration_format(instant_elapsed(instant, subject->assessment->server_now), age);
	return arena_printf(subject->arena, "%s ago · %s", age, instant_clock(instant, clock));
}

static const char *state_since(const struct subject *subject, enum style *style)
{
	(void)style;
	return since(subject, subject->backend->state_change);
}

static const char *transaction_since(const struct subject *subject, enum style *style)
{
	*style = STYLE_CAUTION;
	return since(subject, subject->backend->xact_start);
}

/* An open snapshot keeps vacuum from removing what was deleted since. */
static const char *holds_back(const struct subject *subject, enum style *style)
{
	int32_t age = subject->backend->xmin_age;
	if (age <= 0)
		return NULL;
	*style = age > 1000000 ? STYLE_CAUTION : STYLE_TEXT;
	return arena_printf(subject->arena,
		"vacuum: it keeps what the last %d transaction%s deleted", age, plural_s(age));
}

static const char *statement_since(const struct subject *subject, enum style *style)
{
	(void)style;
	return since(subject, subject->backend->query_start);
}

static const char *connected_since(const struct subject *subject, enum style *style)
{
	char text[INSTANT_TEXT_MAX];
	const char *ago = since(subject, subject->backend->start);
	(void)style;
	return ago ? arena_printf(subject->arena, "%s · %s", ago,
			     instant_rfc3339(subject->backend->start, text))
		   : NULL;
}

static const char *wait_event(const struct subject *subject, enum style *style)
{
	const struct backend *backend = subject->backend;
	(void)style;
	if (!backend->wait_event)
		return NULL;
	return arena_printf(subject->arena, "%s: %s",
		backend->wait_event_type ? backend->wait_event_type : "?", backend->wait_event);
}

static const char *database(const struct subject *subject, enum style *style)
{
	(void)style;
	return subject->backend->database;
}

/* How sessions of its database ended, by pg_stat_database. */
static const char *session_ends(const struct subject *subject, enum style *style)
{
	const struct database_ends *ends =
		session_ends_find(subject->assessment->session_ends, subject->backend->database);
	char since[INSTANT_TEXT_MAX];
	(void)style;
	if (!ends || ends->abandoned < 0 || ends->fatal < 0 || ends->killed < 0)
		return NULL;
	return arena_printf(subject->arena,
		"%" PRId64 " abandoned, %" PRId64 " fatal, %" PRId64 " killed in this database%s%s",
		ends->abandoned, ends->fatal, ends->killed,
		ends->reset_at == INSTANT_UNKNOWN ? "" : " since ",
		ends->reset_at == INSTANT_UNKNOWN ? "" : instant_rfc3339(ends->reset_at, since));
}

static const char *user(const struct subject *subject, enum style *style)
{
	(void)style;
	return subject->backend->user;
}

static const char *application(const struct subject *subject, enum style *style)
{
	(void)style;
	return subject->backend->application_name;
}

static const char *client(const struct subject *subject, enum style *style)
{
	char text[ENDPOINT_TEXT_MAX];
	(void)style;
	endpoint_format(&subject->backend->client, text);
	if (strcmp(text, "local") == 0)
		return "over a Unix socket";
	return arena_strdup(subject->arena, text);
}

static const char *client_end(const struct subject *subject, enum style *style)
{
	if (subject->connection->end == CLIENT_END_GONE)
		*style = STYLE_LEAKED;
	if (subject->connection->end == CLIENT_END_HELD && subject->process &&
		subject->process->process.host)
		return "on another machine, and open";
	return explain_end(subject->connection->end);
}

static const char *process(const struct subject *subject, enum style *style)
{
	if (!subject->process)
		return NULL;
	const struct process *process = &subject->process->process;
	if (subject->process->alive)
		return arena_printf(
			subject->arena, "%d %s", process->pid, process->name ? process->name : "");
	char age[DURATION_TEXT_MAX];
	*style = STYLE_CAUTION;
	duration_format(instant_elapsed(process->ended_at, subject->assessment->now), age);
	return arena_printf(subject->arena, "%d %s, ended %s ago", process->pid,
		process->name ? process->name : "", age);
}

static const char *shared_by(const struct subject *subject, enum style *style)
{
	int count = subject->connection->shared_by;
	if (count < 2)
		return NULL;
	*style = STYLE_CAUTION;
	return arena_printf(
		subject->arena, "%d processes, as after a fork: the oldest is shown", count);
}

static const char *matched_by(const struct subject *subject, enum style *style)
{
	(void)style;
	return subject->process ? explain_match(subject->connection->matched_by) : NULL;
}

static const char *behind_proxy(const struct subject *subject, enum style *style)
{
	*style = STYLE_CAUTION;
	return subject->connection->proxied ? "the client's end is the local proxy's" : NULL;
}

static const char *forwarder(const struct subject *subject, enum style *style)
{
	*style = STYLE_CAUTION;
	return proxy_view_forwarder(subject->arena, subject->assessment, subject->connection);
}

static const char *candidates(const struct subject *subject, enum style *style)
{
	(void)style;
	return proxy_view_candidates(subject->arena, subject->assessment, subject->connection);
}

static const char *command(const struct subject *subject, enum style *style)
{
	(void)style;
	return subject->process ? subject->process->process.command : NULL;
}

static const char *runs_as(const struct subject *subject, enum style *style)
{
	(void)style;
	return subject->process ? subject->process->process.user : NULL;
}

static const char *started(const struct subject *subject, enum style *style)
{
	char age[DURATION_TEXT_MAX], clock[INSTANT_TEXT_MAX];
	(void)style;
	if (!subject->process || subject->process->process.started_at == INSTANT_UNKNOWN)
		return NULL;
	int64_t at = subject->process->process.started_at;
	duration_format(instant_elapsed(at, subject->assessment->now), age);
	return arena_printf(subject->arena, "%s ago · %s", age, instant_clock(at, clock));
}

static const char *usage(const struct subject *subject, enum style *style)
{
	(void)style;
	return subject->process ? explain_process_usage(subject->arena, subject->process) : NULL;
}

static const char *does(const struct subject *subject, enum style *style)
{
	bool caution = false;
	const char *words = subject->process
		? explain_process_state(
			  subject->arena, subject->process, subject->connection->slot, &caution)
		: NULL;
	if (caution)
		*style = STYLE_CAUTION;
	return words;
}

static const char *unit(const struct subject *subject, enum style *style)
{
	(void)style;
	return subject->process ? subject->process->process.unit : NULL;
}

static const char *image(const struct subject *subject, enum style *style)
{
	(void)style;
	return subject->process ? subject->process->process.image : NULL;
}

static const char *host(const struct subject *subject, enum style *style)
{
	(void)style;
	return subject->process ? subject->process->process.host : NULL;
}

static const char *container(const struct subject *subject, enum style *style)
{
	(void)style;
	return subject->process ? subject->process->process.container : NULL;
}

static const char *others(const struct subject *subject, enum style *style)
{
	(void)style;
	if (!subject->process)
		return NULL;
	return arena_printf(subject->arena, "%u to this server, %u leaked",
		subject->process->connections, subject->process->leaked);
}

/* Sessions that are seen by no poll are missing. */
static const char *opened(const struct subject *subject, enum style *style)
{
	(void)style;
	uint32_t count = 0;
	for (size_t i = 0; subject->process && i < OPENINGS_PARTS; i++)
		count += subject->process->openings.counts[i];
	return count ? arena_printf(subject->arena, "at least %u in the last minute", count) : NULL;
}

static const char *lock_wait(const struct subject *subject, enum style *style)
{
	*style = STYLE_CAUTION;
	return explain_lock_wait(subject->arena, subject->assessment, subject->connection);
}

static const char *blocked_by(const struct subject *subject, enum style *style)
{
	*style = STYLE_CAUTION;
	return explain_blocked_by(subject->arena, subject->assessment, subject->connection);
}

static const char *blocks(const struct subject *subject, enum style *style)
{
	*style = STYLE_LEAKED;
	return explain_blocks(subject->arena, subject->assessment, subject->connection);
}

static const char *locks_held(const struct subject *subject, enum style *style)
{
	(void)style;
	return explain_locks_held(subject->arena, subject->assessment, subject->connection);
}

static const char *locks_age(const struct subject *subject, enum style *style)
{
	*style = STYLE_DIM;
	return explain_locks_age(subject->arena, subject->assessment);
}

static const char *pool(const struct subject *subject, enum style *style)
{
	(void)style;
	return explain_pool(subject->arena, subject->connection);
}

static const char *outbox(const struct subject *subject, enum style *style)
{
	bool caution = false;
	const char *text = explain_outbox(subject->arena, subject->connection, &caution);
	if (caution)
		*style = STYLE_CAUTION;
	return text;
}

static const char *slot(const struct subject *subject, enum style *style)
{
	(void)style;
	return explain_slot(subject->arena, subject->assessment, subject->connection);
}

static const char *bouncer(const struct subject *subject, enum style *style)
{
	(void)style;
	return explain_bouncer(subject->arena, subject->connection);
}

static const char *bouncer_link(const struct subject *subject, enum style *style)
{
	(void)style;
	return explain_link(subject->arena, subject->connection);
}

/* What a key would do; NULL if the key does not work. */
static const char *action(const struct subject *subject, const char *key, enum style *style,
	const char *(*explain)(struct arena *arena, const struct assessment *assessment,
		const struct connection *connection, bool *ret_acts))
{
	bool known = false, acts = false;
	for (size_t i = 0; i < subject->ui->n_keys; i++)
		known |= !subject->ui->keys[i].view && strcmp(subject->ui->keys[i].keys, key) == 0;
	if (!known)
		return NULL;
	*style = STYLE_DIM;
	if (subject->ui->replay.count)
		return "nothing: this is a recording";
	if (subject->ui->readonly)
		return "nothing: dbtop is read-only";
	if (subject->assessment->server.pooler)
		return POOLER_REASON;
	const char *text = explain(subject->arena, subject->assessment, subject->connection, &acts);
	*style = acts ? STYLE_TEXT : STYLE_DIM;
	return text;
}

static const char *kill_leaked(const struct subject *subject, enum style *style)
{
	return action(subject, "k", style, explain_kill_leaked);
}

static const char *terminate(const struct subject *subject, enum style *style)
{
	return action(subject, "K", style, explain_terminate);
}

static const char *cancel(const struct subject *subject, enum style *style)
{
	return action(subject, "c", style, explain_cancel);
}

static const char *emergency(const struct subject *subject, enum style *style)
{
	return action(subject, "E", style, explain_emergency);
}

static const struct field {
	const char *section, *label;
	fact_fn *fact;
} fields[] = {
	{ "Verdict", "verdict", verdict },
	{ "Verdict", "how we know", how_we_know },
	{ "Verdict", "evidence", evidence },
	{ "Statement", "", query },
	{ "Process", "process", process },
	{ "Process", "on host", host },
	{ "Process", "shared by", shared_by },
	{ "Process", "matched by", matched_by },
	{ "Process", "proxy", behind_proxy },
	{ "Process", "forwarder", forwarder },
	{ "Process", "one of these", candidates },
	{ "Process", "command", command },
	{ "Process", "runs as", runs_as },
	{ "Process", "unit", unit },
	{ "Process", "container", container },
	{ "Process", "image", image },
	{ "Process", "started", started },
	{ "Process", "uses", usage },
	{ "Process", "does", does },
	{ "Process", "connections", others },
	{ "Process", "opened", opened },
	{ "Pool", "pool", pool },
	{ "Pool", "slot", slot },
	{ "Pool", "outbox", outbox },
	{ "PgBouncer", "pool", bouncer },
	{ "PgBouncer", "link", bouncer_link },
	{ "Times", "state", state },
	{ "Times", "in it since", state_since },
	{ "Times", "transaction", transaction_since },
	{ "Times", "holds back", holds_back },
	{ "Times", "statement", statement_since },
	{ "Times", "connected", connected_since },
	{ "Times", "waits for", wait_event },
	{ "Locks", "waits for", lock_wait },
	{ "Locks", "blocked by", blocked_by },
	{ "Locks", "blocks", blocks },
	{ "Locks", "holds", locks_held },
	{ "Locks", "asked", locks_age },
	{ "Session", "database", database },
	{ "Session", "sessions lost", session_ends },
	{ "Session", "user", user },
	{ "Session", "application", application },
	{ "Session", "client", client },
	{ "Session", "client's end", client_end },
	{ "What the keys would do", "k", kill_leaked },
	{ "What the keys would do", "K", terminate },
	{ "What the keys would do", "c", cancel },
	{ "What the keys would do", "E", emergency },
};

struct facts *details_facts(struct arena *arena, const struct ui_state *ui,
	const struct assessment *assessment, const struct connection *connection)
{
	const struct subject subject = {
		.arena = arena,
		.ui = ui,
		.assessment = assessment,
		.connection = connection,
		.backend = connection->backend,
		.process = assessment_process(assessment, connection),
	};
	struct facts *facts = facts_new(arena);
	const char *section = NULL;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		enum style style = STYLE_TEXT;
		if (fields[i].section != section)
			facts_section(facts, fields[i].section);
		section = fields[i].section;
		const char *text = fields[i].fact(&subject, &style);
		facts_add(facts, style, fields[i].label, text);
	}
	return facts;
}
