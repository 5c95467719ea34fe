#include "outbox/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#define USEC_PER_SEC INT64_C(1000000)

int64_t status_clock(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * USEC_PER_SEC + now.tv_nsec / 1000;
}

void status_init(struct status *status, enum dboutbox_state state)
{
	pthread_mutex_init(&status->mutex, NULL);
	status->state = state;
}

void status_deinit(struct status *status)
{
	pthread_mutex_destroy(&status->mutex);
}

void status_set(struct status *status, enum dboutbox_state state, const char *error)
{
	pthread_mutex_lock(&status->mutex);
	status->state = state;
	snprintf(status->last_error, sizeof(status->last_error), "%s", error);
	pthread_mutex_unlock(&status->mutex);
}

void status_end(struct status *status, int result, const char *error)
{
	pthread_mutex_lock(&status->mutex);
	status->ended = result;
	pthread_mutex_unlock(&status->mutex);
	status_set(status, DBOUTBOX_ENDED, error);
}

int status_ended(struct status *status)
{
	pthread_mutex_lock(&status->mutex);
	int ended = status->ended;
	pthread_mutex_unlock(&status->mutex);
	return ended;
}

void status_count_rate(struct status *status, int64_t sent)
{
	int64_t second = status_clock() / USEC_PER_SEC;
	pthread_mutex_lock(&status->mutex);
	size_t place = (size_t)(second % STATUS_RATE_SECONDS);
	if (status->rate[place].second != second)
		status->rate[place].count = 0;
	status->rate[place].second = second;
	status->rate[place].count += sent;
	pthread_mutex_unlock(&status->mutex);
}

void status_count_gap(struct status *status, int64_t gap)
{
	pthread_mutex_lock(&status->mutex);
	status->gap += gap;
	pthread_mutex_unlock(&status->mutex);
}

void status_emit(struct status *status, enum dboutbox_event_kind kind, const char *sqlstate,
	int64_t count, const char *format, ...)
{
	char text[2 * ERROR_TEXT_MAX];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	const struct dboutbox_event event = {
		.kind = kind, .text = text, .sqlstate = sqlstate, .count = count
	};
	if (status->log)
		status->log(status->log_data, &event);
	else if (!status->quiet)
		fprintf(stderr, "dboutbox: %s\n", text);
}

void status_read(struct status *status, struct dboutbox_stats *stats)
{
	int64_t second = status_clock() / USEC_PER_SEC, count = 0;
	pthread_mutex_lock(&status->mutex);
	stats->state = status->state;
	stats->gap = status->gap;
	snprintf(stats->last_error, sizeof(stats->last_error), "%s", status->last_error);
	for (size_t i = 0; i < STATUS_RATE_SECONDS; i++)
		if (second - status->rate[i].second < STATUS_RATE_SECONDS)
			count += status->rate[i].count;
	pthread_mutex_unlock(&status->mutex);
	stats->rate = (double)count / STATUS_RATE_SECONDS;
}
