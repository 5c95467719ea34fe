/* Writes lines of text to a journal. */
#include "modes/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/instant.h"
#include "base/journal.h"
#include "base/mem.h"
#include "base/writer.h"

#define LINE_MAX_BYTES 1024

/* The timeout for a slow disk at the end. */
#define END_TIMEOUT (2 * USEC_PER_SEC)

static const struct journal_options journal = { .size_max = LOG_SIZE_MAX };

struct log {
	char *path;            /* NULL: the log is kept in memory only */
	struct writer *writer; /* NULL without a path */
	struct log_entry entries[LOG_KEPT];
	size_t count, next;
	char last[LINE_MAX_BYTES];
	char error[512];
};

struct log *log_open(const char *path)
{
	struct log *log = mem_alloc(sizeof(*log));
	log->path = mem_strdup(path); /* NULL if path is NULL */
	log->writer = path ? writer_new(path, &journal) : NULL;
	return log;
}

size_t log_close(struct log *log)
{
	if (!log)
		return 0;
	size_t unwritten = writer_free(log->writer, END_TIMEOUT);
	for (size_t i = 0; i < LOG_KEPT; i++)
		free(log->entries[i].text);
	free(log->path);
	free(log);
	return unwritten;
}

static void keep(struct log *log, const char *text)
{
	struct log_entry *entry = &log->entries[log->next];
	free(entry->text);
	*entry = (struct log_entry){ .at = instant_now(), .text = mem_strdup(text) };
	log->next = (log->next + 1) % LOG_KEPT;
	if (log->count < LOG_KEPT)
		log->count++;
}

const struct log_entry *log_get(const struct log *log, size_t i)
{
	if (!log || i >= log->count)
		return NULL;
	return &log->entries[(log->next + 2 * LOG_KEPT - 1 - i) % LOG_KEPT];
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
	keep(log, text);
	if (!log->writer)
		return;
	snprintf(line, sizeof(line), "%s %s", instant_rfc3339(instant_now(), when), text);
	writer_append(log->writer, line);
}

static const char *explain(struct log *log, int r)
{
	if (r == 0)
		return NULL;
	snprintf(log->error, sizeof(log->error), "the log %s cannot be written: %s", log->path,
		journal_strerror(r));
	return log->error;
}

const char *log_error(struct log *log)
{
	return log && log->writer ? explain(log, writer_error(log->writer)) : NULL;
}

const char *log_wait(struct log *log, int64_t timeout)
{
	return log && log->writer ? explain(log, writer_wait(log->writer, timeout)) : NULL;
}
