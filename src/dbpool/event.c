/* Calls the application's log function. */
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
	if (!log)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	event->text = text;
	log(pool->config.raw.log_data, event);
}
