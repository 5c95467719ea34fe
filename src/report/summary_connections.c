/* The connections of the report, below the processes at their other ends. */
#include "report/summary_connections.h"

#include <stdlib.h>
#include <string.h>

#include "base/duration.h"
#include "base/instant.h"
#include "base/mem.h"
#include "base/plural.h"
#include "base/text.h"
#include "model/assessment.h"
#include "model/rights.h"
#include "report/printer.h"
#include "report/summary_pools.h"

struct list {
	struct printer *printer;
	const struct assessment *assessment;
	bool with_queries;
	const struct connection **order; /* in scope and not hidden; sorted by process */
	size_t n_order, n_hidden;
};

static bool is_leaked(const struct connection *connection)
{
	return connection->verdict.status == STATUS_LEAKED;
}

/* Processes with leaks come first, then those with most connections; connections without a process
 * are last. Within a process: leaked first, then the oldest. */
static int compare_connections(const void *a, const void *b, void *data)
{
	const struct connection *x = *(const struct connection *const *)a;
	const struct connection *y = *(const struct connection *const *)b;
	const struct assessment *assessment = data;
	const struct client_process *p = assessment_process(assessment, x);
	const struct client_process *q = assessment_process(assessment, y);
	if (p != q) {
		if (!p || !q)
			return p ? -1 : 1;
		if (p->leaked != q->leaked)
			return p->leaked > q->leaked ? -1 : 1;
		if (p->connections != q->connections)
			return p->connections > q->connections ? -1 : 1;
		return x->process < y->process ? -1 : 1;
	}
	if (is_leaked(x) != is_leaked(y))
		return is_leaked(x) ? -1 : 1;
	if (x->verdict.age != y->verdict.age)
		return x->verdict.age > y->verdict.age ? -1 : 1;
	return (x->backend->pid > y->backend->pid) - (x->backend->pid < y->backend->pid);
}

static void order_connections(struct list *list)
{
	const struct assessment *assessment = list->assessment;
	list->order = mem_alloc((assessment->n_connections + 1) * sizeof(*list->order));
	for (size_t i = 0; i < assessment->n_connections; i++) {
		const struct connection *connection = &assessment->connections[i];
		if (!connection->in_scope)
			continue;
		if (connection->backend->kind == BACKEND_HIDDEN)
			list->n_hidden++;
		else
			list->order[list->n_order++] = connection;
	}
	qsort_r(list->order, list->n_order, sizeof(*list->order), compare_connections,
		(void *)assessment);
}

static void put_process_facts(struct list *list, const struct client_process *client)
{
	struct printer *printer = list->printer;
	const struct process *process = &client->process;
	printer_format(printer, "  pid %d", process->pid);
	if (process->host) {
		printer_text(printer, " on ");
		printer_text(printer, process->host);
	}
	if (!client->alive) {
		char ago[DURATION_TEXT_MAX];
		printer_format(printer, ", ended %s ago",
			duration_format(
				instant_elapsed(process->ended_at, list->assessment->now), ago));
		return;
	}
	if (process->user) {
		printer_text(printer, ", ");
		printer_text(printer, process->user);
	}
	const char *home = process->container ? process->container : process->unit;
	if (home) {
		printer_text(printer, ", ");
		printer_text(printer, home);
	}
}

#define TITLE_MAX 512

/* A long command without the folders of its words, so that the name of a script is not cut off. */
static const char *without_folders(const char *command, char title[static TITLE_MAX])
{
	size_t length = 0;
	while (*command && length < TITLE_MAX - 1) {
		size_t word = strcspn(command, " ");
		const char *slash = *command == '/' ? memrchr(command, '/', word) : NULL;
		if (slash && slash + 1 < command + word) {
			word -= (size_t)(slash + 1 - command);
			command = slash + 1;
		}
		word += command[word] == ' ';
		if (word > TITLE_MAX - 1 - length)
			word = TITLE_MAX - 1 - length;
		memcpy(title + length, command, word);
		length += word;
		command += word;
	}
	title[length] = '\0';
	return title;
}

static void put_process(struct list *list, const struct client_process *client)
{
	struct printer *printer = list->printer;
	const char *name = client->process.command ? client->process.command : client->process.name;
	int width = printer->style.width / 2;
	char title[TITLE_MAX];
	printer_end_line(printer);
	if (name && text_width(name) > width)
		name = without_folders(name, title);
	printer_cut(printer, name ? name : "process", width);
	put_process_facts(list, client);
	printer_format(
		printer, ": %u connection%s", client->connections, plural_s(client->connections));
	if (client->leaked)
		printer_format(printer, ", %u leaked", client->leaked);
	printer_end_line(printer);
}

