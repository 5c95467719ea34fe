/* Makes an assessment of the sources' latest answers and their states. */
#include "target/target_assess.h"

#include <stdlib.h>

#include "analyze/assess.h"
#include "base/instant.h"
#include "base/mem.h"
#include "collect/backends.h"
#include "collect/clients.h"
#include "collect/host_agents.h"
#include "collect/locks.h"
#include "collect/pages.h"
#include "collect/proxy.h"
#include "collect/session_ends.h"
#include "model/assessment.h"
#include "model/history.h"
#include "model/peers.h"
#include "session/session.h"
#include "target/poolers.h"
#include "target/target_state.h"

/* An answer is overdue after two intervals, but not before this. */
#define STALE_AFTER (2 * USEC_PER_SEC)

/* The pages' folders are local, but a disk may hang: rows wait no longer than this for them. */
#define PAGES_TIMEOUT (USEC_PER_SEC / 2)

int64_t target_stale_after(const struct target *target)
{
	int64_t limit = 2 * target->options.interval;
	return limit < STALE_AFTER ? STALE_AFTER : limit;
}

bool target_is_overdue(const struct target *target)
{
	int64_t asked_at = backends_asked_at(target->backends);
	return asked_at >= 0 && instant_monotonic() - asked_at > target_stale_after(target);
}

bool target_lacks_proxy(const struct target *target)
{
	return target->options.await_proxy && !proxy_watch_is_complete(target->proxy);
}

static struct server_state server_state(const struct target *target)
{
	struct server_state state = *session_state(target->session);
	state.name = target->name;
	if (state.status == SERVER_OK && target_is_overdue(target)) {
		state.status = SERVER_STALE;
		state.error = "the server does not answer";
	}
	return state;
}

static struct source_state activity_source(
	const struct target *target, const struct server_state *server)
{
	const struct activity *activity = backends_latest(target->backends);
	struct source_state source = {
		.name = "activity",
		.status = SOURCE_OK,
		.taken_at = activity ? activity->taken_at : INSTANT_UNKNOWN,
		.error = backends_error(target->backends),
	};
	if (server->status != SERVER_OK) {
		source.status = activity ? SOURCE_STALE : SOURCE_FAILED;
		if (!source.error)
			source.error = server->error;
	} else if (source.error) {
		source.status = activity ? SOURCE_STALE : SOURCE_FAILED;
	} else if (!activity) {
		source.status = SOURCE_WAITING;
		source.error = "no answer yet";
	}
	if (server->status == SERVER_CONNECTING && !activity)
		source.status = SOURCE_WAITING;
	if (source.status == SOURCE_OK)
		source.error = backends_lacks(target->backends);
	return source;
}

/* Whether something translates our own connection, as far as is known. */
static bool is_translated(const struct target *target)
{
	const struct assessment *assessment = target->assessment;
	return assessment && assessment->activity && assessment->peers &&
		assessment->peers->target.backend_pid && !assessment->place.unchanged;
}

static struct source_state peers_source(const struct target *target)
{
	const struct peers *peers = clients_latest(target->clients);
	struct source_state source = {
		.name = "peers",
		.status = peers ? SOURCE_OK : SOURCE_WAITING,
		.taken_at = peers ? peers->dumped_at : INSTANT_UNKNOWN,
	};
	if (clients_busy_for(target->clients) > target_stale_after(target)) {
		source.status = peers ? SOURCE_STALE : SOURCE_FAILED;
		source.error = "reading this machine's processes takes too long";
	}
	if (peers && peers->nat_refused && is_translated(target))
		source.error = "connections through translated addresses (published ports) are not "
			       "visible: that needs root";
	if (clients_trouble(target->clients))
		source.error = clients_trouble(target->clients);
	if (peers && (!peers->tcp_known || !peers->unix_known)) {
		source.status = SOURCE_FAILED;
		source.error = "the kernel's table of sockets cannot be read";
	}
	return source;
}

static struct source_state pages_state(const struct target *target)
{
	struct source_state source = pages_source(target->pages);
	if (pages_busy_for(target->pages) > target_stale_after(target)) {
		source.status = pages_latest(target->pages) ? SOURCE_STALE : SOURCE_FAILED;
		source.error = "reading the stats pages takes too long";
	}
	return source;
}

static void list_hosts(const struct target *target, struct assess_host *hosts, size_t n_hosts,
	struct source_state *sources)
{
	for (size_t i = 0; i < n_hosts; i++) {
		hosts[i] = (struct assess_host){
			.latest = host_asker_latest(target->asker, i),
			.is_up = host_asker_is_up(target->asker, i),
		};
		sources[i] = host_asker_source(target->asker, i, target_stale_after(target));
	}
}

static void sample_history(struct target *target)
{
	const struct slots *slots = &target->assessment->slots;
	bool live = target->assessment->server.status == SERVER_OK;
	history_add(&target->history,
		(struct history_sample){
			.at = target->assessment->now,
			.used = live ? slots->used_at_most : -1,
			.leaked = live ? slots->by_status[STATUS_LEAKED] : -1,
		});
}

void target_assess(struct target *target)
{
	/* new rows with old pages could withdraw what the last assessment proved */
	bool halfway = target->rows_wait && instant_monotonic() - target->rows_at < PAGES_TIMEOUT;
	if (target->paused || halfway)
		return;
	struct server_state server = server_state(target);
	size_t n_poolers = poolers_count(target->poolers);
	const struct bouncer **bouncers = mem_alloc((n_poolers + 1) * sizeof(*bouncers));
	size_t n_hosts = target->asker ? host_agents_count(target->options.hosts) : 0;
	struct assess_host *hosts = mem_alloc((n_hosts + 1) * sizeof(*hosts));
	size_t n_sources = SOURCE_COUNT + n_poolers + n_hosts;
	struct source_state *sources = mem_alloc(n_sources * sizeof(*sources));
	int64_t now = instant_now();
	sources[SOURCE_ACTIVITY] = activity_source(target, &server);
	sources[SOURCE_PEERS] = peers_source(target);
	sources[SOURCE_PAGES] = pages_state(target);
	poolers_published(target->poolers, bouncers);
	poolers_sources(target->poolers, now, target_stale_after(target), sources + SOURCE_COUNT);
	list_hosts(target, hosts, n_hosts, sources + SOURCE_COUNT + n_poolers);
	const struct assess_input input = {
		.activity = backends_latest(target->backends),
		.peers = clients_latest(target->clients),
		.pages = pages_latest(target->pages),
		.bouncers = bouncers,
		.n_bouncers = n_poolers,
		.hosts = hosts,
		.n_hosts = n_hosts,
		.proxy = proxy_watch_latest(target->proxy),
		.incomplete = target_lacks_proxy(target),
		.await_logins = !target->options.scan_on_demand,
		.locks = locks_latest(target->locks),
		.session_ends = ends_watch_latest(target->ends),
		.server = &server,
		.sources = sources,
		.n_sources = n_sources,
		.rules = target->options.rules,
		.now = now,
		.monotonic = instant_monotonic(),
	};
	struct assessment *before = target->assessment;
	target->assessment = assess(&input, before);
	assessment_free(before);
	free(sources);
	free(bouncers);
	free(hosts);
	sample_history(target);
	target->options.assessed(target->options.data);
}
