/* Who delivers, and when: a thread while the pool runs, the flush hook in the pool's shutdown. */
#include "outbox/sender.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "outbox/delivery.h"
#include "outbox/error.h"
#include "outbox/flush_hook.h"
#include "outbox/publisher.h"
#include "outbox/status.h"
#include "outbox/store.h"

#define USEC_PER_SEC INT64_C(1000000)

#define PRUNE_EVERY (10 * USEC_PER_SEC)

/* What the pool waits for beyond the flush hook's own limit. */
#define HOOK_MARGIN_MS 500

struct sender {
	struct sender_options options;
	struct status status;
	struct publisher publisher;
	struct flush_hook *hook;
	pthread_t thread;

	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t changed;
	bool work;          /* something may be pending */
	bool stop;          /* the thread shall end */
	bool is_flushing;   /* the flush hook delivers: the thread does not */
	bool over;          /* nothing is delivered any more */
	int64_t give_up_at; /* waiting for the server ends here; monotonic, as all moments here */
	int64_t retry_at;   /* no step before */
	bool is_stepping;   /* the thread does a step */
	int64_t steps;      /* how many ended, and the outcome of the last one */
	enum delivery_step last_step;

	pthread_mutex_t delivering; /* held during a step; guards what follows */
	struct delivery *delivery;
	int64_t pruned_at;
};

static int64_t give_up_at(void *data)
{
	struct sender *sender = data;
	pthread_mutex_lock(&sender->mutex);
	int64_t at = sender->give_up_at;
	pthread_mutex_unlock(&sender->mutex);
	return at;
}

/* Removes what was kept for long enough, a batch a step. */
static void prune(struct sender *sender)
{
	int64_t now = status_clock();
	if (now - sender->pruned_at >= PRUNE_EVERY && store_prune(sender->options.store) != 1)
		sender->pruned_at = now;
}

static enum delivery_step take_step(struct sender *sender)
{
	int64_t pause;
	pthread_mutex_lock(&sender->delivering);
	enum delivery_step step = delivery_run(sender->delivery, &pause);
	prune(sender);
	pthread_mutex_unlock(&sender->delivering);
	/* Published before the step is reported: a thread that waits for the step finds its numbers
	 * on the page. */
	publisher_show(&sender->publisher);
	pthread_mutex_lock(&sender->mutex);
	sender->steps++;
	sender->is_stepping = false;
	sender->last_step = step;
	sender->over |= step == DELIVERY_STOP;
	sender->work |= step != DELIVERY_DONE;
	sender->retry_at = pause ? status_clock() + pause : 0;
	pthread_cond_broadcast(&sender->changed);
	pthread_mutex_unlock(&sender->mutex);
	return step;
}

/* No step follows. */
static void rest(struct sender *sender)
{
	pthread_mutex_lock(&sender->delivering);
	delivery_rest(sender->delivery);
	pthread_mutex_unlock(&sender->delivering);
}

/* Waits for a change, or for a moment. The mutex is held. */
static void wait_until(struct sender *sender, int64_t at)
{
	struct timespec until = { .tv_sec = at / USEC_PER_SEC,
		.tv_nsec = at % USEC_PER_SEC * 1000 };
	(void)pthread_cond_timedwait(&sender->changed, &sender->mutex, &until);
}

/* --- the thread --- */

/* False when the thread shall end. */
static bool wait_for_work(struct sender *sender)
{
	pthread_mutex_lock(&sender->mutex);
	int64_t until = status_clock() + PRUNE_EVERY;
	while (!sender->stop && !sender->over) {
		bool wants = sender->work && !sender->is_flushing;
		int64_t at = wants && sender->retry_at < until ? sender->retry_at : until;
		if (status_clock() >= at)
			break;
		wait_until(sender, at);
	}
	bool go_on = !sender->stop && !sender->over;
	sender->work = false;
	sender->is_stepping = go_on;
	pthread_mutex_unlock(&sender->mutex);
	return go_on;
}

static void *run(void *data)
{
	struct sender *sender = data;
	while (wait_for_work(sender))
		(void)take_step(sender);
	rest(sender);
	return NULL;
}

static int start_thread(struct sender *sender)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = pthread_create(&sender->thread, NULL, run, sender);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0)
		return outbox_fail(-EAGAIN, "no thread can be started: %s", strerror(r));
	(void)pthread_setname_np(sender->thread, "dboutbox");
	return 0;
}

/* --- the pool's shutdown --- */

/* The pool lends only to its hooks' threads now, so this one delivers. */
static void flush_in_shutdown(void *data)
{
	struct sender *sender = data;
	int64_t until = status_clock() + sender->options.flush;
	pthread_mutex_lock(&sender->mutex);
	sender->is_flushing = true;
	sender->give_up_at = until;
	pthread_mutex_unlock(&sender->mutex);
	enum delivery_step step = DELIVERY_MORE;
	while (step != DELIVERY_DONE && step != DELIVERY_STOP && status_clock() < until) {
		step = take_step(sender);
		pthread_mutex_lock(&sender->mutex);
		if (step == DELIVERY_WAIT)
			wait_until(sender, sender->retry_at < until ? sender->retry_at : until);
		pthread_mutex_unlock(&sender->mutex);
	}
	pthread_mutex_lock(&sender->mutex);
	sender->over = true;
	pthread_cond_broadcast(&sender->changed);
	pthread_mutex_unlock(&sender->mutex);
	rest(sender);
}

