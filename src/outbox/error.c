#include "outbox/error.h"

#include <stdarg.h>
#include <stdio.h>

#include "outbox/dboutbox.h"

static __thread char text[ERROR_TEXT_MAX];

int outbox_fail(int result, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return result;
}

const char *dboutbox_error(void)
{
	return text;
}

const char *dboutbox_result_name(int result)
{
	static const char *const names[] = {
		[DBOUTBOX_OK] = "ok",
		[DBOUTBOX_FULL] = "full",
		[DBOUTBOX_STATEMENT] = "statement refused",
		[DBOUTBOX_BUSY] = "file in use",
		[DBOUTBOX_NO_SPACE] = "no space on the disk",
		[DBOUTBOX_DAMAGED] = "file damaged",
		[DBOUTBOX_LAYOUT] = "file of a later version",
		[DBOUTBOX_IO] = "file error",
		[DBOUTBOX_DIVERGED] = "diverged from the server",
		[DBOUTBOX_STOPPED] = "stopped at a rejected write",
		[DBOUTBOX_FORKED] = "another process's",
	};
	if (result < 0)
		return "system error";
	return (size_t)result < sizeof(names) / sizeof(names[0]) ? names[result] : "unknown";
}

const char *dboutbox_state_name(enum dboutbox_state state)
{
	static const char *const names[] = {
		[DBOUTBOX_LOCAL] = "local",
		[DBOUTBOX_IDLE] = "idle",
		[DBOUTBOX_SENDING] = "sending",
		[DBOUTBOX_WAITING] = "waiting",
		[DBOUTBOX_HELD] = "held",
		[DBOUTBOX_ENDED] = "ended",
	};
	return (size_t)state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}
