/* One step sends one batch:
 *
 *   read a batch → borrow a connection → read the server's numbers, if they are not known
 *     → send → confirm, reject or wait
 *
 * The next batch is read while the server works on the one before, and sent if that was applied.
 *
 * The numbers are read again whenever it is not known what became of a batch. The connection is
 * kept from step to step while there is more to send, for a second at most. */
#include "outbox/delivery.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbpool/dbpool.h"
#include "outbox/batch.h"
#include "outbox/error.h"
#include "outbox/remote.h"
#include "outbox/sqlstate.h"
#include "outbox/status.h"
#include "outbox/store.h"

#define USEC_PER_SEC INT64_C(1000000)

#define FIRST_PAUSE (USEC_PER_SEC / 10)
#define LAST_PAUSE  (10 * USEC_PER_SEC) /* while the server is away or busy */
#define HELD_PAUSE  (30 * USEC_PER_SEC) /* while someone has to mend the database */
#define KEEP_LEASE  USEC_PER_SEC
#define ACQUIRE_MS  500

#define CANCELS_MAX   5
#define CONFLICTS_MAX 4

struct delivery {
	struct delivery_options options;
	struct batch batch;
	struct store_epoch epoch; /* of the batch */
	struct batch next;        /* what follows the batch, of the same epoch */
	bool has_next;
	struct dbpool_lease lease;
	bool has_lease;
	int64_t borrowed_at;
	bool numbers_known;
	int64_t numbered_epoch; /* the epoch that has a row on the server; 0: none */
	int64_t single_until; /* batches of one write until this id: one of them fails at commit */
	int64_t cancelled_id; /* the write whose statement was cancelled, and how often */
	int cancels;
	int conflicts; /* in a row */
	int64_t pause;
	char reported[6]; /* the SQLSTATE of the wait that was reported */
	bool is_reported;
};

/* --- what a step may come to --- */

static void drop_lease(struct delivery *delivery, bool broken)
{
	if (delivery->has_lease)
		(void)(broken ? dbpool_discard(&delivery->lease)
			      : dbpool_release(&delivery->lease));
	delivery->has_lease = false;
}

static void report_wait(struct delivery *delivery, enum dboutbox_state state, const char *sqlstate,
	const char *error)
{
	delivery->is_reported = true;
	snprintf(delivery->reported, sizeof(delivery->reported), "%s", sqlstate);
	if (state == DBOUTBOX_HELD)
		status_emit(delivery->options.status, DBOUTBOX_EVENT_HELD, sqlstate, 0,
			"writes are held until this is mended: %s", error);
	else
		status_emit(delivery->options.status, DBOUTBOX_EVENT_WAITING, sqlstate, 0,
			"writes wait: %s", error);
}

static enum delivery_step wait_for(struct delivery *delivery, enum dboutbox_state state,
	const char *sqlstate, const char *error)
{
	drop_lease(delivery, sqlstate_action(sqlstate) == SQLSTATE_RECONNECT);
	delivery->numbers_known = false;
	int64_t most = state == DBOUTBOX_HELD ? HELD_PAUSE : LAST_PAUSE;
	delivery->pause = delivery->pause ? delivery->pause * 2 : FIRST_PAUSE;
	if (delivery->pause > most)
		delivery->pause = most;
	if (!delivery->is_reported || strcmp(delivery->reported, sqlstate) != 0)
		report_wait(delivery, state, sqlstate, error);
	/* Reported before the state changes: a thread that waits for the state may then rely on the
	 * event. */
	status_set(delivery->options.status, state, error);
	return DELIVERY_WAIT;
}

static enum delivery_step end(struct delivery *delivery, int result, const char *error)
{
	drop_lease(delivery, true);
	status_emit(delivery->options.status, DBOUTBOX_EVENT_STOPPED, "", 0,
		"the outbox stopped: %s", error);
	status_end(delivery->options.status, result, error);
	return DELIVERY_STOP;
}

/* The file cannot be used now, or ever again. */
static enum delivery_step file_failed(struct delivery *delivery, int result)
{
	char error[ERROR_TEXT_MAX];
	snprintf(error, sizeof(error), "%s", dboutbox_error());
	return result == DBOUTBOX_DAMAGED ? end(delivery, result, error)
					  : wait_for(delivery, DBOUTBOX_WAITING, "", error);
}

static enum delivery_step lost(struct delivery *delivery, const char *error)
{
	return wait_for(delivery, DBOUTBOX_WAITING, "08006", error);
}

/* --- connections --- */