/* --- interface --- */

static void deinit(struct sender *sender)
{
	delivery_free(sender->delivery);
	publisher_deinit(&sender->publisher);
	status_deinit(&sender->status);
	pthread_cond_destroy(&sender->changed);
	pthread_mutex_destroy(&sender->mutex);
	pthread_mutex_destroy(&sender->delivering);
	free(sender);
}

static struct sender *make(const struct sender_options *options)
{
	struct sender *sender = calloc(1, sizeof(*sender));
	if (!sender)
		return NULL;
	*sender = (struct sender){
		.options = *options,
		.status = {
			.log = options->log,
			.log_data = options->log_data,
			.quiet = options->quiet,
		},
		.work = true,
		.give_up_at = INT64_MAX,
	};
	status_init(&sender->status, options->pool ? DBOUTBOX_IDLE : DBOUTBOX_LOCAL);
	publisher_init(&sender->publisher, options->store, options->pool, options->normal_fsync);
	pthread_mutex_init(&sender->mutex, NULL);
	pthread_mutex_init(&sender->delivering, NULL);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&sender->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	return sender;
}

static int start(struct sender *sender)
{
	const struct sender_options *options = &sender->options;
	sender->delivery = delivery_new(&(struct delivery_options){
		.store = options->store,
		.pool = options->pool,
		.status = &sender->status,
		.batch = options->batch,
		.stop_on_reject = options->stop_on_reject,
		.give_up_at = give_up_at,
		.data = sender,
	});
	if (!sender->delivery)
		return outbox_fail(-ENOMEM, "out of memory");
	int r = flush_hook_new(options->pool, (int)(options->flush / 1000) + HOOK_MARGIN_MS,
		flush_in_shutdown, sender, &sender->hook);
	return r == 0 ? start_thread(sender) : r;
}

int sender_new(const struct sender_options *options, struct sender **ret_sender)
{
	struct sender *sender = make(options);
	if (!sender)
		return outbox_fail(-ENOMEM, "out of memory");
	int r = options->pool ? start(sender) : 0;
	if (r != 0) {
		flush_hook_free(sender->hook);
		deinit(sender);
		return r;
	}
	publisher_show(&sender->publisher);
	*ret_sender = sender;
	return 0;
}

/* A server that does not answer is not waited for. A step that is under way may have found nothing
 * before the last write came: another one follows. The mutex is held. */
static void flush_before_end(struct sender *sender)
{
	int64_t until = status_clock() + sender->options.flush;
	sender->work = true;
	sender->retry_at = 0;
	sender->give_up_at = until;
	int64_t first = sender->steps, last = first + sender->is_stepping;
	pthread_cond_broadcast(&sender->changed);
	while (!sender->is_flushing && !sender->over && status_clock() < until &&
		(sender->steps == first || sender->last_step == DELIVERY_MORE ||
			(sender->last_step == DELIVERY_DONE && sender->steps <= last)))
		wait_until(sender, until);
}

void sender_free(struct sender *sender)
{
	if (!sender)
		return;
	if (sender->options.pool) {
		pthread_mutex_lock(&sender->mutex);
		flush_before_end(sender);
		sender->stop = true;
		sender->give_up_at = 0;
		pthread_cond_broadcast(&sender->changed);
		pthread_mutex_unlock(&sender->mutex);
		flush_hook_free(sender->hook);
		pthread_join(sender->thread, NULL);
		publisher_show_closed(&sender->publisher);
	}
	deinit(sender);
}

void sender_wake(struct sender *sender)
{
	publisher_show(&sender->publisher);
	pthread_mutex_lock(&sender->mutex);
	if (!sender->work)
		pthread_cond_broadcast(&sender->changed);
	sender->work = true;
	pthread_mutex_unlock(&sender->mutex);
}

int sender_ended(struct sender *sender)
{
	return status_ended(&sender->status);
}

static int64_t handled(struct sender *sender)
{
	struct store_counts counts;
	store_counts(sender->options.store, &counts);
	return counts.handled;
}

int64_t sender_flush(struct sender *sender, int64_t usec)
{
	int64_t until = usec < 0 ? INT64_MAX : status_clock() + usec;
	struct store_counts counts;
	store_counts(sender->options.store, &counts);
	if (!sender->options.pool)
		return counts.pending;
	int64_t goal = counts.handled + counts.pending, now;
	pthread_mutex_lock(&sender->mutex);
	sender->retry_at = 0;
	sender->work = true;
	pthread_cond_broadcast(&sender->changed);
	while ((now = handled(sender)) < goal && !sender->over && status_clock() < until)
		wait_until(sender, until);
	pthread_mutex_unlock(&sender->mutex);
	publisher_show(&sender->publisher);
	return goal > now ? goal - now : 0;
}

void sender_stats(struct sender *sender, struct dboutbox_stats *stats)
{
	status_read(&sender->status, stats);
}
