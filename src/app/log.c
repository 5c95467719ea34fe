/* One write() a line, so that two dbtops may share a file. */
#include "app/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/instant.h"
#include "base/mem.h"

#define LINE_MAX_BYTES 1024

struct log {
	int fd;
	char last[LINE_MAX_BYTES];
};

int log_open(const char *path, struct log **ret_log)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	struct log *log = mem_alloc(sizeof(*log));
	log->fd = fd;
	*ret_log = log;
	return 0;
}

void log_close(struct log *log)
{
	if (!log)
		return;
	close(log->fd);
	free(log);
}

void log_write(struct log *log, const char *format, ...)
{
	char text[LINE_MAX_BYTES], line[LINE_MAX_BYTES + INSTANT_TEXT_MAX], when[INSTANT_TEXT_MAX];
	if (!log)
		return;
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (strcmp(text, log->last) == 0)
		return;
	strcpy(log->last, text);
	int length =
		snprintf(line, sizeof(line), "%s %s\n", instant_rfc3339(instant_now(), when), text);
	/* a log that cannot be written must not stop what it tells of */
	ssize_t written = write(log->fd, line, (size_t)length);
	(void)written;
}
