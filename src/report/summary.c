/* The report: server, slots, limits, pools, connections, and what to do next. */
#include "report/summary.h"

#include <string.h>

#include "base/duration.h"
#include "base/instant.h"
#include "base/plural.h"
#include "model/advice.h"
#include "model/assessment.h"
#include "model/proxy.h"
#include "report/summary_connections.h"
#include "report/summary_pools.h"

#define LABEL_WIDTH 7

struct summary {
	const struct assessment *assessment;
	const struct summary_options *options;
	struct printer printer;
};

static void put_label(struct summary *summary, const char *label)
{
	int width = (int)strlen(label);
	printer_cell(&summary->printer, label, width > LABEL_WIDTH ? width : LABEL_WIDTH);
}

/* Makes 15.20 of 150020. */
static void put_version(struct printer *printer, int version)
{
	printer_format(printer, "   PostgreSQL %d.%d", version / 10000, version % 10000);
}

static void put_server(struct summary *summary)
{
	struct printer *printer = &summary->printer;
	const struct assessment *assessment = summary->assessment;
	const struct server_state *server = &assessment->server;
	printer_text(printer, server->database ? server->database : "?");
	printer_text(printer, " @ ");
	printer_text(printer, server->host ? server->host : "?");
	printer_format(printer, ":%d", server->port);
	if (assessment->activity) {
		char up[DURATION_TEXT_MAX];
		const struct server_facts *facts = &assessment->activity->server;
		put_version(printer, facts->version);
		printer_format(printer, "   up %s",
			duration_format(
				instant_elapsed(facts->started_at, assessment->server_now), up));
	}
	printer_end_line(printer);
}

/* Prints the server's trouble as a sentence, and what to do next. */
static void put_trouble(struct summary *summary)
{
	struct printer *printer = &summary->printer;
	const struct assessment *assessment = summary->assessment;
	const struct server_state *server = &assessment->server;
	if (server->status == SERVER_OK)
		return;
	put_label(summary, server_status_words(server->status));
	printer_text(printer, "  ");
	if (assessment->activity) {
		char age[DURATION_TEXT_MAX];
		printer_format(printer, "data %s old: ",
			duration_format(
				instant_elapsed(assessment->activity->taken_at, assessment->now),
				age));
	}
	printer_text(printer, server->error ? server->error : "no answer yet");
	printer_end_line(printer);
	const char *start = summary->options->proxy_start;
	bool needs_proxy = start && assessment->proxy && assessment->proxy->status == PROXY_ABSENT;
	if (needs_proxy || server->hint) {
		put_label(summary, "next");
		printer_text(printer, needs_proxy ? "  start the proxy: " : "  ");
		printer_text(printer, needs_proxy ? start : server->hint);
		printer_end_line(printer);
	}
}

static void put_pooler(struct summary *summary)
{
	if (!summary->assessment->server.pooler)
		return;
	put_label(summary, "pooler");
	printer_text(&summary->printer, "  " POOLER_REASON);
	printer_end_line(&summary->printer);
}

static void put_proxy(struct summary *summary)
{
	struct printer *printer = &summary->printer;
	const struct proxy *proxy = summary->assessment->proxy;
	if (!proxy_is_shown(proxy))
		return;
	put_label(summary, "proxy");
	printer_format(printer, "  %s", proxy_status_name(proxy->status));
	if (proxy->status == PROXY_SERVING && proxy->latency >= 0)
		printer_format(printer, ", %.1f ms", (double)proxy->latency / 1000);
	if (proxy->detail) {
		printer_text(printer, ": ");
		printer_text(printer, proxy->detail);
	}
	printer_end_line(printer);
}

static void put_failed_sources(struct summary *summary)
{
	for (size_t i = 0; i < summary->assessment->n_sources; i++) {
		const struct source_state *source = &summary->assessment->sources[i];
		bool lacks = source->status == SOURCE_OK && source->error;
		/* what the server itself lacks is already printed */
		bool known =
			i == SOURCE_ACTIVITY && summary->assessment->server.status != SERVER_OK;
		if ((source->status != SOURCE_FAILED || known) && !lacks)
			continue;
		put_label(summary, source->name);
		printer_text(&summary->printer, "  ");
		printer_text(&summary->printer, source->error ? source->error : "failed");
		printer_end_line(&summary->printer);
	}
}

