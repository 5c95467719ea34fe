/* What an outbox's sender is doing, for statistics, events and those who wait for it. All functions
 * may be called in any thread. */
#ifndef OUTBOX_STATUS_H
#define OUTBOX_STATUS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "outbox/dboutbox.h"
#include "outbox/error.h"

#define STATUS_RATE_SECONDS 10

struct status {
	dboutbox_log_fn *log;
	void *log_data;
	bool quiet;

	pthread_mutex_t mutex; /* guards what follows */
	enum dboutbox_state state;
	int ended; /* the result that further writes get; 0 while it goes on */
	char last_error[ERROR_TEXT_MAX];
	int64_t gap;
	struct {
		int64_t second, count;
	} rate[STATUS_RATE_SECONDS];
};

void status_init(struct status *status, enum dboutbox_state state);
void status_deinit(struct status *status);

void status_set(struct status *status, enum dboutbox_state state, const char *error);

/* Nothing is sent any more, and writes are refused with this result. */
void status_end(struct status *status, int result, const char *error);
int status_ended(struct status *status);

void status_count_rate(struct status *status, int64_t sent);
void status_count_gap(struct status *status, int64_t gap);

/* Calls the log function, or prints to stderr. */
void status_emit(struct status *status, enum dboutbox_event_kind kind, const char *sqlstate,
	int64_t count, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Fills in state, gap, rate and last_error. */
void status_read(struct status *status, struct dboutbox_stats *stats);

/* CLOCK_MONOTONIC in µs. */
int64_t status_clock(void);

#endif
