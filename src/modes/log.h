/* dbtop's own log, an event a line: the key m shows it, --log FILE keeps it. */
#ifndef MODES_LOG_H
#define MODES_LOG_H

#include <stddef.h>
#include <stdint.h>

struct log;

/* The file's size at which it is moved aside, to PATH.1. */
#define LOG_SIZE_MAX (INT64_C(10) << 20)

/* Lines that are kept in memory, too: more push the oldest out. */
#define LOG_KEPT 500

struct log_entry {
	int64_t at; /* wall clock */
	char *text;
};

/* Appends to path, created with mode 0600; NULL: to memory alone. The path is copied. Never NULL.
 */
struct log *log_open(const char *path);

/* Waits up to two seconds for the lines to be written; returns how many of them were not, because
 * the disk did not answer. NULL is allowed here and below: nothing is logged. */
size_t log_close(struct log *log);

/* "2026-01-31T12:00:00.123456Z text", written by a thread of its own. The text must be clean; one
 * that repeats the last is left out. */
void log_write(struct log *log, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The i-th newest line of this run, or NULL; valid until the next line. */
const struct log_entry *log_get(const struct log *log, size_t i);

/* Why the last line that was tried could not be written, a sentence; NULL when it was. Lives until
 * the next call. A log that cannot be written stops nothing. */
const char *log_error(struct log *log);

/* The same of the last line, for which it waits up to so many µs. */
const char *log_wait(struct log *log, int64_t timeout);

#endif
