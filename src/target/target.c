/* Decides when each source is asked, and when the answers become an assessment.
 *
 *   tick → PgBouncers → statement → rows → pages → assess
 *                                     → a connection that no scan covered? → scan → assess
 *
 * This order makes the answers of the sources consistent: a link in PgBouncer belongs to a
 * transaction that had begun before the rows were taken, and a pool's slot that was borrowed before
 * the rows were taken and is still borrowed after them was borrowed in between. The rows do not
 * wait long for a slow PgBouncer. */
#include "target/target.h"

#include <stdlib.h>

#include "base/instant.h"
#include "base/mem.h"
#include "collect/backends.h"
#include "collect/clients.h"
#include "collect/exits.h"
#include "collect/host_agents.h"
#include "collect/locks.h"
#include "collect/pages.h"
#include "collect/proxy.h"
#include "collect/session_ends.h"
#include "config/config.h"
#include "loop/handle.h"
#include "model/assessment.h"
#include "model/proxy.h"
#include "session/session.h"
#include "target/poolers.h"
#include "target/target_assess.h"
#include "target/target_hosts.h"
#include "target/target_scans.h"
#include "target/target_state.h"

/* How long the statement waits for the PgBouncers' answers, in ms. */
#define GRACE_MS 100

/* The greatest age of the proxy's state when the connection to the server has just been lost, in
 * µs. */
#define PROXY_LOST (USEC_PER_SEC / 4)

static bool wants_complete(const struct target *target)
{
	return target->options.refresh_until_complete || target->wanted_since != INSTANT_UNKNOWN;
}

static bool ask_server(struct target *target)
{
	uv_timer_stop(target->grace);
	poolers_mark(target->poolers);
	return backends_refresh(target->backends);
}

static void on_grace(uv_timer_t *timer)
{
	(void)ask_server(timer->data);
}

/* Begins a round; false if the server cannot be asked, or has not answered the last statement yet.
 */
static bool begin_round(struct target *target)
{
	bool can_ask = session_is_ready(target->session) &&
		backends_asked_at(target->backends) < 0 && !target->rows_wait;
	if (uv_is_active((uv_handle_t *)target->grace))
		return true;
	bool asked = poolers_refresh(target->poolers);
	if (!can_ask)
		return false;
	if (!asked)
		return ask_server(target);
	uint64_t most = (uint64_t)(target->options.interval / USEC_PER_MSEC / 2);
	uv_timer_start(target->grace, on_grace, most < GRACE_MS ? most : GRACE_MS, 0);
	return true;
}

/* The scan's results count only with rows that were asked for after it: ask for such rows. */
static void refresh_until_complete(struct target *target)
{
	const struct assessment *assessment = target->assessment;
	if (assessment->complete && assessment->peers->dump_began >= target->wanted_since)
		target->wanted_since = INSTANT_UNKNOWN;
	if (wants_complete(target) && assessment->activity && assessment->peers &&
		assessment->activity->asked_monotonic < assessment->peers->dump_began)
		(void)begin_round(target);
}

static void on_rows(struct target *target)
{
	target->rows_wait = false;
	target_keep_proxy_in_sight(target);
	target_assess(target);
	if (target_needs_scan(target))
		target_scan(target);
	target_ask_hosts(target);
	refresh_until_complete(target);
	if (target->locks_wanted && !target->paused)
		locks_refresh(target->locks, target->locks_subject);
	/* a single assessment does not wait for these counts, and a shutdown test has its own */
	if (!target->options.refresh_until_complete && !target->options.scan_on_demand &&
		!target->paused)
		ends_watch_refresh(target->ends);
}

static void on_activity(void *data)
{
	struct target *target = data;
	poolers_publish(target->poolers);
	target->rows_wait = pages_refresh(target->pages);
	target->rows_at = instant_monotonic();
	if (!target->rows_wait)
		on_rows(target);
}

static void on_pages(void *data)
{
	struct target *target = data;
	if (target->rows_wait)
		on_rows(target);
}

