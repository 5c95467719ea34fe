/* When each source is asked, and when their answers become a picture.
 *
 *   tick → PgBouncers → statement → rows → pages → assess
 *                                     → a connection that was not looked for? → look → assess
 *
 * The order is what makes the sources' words fit together: a link in PgBouncer is that of a
 * transaction which had begun before, and a slot that was borrowed before the rows were taken and
 * still is after them was so in between. A PgBouncer that is slow is not waited for.
 *
 * The sockets are dumped when rows show a connection that is new, and every few seconds to notice
 * ends that went away; without a connection of our own at each tick, because then they are all we
 * have. */
#include "app/target.h"

#include <stdlib.h>

#include "analyze/assess.h"
#include "app/poolers.h"
#include "base/instant.h"
#include "base/mem.h"
#include "collect/backends.h"
#include "collect/clients.h"
#include "collect/exits.h"
#include "collect/locks.h"
#include "collect/pages.h"
#include "collect/proxy.h"
#include "config/config.h"
#include "model/assessment.h"
#include "model/bouncer.h"
#include "model/history.h"
#include "model/peers.h"
#include "session/session.h"

/* The kernel walks its whole table of connections for one look (measured: 1 to 2 ms for an empty
 * one of 262,144 buckets). New connections and processes that end cause one at once; this is for
 * sockets that are closed by a process that lives on. */
#define LOOK_EVERY (5 * USEC_PER_SEC)

/* How often the proxy is looked at: while a page shows it, and else. */
#define PROXY_OFTEN  (1 * USEC_PER_SEC)
#define PROXY_SELDOM (5 * USEC_PER_SEC)

/* An answer is overdue after two intervals, but not before this. */
#define STALE_AFTER (2 * USEC_PER_SEC)

/* How long the statement waits for the PgBouncers' answers, in ms. */
#define GRACE_MS 100

/* The pages' folders are local, but a disk may hang. */
#define PAGES_PATIENCE (USEC_PER_SEC / 2)

struct target {
	uv_loop_t *loop;
	struct target_options options;
	struct session *session;
	struct backends *backends;
	struct clients *clients;
	struct exits *exits;
	struct proxy_watch *proxy;
	bool proxy_wanted;
	struct locks *locks;
	bool locks_wanted;
	int32_t locks_subject;
	struct poolers *poolers;
	struct pages *pages;
	uv_timer_t *tick;
	uv_timer_t *grace; /* active while the statement waits for the PgBouncers */
	bool rows_wait;    /* for the look at the pages that is under way … */
	int64_t rows_at;   /* … since then (monotonic) */
	struct assessment *assessment;
	struct history history;
	int64_t last_look; /* monotonic */
	bool paused;
	int64_t hurry_since; /* until the picture is settled and from after this instant;
				INSTANT_UNKNOWN: in no hurry */
};

static int64_t stale_after(const struct target *target)
{
	int64_t limit = 2 * target->options.interval;
	return limit < STALE_AFTER ? STALE_AFTER : limit;
}

static bool is_overdue(const struct target *target)
{
	int64_t asked_at = backends_asked_at(target->backends);
	return asked_at >= 0 && instant_monotonic() - asked_at > stale_after(target);
}

static struct server_state server_state(const struct target *target)
{
	struct server_state state = *session_state(target->session);
	if (state.status == SERVER_OK && is_overdue(target)) {
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
	}
	if (server->status == SERVER_CONNECTING && !activity)
		source.status = SOURCE_WAITING;
	return source;
}

static struct source_state peers_source(const struct target *target)
{
	const struct peers *peers = clients_latest(target->clients);
	struct source_state source = {
		.name = "peers",
		.status = peers ? SOURCE_OK : SOURCE_WAITING,
		.taken_at = peers ? peers->dumped_at : INSTANT_UNKNOWN,
	};
	if (peers && (!peers->tcp_known || !peers->unix_known)) {
		source.status = SOURCE_FAILED;
		source.error = "the kernel's table of sockets cannot be read";
	}
	return source;
}

static void sample_history(struct target *target)
{
	const struct slots *slots = &target->assessment->slots;
	bool live = target->assessment->server.status == SERVER_OK;
	history_add(&target->history,
		(struct history_sample){
			.at = target->assessment->now,
			.used = live ? slots->used : -1,
			.leaked = live ? slots->by_status[STATUS_LEAKED] : -1,
		});
}

