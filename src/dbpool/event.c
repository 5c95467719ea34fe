/* Reports events to the application's log function, or warnings to stderr. */
#include "dbpool/event.h"

#include <stdarg.h>
#include <stdio.h>

#include "dbpool/error.h"
#include "dbpool/state.h"

void report_event(const struct dbpool *pool, struct dbpool_event *event, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;
	dbpool_log_fn *log = pool->config.raw.log;
	if (!log && (!event->warning || pool->config.raw.no_log))
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	event->text = text;
	if (log)
		log(pool->config.raw.log_data, event);
	else
		fprintf(stderr, "pool %s: %s\n", pool->config.name, text);
}

const char *site_of(const struct dbpool_event *event)
{
	return event->site ? event->site : "an unknown place";
}