static void on_poolers_answered(void *data)
{
	struct target *target = data;
	if (uv_is_active((uv_handle_t *)target->grace))
		(void)ask_server(target);
}

static void on_pooler_ready(void *data)
{
	(void)begin_round(data);
}

/* A proxy that is as absent as before changes nothing: the next rows take the new block. */
static void on_proxy(void *data)
{
	struct target *target = data;
	const struct assessment *assessment = target->assessment;
	const struct proxy *before = assessment ? assessment->proxy : NULL;
	const struct proxy *now = proxy_watch_latest(target->proxy);
	if (assessment && assessment->complete && before && before->status == PROXY_ABSENT && now &&
		now->status == PROXY_ABSENT)
		return;
	target_assess(target);
}

static void on_news(void *data)
{
	target_assess(data);
}

/* A host's answer counts as proof only with rows that were asked for after it: without news it can
 * wait for these. */
static void on_hosts(void *data, bool is_news)
{
	struct target *target = data;
	if (!target->assessment || (!is_news && target->assessment->complete))
		return;
	target_assess(target);
	target_ask_hosts_on(target);
	refresh_until_complete(target);
}

static void on_peers(void *data)
{
	struct target *target = data;
	bool is_first = !target->assessment->peers;
	pages_set_peers(target->pages, clients_latest(target->clients));
	target_assess(target);
	target_ask_hosts_on(target);
	exits_follow(target->exits, clients_latest(target->clients));
	if (!target->assessment->activity && wants_complete(target))
		(void)begin_round(target);
	/* What the scan proves counts with the next rows, which come late if the interval is long.
	 */
	if (is_first && !target->options.scan_on_demand)
		(void)begin_round(target);
	refresh_until_complete(target);
}

static void on_process_ended(void *data)
{
	const struct target *target = data;
	if (!target->options.scan_on_demand)
		target_scan(data);
}

static void on_session_changed(void *data)
{
	struct target *target = data;
	if (!session_is_ready(target->session))
		target_scan_proxy(target, PROXY_LOST);
	target_assess(target);
	if (!session_is_ready(target->session))
		target_scan(target);
}

static void on_session_ready(void *data)
{
	(void)begin_round(data);
}

static void on_tick(uv_timer_t *timer)
{
	struct target *target = timer->data;
	if (target->locks_wanted && !target->paused)
		locks_check(target->locks, target_stale_after(target));
	if (begin_round(target))
		return;
	(void)pages_refresh(target->pages);
	poolers_mark(target->poolers);
	poolers_publish(target->poolers);
	/* no answer, or no connection: the new assessment marks old data as stale */
	target_assess(target);
	target_keep_proxy_in_sight(target);
	if (!session_is_ready(target->session))
		target_scan(target);
}

static void open_server(struct target *target)
{
	const struct session_callbacks session = {
		.data = target,
		.ready = on_session_ready,
		.changed = on_session_changed,
	};
	target->session = session_new(target->loop, target->options.params, &session);
	session_set_password_command(target->session, target->options.password_command);
	const struct backends_options backends = {
		.no_query_text = target->options.no_query_text,
		.data = target,
		.published = on_activity,
	};
	target->backends = backends_new(target->session, &backends);
	const struct locks_options locks = { .data = target, .published = on_news };
	target->locks = locks_new(target->session, &locks);
	target->ends = ends_watch_new(target->session);
	const struct poolers_callbacks poolers = {
		.data = target,
		.ready = on_pooler_ready,
		.answered = on_poolers_answered,
		.changed = on_news,
	};
	target->poolers = poolers_new(
		target->loop, target->options.consoles, target->options.n_consoles, &poolers);
}

static void open_proxy(struct target *target)
{
	static const struct config_proxy none = { .process = "", .health = "" };
	const struct config_proxy *wanted = target->options.proxy ? target->options.proxy : &none;
	const struct proxy_options proxy = {
		.process = wanted->process,
		.port = (uint16_t)wanted->port,
		.health = wanted->health,
		.expected = wanted->port || wanted->start.count,
		.params = target->options.params,
		.data = target,
		.published = on_proxy,
	};
	target->proxy = proxy_watch_new(target->loop, &proxy);
}

