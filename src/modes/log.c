/* Lines of text in a journal. */
#include "modes/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/instant.h"
#include "base/journal.h"
#include "base/mem.h"

#define LINE_MAX_BYTES 1024

static const struct journal_options journal = { .size_max = LOG_SIZE_MAX };

struct log {
	char *path; /* NULL: memory alone */
	struct log_entry entries[LOG_KEPT];
	size_t count, next;
	char last[LINE_MAX_BYTES];
	char error[512]; /* "" when the last line was written */
};

struct log *log_open(const char *path)
{
	struct log *log = mem_alloc(sizeof(*log));
	log->path = mem_strdup(path); /* NULL for NULL */
	return log;
}

void log_close(struct log *log)
{
	if (!log)
		return;
	for (size_t i = 0; i < LOG_KEPT; i++)
		free(log->entries[i].text);
	free(log->path);
	free(log);
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
	if (!log->path)
		return;
	snprintf(line, sizeof(line), "%s %s", instant_rfc3339(instant_now(), when), text);
	int r = journal_append(log->path, line, &journal);
	log->error[0] = '\0';
	if (r < 0)
		snprintf(log->error, sizeof(log->error), "the log %s cannot be written: %s",
			log->path, journal_strerror(r));
}

const char *log_error(const struct log *log)
{
	return log && log->error[0] ? log->error : NULL;
}
