/* Appends lines to a journal on a thread of its own: a disk that hangs stops nobody else. */
#ifndef BASE_WRITER_H
#define BASE_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "base/journal.h"

struct writer;

/* So many lines wait at the most; what comes then is lost. */
#define WRITER_LINES_MAX 4096

/* The path is copied. The thread starts with the first line. */
struct writer *writer_new(const char *path, const struct journal_options *options)
	__attribute__((returns_nonnull));

/* Copies the line, and returns at once. Lines are written in their order. */
void writer_append(struct writer *writer, const char *line);

/* What became of the last line that was tried: 0, or as of journal_append(); -ETIMEDOUT when it was
 * lost. */
int writer_error(struct writer *writer);

/* Waits until every line so far was tried, up to so many µs. Returns writer_error(), or -ETIMEDOUT
 * when lines still wait. */
int writer_wait(struct writer *writer, int64_t timeout) __attribute__((warn_unused_result));

/* Waits the same, and frees the writer; a thread that hangs is left alone. Returns how many lines
 * were not written because the disk did not answer. NULL is allowed. */
size_t writer_free(struct writer *writer, int64_t timeout);

#endif