/* Opens the sources that read this machine. */
static void open_machine(struct target *target)
{
	const struct clients_callbacks clients = { .data = target, .published = on_peers };
	target->clients = clients_new(target->loop, "/proc", &clients);
	const struct exits_callbacks exits = { .data = target, .ended = on_process_ended };
	target->exits = exits_new(target->loop, &exits);
	const struct pages_options pages = {
		.folder = target->options.pages,
		.proc_root = "/proc",
		.data = target,
		.published = on_pages,
	};
	target->pages = pages_new(target->loop, &pages);
	const struct host_asker_callbacks hosts = { .data = target, .changed = on_hosts };
	if (host_agents_count(target->options.hosts))
		target->asker = host_asker_new(target->options.hosts, &hosts);
}

struct target *target_new(uv_loop_t *loop, const struct target_options *options)
{
	struct target *target = mem_alloc(sizeof(*target));
	target->loop = loop;
	target->options = *options;
	target->name = options->name ? mem_strdup(options->name) : NULL;
	target->wanted_since = INSTANT_UNKNOWN;
	open_server(target);
	open_proxy(target);
	open_machine(target);
	target->tick = handle_new_timer(target->loop, target);
	target->grace = handle_new_timer(target->loop, target);
	return target;
}

void target_start(struct target *target)
{
	target_assess(target);
	session_start(target->session);
	poolers_start(target->poolers);
	target_set_interval(target, target->options.interval);
}

void target_show(
	struct target *target, struct assessment *assessment, const struct history *history)
{
	assessment_free(target->assessment);
	target->assessment = assessment;
	target->history = *history;
	target->options.assessed(target->options.data);
}

void target_free(struct target *target)
{
	if (!target)
		return;
	handle_close(target->tick);
	handle_close(target->grace);
	poolers_free(target->poolers);
	host_asker_free(target->asker);
	pages_free(target->pages);
	exits_free(target->exits);
	locks_free(target->locks);
	ends_watch_free(target->ends);
	proxy_watch_free(target->proxy);
	clients_free(target->clients);
	backends_free(target->backends);
	session_free(target->session);
	assessment_free(target->assessment);
	free(target->name);
	free(target);
}

void target_refresh(struct target *target)
{
	(void)begin_round(target);
}

void target_scan(struct target *target)
{
	target_begin_scan(target, false);
}

void target_watch_proxy(struct target *target, bool wanted)
{
	if (wanted && !target->proxy_wanted)
		target_scan_proxy(target, 0);
	target->proxy_wanted = wanted;
}

void target_refresh_proxy(struct target *target)
{
	if (target->proxy_wanted)
		target_scan_proxy(target, 0);
}

void target_assess_anew(struct target *target)
{
	target->wanted_since = instant_monotonic();
	target_begin_scan(target, true);
}

bool target_awaits_proxy(const struct target *target)
{
	return target_lacks_proxy(target);
}

bool target_is_scanning(const struct target *target)
{
	return clients_busy_for(target->clients) >= 0;
}

void target_watch_locks(struct target *target, int32_t subject)
{
	if (target->locks_wanted && target->locks_subject == subject)
		return;
	target->locks_wanted = true;
	target->locks_subject = subject;
	if (!target->paused)
		locks_refresh(target->locks, subject);
}

void target_ignore_locks(struct target *target)
{
	if (target->locks_wanted)
		locks_forget(target->locks);
	target->locks_wanted = false;
}

void target_pause(struct target *target, bool paused)
{
	target->paused = paused;
	if (!paused)
		target_assess(target);
}

void target_set_interval(struct target *target, int64_t interval)
{
	uint64_t ms = (uint64_t)(interval / USEC_PER_MSEC);
	target->options.interval = interval;
	uv_timer_start(target->tick, on_tick, ms, ms);
}

const struct assessment *target_assessment(const struct target *target)
{
	return target->assessment;
}

const struct history *target_history(const struct target *target)
{
	return &target->history;
}

struct session *target_session(struct target *target)
{
	return target->session;
}