/* Prints the slots in the order of the gauge. */
static void put_gauge(struct summary *summary, const struct slots *slots)
{
	static const char *const marks[2][4] = { { "#", "L", ".", "x" }, { "█", "▓", "░", "▒" } };
	struct printer *printer = &summary->printer;
	int room = printer->style.width - LABEL_WIDTH - 45;
	int leaked = slots->by_status[STATUS_LEAKED];
	const int parts[4] = { slots->used_at_most - leaked, leaked, slots->free_at_least,
		slots->reserved };
	if (room > 40)
		room = 40;
	if (room < 10 || slots->max <= 0)
		return;
	printer_text(printer, "   ");
	int64_t sum = 0, drawn = 0;
	for (size_t i = 0; i < 4; i++)
		for (sum += parts[i]; drawn < sum * room / slots->max && drawn < room; drawn++)
			printer_text(printer, marks[printer->style.utf8][i]);
}

static void put_slots(struct summary *summary)
{
	struct printer *printer = &summary->printer;
	const struct slots *slots = &summary->assessment->slots;
	put_label(summary, "slots");
	if (slots->used_at_most < 0) {
		printer_text(printer, "  not known: the server did not let dbtop connect");
		printer_end_line(printer);
		return;
	}
	printer_format(printer, "  %s%d of %d used   %s%d free   %d reserved",
		slots->used < 0 ? "at most " : "", slots->used_at_most, slots->max,
		slots->free < 0 ? "at least " : "", slots->free_at_least, slots->reserved);
	put_gauge(summary, slots);
	printer_end_line(printer);
	put_label(summary, "");
	printer_format(printer, "  active %d   idle %d   in transaction %d   leaked %d",
		slots->by_status[STATUS_ACTIVE], slots->by_status[STATUS_IDLE],
		slots->by_status[STATUS_IDLE_IN_TRANSACTION], slots->by_status[STATUS_LEAKED]);
	if (slots->by_status[STATUS_UNKNOWN] > 0)
		printer_format(printer, "   not visible %d", slots->by_status[STATUS_UNKNOWN]);
	printer_end_line(printer);
}

/* "20 connections not logged in: python3 scan.py (4700)", a line for each process or address. */
static void put_logins(struct summary *summary)
{
	struct printer *printer = &summary->printer;
	const struct assessment *assessment = summary->assessment;
	for (size_t i = 0; i < assessment->n_logins; i++) {
		const struct login *login = &assessment->logins[i];
		char address[ENDPOINT_TEXT_MAX];
		put_label(summary, i == 0 ? "logins" : "");
		printer_format(printer, "  %u connection%s not logged in", login->count,
			plural_s(login->count));
		if (login->process != NO_PROCESS) {
			const struct process *process =
				&assessment->processes[login->process].process;
			const char *name = process->command ? process->command : process->name;
			printer_text(printer, ": ");
			printer_cut(printer, name ? name : "process", printer->style.width / 2);
			printer_format(printer, " (pid %d)", process->pid);
		} else if (*endpoint_address(&login->client, address)) {
			printer_format(printer, ": from %s", address);
		} else {
			printer_text(printer, ": by which process cannot be seen from here");
		}
		printer_end_line(printer);
	}
}

#define MOST_LIMITS 5