static bool borrow(struct delivery *delivery, int *ret_result)
{
	if (delivery->has_lease)
		return true;
	int64_t left =
		(delivery->options.give_up_at(delivery->options.data) - status_clock()) / 1000;
	int ms = left < 1 ? 1 : left < ACQUIRE_MS ? (int)left : ACQUIRE_MS;
	*ret_result = dbpool_acquire_at(delivery->options.pool, &delivery->lease, ms, "dboutbox");
	if (*ret_result != DBPOOL_OK)
		return false;
	delivery->has_lease = true;
	delivery->borrowed_at = status_clock();
	delivery->numbers_known = false; /* it may be another server, since a failover */
	return true;
}

/* Only a full batch: one that is not may grow until it is sent. */
static void read_ahead(void *data)
{
	struct delivery *delivery = data;
	const struct batch *batch = &delivery->batch;
	int64_t last = batch->writes[batch->count - 1].sequence;
	delivery->has_next = store_read_ahead(delivery->options.store, &delivery->epoch, last,
				     delivery->options.batch, &delivery->next) == 0 &&
		delivery->next.count == delivery->options.batch;
}

static struct remote remote_of(struct delivery *delivery)
{
	return (struct remote){
		.conn = dbpool_conn(&delivery->lease),
		.give_up_at = delivery->options.give_up_at,
		.data = delivery->options.data,
	};
}

/* Others wait for a connection, or it was borrowed for long enough. */
static bool shall_release(struct delivery *delivery)
{
	struct dbpool_stats stats;
	dbpool_stats(delivery->options.pool, &stats, sizeof(stats));
	return stats.waiters > 0 || status_clock() - delivery->borrowed_at > KEEP_LEASE;
}

/* --- numbers --- */

static enum delivery_step refused(struct delivery *delivery, const struct remote_failure *failure)
{
	switch (sqlstate_action(failure->sqlstate)) {
	case SQLSTATE_HOLD:
		return wait_for(delivery, DBOUTBOX_HELD, failure->sqlstate, failure->message);
	default: return wait_for(delivery, DBOUTBOX_WAITING, failure->sqlstate, failure->message);
	}
}

static enum delivery_step failed(
	struct delivery *delivery, enum remote_result outcome, const struct remote_failure *failure)
{
	switch (outcome) {
	case REMOTE_NO_MEMORY: return wait_for(delivery, DBOUTBOX_WAITING, "", "out of memory");
	case REMOTE_DAMAGED: return end(delivery, DBOUTBOX_DAMAGED, failure->message);
	case REMOTE_REFUSED: return refused(delivery, failure);
	default: return lost(delivery, failure->message);
	}
}

/* The table is missing: create it, or say how. */
static enum delivery_step create_table(struct delivery *delivery)
{
	const struct remote remote = remote_of(delivery);
	struct remote_failure failure;
	enum remote_result outcome = remote_create(&remote, &failure);
	if (outcome == REMOTE_DONE)
		return DELIVERY_MORE;
	if (outcome != REMOTE_REFUSED || sqlstate_action(failure.sqlstate) != SQLSTATE_HOLD)
		return failed(delivery, outcome, &failure);
	char error[ERROR_TEXT_MAX];
	char *role =
		PQescapeIdentifier(remote.conn, PQuser(remote.conn), strlen(PQuser(remote.conn)));
	const char *name = role ? role : "the role";
	snprintf(error, sizeof(error),
		"%.60s; run: %s GRANT USAGE ON SCHEMA dboutbox TO %s; GRANT SELECT, INSERT, UPDATE "
		"ON dboutbox.applied TO %s;",
		failure.message, remote_table_sql, name, name);
	PQfreemem(role);
	return wait_for(delivery, DBOUTBOX_HELD, failure.sqlstate, error);
}

static bool is_missing(const struct remote_failure *failure)
{
	return strcmp(failure->sqlstate, "42P01") == 0 || strcmp(failure->sqlstate, "3F000") == 0;
}

static void report(struct delivery *delivery, const struct store_comparison *comparison)
{
	if (comparison->confirmed)
		status_count_rate(delivery->options.status, comparison->confirmed);
	if (comparison->resent)
		status_emit(delivery->options.status, DBOUTBOX_EVENT_RESENT, "", comparison->resent,
			"the server lost %" PRId64
			" writes that it had confirmed: they are sent again",
			comparison->resent);
	if (!comparison->gap)
		return;
	status_count_gap(delivery->options.status, comparison->gap);
	status_emit(delivery->options.status, DBOUTBOX_EVENT_GAP, "", comparison->gap,
		"the server lost %" PRId64
		" writes that it had confirmed, and they are not kept any more",
		comparison->gap);
}

