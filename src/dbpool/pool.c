/* Starts and frees pools. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "dbpool/config.h"
#include "dbpool/connector.h"
#include "dbpool/default.h"
#include "dbpool/event.h"
#include "dbpool/housekeeper.h"
#include "dbpool/lifetime.h"
#include "dbpool/process.h"
#include "dbpool/signals.h"
#include "dbpool/slot.h"
#include "dbpool/stop.h"
#include "dbpool/util.h"

static int64_t shown(int64_t limit)
{
	return limit == INT64_MAX ? PAGE_NEVER : limit;
}

/* Creates the stats page. A pool without a file works all the same; the log function is called. */
static int make_page(const struct dbpool *pool, struct page_writer **ret_writer)
{
	const struct pool_config *config = &pool->config;
	const struct page_writer_options options = {
		.folder = config->page_folder,
		.name = config->name,
		.server = config->server,
		.slots = config->max,
		.no_file = config->raw.no_page,
		.limits = {
			.min = config->min,
			.max = config->max,
			.acquire_timeout = shown(config->acquire_timeout),
			.idle_lifetime = shown(config->idle_lifetime),
			.max_lifetime = shown(config->max_lifetime),
			.held = shown(config->held),
			.reclaim = shown(config->reclaim),
			.max_uses = config->max_uses,
		},
	};
	int file, r = page_writer_new(&options, ret_writer, &file);
	if (r < 0)
		return r;
	if (file < 0) {
		struct dbpool_event event = {
			.kind = DBPOOL_EVENT_NO_PAGE, .result = file, .warning = 1
		};
		report_event(pool, &event, "no stats page can be created: %s", strerror(-file));
	}
	return 0;
}

/* Clears what an earlier run has left. */
static void clear(struct dbpool *pool)
{
	int64_t now = now_usec();
	pool->first = pool->last_waiter = NULL;
	pool->n_waiters = 0;
	pool->suspect = 0;
	pool->failure = (struct connect_failure){ 0 };
	pool->n_hooks = pool->n_exempt = 0;
	pool->stop = pool->close = pool->closed = false;
	pool->connector_ended = pool->joining = false;
	pool->ended_as = DBPOOL_OK;
	pool->next_probe = pool->backoff = 0;
	pool->probe_wanted = pool->stale_ended = false;
	pool->created_monotonic = now;
	pool->created = pool->page->identity.created_realtime;
	for (unsigned i = 0; i < pool->config.max; i++)
		slot_clear(&pool->slots[i], &pool->page->slots[i], now);
	memset(pool->n_slots, 0, sizeof(pool->n_slots));
	pool->n_slots[SLOT_EMPTY] = pool->config.max;
}

static int start_threads(struct dbpool *pool)
{
	int r = start_thread(&pool->housekeeper, "dbpool-house", housekeeper_run, pool);
	if (r < 0)
		return r;
	pool->has_housekeeper = true;
	pthread_mutex_lock(&pool->lock);
	r = start_thread(&pool->connector, "dbpool-connect", connector_run, pool);
	pool->has_connector = r == 0;
	pool->guests += r == 0;
	pthread_mutex_unlock(&pool->lock);
	return r;
}

/* Undoes a start when there is no housekeeper yet that could shut the pool down. */
static void undo(struct dbpool *pool)
{
	process_leave(pool);
	pthread_mutex_lock(&pool->lock);
	pool_drop_page(pool);
	pool->phase = DBPOOL_NONE;
	pthread_mutex_unlock(&pool->lock);
}

static int launch(struct dbpool *pool)
{
	struct page_writer *writer;
	int r = make_page(pool, &writer);
	if (r < 0)
		return fail(r, "out of memory");
	pthread_mutex_lock(&pool->lock);
	pool->writer = writer;
	pool->page = page_writer_page(writer);
	clear(pool);
	pool->phase = DBPOOL_STARTING;
	pthread_mutex_unlock(&pool->lock);
	pool->abort_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = pool->abort_fd < 0 ? -errno : process_join(pool);
	if (r == 0)
		r = start_threads(pool);
	if (r == 0)
		return 0;
	int failed = fail(r, "cannot start: %s", strerror(-r));
	if (pool->has_housekeeper)
		(void)dbpool_shutdown(pool);
	else
		undo(pool);
	return failed;
}