static void put_row(struct list *list, const struct connection *connection)
{
	static const char *const words[STATUS_COUNT] = {
		[STATUS_UNKNOWN] = "unknown",
		[STATUS_ACTIVE] = "active",
		[STATUS_IDLE] = "idle",
		[STATUS_IDLE_IN_TRANSACTION] = "in transaction",
		[STATUS_LEAKED] = "LEAKED",
	};
	struct printer *printer = list->printer;
	const struct backend *backend = connection->backend;
	const struct verdict *verdict = &connection->verdict;
	char age[DURATION_TEXT_MAX], client[ENDPOINT_TEXT_MAX];
	printer_format(printer, "%s%8d  ", is_leaked(connection) ? "!" : " ", backend->pid);
	bool presumed = verdict->certainty == CERTAINTY_PRESUMED;
	bool old = verdict_is_old(verdict, &list->assessment->limits);
	const char *word = presumed ? "LEAKED?" : words[verdict->status];
	if (old)
		word = verdict->status == STATUS_IDLE ? "idle, old" : "in txn, old";
	printer_cell(printer, word, 14);
	printer_format(printer, "%8s  ", duration_format(verdict->age, age));
	printer_cell(printer, backend->application_name, 16);
	printer_text(printer, "  ");
	printer_text(printer, endpoint_format(&backend->client, client));
	printer_end_line(printer);
}

/* Prints, under the row, why it is leaked or protected, and its statement. */
static void put_why(struct list *list, const struct connection *connection)
{
	struct printer *printer = list->printer;
	const struct verdict *verdict = &connection->verdict;
	const char *protection = protection_phrase(verdict->protection);
	const char *query = list->with_queries ? connection->backend->query : NULL;
	bool waits = connection->waits_for_client > 0;
	if (query && !*query)
		query = NULL;
	if (!is_leaked(connection) && !protection && !connection->slot && !query && !waits)
		return;
	printer_move(printer, 11);
	if (is_leaked(connection))
		printer_format(printer, "%s, %s", reason_phrase(verdict->reason),
			certainty_name(verdict->certainty));
	printer_text(printer, protection);
	if (waits) {
		char age[DURATION_TEXT_MAX];
		printer_format(printer, "%swaits for its client, %s",
			protection || is_leaked(connection) ? ", " : "",
			duration_format(connection->waits_for_client, age));
	}
	if (is_leaked(connection) && connection->slot)
		printer_text(printer, ", ");
	summary_pools_put_hold(printer, list->assessment, connection);
	if (query && printer->column > 11)
		printer_text(printer, ": ");
	printer_rest(printer, query);
	printer_end_line(printer);
}

/* Prints what the kernel shows against a page, over as many lines as needed. */
static void put_evidence(struct list *list, const char *evidence)
{
	struct printer *printer = list->printer;
	while (evidence && *evidence) {
		size_t length = strcspn(evidence, " ");
		int width = (int)length + 1;
		if (printer->column && printer->column + width > printer->style.width)
			printer_end_line(printer);
		if (printer->column == 0) {
			printer_move(printer, 11);
		} else {
			printer_text(printer, " ");
		}
		printer_format(printer, "%.*s", (int)length, evidence);
		evidence += length + strspn(evidence + length, " ");
	}
	if (printer->column)
		printer_end_line(printer);
}

static void put_group_title(struct list *list, const struct connection *connection)
{
	const struct client_process *client = assessment_process(list->assessment, connection);
	if (client) {
		put_process(list, client);
		return;
	}
	printer_end_line(list->printer);
	printer_text(list->printer, "no process is visible from here at the other end");
	printer_end_line(list->printer);
}

static void put_connections(struct list *list)
{
	for (size_t i = 0; i < list->n_order; i++) {
		const struct connection *connection = list->order[i];
		if (i == 0 || connection->process != list->order[i - 1]->process)
			put_group_title(list, connection);
		put_row(list, connection);
		put_why(list, connection);
		put_evidence(list, connection->evidence);
	}
}

/* Without an answer of the server: prints the processes that hold sockets to it. */
static void put_owners(struct list *list)
{
	const struct assessment *assessment = list->assessment;
	for (size_t i = 0; !assessment->activity && i < assessment->n_processes; i++)
		if (assessment->processes[i].connections > 0)
			put_process(list, &assessment->processes[i]);
}

static void put_hidden(struct list *list)
{
	struct printer *printer = list->printer;
	struct rights rights;
	if (list->n_hidden == 0)
		return;
	rights_get(list->assessment, &rights);
	printer_end_line(printer);
	printer_format(printer, "%zu connection%s not visible to this role%s", list->n_hidden,
		plural_s(list->n_hidden), rights.see_grant[0] ? "; to see them: " : "");
	printer_text(printer, rights.see_grant);
	printer_end_line(printer);
}

void summary_connections_put(
	struct printer *printer, const struct assessment *assessment, bool with_queries)
{
	struct list list = {
		.printer = printer,
		.assessment = assessment,
		.with_queries = with_queries,
	};
	order_connections(&list);
	put_connections(&list);
	put_owners(&list);
	put_hidden(&list);
	free(list.order);
}
