/* dbtop's own log, one line for each event. The key m shows it, --log FILE writes it to a file. */
#ifndef MODES_LOG_H
#define MODES_LOG_H

#include <stddef.h>
#include <stdint.h>

struct log;

/* When the file has this size, it is renamed to PATH.1. */
#define LOG_SIZE_MAX (INT64_C(10) << 20)

/* The number of lines kept in memory; a new line removes the oldest. */
#define LOG_KEPT 500

struct log_entry {
	int64_t at; /* wall clock */
	char *text;
};

/* Appends to path, created with mode 0600; NULL: the log is kept in memory only. The path is
 * copied. Never NULL. */
struct log *log_open(const char *path);

/* Waits up to two seconds for the lines to be written; returns how many were not, because the disk
 * did not answer. NULL is allowed here and below: nothing is logged. */
size_t log_close(struct log *log);

/* Writes "2026-01-31T12:00:00.123456Z text" on a thread of its own. The text must be clean. A text
 * that is equal to the last one is not written. */
void log_write(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The i-th newest line of this run, or NULL; valid until the next line. */
const struct log_entry *log_get(const struct log *log, size_t i);

/* Why the last line could not be written, a sentence; NULL if it was written. Valid until the next
 * call. dbtop goes on if its log cannot be written. */
const char *log_error(struct log *log);

/* The same for the last line; waits for it up to `timeout` µs. */
const char *log_wait(struct log *log, int64_t timeout);

#endif