static void assess_now(struct target *target)
{
	/* new rows beside old pages would unsay what the last picture proved */
	bool halfway = target->rows_wait && instant_monotonic() - target->rows_at < PAGES_PATIENCE;
	if (target->paused || halfway)
		return;
	struct server_state server = server_state(target);
	size_t n_poolers = poolers_count(target->poolers);
	const struct bouncer **bouncers = mem_alloc((n_poolers + 1) * sizeof(*bouncers));
	struct source_state *sources = mem_alloc((SOURCE_COUNT + n_poolers) * sizeof(*sources));
	int64_t now = instant_now();
	sources[SOURCE_ACTIVITY] = activity_source(target, &server);
	sources[SOURCE_PEERS] = peers_source(target);
	sources[SOURCE_PAGES] = pages_source(target->pages);
	poolers_published(target->poolers, bouncers);
	poolers_sources(target->poolers, now, stale_after(target), sources + SOURCE_COUNT);
	const struct assess_input input = {
		.activity = backends_latest(target->backends),
		.peers = clients_latest(target->clients),
		.pages = pages_latest(target->pages),
		.bouncers = bouncers,
		.n_bouncers = n_poolers,
		.proxy = proxy_watch_latest(target->proxy),
		.unsettled = target_awaits_proxy(target),
		.locks = locks_latest(target->locks),
		.server = &server,
		.sources = sources,
		.n_sources = SOURCE_COUNT + n_poolers,
		.rules = target->options.rules,
		.now = now,
	};
	struct assessment *before = target->assessment;
	target->assessment = assess(&input, before);
	assessment_free(before);
	free(sources);
	free(bouncers);
	sample_history(target);
	target->options.assessed(target->options.data);
}

static void look_at(struct target *target, bool fresh)
{
	struct peers_target where;
	session_locate(target->session, &where);
	if (where.server.family == AF_UNSPEC)
		return;
	target->last_look = instant_monotonic();
	uint16_t *ports = mem_alloc((poolers_count(target->poolers) + 1) * sizeof(*ports));
	clients_set_ports(target->clients, ports, poolers_ports(target->poolers, ports));
	free(ports);
	clients_look(target->clients, &where, fresh);
}

static void look(struct target *target)
{
	look_at(target, false);
}

/* A PgBouncer, or a client of it that matters, which the last dump did not know. */
static bool has_new_client(const struct assessment *assessment, const struct bouncer *bouncer)
{
	if (!peers_port(assessment->peers, bouncer->port))
		return true;
	for (size_t i = 0; i < bouncer->n_clients; i++)
		if (bouncer->clients[i].first_seen > assessment->peers->dumped_at)
			return true;
	return false;
}

static bool wants_look(const struct target *target)
{
	const struct assessment *assessment = target->assessment;
	if (target->options.calm)
		return !assessment->peers;
	for (size_t i = 0; assessment->peers && i < assessment->n_bouncers; i++)
		if (has_new_client(assessment, assessment->bouncers[i]))
			return true;
	for (size_t i = 0; i < assessment->n_connections; i++)
		if (!assessment->connections[i].looked)
			return true;
	return !assessment->activity || !assessment->peers ||
		instant_monotonic() - target->last_look >= LOOK_EVERY;
}

static void look_at_proxy(struct target *target, int64_t after)
{
	struct peers_target where;
	session_locate(target->session, &where);
	const struct proxy_own own = {
		.where = &where,
		.answers = session_is_ready(target->session) && !is_overdue(target) &&
			backends_latest(target->backends),
		.latency = session_state(target->session)->latency,
	};
	proxy_watch_look(target->proxy, &own, after);
}

static void keep_proxy_in_sight(struct target *target)
{
	look_at_proxy(target, target->proxy_wanted ? PROXY_OFTEN : PROXY_SELDOM);
}

