/* Appends lines to a journal in a thread of its own, so that a disk that hangs does not stop the
 * program. */
#ifndef BASE_WRITER_H
#define BASE_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "base/journal.h"

struct writer;

/* The most lines that wait; later ones are lost. */
#define WRITER_LINES_MAX 4096

/* Copies the path. The thread starts with the first line. */
struct writer *writer_new(const char *path, const struct journal_options *options)
	__attribute__((returns_nonnull));

/* Copies the line and returns at once. Lines are written in this order. */
void writer_append(struct writer *writer, const char *line);

/* The result of the last line: 0 or an error of journal_append(); -ETIMEDOUT when the line was
 * lost. */
int writer_error(struct writer *writer);

/* Waits until all lines so far were tried, for at most `timeout` µs. Returns writer_error(), or
 * -ETIMEDOUT when lines still wait. */
int writer_wait(struct writer *writer, int64_t timeout) __attribute__((warn_unused_result));

/* Waits in the same way, then frees the writer; if the thread hangs, it is left behind and frees
 * the writer later. Returns how many lines were not written because the disk did not answer. NULL
 * is allowed. */
size_t writer_free(struct writer *writer, int64_t timeout);

#endif