static int64_t find_applied(const struct remote_applied *applied, size_t n, int64_t epoch)
{
	for (size_t i = 0; i < n; i++)
		if (applied[i].epoch == epoch)
			return applied[i].sequence;
	return -1;
}

static int compare_all(
	struct delivery *delivery, const struct remote_applied *applied, size_t n_applied)
{
	struct store_epoch *epochs;
	size_t count;
	int r = store_epochs(delivery->options.store, &epochs, &count);
	if (r != 0)
		return r;
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct store_comparison comparison;
		int64_t sequence = find_applied(applied, n_applied, epochs[i].epoch);
		r = store_compare(delivery->options.store, &epochs[i], sequence < 0 ? 0 : sequence,
			&comparison);
		if (r == 0)
			report(delivery, &comparison);
	}
	delivery->numbered_epoch = find_applied(applied, n_applied, delivery->epoch.epoch) < 0
		? 0
		: delivery->epoch.epoch;
	free(epochs);
	return r;
}

/* DELIVERY_MORE: the numbers are known now, and the batch may be another one. */
static enum delivery_step read_numbers(struct delivery *delivery)
{
	const struct remote remote = remote_of(delivery);
	struct remote_applied *applied;
	size_t count;
	struct remote_failure failure;
	enum remote_result outcome =
		remote_read(&remote, store_id(delivery->options.store), &applied, &count, &failure);
	if (outcome == REMOTE_REFUSED && is_missing(&failure))
		return create_table(delivery);
	if (outcome != REMOTE_DONE)
		return failed(delivery, outcome, &failure);
	int r = compare_all(delivery, applied, count);
	free(applied);
	if (r == DBOUTBOX_DIVERGED) {
		char error[ERROR_TEXT_MAX];
		snprintf(error, sizeof(error), "%s", dboutbox_error());
		return end(delivery, r, error);
	}
	if (r != 0)
		return file_failed(delivery, r);
	delivery->numbers_known = true;
	return DELIVERY_MORE;
}

/* --- batches --- */

static enum delivery_step reject(struct delivery *delivery, const struct remote_failure *failure)
{
	const struct batch_write *write = &delivery->batch.writes[failure->write];
	int r = store_reject(delivery->options.store, write->id,
		&(struct store_rejection){
			.sqlstate = failure->sqlstate,
			.message = failure->message,
			.sql = failure->sql,
		});
	if (r != 0)
		return file_failed(delivery, r);
	status_emit(delivery->options.status, DBOUTBOX_EVENT_REJECTED, failure->sqlstate, 1,
		"a write was rejected with SQLSTATE %s, %s: %.200s", failure->sqlstate,
		failure->message, failure->sql);
	if (!delivery->options.stop_on_reject)
		return DELIVERY_MORE;
	char error[ERROR_TEXT_MAX];
	snprintf(error, sizeof(error), "a write was rejected with SQLSTATE %s, %.400s",
		failure->sqlstate, failure->message);
	return end(delivery, DBOUTBOX_STOPPED, error);
}

/* A commit was refused. Sending the writes one by one shows which of them is the cause. */
static enum delivery_step commit_refused(
	struct delivery *delivery, size_t count, struct remote_failure *failure)
{
	if (count > 1) {
		delivery->single_until = delivery->batch.writes[count - 1].id;
		return DELIVERY_MORE;
	}
	failure->write = 0;
	snprintf(failure->sql, sizeof(failure->sql), "COMMIT");
	return reject(delivery, failure);
}

static enum delivery_step batch_refused(
	struct delivery *delivery, size_t count, struct remote_failure *failure)
{
	enum sqlstate_action action = sqlstate_action(failure->sqlstate);
	if (action == SQLSTATE_RETRY_FEW) {
		int64_t id = failure->write == REMOTE_NO_WRITE
			? 0
			: delivery->batch.writes[failure->write].id;
		delivery->cancels = id == delivery->cancelled_id ? delivery->cancels + 1 : 1;
		delivery->cancelled_id = id;
		if (id && delivery->cancels > CANCELS_MAX)
			action = SQLSTATE_REJECT;
	}
	if (action != SQLSTATE_REJECT)
		return refused(delivery, failure);
	return failure->write == REMOTE_NO_WRITE ? commit_refused(delivery, count, failure)
						 : reject(delivery, failure);
}

