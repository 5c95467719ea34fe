/* Prints pools and waiters, one line each. */
#include "report/summary_pools.h"

#include "base/duration.h"
#include "base/instant.h"
#include "base/plural.h"
#include "model/assessment.h"
#include "report/printer.h"

#define NAME_WIDTH 18

static void begin(struct printer *printer, bool *first, int label)
{
	printer_cell(printer, *first ? "pools" : "", label);
	printer_text(printer, "  ");
	*first = false;
}

/* A number that is zero is left out. */
static void put_count(struct printer *printer, uint64_t count, const char *what)
{
	if (count)
		printer_format(printer, ", %llu %s", (unsigned long long)count, what);
}

static void put_outbox(struct printer *printer, const struct pool_page *page)
{
	const struct pool_outbox *outbox = &page->outbox;
	int64_t age = instant_elapsed(outbox->oldest_at, page->read_at);
	char oldest[DURATION_TEXT_MAX];
	if (!outbox->present || (!outbox->waiting && !outbox->rejected))
		return;
	printer_format(printer, ", outbox: %lld waiting", (long long)outbox->waiting);
	if (age >= 0)
		printer_format(printer, " (oldest %s)", duration_format(age, oldest));
	put_count(printer, (uint64_t)outbox->rejected, "rejected");
}

static void put_page(struct printer *printer, const struct pool *pool)
{
	const struct pool_page *page = pool->page;
	char held[DURATION_TEXT_MAX];
	if (pool->unsure) {
		printer_text(printer, "leads to ");
		printer_text(printer, page->server ? page->server : "an unnamed server");
		printer_text(printer, ": ");
	}
	if (page->status == POOL_PAGE_DEAD) {
		printer_format(printer, "process %d %s", page->pid,
			pool->connections ? "ended without giving back its connections"
					  : "has ended");
		put_outbox(printer, page);
		return;
	}
	printer_format(printer, "%d of %d used", page->in_use, page->max);
	if (pool_page_is_unseen(page))
		printer_text(printer, ", its process cannot be seen from here");
	put_count(printer, (uint64_t)page->waiting, "waiting");
	put_count(printer, page->timeouts, "timeouts");
	put_count(printer, page->errors, "errors");
	put_outbox(printer, page);
	if (page->held_max >= 0) {
		printer_format(
			printer, ", longest hold %s ", duration_format(page->held_max, held));
		printer_rest(printer, page->held_site);
	}
}

static void put_bouncer(struct printer *printer, const struct bouncer_pool *pool)
{
	char wait[DURATION_TEXT_MAX];
	printer_format(printer, "%d ", pool->servers_active);
	if (pool->servers_max > 0)
		printer_format(printer, "of %d ", pool->servers_max);
	printer_text(printer, "used");
	if (pool->clients_waiting > 0)
		printer_format(printer, ", %d waiting %s", pool->clients_waiting,
			duration_format(pool->max_wait, wait));
	printer_format(printer, ", %d clients, ", pool->clients_active);
	printer_rest(printer, pool->mode_text);
	printer_text(printer, pool->disabled ? ", disabled" : pool->paused ? ", paused" : "");
}

static void put_pool(struct printer *printer, const struct pool *pool)
{
	int start = printer->column;
	if (pool->page) {
		printer_cut(printer, pool->name ? pool->name : "unnamed", NAME_WIDTH - 8);
		printer_format(printer, " %d", pool->page->pid);
		if (pool->page->host) {
			printer_text(printer, "@");
			printer_text(printer, pool->page->host);
		}
	} else {
		printer_cut(printer, pool->name, NAME_WIDTH - 2);
	}
	printer_text(printer, " ");
	printer_move(printer, start + NAME_WIDTH);
	if (pool->page)
		put_page(printer, pool);
	else
		put_bouncer(printer, pool->bouncer);
	printer_end_line(printer);
}

static void put_unreadable(
	struct printer *printer, const struct assessment *assessment, bool *first, int label)
{
	const struct pool_pages *pages = assessment->pages;
	for (size_t i = 0; pages && i < pages->count; i++) {
		if (!pages->items[i].error)
			continue;
		begin(printer, first, label);
		printer_cut(printer, pages->items[i].path, printer->style.width / 2);
		printer_text(printer, ": ");
		printer_rest(printer, pages->items[i].error);
		printer_end_line(printer);
	}
}

/* Waiters of one process share a line. The first of them has waited longest. */
static bool is_listed_before(const struct assessment *assessment, size_t index)
{
	for (size_t i = 0; i < index; i++)
		if (assessment->waiters[i].in_scope &&
			assessment->waiters[i].process == assessment->waiters[index].process)
			return true;
	return false;
}

static unsigned int count_waiters(const struct assessment *assessment, uint32_t process)
{
	unsigned int count = 0;
	for (size_t i = 0; i < assessment->n_waiters; i++)
		count += assessment->waiters[i].in_scope &&
			assessment->waiters[i].process == process;
	return count;
}

static void put_starving(
	struct printer *printer, const struct assessment *assessment, size_t index, int label)
{
	const struct waiter *waiter = &assessment->waiters[index];
	char wait[DURATION_TEXT_MAX];
	unsigned int count = count_waiters(assessment, waiter->process);
	printer_cell(printer, "", label);
	printer_text(printer, "  waits: ");
	if (waiter->process == NO_PROCESS) {
		printer_text(printer, "a process that is not visible from here");
	} else {
		const struct process *process = &assessment->processes[waiter->process].process;
		const char *name = process->command ? process->command : process->name;
		printer_cut(printer, name ? name : "process", 40);
		printer_format(printer, " %d", process->pid);
	}
	printer_format(printer, ", %u client%s, for %s", count, plural_s(count),
		duration_format(waiter->client->wait, wait));
	printer_end_line(printer);
}

void summary_pools_put(struct printer *printer, const struct assessment *assessment, int label)
{
	bool first = true;
	char folded[POOL_FOLDED_MAX];
	for (size_t i = 0; i < assessment->n_pools; i++) {
		if (!pool_is_shown(&assessment->pools[i]))
			continue;
		begin(printer, &first, label);
		put_pool(printer, &assessment->pools[i]);
	}
	put_unreadable(printer, assessment, &first, label);
	if (*pool_folded(assessment->pools, assessment->n_pools, NULL, folded)) {
		begin(printer, &first, label);
		printer_rest(printer, folded);
		printer_end_line(printer);
	}
	for (size_t i = 0; i < assessment->n_waiters; i++)
		if (assessment->waiters[i].in_scope && !is_listed_before(assessment, i))
			put_starving(printer, assessment, i, label);
}

void summary_pools_put_hold(struct printer *printer, const struct assessment *assessment,
	const struct connection *connection)
{
	const struct pool_slot *slot = connection->slot;
	char held[DURATION_TEXT_MAX];
	if (!slot || slot->state != POOL_SLOT_IN_USE || slot->since == INSTANT_UNKNOWN)
		return;
	printer_format(printer, "held %s",
		duration_format(instant_elapsed(slot->since, assessment->now), held));
	if (slot->site) {
		printer_text(printer, " at ");
		printer_text(printer, slot->site);
	}
}
