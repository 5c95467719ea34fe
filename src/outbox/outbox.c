/* The interface: options, the outboxes of this process, and what a fork makes of them. */
#include "outbox/dboutbox.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "outbox/error.h"
#include "outbox/sender.h"
#include "outbox/statement.h"
#include "outbox/store.h"

#define STANDARD_WRITES   1000000
#define STANDARD_BYTES    (INT64_C(1) << 30)
#define STANDARD_KEEP_MS  3600000
#define STANDARD_BATCH    100
#define STANDARD_FLUSH_MS 5000

struct dboutbox {
	struct store *store;
	struct sender *sender;
	bool forked; /* this process is a child of the one that opened it */
	struct dboutbox *next;
};

/* All open outboxes: the child of a fork finds them by this list alone. */
static pthread_mutex_t list_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct dboutbox *list;

static void before_fork(void)
{
	pthread_mutex_lock(&list_mutex);
}

static void after_fork_in_parent(void)
{
	pthread_mutex_unlock(&list_mutex);
}

static void after_fork_in_child(void)
{
	for (struct dboutbox *outbox = list; outbox; outbox = outbox->next) {
		outbox->forked = true;
		store_forked(outbox->store);
	}
	list = NULL;
	pthread_mutex_unlock(&list_mutex);
}

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void watch_forks(void)
{
	(void)pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

static void enlist(struct dboutbox *outbox)
{
	pthread_once(&once, watch_forks);
	pthread_mutex_lock(&list_mutex);
	outbox->next = list;
	list = outbox;
	pthread_mutex_unlock(&list_mutex);
}

static void delist(struct dboutbox *outbox)
{
	pthread_mutex_lock(&list_mutex);
	for (struct dboutbox **at = &list; *at; at = &(*at)->next)
		if (*at == outbox) {
			*at = outbox->next;
			break;
		}
	pthread_mutex_unlock(&list_mutex);
}

static int refuse_forked(void)
{
	return outbox_fail(DBOUTBOX_FORKED,
		"the outbox belongs to the parent process: open a file "
		"of its own in each process");
}

/* --- options --- */

/* The configuration as this version knows it: fields that the program does not have are 0. */
static int read_config(const struct dboutbox_config *config, struct dboutbox_config *ret_config)
{
	*ret_config = (struct dboutbox_config){ 0 };
	if (!config || config->size < offsetof(struct dboutbox_config, max_writes))
		return outbox_fail(-EINVAL, "the configuration has no size");
	memcpy(ret_config, config,
		config->size < sizeof(*ret_config) ? config->size : sizeof(*ret_config));
	if (!ret_config->path || !*ret_config->path)
		return outbox_fail(-EINVAL, "the configuration has no path");
	if (ret_config->max_writes < 0 || ret_config->max_bytes < 0 || ret_config->batch < 0 ||
		ret_config->flush_ms < DBOUTBOX_OFF || ret_config->keep_ms < DBOUTBOX_OFF ||
		(unsigned)ret_config->fsync > DBOUTBOX_FSYNC_NORMAL)
		return outbox_fail(-EINVAL, "a number of the configuration is out of range");
	return 0;
}

static int64_t or_standard(int64_t value, int64_t standard)
{
	return value ? value : standard;
}

static int64_t to_usec(int ms, int standard)
{
	return ms < 0 ? -1 : or_standard(ms, standard) * 1000;
}

static int open_all(const struct dboutbox_config *config, struct dboutbox *outbox)
{
	const struct store_options store = {
		.path = config->path,
		.full = config->fsync == DBOUTBOX_FSYNC_FULL,
		.max_writes = or_standard(config->max_writes, STANDARD_WRITES),
		.max_bytes = or_standard(config->max_bytes, STANDARD_BYTES),
		.keep = to_usec(config->keep_ms, STANDARD_KEEP_MS),
	};
	int r = store_open(&store, &outbox->store);
	if (r != 0)
		return r;
	int64_t flush = to_usec(config->flush_ms, STANDARD_FLUSH_MS);
	const struct sender_options sender = {
		.store = outbox->store,
		.pool = config->pool,
		.batch = (size_t)or_standard(config->batch, STANDARD_BATCH),
		.flush = flush < 0 ? 0 : flush,
		.stop_on_reject = config->stop_on_reject,
		.normal_fsync = config->fsync == DBOUTBOX_FSYNC_NORMAL,
		.quiet = config->quiet,
		.log = config->log,
		.log_data = config->log_data,
	};
	enlist(outbox);
	r = sender_new(&sender, &outbox->sender);
	if (r != 0)
		delist(outbox);
	return r;
}

/* --- interface --- */

struct dboutbox *dboutbox_open(const struct dboutbox_config *config, int *ret_error)
{
	struct dboutbox_config known;
	struct dboutbox *outbox = NULL;
	int r = read_config(config, &known);
	if (r == 0 && !(outbox = calloc(1, sizeof(*outbox))))
		r = outbox_fail(-ENOMEM, "out of memory");
	if (r == 0)
		r = open_all(&known, outbox);
	if (r != 0) {
		if (outbox)
			store_close(outbox->store);
		free(outbox);
		outbox = NULL;
	}
	if (ret_error)
		*ret_error = r;
	return outbox;
}

void dboutbox_close(struct dboutbox *outbox)
{
	if (!outbox || outbox->forked)
		return;
	sender_free(outbox->sender);
	delist(outbox);
	store_close(outbox->store);
	free(outbox);
}

int dboutbox_write_many(
	struct dboutbox *outbox, const struct dboutbox_statement *statements, size_t count)
{
	if (!outbox)
		return outbox_fail(-EINVAL, "there is no outbox");
	if (outbox->forked)
		return refuse_forked();
	int r = sender_ended(outbox->sender);
	if (r != 0)
		return outbox_fail(r, "the outbox stopped: dboutbox_stats() says why");
	void *blob;
	size_t size;
	r = statement_encode(statements, count, &blob, &size);
	if (r != 0)
		return r;
	r = store_append(outbox->store, blob, size);
	free(blob);
	if (r == 0)
		sender_wake(outbox->sender);
	return r;
}

int dboutbox_write(struct dboutbox *outbox, const struct dboutbox_statement *statement)
{
	return dboutbox_write_many(outbox, statement, 1);
}

int dboutbox_flush(struct dboutbox *outbox, int timeout_ms)
{
	if (!outbox)
		return outbox_fail(-EINVAL, "there is no outbox");
	if (outbox->forked)
		return -refuse_forked();
	int64_t left =
		sender_flush(outbox->sender, timeout_ms < 0 ? -1 : timeout_ms * INT64_C(1000));
	return left > INT32_MAX ? INT32_MAX : (int)left;
}

void dboutbox_stats(struct dboutbox *outbox, struct dboutbox_stats *ret_stats, size_t size)
{
	struct dboutbox_stats stats = { .state = DBOUTBOX_ENDED };
	if (outbox && !outbox->forked) {
		struct store_counts counts;
		store_counts(outbox->store, &counts);
		stats.pending = counts.pending;
		stats.pending_bytes = counts.pending_bytes;
		stats.kept = counts.kept;
		stats.rejected = counts.rejected;
		stats.oldest = counts.oldest;
		stats.sent = counts.sent;
		sender_stats(outbox->sender, &stats);
	}
	memset(ret_stats, 0, size);
	memcpy(ret_stats, &stats, size < sizeof(stats) ? size : sizeof(stats));
}