/* "role app: 18 of 20 connections, 2 left": the tightest CONNECTION LIMITs. */
static void put_limits(struct summary *summary)
{
	struct printer *printer = &summary->printer;
	const struct assessment *assessment = summary->assessment;
	for (size_t i = 0; i < assessment->n_slot_limits && i < MOST_LIMITS; i++) {
		const struct slot_limit *limit = &assessment->slot_limits[i];
		if (limit->limit < 0)
			return;
		put_label(summary, i == 0 ? "limits" : "");
		printer_format(printer, "  %s ", slot_limit_kind_name(limit->kind));
		printer_text(printer, limit->name);
		printer_format(printer, ": %s%d of %d connections, %s%d left",
			limit->used < 0 ? "at most " : "", limit->used_at_most, limit->limit,
			limit->used < 0 ? "at least " : "", slot_limit_left(limit));
		printer_end_line(printer);
	}
}

static void put_too_few_free(struct summary *summary)
{
	const struct slots *slots = &summary->assessment->slots;
	int min_free = summary->options->limits.min_free;
	enum room room = findings_room(summary->assessment, min_free);
	if (room == ROOM_ENOUGH || slots->free_at_least < 0)
		return;
	put_label(summary, "");
	printer_format(&summary->printer, "  %s than the %d free slots that --min-free asks for",
		room == ROOM_TOO_LITTLE ? "fewer" : "perhaps fewer", min_free);
	printer_end_line(&summary->printer);
}

/* What the verdicts rest on where nobody here can see the client, and what could not be looked at
 * at all. */
static void put_limits_of_sight(struct summary *summary)
{
	struct printer *printer = &summary->printer;
	const struct assessment *assessment = summary->assessment;
	char text[FINDINGS_TEXT_MAX];
	size_t by_age = findings_count_by_age(assessment);
	if (assessment->activity && by_age > 0) {
		printer_end_line(printer);
		printer_format(printer,
			"%zu connection%s judged by age alone: the client cannot be seen from here",
			by_age, by_age == 1 ? " is" : "s are");
		printer_end_line(printer);
	}
	enum blindness blindness = findings_blindness(assessment, summary->options->limits.least);
	if (blindness == BLIND_POLL || blindness == BLIND_UNSETTLED) {
		findings_describe_blindness(assessment, summary->options->limits.least, text);
		printer_end_line(printer);
		printer_text(printer, "cannot tell: ");
		printer_text(printer, text);
		printer_end_line(printer);
	}
}

static void put_advice(struct summary *summary)
{
	struct printer *printer = &summary->printer;
	struct advice advice[ADVICE_MAX];
	size_t count = advice_get(summary->assessment, advice);
	if (count)
		printer_end_line(printer);
	for (size_t i = 0; i < count; i++) {
		printer_text(printer, advice[i].what);
		printer_text(printer, ": ");
		printer_text(printer, advice[i].alter);
		printer_end_line(printer);
	}
}

static void put_next_step(struct summary *summary)
{
	if (summary->assessment->n_leaked == 0)
		return;
	printer_end_line(&summary->printer);
	if (summary->assessment->server.pooler) {
		printer_format(&summary->printer, "%zu leaked; nothing can be ended " POOLER_REASON,
			summary->assessment->n_leaked);
		printer_end_line(&summary->printer);
		return;
	}
	const char *command = summary->options->command;
	printer_format(&summary->printer,
		"%zu leaked; what would be ended: ", summary->assessment->n_leaked);
	printer_text(&summary->printer, command ? command : "dbtop");
	printer_text(&summary->printer, " --kill-leaked --dry-run");
	printer_end_line(&summary->printer);
}

int summary_print(
	const struct assessment *assessment, const struct summary_options *options, FILE *file)
{
	struct summary summary = {
		.assessment = assessment,
		.options = options,
		.printer = { .file = file, .style = options->style },
	};
	put_server(&summary);
	put_pooler(&summary);
	put_trouble(&summary);
	put_proxy(&summary);
	put_failed_sources(&summary);
	put_slots(&summary);
	put_logins(&summary);
	put_limits(&summary);
	put_too_few_free(&summary);
	summary_pools_put(&summary.printer, assessment, LABEL_WIDTH);
	summary_connections_put(&summary.printer, assessment, !options->no_query_text);
	put_limits_of_sight(&summary);
	put_advice(&summary);
	put_next_step(&summary);
	return printer_flush(&summary.printer);
}
