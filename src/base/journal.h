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
 * spoil the next. The program must ignore SIGXFSZ.
 *
 * Root creates, writes and moves a file only in a folder that no other user can write to
 * (base/safe_folder.h). Returns 0, SAFE_FOLDER_FOREIGN, or a negative errno: -ENOTSUP when strict
 * finds no regular file. */
int journal_append(const char *path, const char *line, const struct journal_options *options)
	__attribute__((warn_unused_result));

/* Opens the file as journal_append() does, and moves it aside before when it is too large, for a
 * program that writes to it itself. The caller closes *ret_fd; *ret_size is where the file ends. */
int journal_open(const char *path, const struct journal_options *options, int *ret_fd,
	int64_t *ret_size) __attribute__((warn_unused_result));

/* As strerror(), for what these functions and base/writer.h returned. */
const char *journal_strerror(int error);

#endif
