/* Files that grow by whole lines, for which several programs may share one: the audit log, and what
 * dbtop says of itself. */
#ifndef BASE_JOURNAL_H
#define BASE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

struct journal_options {
	int64_t size_max;  /* bytes at which the file is moved aside, to PATH.1 */
	bool make_folders; /* above it, for us alone */
	bool strict;       /* a regular file, and no symbolic link; else whatever can be written */
};

/* Appends the line and its end in one write(), to a file that is opened for it, so that it can be
 * moved or removed at any time; created with mode 0600. A line that a full disk cut short does not
 * spoil the next. Returns 0 or a negative errno: -ENOTSUP when strict finds no regular file. The
 * program must ignore SIGXFSZ. */
int journal_append(const char *path, const char *line, const struct journal_options *options)
	__attribute__((warn_unused_result));

/* As strerror(), for what journal_append() returned. */
const char *journal_strerror(int error);

#endif