static enum delivery_step batch_sent(struct delivery *delivery, size_t count)
{
	const struct batch *batch = &delivery->batch;
	int r = store_confirm(
		delivery->options.store, &delivery->epoch, batch->writes[count - 1].sequence);
	delivery->numbered_epoch = delivery->epoch.epoch;
	delivery->pause = 0;
	delivery->conflicts = 0;
	if (delivery->is_reported)
		status_emit(delivery->options.status, DBOUTBOX_EVENT_SENDING, "", (int64_t)count,
			"writes are sent again");
	delivery->is_reported = false;
	delivery->has_next &= r == 0;
	if (r != 0)
		return file_failed(delivery, r);
	status_set(delivery->options.status, DBOUTBOX_SENDING, "");
	status_count_rate(delivery->options.status, (int64_t)count);
	return DELIVERY_MORE;
}

/* An earlier attempt of ours has succeeded, or another sender has: the numbers show which. */
static enum delivery_step conflict(struct delivery *delivery)
{
	delivery->numbers_known = false;
	if (++delivery->conflicts < CONFLICTS_MAX)
		return DELIVERY_MORE;
	delivery->conflicts = 0;
	return wait_for(delivery, DBOUTBOX_WAITING, "40001",
		"the server's number of this outbox cannot be moved: a policy or a trigger on "
		"dboutbox.applied prevents it, or another process sends from a copy of the file");
}

static enum delivery_step send_batch(struct delivery *delivery)
{
	const struct batch *batch = &delivery->batch;
	size_t count = batch->writes[0].id <= delivery->single_until ? 1 : batch->count;
	struct remote remote = remote_of(delivery);
	if (count == batch->count)
		remote.sent = read_ahead;
	remote.sent_data = delivery;
	struct remote_failure failure;
	enum remote_result outcome = remote_send(&remote, store_id(delivery->options.store),
		delivery->epoch.epoch, batch, count, delivery->epoch.confirmed,
		delivery->numbered_epoch != delivery->epoch.epoch, &failure);
	delivery->has_next &= outcome == REMOTE_DONE;
	switch (outcome) {
	case REMOTE_DONE: return batch_sent(delivery, count);
	case REMOTE_CONFLICT: return conflict(delivery);
	case REMOTE_REFUSED: return batch_refused(delivery, count, &failure);
	default: return failed(delivery, outcome, &failure);
	}
}

static enum delivery_step not_borrowed(struct delivery *delivery, int result)
{
	if (result == DBPOOL_SHUTTING_DOWN || result == DBPOOL_FORKED) {
		status_set(delivery->options.status, DBOUTBOX_WAITING, "the pool is shut down");
		return DELIVERY_STOP;
	}
	char error[ERROR_TEXT_MAX];
	snprintf(error, sizeof(error), "%s", dbpool_error());
	if (result == DBPOOL_REFUSED)
		return wait_for(delivery, DBOUTBOX_HELD, "28000", error);
	return wait_for(
		delivery, DBOUTBOX_WAITING, result == DBPOOL_FULL ? "53300" : "08001", error);
}

/* The batch that was read ahead: its numbers begin where those of the one before ended. */
static void take_next(struct delivery *delivery)
{
	struct batch sent = delivery->batch;
	delivery->epoch.confirmed = sent.writes[sent.count - 1].sequence;
	delivery->batch = delivery->next;
	delivery->next = sent;
	delivery->has_next = false;
}

static int get_batch(struct delivery *delivery)
{
	if (!delivery->has_next)
		return store_next(delivery->options.store, delivery->options.batch,
			&delivery->batch, &delivery->epoch);
	take_next(delivery);
	return 0;
}

static enum delivery_step send(struct delivery *delivery)
{
	int r = get_batch(delivery);
	if (r != 0)
		return file_failed(delivery, r);
	if (!delivery->batch.count)
		return DELIVERY_DONE;
	int result;
	if (!borrow(delivery, &result))
		return not_borrowed(delivery, result);
	return delivery->numbers_known ? send_batch(delivery) : read_numbers(delivery);
}

enum delivery_step delivery_run(struct delivery *delivery, int64_t *ret_pause)
{
	enum delivery_step step = send(delivery);
	if (delivery->has_lease && (step != DELIVERY_MORE || shall_release(delivery)))
		drop_lease(delivery, false);
	if (step == DELIVERY_DONE)
		status_set(delivery->options.status, DBOUTBOX_IDLE, "");
	*ret_pause = step == DELIVERY_WAIT ? delivery->pause : 0;
	return step;
}

void delivery_rest(struct delivery *delivery)
{
	drop_lease(delivery, false);
}

struct delivery *delivery_new(const struct delivery_options *options)
{
	struct delivery *delivery = calloc(1, sizeof(*delivery));
	if (delivery)
		delivery->options = *options;
	return delivery;
}

void delivery_free(struct delivery *delivery)
{
	if (!delivery)
		return;
	batch_free(&delivery->batch);
	batch_free(&delivery->next);
	free(delivery);
}
