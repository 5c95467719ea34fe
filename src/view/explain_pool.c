/* Describes pools, slots and links in words. */
#include "view/explain_pool.h"

#include "base/arena.h"
#include "base/duration.h"
#include "base/instant.h"
#include "model/pool.h"

const char *explain_pool(struct arena *arena, const struct connection *connection)
{
	const struct pool_page *page = connection->pool ? connection->pool->page : NULL;
	if (!page)
		return NULL;
	return arena_printf(arena, "%s of process %d%s%s%s, %s: %d of %d in use, %d waiting",
		page->name ? page->name : "unnamed", page->pid, page->host ? " on " : "",
		page->host ? page->host : "",
		pool_page_is_unseen(page) ? " (cannot be seen from here)" : "",
		page->status == POOL_PAGE_DEAD ? "which has ended"
			: page->phase          ? page->phase
					       : "?",
		page->in_use, page->max, page->waiting);
}

static const char *waiting_writes(struct arena *arena, const struct pool_page *page)
{
	const struct pool_outbox *outbox = &page->outbox;
	int64_t age = instant_elapsed(outbox->oldest_at, page->read_at);
	char text[DURATION_TEXT_MAX];
	if (!outbox->waiting)
		return "no write waits";
	const char *oldest = age < 0
		? ""
		: arena_printf(arena, "%s for %s", outbox->waiting == 1 ? "" : ", the oldest",
			  duration_format(age, text));
	return arena_printf(arena, "%lld write%s%s", (long long)outbox->waiting,
		outbox->waiting == 1 ? " waits" : "s wait", oldest);
}

const char *explain_outbox(
	struct arena *arena, const struct connection *connection, bool *ret_caution)
{
	const struct pool_page *page = connection->pool ? connection->pool->page : NULL;
	if (!page || !page->outbox.present)
		return NULL;
	const char *waiting = waiting_writes(arena, page);
	long long rejected = (long long)page->outbox.rejected;
	*ret_caution = rejected > 0;
	return rejected ? arena_printf(arena, "%s; the server rejected %lld", waiting, rejected)
			: waiting;
}

static const char *borrowed(struct arena *arena, const struct pool_slot *slot, const char *age)
{
	const char *site =
		slot->site ? arena_printf(arena, " at %s", slot->site) : ", place not known";
	const char *thread = slot->thread ? arena_printf(arena, " by thread %d", slot->thread) : "";
	return arena_printf(arena, "%u, borrowed %s ago%s%s", slot->number, age, site, thread);
}

const char *explain_slot(struct arena *arena, const struct assessment *assessment,
	const struct connection *connection)
{
	const struct pool_slot *slot = connection->slot;
	char age[DURATION_TEXT_MAX];
	if (!slot)
		return NULL;
	duration_format(instant_elapsed(slot->since, assessment->now), age);
	switch (slot->state) {
	case POOL_SLOT_IN_USE: return borrowed(arena, slot, age);
	case POOL_SLOT_RESERVE:
		return arena_printf(arena, "%u, waits in the pool for %s", slot->number, age);
	default: return arena_printf(arena, "%u, being opened or closed for %s", slot->number, age);
	}
}

const char *explain_bouncer(struct arena *arena, const struct connection *connection)
{
	const struct pool *pool = connection->pool;
	if (!connection->bouncer_server || !pool || !pool->bouncer)
		return NULL;
	const struct bouncer_pool *bouncer = pool->bouncer;
	const char *mode = bouncer->mode_text ? bouncer->mode_text : "unknown";
	return arena_printf(arena, "%s at %s, %s mode: %d servers at work, %d clients waiting",
		pool->name, pool->console->name, mode, bouncer->servers_active,
		bouncer->clients_waiting);
}

const char *explain_link(struct arena *arena, const struct connection *connection)
{
	const struct bouncer_client *client = connection->bouncer_client;
	char end[ENDPOINT_TEXT_MAX];
	if (!connection->bouncer_server)
		return NULL;
	if (!client)
		return connection->bouncer_server->linked
			? "a client is linked to it; which one changes too fast to tell"
			: "no client is linked to it";
	endpoint_format(&client->remote, end);
	return arena_printf(arena, "client %s%s%s%s is linked to it", end,
		client->application_name ? " (" : "",
		client->application_name ? client->application_name : "",
		client->application_name ? ")" : "");
}