/* Waits for the first connection, if configured, and returns why there is none. */
static int wait_for_first(struct dbpool *pool)
{
	int result = DBPOOL_OK;
	bool wait = !pool->config.raw.lazy && pool->config.min > 0;
	pthread_mutex_lock(&pool->lock);
	while (wait && pool->phase == DBPOOL_STARTING && !pool->stop && !pool->failure.result &&
		!pool->page->totals.opened)
		wait_until(&pool->changed, &pool->lock, INT64_MAX);
	if (pool->phase != DBPOOL_STARTING || pool->stop) {
		result = fail(DBPOOL_SHUTTING_DOWN, "the pool was shut down while it started");
	} else if (wait && pool->failure.result) {
		result = fail(pool->failure.result, "%s: %s",
			dbpool_result_name(pool->failure.result), pool->failure.text);
	} else {
		pool->phase = DBPOOL_RUNNING;
		page_set(pool->page->totals.phase, (uint32_t)DBPOOL_RUNNING);
	}
	pthread_mutex_unlock(&pool->lock);
	return result;
}

/* Reports what the pool promises, or warns that a signal cannot reach it. */
static void report_start(const struct dbpool *pool)
{
	static const char *const enders[] = { "SIGINT, SIGTERM and exit() shut", "exit() shuts",
		"SIGINT and SIGTERM shut", "only dbpool_shutdown() shuts" };
	const struct pool_config *config = &pool->config;
	const char *ignored = config->raw.no_signals ? NULL : signals_ignored();
	struct dbpool_event event = { .kind = DBPOOL_EVENT_START, .warning = ignored != NULL };
	report_event(pool, &event, "%u to %u connections to %s; %s it down in %s at most%s%s%s",
		config->min, config->max, config->server,
		enders[config->raw.no_signals + 2 * config->raw.no_exit],
		format_usec(config->shutdown, (char[24]){ "" }), ignored ? "; but " : "",
		ignored ? ignored : "",
		ignored ? " was ignored before the start, as in a shell's background job or under "
			  "nohup, and stays ignored"
			: "");
}

/* Takes ownership of the configuration, also when it fails. */
static int start(struct dbpool *pool, struct pool_config *config)
{
	pthread_mutex_lock(&pool->lock);
	config_clear(&pool->config);
	pool->config = *config;
	pthread_mutex_unlock(&pool->lock);
	int r = launch(pool);
	if (r != 0)
		return r;
	r = wait_for_first(pool);
	if (r != 0) {
		char text[TEXT_MAX];
		strcpy(text, dbpool_error());
		(void)dbpool_shutdown(pool);
		return fail(r, "%s", text);
	}
	report_start(pool);
	return DBPOOL_OK;
}

/* Uses the running pool if its configuration is the same. Frees `config`. */
static int join_running(struct dbpool *pool, struct pool_config *config)
{
	const char *difference = config_difference(&pool->config, config);
	config_clear(config);
	if (!difference)
		return DBPOOL_OK;
	return fail(DBPOOL_DIFFERENT,
		"the pool runs already, with another configuration: %s differs", difference);
}

static bool is_left_behind(struct dbpool *pool)
{
	pthread_mutex_lock(&pool->lock);
	bool in_use = pool_is_in_use(pool);
	pthread_mutex_unlock(&pool->lock);
	return in_use;
}

static int start_default(struct pool_config *config)
{
	struct dbpool *former = default_latest(), *pool = former;
	if (pool) {
		pthread_mutex_lock(&pool->lock);
		bool runs = pool->phase == DBPOOL_RUNNING && !pool->stop;
		bool ends = pool->phase > DBPOOL_NONE && pool->phase < DBPOOL_DONE && !runs;
		pthread_mutex_unlock(&pool->lock);
		if (runs)
			return join_running(pool, config);
		if (ends || pool->has_housekeeper)
			(void)dbpool_shutdown(pool);
	}
	if (!pool || is_left_behind(pool)) {
		pool = pool_allocate();
		if (!pool) {
			config_clear(config);
			return fail(-ENOMEM, "out of memory");
		}
		pool->older = former;
		default_set(pool);
	}
	int r = start(pool, config);
	if (r == DBPOOL_OK)
		default_runs(pool);
	return r;
}

int dbpool_start(const struct dbpool_config *config)
{
	struct pool_config taken;
	int r = config_take(config, &taken);
	if (r < 0)
		return r;
	default_lock();
	r = start_default(&taken);
	default_unlock();
	return r;
}

int dbpool_new(const struct dbpool_config *config, struct dbpool **ret_pool)
{
	struct pool_config taken;
	int r = config_take(config, &taken);
	if (r < 0)
		return r;
	struct dbpool *pool = pool_allocate();
	if (!pool) {
		config_clear(&taken);
		return fail(-ENOMEM, "out of memory");
	}
	r = start(pool, &taken);
	if (r == DBPOOL_OK)
		*ret_pool = pool;
	else
		dbpool_free(pool);
	return r;
}

void dbpool_free(struct dbpool *pool)
{
	if (!pool || pool->forked)
		return;
	(void)dbpool_shutdown(pool);
	pthread_mutex_lock(&pool->lock);
	while (pool->users)
		wait_until(&pool->changed, &pool->lock, INT64_MAX);
	pool->freed = true;
	pool_leave(pool);
}
