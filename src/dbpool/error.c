/* The last failure of each thread, and the texts of results and phases. */
#include "dbpool/error.h"

#include <stdarg.h>
#include <stdio.h>

#include "dbpool/dbpool.h"

static __thread char text[TEXT_MAX];

int fail(int result, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return result;
}

const char *dbpool_error(void)
{
	return text;
}

const char *dbpool_result_name(int result)
{
	static const char *const names[] = {
		[DBPOOL_OK] = "ok",
		[DBPOOL_TIMEOUT] = "timeout",
		[DBPOOL_SHUTTING_DOWN] = "shutting down",
		[DBPOOL_UNREACHABLE] = "server unreachable",
		[DBPOOL_FULL] = "server full",
		[DBPOOL_REFUSED] = "refused",
		[DBPOOL_DIFFERENT] = "runs with another configuration",
		[DBPOOL_STALE] = "stale lease",
		[DBPOOL_FORKED] = "belongs to the parent process",
		[DBPOOL_LATE] = "deadline passed",
	};
	if (result < 0)
		return "system error";
	return (size_t)result < sizeof(names) / sizeof(names[0]) ? names[result] : "unknown";
}

const char *dbpool_phase_name(enum dbpool_phase phase)
{
	static const char *const names[] = {
		[DBPOOL_NONE] = "none",
		[DBPOOL_STARTING] = "starting",
		[DBPOOL_RUNNING] = "running",
		[DBPOOL_STOPPING] = "stopping",
		[DBPOOL_FLUSHING] = "flushing",
		[DBPOOL_DRAINING] = "draining",
		[DBPOOL_CANCELLING] = "cancelling",
		[DBPOOL_CLOSING] = "closing",
		[DBPOOL_DONE] = "done",
	};
	return (size_t)phase < sizeof(names) / sizeof(names[0]) ? names[phase] : "unknown";
}