static bool is_in_hurry(const struct target *target)
{
	return target->options.hurry || target->hurry_since != INSTANT_UNKNOWN;
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

/* Begins a round; false when the server cannot be asked, or has not answered the last time. */
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

/* What the dump showed counts once the rows are newer than it. */
static void hurry(struct target *target)
{
	const struct assessment *assessment = target->assessment;
	if (assessment->settled && assessment->peers->dumped_at >= target->hurry_since)
		target->hurry_since = INSTANT_UNKNOWN;
	if (is_in_hurry(target) && assessment->activity && assessment->peers &&
		assessment->activity->asked_at < assessment->peers->dumped_at)
		(void)begin_round(target);
}

static void on_rows(struct target *target)
{
	target->rows_wait = false;
	keep_proxy_in_sight(target);
	assess_now(target);
	if (wants_look(target))
		look(target);
	hurry(target);
	if (target->locks_wanted && !target->paused)
		locks_refresh(target->locks, target->locks_subject);
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

static void on_proxy(void *data)
{
	assess_now(data);
}

static void on_pooler_changed(void *data)
{
	assess_now(data);
}

static void on_locks(void *data)
{
	assess_now(data);
}

static void on_peers(void *data)
{
	struct target *target = data;
	assess_now(target);
	exits_follow(target->exits, clients_latest(target->clients));
	if (!target->assessment->activity && is_in_hurry(target))
		(void)begin_round(target);
	hurry(target);
}

static void on_process_ended(void *data)
{
	const struct target *target = data;
	if (!target->options.calm)
		look(data);
}

static void on_session_changed(void *data)
{
	struct target *target = data;
	if (!session_is_ready(target->session))
		look_at_proxy(target, PROXY_OFTEN / 4);
	assess_now(target);
	if (!session_is_ready(target->session))
		look(target);
}

static void on_session_ready(void *data)
{
	(void)begin_round(data);
}

static void on_tick(uv_timer_t *timer)
{
	struct target *target = timer->data;
	if (begin_round(target))
		return;
	(void)pages_refresh(target->pages);
	poolers_mark(target->poolers);
	poolers_publish(target->poolers);
	/* no answer, no connection: the picture ages, and says so */
	assess_now(target);
	keep_proxy_in_sight(target);
	if (!session_is_ready(target->session))
		look(target);
}

static void free_handle(uv_handle_t *handle)
{
	free(handle);
}

static uv_timer_t *timer_new(struct target *target)
{
	uv_timer_t *timer = mem_alloc(sizeof(*timer));
	uv_timer_init(target->loop, timer);
	timer->data = target;
	return timer;
}

struct target *target_new(uv_loop_t *loop, const struct target_options *options)
{
	struct target *target = mem_alloc(sizeof(*target));
	target->loop = loop;
	target->options = *options;
	target->hurry_since = INSTANT_UNKNOWN;
	const struct session_callbacks session = {
		.data = target,
		.ready = on_session_ready,
		.changed = on_session_changed,
	};
	target->session = session_new(loop, options->params, &session);
	const struct backends_options backends = {
		.no_query_text = options->no_query_text,
		.data = target,
		.published = on_activity,
	};
	target->backends = backends_new(target->session, &backends);
	const struct clients_callbacks clients = { .data = target, .published = on_peers };
	target->clients = clients_new(loop, "/proc", &clients);
	const struct config_proxy none = { .process = "", .health = "" };
	const struct config_proxy *wanted = options->proxy ? options->proxy : &none;
	const struct proxy_options proxy = {
		.process = wanted->process,
		.port = (uint16_t)wanted->port,
		.health = wanted->health,
		.expected = wanted->port || wanted->start.count,
		.params = options->params,
		.data = target,
		.published = on_proxy,
	};
	target->proxy = proxy_watch_new(loop, &proxy);
	const struct locks_options locks = { .data = target, .published = on_locks };
	target->locks = locks_new(target->session, &locks);
	const struct exits_callbacks exits = { .data = target, .ended = on_process_ended };
	target->exits = exits_new(loop, &exits);
	const struct poolers_callbacks poolers = {
		.data = target,
		.ready = on_pooler_ready,
		.answered = on_poolers_answered,
		.changed = on_pooler_changed,
	};
	target->poolers = poolers_new(loop, options->consoles, options->n_consoles, &poolers);
	const struct pages_options pages = {
		.folder = options->pages,
		.proc_root = "/proc",
		.data = target,
		.published = on_pages,
	};
	target->pages = pages_new(loop, &pages);
	target->tick = timer_new(target);
	target->grace = timer_new(target);
	return target;
}

void target_start(struct target *target)
{
	assess_now(target);
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
	uv_close((uv_handle_t *)target->tick, free_handle);
	uv_close((uv_handle_t *)target->grace, free_handle);
	poolers_free(target->poolers);
	pages_free(target->pages);
	exits_free(target->exits);
	locks_free(target->locks);
	proxy_watch_free(target->proxy);
	clients_free(target->clients);
	backends_free(target->backends);
	session_free(target->session);
	assessment_free(target->assessment);
	free(target);
}

void target_refresh(struct target *target)
{
	(void)begin_round(target);
}

void target_survey(struct target *target)
{
	target->hurry_since = instant_now();
	look_at(target, true);
}

bool target_awaits_proxy(const struct target *target)
{
	return target->options.await_proxy && !proxy_watch_is_settled(target->proxy);
}

void target_watch_proxy(struct target *target, bool wanted)
{
	if (wanted && !target->proxy_wanted)
		look_at_proxy(target, 0);
	target->proxy_wanted = wanted;
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

void target_look(struct target *target)
{
	look(target);
}

void target_pause(struct target *target, bool paused)
{
	target->paused = paused;
	if (!paused)
		assess_now(target);
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
