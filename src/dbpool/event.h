/* Reports events to the application. */
#ifndef DBPOOL_EVENT_H
#define DBPOOL_EVENT_H

struct dbpool;
struct dbpool_event;

/* Calls the application's log function with the formatted text. No lock may be held. */
void report_event(const struct dbpool *pool, struct dbpool_event *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Where the connection was acquired, for people. */
const char *site_of(const struct dbpool_event *event);

#endif
